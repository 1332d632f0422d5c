"""What a check has found, and where."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault.

    Attributes:
        file: The file, relative to the folder that was linted, with ``/`` between its parts.
        line: Line of it, from 1.
        column: Character of that line, from 1.
        rule: Stable token, such as ``resolve.column``.
        message: One sentence that says what is wrong.
        advice: What to do next; may be empty.
        end_column: First character after the faulty word; 0 where it is not known.
        object: The object whose text this is, such as ``eventlive.webinar_enter``; may be empty.
    """

    file: str
    line: int
    column: int
    rule: str
    message: str
    advice: str = ""
    end_column: int = 0
    object: str = ""

    def __str__(self) -> str:
        """``file:line:col: rule: message; advice``, which editors and CI servers make a link of."""
        text = f"{self.file}:{self.line}:{self.column}: {self.rule}: {self.message}"
        return f"{text}; {self.advice}" if self.advice else text

    def to_dict(self) -> dict[str, str | int]:
        """For JSON."""
        return asdict(self)
