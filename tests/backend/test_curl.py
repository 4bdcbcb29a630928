"""The curl lines of Centrifugo's documentation, word for word."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest

from server import Server

LINE = """
curl --header "Content-Type: application/json" \\
  --header "X-API-Key: <API_KEY>" \\
  --request POST \\
  --data '{"users": ["42"]}' \\
  http://localhost:8000/api/%s
"""

WITHOUT_TYPE = """
curl --header "X-API-Key: <API_KEY>" --request POST --data '{"users": ["42"]}' http://localhost:8000/api/%s
"""


@unittest.skipUnless(shutil.which("curl"), "no curl on this machine")
class Curl(unittest.TestCase):
    def test_the_documented_lines_get_the_documented_answers(self):
        with Server() as server, tempfile.TemporaryDirectory() as home:
            with open(os.path.join(home, ".curlrc"), "w", encoding="utf-8") as settings:
                settings.write(f'silent\nconnect-to = "localhost:8000:{server.http}"\n')

            def says(line, method):
                done = subprocess.run(
                    line % method, shell=True, check=True, capture_output=True, env={**os.environ, "CURL_HOME": home}
                )
                return json.loads(done.stdout)

            for line in [LINE, WITHOUT_TYPE]:
                unknown = {"result": {"statuses": [{"user": "42"}]}}
                self.assertEqual(says(line, "get_user_status"), unknown)
                self.assertEqual(says(line, "update_user_status"), {"result": {}})
                status = says(line, "get_user_status")["result"]["statuses"][0]
                self.assertEqual(set(status), {"user", "active"})
                self.assertLess(abs(status["active"] - time.time()), 10)
                self.assertEqual(says(line, "delete_user_status"), {"result": {}})
                self.assertEqual(says(line, "get_user_status"), unknown)
