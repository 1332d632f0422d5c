"""What a call costs inside its function: every nested statement with its plan, buffers, WAL and locks.

Import from the modules: ``eventlive_db.plans.capture`` records, ``eventlive_db.plans.explain`` looks inside one call,
``eventlive_db.plans.check`` judges a suite. Nothing is imported here: pytest loads the plugin in every project in which
the package is installed.
"""
