"""A webhook's receiver, on loopback, that answers as a test wants."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "T0PSECRETpathtoken"
QUERY = "qUERYsecretVALUE"
SECRET = "hmacSIGNINGsecret"


@dataclass(slots=True)
class Request:
    """What came."""

    body: bytes
    headers: dict[str, str]


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(slots=True)
class Receiver:
    """What it answers, one after another, the last for ever; and what came."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, count: int) -> list[Request]:
        """The requests, once there are so many."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.requests) >= count, 60), self.requests
            return list(self.requests)


def says(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Answer so; underscores in names of headers are hyphens."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def resets(handler: BaseHTTPRequestHandler) -> None:
    """Reset the connection."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.wfile = open("/dev/null", "wb")  # noqa: PTH123, SIM115  # it flushes at the end
    handler.close_connection = True


def says_garbage(handler: BaseHTTPRequestHandler) -> None:
    """Answer with what is no HTTP."""
    handler.wfile.write(b"\x00\xff not HTTP at all\r\n\r\n")
    handler.close_connection = True


def after(event: threading.Event, then: Answer) -> Answer:
    """Answer once something has happened."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        event.wait(60)
        then(handler)

    return answer


def drips(begin: bytes, drop: bytes) -> Answer:
    """Begin an answer, and go on with it bit by bit: never for long without one, and never to the end."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(begin)
        never = threading.Event()
        for _ in range(500):
            handler.wfile.write(drop)
            never.wait(0.01)
        handler.close_connection = True

    return answer


@contextmanager
def receiving(*answers: Answer) -> Iterator[Receiver]:
    """Run one, at an address that is full of secrets."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with receiver.came:
                number = len(receiver.requests)
                receiver.requests.append(Request(body, {name.lower(): value for name, value in self.headers.items()}))
                receiver.came.notify_all()
            receiver.answers[min(number, len(receiver.answers) - 1)](self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """The caller hung up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/services/{TOKEN}?key={QUERY}"
        receiver = Receiver(url, list(answers) or [says(200, b"ok")])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
