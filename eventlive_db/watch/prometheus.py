"""Serves the page to Prometheus, on this machine alone unless another address is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import AF_INET, AF_INET6

from eventlive_db.watch.errors import WatchError
from eventlive_db.watch.exposition import CONTENT_TYPE
from eventlive_db.watch.state_file import write_whole

LOOPBACK = "127.0.0.1"
_PATIENCE_S = 5.0


class Page:
    """What is served now; empty before the first look."""

    def __init__(self) -> None:
        self.content = b""
        self.port = 0

    def show(self, text: str) -> None:
        """Serve this from now on."""
        self.content = text.encode("utf-8", "replace")


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of ``9187``, ``:9187``, ``0.0.0.0:9187`` or ``[::]:9187``; without a host, loopback.

    Raises:
        WatchError: It is none of those.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65536) or (":" in host and not host.startswith("[")):
        msg = f"{text!r} is no address to serve metrics at"
        raise WatchError(msg, "Write a port, such as 9187, or host:port", token="bad_address")
    return host.strip("[]") or LOOPBACK, int(port)


@contextmanager
def serving(host: str, port: int) -> Iterator[Page]:
    """Serve ``/metrics`` for as long as the context lasts.

    Args:
        host: Address to listen at.
        port: 0 for a free one, which is then in ``Page.port``.

    Raises:
        WatchError: It cannot listen there.
    """
    page = Page()

    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S
        server_version = "eventlive-db"
        sys_version = ""

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            known = self.path.partition("?")[0] == "/metrics"
            status, content = (200, page.content) if known else (404, b"look at /metrics\n")
            if known and not content:
                status, content = 503, b"nothing was measured yet\n"
            self.send_response(status)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if with_body:
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        address_family = AF_INET6 if ":" in host else AF_INET
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Somebody hung up: that is theirs to know."""

    try:
        server = Server((host, port), Handler)
    except OSError as error:
        msg = f"metrics cannot be served at {host}:{port}: {error.strerror}"
        raise WatchError(msg, "Take another port", token="bad_address") from None
    with server:
        page.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield page
        finally:
            server.shutdown()
            thread.join()


class Pages:
    """Where metrics go after each look: an address, a file, both or neither."""

    def __init__(self, page: Page | None, file: Path | None, warn: Callable[[str], None]) -> None:
        self._page, self._file, self._warn = page, file, warn
        self._written: bool | None = None

    def show(self, text: str) -> None:
        """Publish this.

        Raises:
            WatchError: The file cannot be written, the first time. Later on it is a warning: a full disk is no reason
                to stop watching.
        """
        if self._page is not None:
            self._page.show(text)
        if self._file is None:
            return
        try:
            write_whole(self._file, text)
        except WatchError as error:
            if self._written is None:
                raise
            if self._written:
                self._warn(str(error))
            self._written = False
        else:
            self._written = True


@contextmanager
def publishing(address: str | None, file: Path | None, warn: Callable[[str], None]) -> Iterator[Pages]:
    """Publish metrics for as long as the context lasts.

    Args:
        address: Where to serve them, as :func:`parse_address` reads it; none for nowhere.
        file: Which file to write; none for no file.
        warn: Told where they are served, and what goes wrong.

    Raises:
        WatchError: They cannot be served there.
    """
    if address is None:
        yield Pages(None, file, warn)
        return
    host, port = parse_address(address)
    with serving(host, port) as page:
        warn(f"metrics are served at port {page.port}, /metrics")
        yield Pages(page, file, warn)
