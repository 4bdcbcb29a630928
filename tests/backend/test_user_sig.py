"""userSigs: the server accepts those of Tencent's own package, and its command line makes the same ones."""

import base64
import json
import os
import subprocess
import tempfile
import unittest
import zlib

import TLSSigAPIv2
from server import Server
from websockets.sync.client import connect

APP_ID = 1400000000
SECRET = "development-secret"


def login(server, user, user_sig):
    """Logs in and returns the reply."""
    with connect(f"ws://{server.http}/im", subprotocols=["jsonrpc"]) as socket:
        params = {"SDKAppID": APP_ID, "userID": user, "userSig": user_sig, "platform": "Web"}
        socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "login", "params": params}))
        return json.loads(socket.recv(timeout=20))


class UserSig(unittest.TestCase):
    def test_a_user_sig_of_the_package_is_accepted(self):
        package = TLSSigAPIv2.TLSSigAPIv2(APP_ID, SECRET)
        with Server() as server:
            for made in (package.gen_sig("alice"), package.gen_sig_with_userbuf("alice", 60, b"room")):
                answer = login(server, "alice", made)
                self.assertEqual(answer["result"], {"userID": "alice", "heartbeatTimeout": 400})
            for user, made, code in (
                ("bob", package.gen_sig("alice"), 70013),
                ("alice", package.gen_sig("alice", 0), 70001),
                ("alice", TLSSigAPIv2.TLSSigAPIv2(APP_ID, "other").gen_sig("alice"), 70003),
                ("alice", TLSSigAPIv2.TLSSigAPIv2(APP_ID + 1, SECRET).gen_sig("alice"), 70014),
            ):
                self.assertEqual(login(server, user, made)["error"]["code"], code)

    def test_a_user_sig_of_the_server_equals_that_of_the_package(self):
        binary = os.path.abspath(os.environ["HEREABOUTS_BINARY"])
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEREABOUTS_")}
        with tempfile.TemporaryDirectory() as folder:
            made = subprocess.check_output(
                [binary, "user-sig", "alice", "--expire", "1h"], cwd=folder, env=environment, text=True
            )
        packed = made.strip().replace("*", "+").replace("-", "/").replace("_", "=")
        document = json.loads(zlib.decompress(base64.b64decode(packed)))
        signature = document.pop("TLS.sig")
        time = document.pop("TLS.time")
        self.assertEqual(
            document, {"TLS.ver": "2.0", "TLS.identifier": "alice", "TLS.sdkappid": APP_ID, "TLS.expire": 3600}
        )
        package = TLSSigAPIv2.TLSSigAPIv2(APP_ID, SECRET)
        signed = package._TLSSigAPIv2__hmacsha256("alice", time, 3600)
        self.assertEqual(signature, signed.decode())


if __name__ == "__main__":
    unittest.main()
