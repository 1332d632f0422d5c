"""Benchmarks: side by side in one run, in turns, told as ratios."""

from eventlive_db.load.bench.compare import Comparison, Contender, compare
from eventlive_db.load.bench.results import Results, write_results

__all__ = ["Comparison", "Contender", "Results", "compare", "write_results"]
