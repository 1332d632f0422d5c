"""What keeps the watch from starting."""

from __future__ import annotations

from eventlive_db.errors import AdvisedError


class WatchError(AdvisedError):
    """An option, a file or an address cannot be used. The message never holds a secret."""

    token = "watch"
