"""Centrifugo's Go client for backends, which uses the legacy endpoint. Needs Go."""

import os
import subprocess
import unittest

from server import KEY, Server

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gocent")


class Gocent(unittest.TestCase):
    def test_the_legacy_endpoint_serves_its_client(self):
        with Server() as server:
            done = subprocess.run(
                ["go", "run", ".", server.api, KEY], cwd=FOLDER, capture_output=True, text=True, timeout=240, check=False
            )
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
