"""One run of the canary, from making it to removing it."""

from __future__ import annotations

from dataclasses import dataclass, field

import psycopg

from eventlive_db.verify.canary.doors import OpenDoor
from eventlive_db.verify.canary.outcome import UnableError
from eventlive_db.verify.canary.stage import Policy, Stage, sweep
from eventlive_db.verify.canary.steps import Trial
from eventlive_db.verify.database import Database, why_no_canary
from eventlive_db.verify.interruptions import Interruptions
from eventlive_db.verify.model import WORSE, Check, State, no_data
from eventlive_db.verify.triggers import Trigger

POLICIES = (
    Policy("auto_register", "auth"),
    Policy("registered_only", "auth"),
    Policy("auto_register", "guest_allowed"),
    Policy("registered_only", "guest_allowed"),
    Policy("auto_register", "invite_only"),
)


@dataclass(slots=True)
class CanaryResult:
    """What came of the canary, as far as it got; several runs add up.

    Attributes:
        checks: Of the last run; a check that failed in any run stays failed.
        runs: How many were begun.
        events: How many events the visit log keeps of all of them.
        notes: What else happened.
    """

    checks: dict[str, Check] = field(default_factory=dict)
    runs: int = 0
    events: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, check: Check) -> None:
        """Take over a check; the worse one of one name stays."""
        before = self.checks.get(check.name)
        if before is None or WORSE[check.state] >= WORSE[before.state]:
            self.checks[check.name] = check


def run_canary(dsn: str, open_door: OpenDoor, interruptions: Interruptions, result: CanaryResult) -> None:
    """Make the canary webinars, try everything, remove them.

    Args:
        dsn: The database, for looking at rows and for removing what was made.
        open_door: Makes the door that the canary's people come through.
        interruptions: Kept back while something is made or removed.
        result: Takes what comes of it, also where a signal ends the run.

    Raises:
        VerifyError: The door cannot be made.
        Interrupted: A signal came; what was made is removed.
    """
    result.runs += 1
    door = open_door()
    try:
        with Database(dsn) as database:
            if reason := why_no_canary(database, door.roles):
                result.add(no_data("dod-4", "canary", *reason))
                return
            _note_sweep(database, result)
            stage = Stage(door, interruptions)
            try:
                _try(database, stage, result)
            finally:
                _remove(dsn, stage, result)
    except UnableError as error:
        result.add(no_data("dod-4", "canary", error.says, error.advice))
    except psycopg.Error as error:
        says = (error.diag.message_primary or str(error)).strip().splitlines()[0]
        result.add(no_data("dod-4", "canary", f"the database cannot be looked at: {says}", "See its log."))
    finally:
        door.close()


def _note_sweep(database: Database, result: CanaryResult) -> None:
    webinars, profiles = sweep(database)
    if webinars or profiles:
        result.notes.append(
            f"An earlier run was killed: {webinars} canary webinars and {profiles} profiles of it are removed."
        )


def _try(database: Database, stage: Stage, result: CanaryResult) -> None:
    has_admin = stage.make_admin(database)
    for number, policy in enumerate(POLICIES):
        webinar_id, made = stage.make(policy)
        if webinar_id is None:
            says = f"making the webinar: {made.said()}"
            trigger = made.trigger(Trigger.ADMINISTRATION_BROKEN)
            advice = "service_role makes webinars: see who may call webinar_create and webinar_set_status."
            result.add(Check("dod-4", f"{policy}: made by the service", State.FAILED, says, advice, trigger))
            continue
        trial = Trial(database, stage.door, policy, webinar_id, has_admin=has_admin, whole=number == 0)
        for check in trial.checks():
            result.add(check)


def _remove(dsn: str, stage: Stage, result: CanaryResult) -> None:
    """Remove what was made; where that fails, say what is left."""
    with stage.interruptions.shield():
        try:
            result.events += stage.remove(dsn)
        except UnableError as error:
            result.add(no_data("dod-4", "canary is removed", error.says, error.advice))
