"""The built binary on free ports, with its own folder."""

import os
import queue
import subprocess
import tempfile
import threading

KEY = "<API_KEY>"  # as in the curl commands of the documentation


class Server:
    """A server that runs while it is used as a context."""

    def __init__(self, **settings):
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HEREABOUTS_")}
        self.environment |= {
            "HEREABOUTS_HTTP_API__KEY": KEY,
            "HEREABOUTS_GRPC_API__ENABLED": "true",
            "HEREABOUTS_GRPC_API__ADDRESS": "127.0.0.1:0",
            "HEREABOUTS_GRPC_API__KEY": KEY,
            **settings,
        }

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        binary = os.path.abspath(os.environ["HEREABOUTS_BINARY"])
        self.process = subprocess.Popen(
            [binary, "--address", "127.0.0.1:0"],
            cwd=self.folder.name,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        lines = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        self.grpc = self._after("listening for gRPC on ", lines)
        self.http = self._after("listening on http://", lines)
        return self

    def _read(self, lines):
        for line in self.process.stderr:
            lines.put(line.strip())

    @staticmethod
    def _after(words, lines):
        while True:
            _, found, address = lines.get(timeout=20).partition(words)
            if found:
                return address

    @property
    def api(self):
        return f"http://{self.http}/api"

    def __exit__(self, *_):
        self.process.terminate()
        code = self.process.wait(timeout=20)
        self.process.stderr.close()
        self.folder.cleanup()
        assert code == 0, f"the server exited with {code}"
