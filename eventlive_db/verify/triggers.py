"""The rollback triggers: a fixed list, each fired by a check that failed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Trigger(StrEnum):
    """A reason to roll back. The names are stable: runbooks and dashboards may rely on them."""

    MISSING_COLUMN_400 = "missing_column_400"
    HTTP_400_RATE = "http_400_rate"
    DUPLICATE_REGISTRATION = "duplicate_registration"
    DUPLICATE_KEY_STORM = "duplicate_key_storm"
    AUTH_CALLS_EXPLODING = "auth_calls_exploding"
    AUTH_LATENCY = "auth_latency"
    REFRESH_TOKEN_RACES = "refresh_token_races"
    ENTRY_POLICY_BROKEN = "entry_policy_broken"
    ACCESS_POLICY_BROKEN = "access_policy_broken"
    PING_REGISTERS = "ping_registers"
    PING_BROKEN = "ping_broken"
    REGISTERED_USER_REFUSED = "registered_user_refused"
    ADMIN_REFUSED = "admin_refused"
    REGISTRATION_NOT_IDEMPOTENT = "registration_not_idempotent"
    DUPLICATE_LOGIN_BROKEN = "duplicate_login_broken"
    SESSION_BROKEN = "session_broken"
    ADMINISTRATION_BROKEN = "administration_broken"
    FUNCTION_NOT_CALLABLE = "function_not_callable"
    SCHEMA_BEHIND = "schema_behind"
    JOB_FAILING = "job_failing"


MEANING: Mapping[Trigger, str] = {
    Trigger.MISSING_COLUMN_400: "a call named a column, table or function that does not exist",
    Trigger.HTTP_400_RATE: "more 400s in a minute than alert_http_400_per_min",
    Trigger.DUPLICATE_REGISTRATION: "an insert broke registrations_pkey, which the functions never do",
    Trigger.DUPLICATE_KEY_STORM: "more duplicate keys in a minute than alert_http_409_per_min",
    Trigger.AUTH_CALLS_EXPLODING: "the auth service is asked for users far more often than before, or for each request",
    Trigger.AUTH_LATENCY: "the auth service's p95 for users is above alert_auth_p95_s",
    Trigger.REFRESH_TOKEN_RACES: "more refresh_token_already_used in a minute than alert_http_400_per_min",
    Trigger.ENTRY_POLICY_BROKEN: "an unregistered user entering got something else than the entry policy says",
    Trigger.ACCESS_POLICY_BROKEN: "a guest, or somebody not invited, got something else than the access policy says",
    Trigger.PING_REGISTERS: "a ping or a heartbeat made a registration",
    Trigger.PING_BROKEN: "a ping was answered otherwise than the contract says",
    Trigger.REGISTERED_USER_REFUSED: "a registered user could not enter",
    Trigger.ADMIN_REFUSED: "an administrator could not enter",
    Trigger.REGISTRATION_NOT_IDEMPOTENT: "registering twice was not answered with one registration",
    Trigger.DUPLICATE_LOGIN_BROKEN: "a second login was not asked about",
    Trigger.SESSION_BROKEN: "a heartbeat or leaving did not do what it must",
    Trigger.ADMINISTRATION_BROKEN: "the service could not make or run a webinar",
    Trigger.FUNCTION_NOT_CALLABLE: "a function of the contract is missing, or a role that needs it may not call it",
    Trigger.SCHEMA_BEHIND: "the database is at an older migration than this package",
    Trigger.JOB_FAILING: "a job has failed or is late",
}
"""What each of them says, in a sentence."""
