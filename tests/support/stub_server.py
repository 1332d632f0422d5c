"""A web server of the tests that answers every call with what it is told to, on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Stub:
    """What it says.

    Attributes:
        url: Where it answers.
        status: Status of the answer.
        headers: Its headers, beside the length of the body.
        body: Its body.
        length: The length that it announces, where it is not that of the body.
        asked: The paths of the requests that came.
    """

    url: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None
    asked: list[str] = field(default_factory=list)

    def says(self, status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> None:
        """From now on it answers so; names of headers with underscores for hyphens."""
        self.status, self.body, self.length = status, body, length
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@contextmanager
def stub_server() -> Iterator[Stub]:
    """Run it for as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            stub.asked.append(self.path)
            self.send_response(stub.status)
            for name, value in stub.headers.items():
                self.send_header(name, value)
            if stub.status != 204:
                self.send_header("Content-Length", str(len(stub.body) if stub.length is None else stub.length))
            self.end_headers()
            self.wfile.write(stub.body)
            self.close_connection = stub.length is not None

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        stub = Stub(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()
