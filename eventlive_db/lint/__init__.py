"""Static contracts: what can be known of the SQL without running it, and what a database says of itself.

``eventlive_db.lint.sql`` reads files and needs the extra ``lint``; it is imported by nothing at run time.
"""
