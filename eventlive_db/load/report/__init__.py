"""The results of load runs as one HTML file that fetches nothing: verdict, marks, plots, calls, statements."""

from eventlive_db.load.report.checked import ResultsError
from eventlive_db.load.report.document import html_page, write_report

__all__ = ["ResultsError", "html_page", "write_report"]
