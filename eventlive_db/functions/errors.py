"""Why the functions of a database cannot be read."""

from __future__ import annotations

from eventlive_db.errors import AdvisedError


class FunctionError(AdvisedError):
    """A function cannot be read."""

    token = "function_error"


class UnreadableError(FunctionError):
    """pglast refuses a function or statement."""

    token = "unreadable_function"


class ParserMissingError(FunctionError):
    """pglast, which reads the functions, is not installed."""

    token = "parser_missing"
