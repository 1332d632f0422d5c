"""Viewers for a webinar: a crowd for the demonstration, and real attendance replayed."""
