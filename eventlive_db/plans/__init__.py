"""What a call costs inside its function: every nested statement with its plan, buffers, WAL and locks."""

from eventlive_db.plans.capture import capture
from eventlive_db.plans.errors import CaptureUnavailableError, PlansError
from eventlive_db.plans.model import Statement

__all__ = ["CaptureUnavailableError", "PlansError", "Statement", "capture"]
