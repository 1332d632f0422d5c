"""After a release: go, roll back, or could not tell.

What happened is read from logs (:mod:`~eventlive_db.verify.logbook`), what would happen is tried on a canary webinar
(:mod:`~eventlive_db.verify.canary`), and what is installed is read from the catalog
(:mod:`~eventlive_db.verify.release`). Each comes to checks (:mod:`~eventlive_db.verify.model`). A check that fails
fires a trigger (:mod:`~eventlive_db.verify.triggers`); one that had nothing to look at says so, and is never a pass.
"""

from eventlive_db.verify.errors import VerifyError
from eventlive_db.verify.model import Check, Evidence, Report, State, Verdict
from eventlive_db.verify.triggers import Trigger

__all__ = ["Check", "Evidence", "Report", "State", "Trigger", "Verdict", "VerifyError"]
