"""The curl commands of Centrifugo's documentation, unchanged."""

import json
import os
import subprocess
import tempfile
import time
import unittest

from server import Server

COMMAND = """
curl --header "Content-Type: application/json" \\
  --header "X-API-Key: <API_KEY>" \\
  --request POST \\
  --data '{"users": ["42"]}' \\
  http://localhost:8000/api/%s
"""

COMMAND_WITHOUT_TYPE = """
curl --header "X-API-Key: <API_KEY>" --request POST --data '{"users": ["42"]}' http://localhost:8000/api/%s
"""


class Curl(unittest.TestCase):
    def test_the_documented_commands_get_the_documented_replies(self):
        with Server() as server, tempfile.TemporaryDirectory() as home:
            with open(os.path.join(home, ".curlrc"), "w", encoding="utf-8") as settings:
                settings.write(f'silent\nconnect-to = "localhost:8000:{server.http}"\n')

            def reply_to(command, method):
                done = subprocess.run(
                    command % method, shell=True, check=True, capture_output=True, env={**os.environ, "CURL_HOME": home}
                )
                return json.loads(done.stdout)

            for command in [COMMAND, COMMAND_WITHOUT_TYPE]:
                unknown = {"result": {"statuses": [{"user": "42"}]}}
                self.assertEqual(reply_to(command, "get_user_status"), unknown)
                self.assertEqual(reply_to(command, "update_user_status"), {"result": {}})
                status = reply_to(command, "get_user_status")["result"]["statuses"][0]
                self.assertEqual(set(status), {"user", "active"})
                self.assertLess(abs(status["active"] - time.time()), 10)
                self.assertEqual(reply_to(command, "delete_user_status"), {"result": {}})
                self.assertEqual(reply_to(command, "get_user_status"), unknown)
