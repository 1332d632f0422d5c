"""A year of the visit log at once: its rotation, and every other job, beside heartbeats that go on."""

from eventlive_db.load.year.data import YearPlan
from eventlive_db.load.year.run import YearResult, run_year

__all__ = ["YearPlan", "YearResult", "run_year"]
