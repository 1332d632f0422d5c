"""A wire that can be listened to, and cut: it stands between a client and Postgres."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_PARSE_HEADER = 5


@dataclass(slots=True)
class Wire:
    """What went over it.

    Attributes:
        dsn: How to connect over the wire.
        sent: The letters of the messages of clients, in order (Postgres manual, "Message Formats");
            ``|`` where the server had answered something in between.
        cut_at: Once it has heard so much (as :meth:`heard` gives it, without ``|``) the connection is cut: the
            last message gets there, its answer does not, and the server hears the end of the connection after it.
    """

    dsn: str
    sent: list[str] = field(default_factory=list)
    cut_at: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def listen(self, cut_at: str | None = None) -> None:
        """Forget what went over it so far; from now on ``cut_at`` holds."""
        with self._lock:
            self.sent.clear()
            self.cut_at = cut_at

    def heard(self) -> str:
        """The letters since then."""
        with self._lock:
            return "".join(self.sent).strip("|")

    def _hear(self, letter: str) -> bool:
        """A client sent a message; whether the connection is to be cut behind it."""
        with self._lock:
            self.sent.append(letter)
            if self.cut_at is None or "".join(self.sent).replace("|", "") != self.cut_at:
                return False
            self.cut_at = None
            return True

    def _answer(self) -> None:
        """The server answers."""
        with self._lock:
            if self.sent and self.sent[-1] != "|":
                self.sent.append("|")


@contextlib.contextmanager
def wiretap(dsn: str) -> Iterator[Wire]:
    """A wire to the server of ``dsn``; every connection over it ends with the context.

    Args:
        dsn: With a host and port, not a socket.
    """
    target = conninfo_to_dict(dsn)
    with contextlib.ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as door:
        wire = Wire(make_conninfo(dsn, host="127.0.0.1", port=door.getsockname()[1], sslmode="disable"))
        saying: list[threading.Thread] = []
        answering: list[threading.Thread] = []
        clients: list[socket.socket] = []
        servers: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = door.accept()
                    server = socket.create_connection((str(target["host"]), int(str(target["port"]))))
                    clients.append(client)
                    servers.append(server)
                    for work, threads in ((_to_server, saying), (_to_client, answering)):
                        threads.append(threading.Thread(target=work, args=(wire, client, server), daemon=True))
                        threads[-1].start()

        listener = threading.Thread(target=accept, daemon=True)
        listener.start()
        try:
            yield wire
        finally:
            # A blocked accept does not notice that its socket is closed.
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
            stack.callback(listener.join)
            # What a client has said still gets there: a message that was cut off may be on its way.
            for ends, threads in ((clients, saying), (servers, answering)):
                for end in ends:
                    _hang_up(end)
                for thread in threads:
                    thread.join()
            for end in (*clients, *servers):
                end.close()


def _hang_up(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def _to_server(wire: Wire, client: socket.socket, server: socket.socket) -> None:
    """Pass on what a client says, message by message."""
    with contextlib.suppress(OSError), client.makefile("rb") as said:
        length = int.from_bytes(said.read(4))  # the start-up message has no letter
        server.sendall(length.to_bytes(4) + said.read(length - 4))
        while header := said.read(_PARSE_HEADER):
            message = header + said.read(int.from_bytes(header[1:]) - 4)
            cut = wire._hear(chr(header[0]))
            if cut:
                _hang_up(client)  # first, so that no answer gets there
            server.sendall(message)
            if cut:
                break
    _hang_up(client)
    with contextlib.suppress(OSError):
        server.shutdown(socket.SHUT_WR)  # it does what was said before it hears of the end


def _to_client(wire: Wire, client: socket.socket, server: socket.socket) -> None:
    """Pass on what the server says."""
    with contextlib.suppress(OSError):
        while data := server.recv(65536):
            wire._answer()
            client.sendall(data)
    _hang_up(client)
