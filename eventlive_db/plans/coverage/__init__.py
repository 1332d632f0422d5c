"""Which SQL statements of a database's functions a test suite runs, told from the server's log.

No extension is needed but auto_explain, which is part of Postgres' contrib.

1. Run the tests on a server with :data:`COVERAGE_SETTINGS`, and keep its log: each statement that a function runs is
   in it with the function and the line that ran it, and so is each error.
2. ``report(logs, connection, schemas=..., sources=...)`` compares that with the functions in a database, and gives
   the statements that never ran, by file and line.

Counted is what goes to the executor: INSERT, UPDATE, DELETE, MERGE, SELECT, PERFORM, CALL, EXECUTE, RETURN QUERY, the
query of a FOR loop or a cursor, and expressions with a sub-select or a FROM, as in ``if exists (...)``. An
``x := f(y)`` is not a SQL statement, nor is an IF or RETURN without a sub-select.

What to know when reading the figures:

- A SQL function that is a single SELECT, and neither ``security definer`` nor with settings of its own, may be put in
  place of its call, and then leaves no trace. Such functions are listed as not judged, whether they ran or not.
- Utility commands (LOCK, SET, TRUNCATE, CREATE) leave no trace; they are listed as not judged too. So is an EXECUTE
  whose text, or format, begins with one; where the text is made otherwise, it counts as run if something after it ran.
- A statement that failed inside a block that caught the error leaves no trace, unless it is the first of the block.
  It counts as run when another call gets past it.
- The server names a SQL function without its schema, and a plpgsql function in the search_path too. Where two
  functions share a name, such a name counts for none.
- Two statements of one text on one line are told apart no more.
"""

from __future__ import annotations

from eventlive_db.plans.coverage.errors import CoverageError, LogError, ParserMissingError
from eventlive_db.plans.coverage.log import COVERAGE_SETTINGS, Trace, executed
from eventlive_db.plans.coverage.measure import measure_coverage, report
from eventlive_db.plans.coverage.result import Coverage, Spot, Unjudged, render

__all__ = [
    "COVERAGE_SETTINGS",
    "Coverage",
    "CoverageError",
    "LogError",
    "ParserMissingError",
    "Spot",
    "Trace",
    "Unjudged",
    "executed",
    "measure_coverage",
    "render",
    "report",
]
