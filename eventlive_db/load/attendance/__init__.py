"""Read the attendance a Zoom or Microsoft Teams event exported, to replay it as sessions.

The export is untrusted input of many shapes. What cannot be read is reported by the line of the file it
stands on and costs no other row; only a file with nothing to read raises, as :class:`AttendanceError`.
"""

from eventlive_db.load.attendance.model import (
    Attendance,
    AttendanceError,
    AttendanceFile,
    FileFault,
    RowFault,
    RowProblem,
)
from eventlive_db.load.attendance.reader import parse_attendance, read_attendance
from eventlive_db.load.attendance.watch import PersonWatch, WatchSeconds, expected_watch_seconds

__all__ = [
    "Attendance",
    "AttendanceError",
    "AttendanceFile",
    "FileFault",
    "PersonWatch",
    "RowFault",
    "RowProblem",
    "WatchSeconds",
    "expected_watch_seconds",
    "parse_attendance",
    "read_attendance",
]
