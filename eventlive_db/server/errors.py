"""What goes wrong between a program and its Postgres. Every message says what to do next."""

from __future__ import annotations


class ServerError(RuntimeError):
    """A Postgres could not be found, started, reached or stopped."""


class NoPostgresError(ServerError):
    """No Postgres was found, or not the one that was asked for."""


class NoPostgRESTError(ServerError):
    """PostgREST was not found on this machine."""


class ServerStartError(ServerError):
    """A program was found, but it did not start.

    Attributes:
        log_tail: The last lines that the failed program wrote, as they are in the message too.
    """

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(f"{message}\n--- end of its log ---\n{log_tail}" if log_tail else message)
        self.log_tail = log_tail


class ContainerError(ServerError):
    """No container engine answers, or the image could not be had or started."""
