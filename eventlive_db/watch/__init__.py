"""Alarms: thresholds over a sliding window of log lines and over ``pg_stat_*``, posted to a webhook.

Readings (:mod:`~eventlive_db.watch.rules`) come from log events (:mod:`~eventlive_db.watch.signals`) and from the
database (:mod:`~eventlive_db.watch.database`); :mod:`~eventlive_db.watch.alarms` decides which of them is an alarm
and when it is told; :mod:`~eventlive_db.watch.delivery` posts it from a thread of its own, so that a slow webhook never
holds up the watch. :class:`~eventlive_db.watch.watcher.Watcher` ties them together.
"""
