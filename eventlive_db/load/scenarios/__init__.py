"""The scenarios that were written after the outage, run for real: S1, S2 and S3."""

from eventlive_db.load.results_parts import Mark, Plot
from eventlive_db.load.scenarios.outcome import Outcome
from eventlive_db.load.scenarios.plan import POSTGREST, PSYCOPG, WAYS, Plan
from eventlive_db.load.scenarios.s1 import run_s1
from eventlive_db.load.scenarios.s2 import SIZES, run_s2
from eventlive_db.load.scenarios.s3 import run_s3

__all__ = ["POSTGREST", "PSYCOPG", "SIZES", "WAYS", "Mark", "Outcome", "Plan", "Plot", "run_s1", "run_s2", "run_s3"]
