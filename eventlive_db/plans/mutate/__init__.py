"""Test the budgets: break the database in one way at a time, and demand that a budget rejects it."""

from eventlive_db.plans.mutate.model import OPERATORS, MutantReport, MutationReport, Verdict
from eventlive_db.plans.mutate.report import render, to_dict
from eventlive_db.plans.mutate.run import mutate

__all__ = ["OPERATORS", "MutantReport", "MutationReport", "Verdict", "mutate", "render", "to_dict"]
