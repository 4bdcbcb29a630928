"""Centrifugo's SDK for Java, where a JDK and Maven are installed; it speaks protobuf."""

import os
import shutil
import subprocess
import tempfile
import unittest

from server import Server
from tokens import token

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "centrifuge-java")


def fetch(folder):
    """Puts the SDK and what it needs there: from Maven's own store, and from its registry what that has not."""
    copy = ["mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    kept = subprocess.run([*copy, "--offline"], cwd=FOLDER, capture_output=True, timeout=120, check=False)
    if kept.returncode != 0:
        subprocess.run(copy, cwd=FOLDER, timeout=240, check=True)


@unittest.skipUnless(shutil.which("javac") and shutil.which("mvn"), "no JDK with Maven here: centrifuge-java is left out")
class CentrifugeJava(unittest.TestCase):
    def test_one_follows_another(self):
        with tempfile.TemporaryDirectory() as folder, Server() as server:
            fetch(folder)
            # Compiled first, because tokens run out.
            compile = ["javac", "-d", folder, "-cp", f"{folder}/*", "Main.java"]
            subprocess.run(compile, cwd=FOLDER, timeout=120, check=True)
            alice = [token("alice", -10), token("alice", 2), token("alice", 3600)]
            arguments = [f"ws://{server.http}/connection/websocket", token("bob"), *alice]
            program = ["java", "-cp", f"{folder}:{folder}/*", "Main"]
            done = subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
