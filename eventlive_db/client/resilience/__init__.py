"""When to call, when to wait and when to give up: pure state machines, with clock and chance injected.

:class:`Breaker` says whether a call may be sent, :class:`Backoff` how long to wait after a failure,
:class:`RetryBudget` how many retries a process may add, and :class:`Resilience` is the three of them around one call.
None of them sleeps or sends; a client does, with a thread or with asyncio.

Why not a library. Read and tried on Python 3.11:

* purgatory 3.0.1 counts consecutive failures, as is wanted. Half open, it let all of ten waiting calls through; a
  cancelled call counted as a failure and opened the circuit; it has no lock, and its clock is ``time.time()``, fixed.
* pybreaker 1.4.1 holds its lock while the call runs, so five threads went through a closed circuit one after the
  other; a failing coroutine is not seen as failed, and asynchronous calls need Tornado. Its clock is the wall's.
* stamina 26.1.0 retries, and has no breaker and no budget. Its jitter is added before the cap, so that delays at the
  cap have none and clients that failed together come back together.
* tenacity 9.2.1 has full jitter (``wait_random_exponential``) and can follow Retry-After (``wait_exception``), but not
  one on top of the other; no breaker, no budget, and ``random`` and ``time.monotonic`` are called directly.

What is left to take from them is the arithmetic of a delay, which is ten lines, for a dependency in every application
that installs the client. The delays follow "full jitter" of
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
"""

from eventlive_db.client.resilience.attempts import Attempts, Resilience, usual
from eventlive_db.client.resilience.backoff import Backoff, RetryBudget
from eventlive_db.client.resilience.breaker import Breaker, Change, Permit, State, Status

__all__ = [
    "Attempts",
    "Backoff",
    "Breaker",
    "Change",
    "Permit",
    "Resilience",
    "RetryBudget",
    "State",
    "Status",
    "usual",
]
