"""``python -m eventlive_db``: the command line."""

from eventlive_db.cli import main

main()
