"""What goes wrong in the linters themselves, as opposed to a fault that they find."""

from __future__ import annotations

from eventlive_db.errors import AdvisedError


class LintError(AdvisedError):
    """The files or the database cannot be judged."""

    token = "lint_error"
