"""A server on loopback that stands for the network."""

import http.server
import threading
from contextlib import contextmanager

import pytest

from skda.datasets import _download


class Server:
    """What the server has, how it answers, and who asked."""

    def __init__(self):
        self.files = {}  # content by the end of the address
        self.failures = []  # what happens to the next requests: a status, "cut" or "hang up"
        self.asked = []
        self.root = None

    def address(self, url):
        """Return where the server has the file of an address."""
        return f"{self.root}/{url.removeprefix('https://')}"


def handler(server):
    """Return a class of handlers that answers from the files of a server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append(self.path)
            failure = server.failures.pop(0) if server.failures else None
            content = next((c for end, c in server.files.items() if self.path.endswith(end)), None)
            if failure == "hang up":
                self.close_connection = True
                return
            if isinstance(failure, int) or content is None:
                self.send_error(failure or 404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if failure == "cut" else content)

        def log_message(self, *args):
            pass

    return Handler


@contextmanager
def running(server):
    """Run a server in a thread."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(server)) as listening:
        server.root = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        listening.shutdown()
        thread.join()


@pytest.fixture
def server(monkeypatch):
    """A server that every download is sent to."""
    with running(Server()) as server:
        monkeypatch.setattr(_download, "_address", server.address)
        # A proxy of the environment would not know the loopback of this process.
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield server
