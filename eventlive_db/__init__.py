"""Presence, registration and sessions for live webinars, as Postgres functions that stay cheap under load."""

__version__ = "0.1.0"
