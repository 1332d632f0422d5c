"""DoD-4, tried for real: canary webinars that are made, entered by everybody who matters, and removed again.

Whatever ends the run, they are removed: at its end, after an error and after a signal; what a killed run left is
removed by the next one, once it is an hour old. The visit log is append-only and keeps what happened.
"""

from eventlive_db.verify.canary.doors import Door, HttpDoor, PsycopgDoor
from eventlive_db.verify.canary.run import CanaryResult, run_canary

__all__ = ["CanaryResult", "Door", "HttpDoor", "PsycopgDoor", "run_canary"]
