"""What a source refreshes with."""

from __future__ import annotations

from collections.abc import Iterator

from eventlive_db.client.tokens import Token


class Refresh:
    """Gives what it is told, one after the other, and counts; an exception is raised."""

    def __init__(self, *answers: str | Token | BaseException) -> None:
        self._answers: Iterator[str | Token | BaseException] = iter(answers)
        self.calls = 0

    def __call__(self) -> str | Token:
        self.calls += 1
        answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer
