"""Centrifugo's SDK for Java, which uses protobuf. Needs a JDK and Maven."""

import os
import subprocess
import tempfile
import unittest

from server import Server
from tokens import token

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "centrifuge-java")


def fetch(folder):
    """Copies the SDK and its dependencies there: from Maven's local store, or else from its registry."""
    copy = ["mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    local = subprocess.run([*copy, "--offline"], cwd=FOLDER, capture_output=True, timeout=120, check=False)
    if local.returncode != 0:
        subprocess.run(copy, cwd=FOLDER, timeout=240, check=True)


class CentrifugeJava(unittest.TestCase):
    def test_a_user_follows_another(self):
        with tempfile.TemporaryDirectory() as folder, Server() as server:
            fetch(folder)
            # Compiled before the tokens are made, because they expire.
            compile = ["javac", "-d", folder, "-cp", f"{folder}/*", "Main.java"]
            subprocess.run(compile, cwd=FOLDER, timeout=120, check=True)
            alice = [token("alice", -10), token("alice", 2), token("alice", 3600)]
            arguments = [f"ws://{server.http}/connection/websocket", token("bob"), *alice]
            program = ["java", "-cp", f"{folder}:{folder}/*", "Main"]
            done = subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
