"""What a call costs inside its function: every nested statement with its buffers and WAL."""

from eventlive_db.plans.capture import CaptureUnavailableError, Statement, capture

__all__ = ["CaptureUnavailableError", "Statement", "capture"]
