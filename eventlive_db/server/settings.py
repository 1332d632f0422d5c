"""Named cluster settings, as ``name -> value`` in the spelling of ``postgresql.conf``.

Sources: Postgres manual, chapters "Write Ahead Log", "Resource Consumption" and "Non-Durable Settings".
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_COMMON = {
    "max_connections": "150",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_checkpoints": "off",
    # In the data directory, not in /dev/shm: a container's 64 MB would do for little, and a killed server
    # leaves nothing behind.
    "dynamic_shared_memory_type": "mmap",
}

_VOLATILE = {
    "fsync": "off",
    "full_page_writes": "off",
    # Minimal WAL and file copies make a new database cheap; nothing is replicated from here.
    "wal_level": "minimal",
    "max_wal_senders": "0",
}

DURABLE_SETTINGS: Mapping[str, str] = MappingProxyType(_COMMON)
"""For a cluster that is kept (``server start --data``): Postgres's own durability."""

DEMO_SETTINGS: Mapping[str, str] = MappingProxyType(_COMMON | _VOLATILE)
"""For a cluster to try things on: autovacuum runs as in production; a power cut may lose the data."""

TEST_SETTINGS: Mapping[str, str] = MappingProxyType(
    _COMMON
    | _VOLATILE
    | {
        # What a test may turn off for one call has to be on to begin with.
        "synchronous_commit": "on",
        # The same plan, the same buffers and the same WAL in each run.
        "autovacuum": "off",
        "jit": "off",
        "max_parallel_workers_per_gather": "0",
        "max_parallel_maintenance_workers": "0",
        "checkpoint_timeout": "1h",
        "max_wal_size": "4GB",
    }
)
"""For automated tests: deterministic plans and counters, no durability, autovacuum off."""
