"""A crowd of users in three webinars, and everything that may be called for one of them in a benchmark of pings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from eventlive_db.load.bench.pgbench import Script
from eventlive_db.load.bench.shapes import Durability, call, next_user, plain, random_user, transaction, update
from eventlive_db.load.bench.stage import Database, Place, batch_of

UPDATE, PING, THROTTLED, FIRST, BATCHED = (
    "bare UPDATE",
    "ping",
    "ping inside the throttle",
    "first ping",
    "ping in a batch",
)
EMPTY, SHORTEST = "empty function", "function with the UPDATE alone"
BY_ITSELF, IN_TRANSACTION = "by itself", "in PostgREST's transaction"
_LONG_S = 86_400.0
# What any function costs that runs as its owner with a search_path of its own; and one that knows whose row to write.
_LIMITS = b"""
    create function bench.empty() returns void language plpgsql security definer
        set search_path = pg_catalog, pg_temp as $$ begin end $$;
    create function bench.shortest(_webinar_id uuid) returns void language plpgsql security definer
        set search_path = pg_catalog, pg_temp as $$
    declare
        v_user_id uuid := current_setting('request.jwt.claims')::json ->> 'sub';
    begin
        update bench.presence
           set last_seen_at = clock_timestamp(), expires_at = clock_timestamp() + interval '300 s'
         where webinar_id = _webinar_id and user_id = v_user_id;
    end
    $$;
    grant execute on all functions in schema bench to authenticated;
"""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who pings.

    Attributes:
        users: How many.
        batches: How many batches of them there are.
        due: The webinar whose pings all write: its setting ``throttle_factor`` is 0.
        throttled: The one where all have just pinged.
        fresh: The one where all are registered and nobody has pinged.
    """

    users: int
    batches: int
    due: UUID
    throttled: UUID
    fresh: UUID

    def scripts(self, shape: str, durability: Durability) -> dict[str, Script]:
        """The contenders."""
        any_user = random_user(self.users)

        def ping(webinar_id: UUID, *, writes: bool = True) -> Script:
            called = call("webinar_presence_ping", f"'{webinar_id}'", writes=writes)
            return shaped(called, any_user, durability)

        shaped = plain if shape == BY_ITSELF else transaction
        batch = call(
            "webinar_presence_ping_many",
            f"'{self.due}'",
            "(select user_ids from bench.batches where number = :n)",
            role="service_role",
        )
        pick = f"\\set n random(1, {self.batches})\n"
        batched = (
            plain(batch, pick, durability, times=1) if shape == BY_ITSELF else transaction(batch, pick, durability)
        )
        found = {
            UPDATE: shaped(update("bench.presence", self.due), any_user, durability),
            PING: ping(self.due),
            THROTTLED: ping(self.throttled, writes=False),
            SHORTEST: shaped(call("shortest", f"'{self.due}'", schema="bench"), any_user, durability),
            EMPTY: shaped(call("empty", writes=False, schema="bench"), any_user, durability),
            BATCHED: Script(batched.text, batch_of(self.users), batched.options),
        }
        if shape == IN_TRANSACTION:
            # By itself it would be one call in twenty.
            first = call("webinar_presence_ping", f"'{self.fresh}'")
            found[FIRST] = transaction(first, next_user(self.users), durability)
        return found


@contextmanager
def crowded(place: Place, users: int, batches: int) -> Iterator[tuple[Database, Crowd]]:
    """A database with all that the contenders need.

    Args:
        place: Where.
        users: Present users, any of whom may ping next.
        batches: Different batches of them.
    """
    with place.database() as database:
        place.progress(f"{users:,} users enter three webinars")
        crowd = Crowd(
            users,
            batches,
            database.webinar(throttle_factor=0),
            database.webinar(),
            database.webinar(),
        )
        for webinar_id in (crowd.due, crowd.throttled, crowd.fresh):
            database.register(webinar_id, users)
        database.present(crowd.due, users, throttle_s=0)
        database.copy_presence()
        database.connection.execute(_LIMITS)
        database.present(crowd.throttled, users, throttle_s=_LONG_S)
        database.make_batches(users, batches)
        database.settle()
        yield database, crowd
