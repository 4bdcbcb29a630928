"""Centrifugo's SDK for Go, in JSON and in protobuf. Needs Go."""

import os
import subprocess
import tempfile
import unittest

from server import Server
from tokens import token

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "centrifuge-go")


class CentrifugeGo(unittest.TestCase):
    def test_a_user_follows_another_in_both_encodings(self):
        with tempfile.TemporaryDirectory() as folder:
            # Built before the tokens are made, because they expire.
            program = os.path.join(folder, "program")
            subprocess.run(["go", "build", "-o", program, "."], cwd=FOLDER, timeout=240, check=True)
            for encoding in ["json", "protobuf"]:
                with self.subTest(encoding), Server() as server:
                    alice = [token("alice", -10), token("alice", 2), token("alice", 3600)]
                    arguments = [encoding, f"ws://{server.http}/connection/websocket", token("bob"), *alice]
                    done = subprocess.run(
                        [program, *arguments], capture_output=True, text=True, timeout=60, check=False
                    )
                    self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
