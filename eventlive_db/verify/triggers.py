"""The rollback triggers: a fixed list, each fired by a check that failed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Trigger(StrEnum):
    """A reason to roll back. The names are stable: runbooks and dashboards may rely on them."""

    MISSING_COLUMN_400 = "missing_column_400"
    HTTP_400_RATE = "http_400_rate"
    SERVER_ERRORS = "server_errors"
    FUNCTIONS_NOT_FOUND = "functions_not_found"
    UNAUTHORIZED = "unauthorized"
    SUCCESSES_FELL = "successes_fell"
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
    STAFF_DATA_EXPOSED = "staff_data_exposed"
    STATISTICS_BROKEN = "statistics_broken"
    MESSAGES_BROKEN = "messages_broken"
    CLIENT_SETTINGS_BROKEN = "client_settings_broken"
    ADMINISTRATION_BROKEN = "administration_broken"
    FUNCTION_NOT_CALLABLE = "function_not_callable"
    FUNCTION_EXPOSED = "function_exposed"
    VIEW_NOT_READABLE = "view_not_readable"
    DATA_EXPOSED = "data_exposed"
    ROW_SECURITY_OFF = "row_security_off"
    SCHEMA_BEHIND = "schema_behind"
    JOB_FAILING = "job_failing"


MEANING: Mapping[Trigger, str] = {
    Trigger.MISSING_COLUMN_400: "a call named a column, table or function that does not exist",
    Trigger.HTTP_400_RATE: "more 400s in a minute than alert_http_400_per_min",
    Trigger.SERVER_ERRORS: "5xx from alert_http_5xx_per_min on, or a large part of all answers",
    Trigger.FUNCTIONS_NOT_FOUND: "404s from alert_http_404_per_min on, or a large part of all answers",
    Trigger.UNAUTHORIZED: "401s from alert_http_401_per_min on, or a large part of all answers",
    Trigger.SUCCESSES_FELL: "hardly a call of a function succeeds any more, and most did before the release",
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
    Trigger.STAFF_DATA_EXPOSED: "statistics or participants were shown to somebody who is no staff",
    Trigger.STATISTICS_BROKEN: "staff did not get statistics or participants",
    Trigger.MESSAGES_BROKEN: "posting, polling or hiding a message was not answered as the contract says",
    Trigger.CLIENT_SETTINGS_BROKEN: "the settings of clients were not answered",
    Trigger.ADMINISTRATION_BROKEN: "the service could not make or run a webinar",
    Trigger.FUNCTION_NOT_CALLABLE: "a function of the contract is missing, or a role that needs it may not call it",
    Trigger.FUNCTION_EXPOSED: "a role may call a function that is not for it",
    Trigger.VIEW_NOT_READABLE: "a view of the contract is missing, or a role that needs it may not read it",
    Trigger.DATA_EXPOSED: "a role may read or write a table that is not for it",
    Trigger.ROW_SECURITY_OFF: "row security is off on a table of schema eventlive",
    Trigger.SCHEMA_BEHIND: "the database is at an older migration than this package",
    Trigger.JOB_FAILING: "a job has failed, is late or is missing, or its schedule cannot be read",
}
"""What each of them says, in a sentence."""
