"""What keeps a verification from beginning. What keeps a check from telling is no error: the check says so."""

from __future__ import annotations

from eventlive_db.errors import AdvisedError


class VerifyError(AdvisedError):
    """The verification cannot be made as it was asked for."""

    token = "verify"
