"""Centrifugo's Go client for backends, where Go is installed: it speaks to the old endpoint."""

import os
import shutil
import subprocess
import unittest

from server import KEY, Server

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gocent")


@unittest.skipUnless(shutil.which("go"), "no Go on this machine: gocent is left out")
class Gocent(unittest.TestCase):
    def test_the_old_endpoint_answers_its_old_client(self):
        with Server() as server:
            done = subprocess.run(
                ["go", "run", ".", server.api, KEY], cwd=FOLDER, capture_output=True, text=True, timeout=240, check=False
            )
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
