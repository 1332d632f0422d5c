"""Which service a request went to, going by its path."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eventlive_db.logs import LogEvent, is_auth, is_named, is_rest, rpc


def request(source: str, path: str | None) -> LogEvent:
    return LogEvent(datetime(2026, 1, 1, tzinfo=UTC), source, "x.log", 1, "", path=path)


@pytest.mark.parametrize(
    ("source", "path", "rest", "named", "function"),
    [
        ("gateway", "/rest/v1/rpc/webinar_enter?x=1", True, True, "webinar_enter"),
        ("gateway", "/rest/v1/webinars?slug=eq.x", True, True, None),
        ("gateway", "/api/rpc/webinar_enter/", True, True, "webinar_enter"),
        ("gateway", "https://x.example/rest/v1/rpc/webinar_enter", True, True, "webinar_enter"),
        ("gateway", "https://x.example?to=/rest/v1/rpc/x", False, False, None),
        ("gateway", "/rest/v1/.env", True, False, None),
        ("gateway", "/rest/v1/", True, False, None),
        ("gateway", "/wp-login.php", False, False, None),
        ("gateway", "/storage/v1/object/x", False, False, None),
        ("gateway", "/auth/v1/token?redirect=/rest/v1/", False, False, None),
        ("gateway", None, False, False, None),
        ("postgrest", "/rpc/webinar_enter", True, True, "webinar_enter"),
        ("postgrest", "/webinars", True, True, None),
        ("postgrest", "/wp-login.php", True, False, None),
        ("postgrest", None, True, False, None),
        ("auth", "/rpc/x", False, False, None),
        ("postgres", None, False, False, None),
    ],
)
def test_a_request_to_postgrest_is_known_by_its_path(
    source: str, path: str | None, rest: bool, named: bool, function: str | None
) -> None:
    event = request(source, path)
    assert (is_rest(event), is_named(event), rpc(event)) == (rest, named, function)


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        ("gateway", "/auth/v1/token?grant_type=password", True),
        ("gateway", "/auth/v1", True),
        ("gateway", "https://x.example/auth/v1/user", True),
        ("gateway", "/rest/v1/rpc/x?to=/auth/v1/user", False),
        ("gateway", None, False),
        ("auth", "/token", True),
        ("auth", None, True),
        ("postgrest", "/auth/v1/user", False),
    ],
)
def test_a_request_to_the_auth_service_is_known_by_its_path(source: str, path: str | None, expected: bool) -> None:
    assert is_auth(request(source, path)) is expected
