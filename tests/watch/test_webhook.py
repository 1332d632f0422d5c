"""Addresses that stay secret, bodies as the receivers want them, and what comes back."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
from email.utils import formatdate
from pathlib import Path

import pytest

from eventlive_db.watch.bodies import SIGNATURE_HEADER, request_of
from eventlive_db.watch.errors import WatchError
from eventlive_db.watch.posting import Outcome, Poster, retry_after_s
from eventlive_db.watch.webhook import SECRET_VARIABLE, URL_VARIABLE, Webhook, find_webhook
from tests.watch.made_up import NOW, notice
from tests.watch.receiver import QUERY, SECRET, TOKEN, Answer, after, drips, receiving, resets, says, says_garbage

SLACK = f"https://hooks.slack.com/services/T00/B00/{TOKEN}"
DISCORD = f"https://discord.com/api/webhooks/1/{TOKEN}"


@pytest.mark.parametrize(
    ("url", "kind"),
    [(SLACK, "slack"), (DISCORD, "discord"), (f"https://x.example/{TOKEN}", "generic")],
)
def test_the_kind_is_told_by_the_host_unless_it_is_given(url: str, kind: str) -> None:
    found = find_webhook(None, None, {URL_VARIABLE: url})
    assert found is not None
    assert (found.url, found.kind) == (url, kind)
    given = find_webhook(None, "generic", {URL_VARIABLE: url})
    assert given is not None
    assert given.kind == "generic"
    assert find_webhook(None, None, {}) is None


def test_the_address_is_in_a_variable_or_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"{SLACK}\n")
    for named in ("MY_HOOK", str(file)):
        found = find_webhook(named, None, {"MY_HOOK": SLACK, SECRET_VARIABLE: SECRET})
        assert found is not None
        assert (found.url, found.secret) == (SLACK, SECRET)


@pytest.mark.parametrize(
    ("named", "content", "token"),
    [
        (SLACK, "", "secret_on_command_line"),
        (SLACK.removeprefix("https://"), "", "secret_on_command_line"),
        (TOKEN, "", "no_webhook"),
        ("HOOK", f"ftp://x/{TOKEN}", "bad_webhook"),
        ("HOOK", f"https://x.example/ {TOKEN}", "bad_webhook"),
        ("HOOK", TOKEN, "bad_webhook"),
        ("HOOK", f"https://[::{TOKEN}/", "bad_webhook"),
    ],
)
def test_what_cannot_be_an_address_is_refused_and_not_repeated(named: str, content: str, token: str) -> None:
    with pytest.raises(WatchError) as refusal:
        find_webhook(named, None, {"HOOK": content})
    assert refusal.value.token == token
    assert refusal.value.advice
    assert TOKEN not in str(refusal.value) + repr(refusal.value)
    assert refusal.value.__cause__ is None


def test_an_empty_file_and_an_unknown_kind_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("\n")
    with pytest.raises(WatchError):
        find_webhook(str(file), None, {})
    with pytest.raises(WatchError):
        find_webhook(None, "teams", {URL_VARIABLE: SLACK})


def test_slack_gets_text_and_blocks_in_which_nothing_is_markup() -> None:
    body, headers = request_of(Webhook(SLACK, "slack"), [notice(detail="<!channel> & <https://x|y>" * 200)], "pro<d>")
    sent = json.loads(body)
    assert set(sent) == {"text", "blocks"}
    [block] = sent["blocks"]
    assert block["text"] == {"type": "mrkdwn", "text": sent["text"]}
    assert "&lt;!channel&gt; &amp; &lt;https" in sent["text"]
    assert "<" not in sent["text"]
    assert len(sent["text"]) <= 3000
    assert sent["text"].startswith("[pro&lt;d&gt;] FIRING: http_400: 12/min (threshold 10)")
    assert headers["Content-Type"].startswith("application/json")


def test_discord_gets_at_most_two_thousand_characters_and_calls_nobody() -> None:
    body, _ = request_of(Webhook(DISCORD, "discord"), [notice(detail="@everyone **x** ```" * 400)])
    sent = json.loads(body)
    assert sent["allowed_mentions"] == {"parse": []}
    assert len(sent["content"]) <= 2000
    assert "\\*\\*x\\*\\*" in sent["content"]


def test_anybody_else_gets_an_object_with_a_signature_and_one_id_for_an_alarm() -> None:
    webhook = Webhook("https://x.example", "generic", SECRET)
    body, headers = request_of(webhook, [notice(subject="t")], "prod")
    sent = json.loads(body)
    identity = sent.pop("id")
    assert sent == {
        "rule": "http_400",
        "subject": "t",
        "state": "firing",
        "value": 12,
        "threshold": 10,
        "unit": "/min",
        "detail": "",
        "since": "2027-01-15T07:59:00Z",
        "at": "2027-01-15T08:00:00Z",
        "again": False,
        "watching": "prod",
    }
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE_HEADER] == f"sha256={signature}"
    over, _ = request_of(webhook, [notice("recovered", subject="t")], "prod")
    assert json.loads(over)["id"] == identity
    for other in (request_of(webhook, [notice()], "prod"), request_of(webhook, [notice(subject="t")], "test")):
        assert json.loads(other[0])["id"] != identity
    _, unsigned = request_of(Webhook("https://x.example", "generic"), [notice()])
    assert SIGNATURE_HEADER not in unsigned


def test_control_characters_and_lone_surrogates_do_not_get_out() -> None:
    odd = notice(subject="a\x1b[31m\nb\ud800", detail="x\u202e\0y")
    for webhook in (Webhook(SLACK, "slack"), Webhook(DISCORD, "discord"), Webhook("https://x.example", "generic")):
        body, _ = request_of(webhook, [odd])
        sent = json.loads(body)
        text = sent.get("text") or sent.get("content") or ""
        assert text.isprintable()


def post(*answers: Answer, kind: str = "generic", now: float = NOW, timeout_s: float = 30.0) -> Outcome:
    with receiving(*answers) as receiver:
        webhook = find_webhook("U", kind, {"U": receiver.url, SECRET_VARIABLE: SECRET})
        assert webhook is not None
        poster = Poster(webhook, wall=lambda: now, timeout_s=timeout_s)
        outcome = poster(*request_of(webhook, [notice()]))
        poster.close()
        return outcome


@pytest.mark.parametrize("status", [200, 201, 204])
def test_any_answer_of_success_is_delivery(status: int) -> None:
    assert post(says(status)).verdict == "delivered"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 301, 307])
def test_what_would_be_refused_again_is_not_tried_again_and_no_redirection_is_followed(status: int) -> None:
    assert post(says(status, b"no_service", Location="http://127.0.0.1:1/")).verdict == "refused"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert post(says(status)).verdict == "failed"


def test_a_reset_garbage_and_nobody_there_are_no_answer() -> None:
    for outcome in (post(resets), post(says_garbage)):
        assert outcome.verdict == "failed"
    nowhere = Poster(Webhook(f"http://127.0.0.1:1/{TOKEN}", "generic"))(b"{}", {})
    assert nowhere.verdict == "failed"
    assert "ConnectError" in nowhere.said


def test_a_receiver_that_does_not_answer_is_given_up() -> None:
    released = threading.Event()
    outcome = post(after(released, says(200)), timeout_s=0.05)
    released.set()
    assert outcome == Outcome("failed", "no answer within 0.05 s")


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"x"),
    ],
)
def test_a_receiver_that_never_comes_to_the_end_of_its_headers_is_given_up(begin: bytes, drop: bytes) -> None:
    assert post(drips(begin, drop), timeout_s=0.3) == Outcome("failed", "no answer within 0.3 s")


def test_of_an_answer_that_never_ends_the_status_counts() -> None:
    outcome = post(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"), timeout_s=2)
    assert outcome.verdict == "delivered"
    assert outcome.said.startswith("it answered 200")


def test_retry_after_is_obeyed_in_each_form() -> None:
    assert post(says(429, Retry_After="7")).retry_after_s == 7
    assert post(says(503, Retry_After=formatdate(NOW + 90, usegmt=True))).retry_after_s == 90
    assert post(says(429, Retry_After=formatdate(NOW - 90, usegmt=True))).retry_after_s == 0
    body = b'{"message": "You are being rate limited.", "retry_after": 64.57, "global": false}'
    assert post(says(429, body, Retry_After="65"), kind="discord").retry_after_s == 65
    assert post(says(429, body), kind="discord").retry_after_s == 64.57
    assert post(says(429, body), kind="slack").retry_after_s is None
    assert post(says(500, Retry_After="7")).retry_after_s is None


@pytest.mark.parametrize("header", ["", "-1", "soon", "nan", "inf", "1e9", "9" * 40, "Fri, 99 Foo 2026 25:00:00 GMT"])
def test_a_retry_after_that_makes_no_sense_is_left_out(header: str) -> None:
    assert retry_after_s(header, NOW) is None


@pytest.mark.parametrize("body", [b"[" * 5000, b"[]", b'{"retry_after": "x"}', b'{"retry_after": NaN}', b"\xff"])
def test_a_body_that_makes_no_sense_is_left_out(body: bytes) -> None:
    assert post(says(429, body), kind="discord").retry_after_s is None


def test_what_the_receiver_says_is_shown_without_the_address_even_if_it_repeats_it() -> None:
    echo = f"no hook /services/{TOKEN}?key={QUERY} {SECRET} \x1b[2J\n".encode()
    said = post(says(404, echo + b"x" * 1000)).said
    assert "it answered 404: no hook" in said
    for secret in (TOKEN, QUERY, SECRET, "\x1b", "\n"):
        assert secret not in said
    assert len(said) < 300


def test_neither_logging_nor_repr_shows_the_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    post(says(200))
    post(says(302, Location=f"http://127.0.0.1:1/{TOKEN}"))
    webhook = Webhook(SLACK, "slack", SECRET)
    shown = caplog.text + repr(webhook) + str(webhook) + repr(Poster(webhook))
    assert TOKEN not in shown
    assert QUERY not in shown
    assert SECRET not in shown
