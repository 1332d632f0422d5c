"""No view gives away a row of somebody else, whatever a client writes around it (R17)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.security.secrets_of_others import ATTACKERS, Intruder, Secrets, found_in, views
from tests.support.cast import ELSEWHERE, Cast

LEAK = """
create function pg_temp.leak(text) returns boolean language plpgsql cost 0.0000001 as
$$ begin raise notice 'leaked %', $1; return true; end $$;
create operator pg_temp.<<< (rightarg = text, function = pg_temp.leak);
"""
"""So cheap that a planner with a choice runs it first."""

WITHOUT_ROW_SECURITY = "alter table eventlive.{} disable row level security"


def attacks(columns: list[str]) -> Iterator[str]:
    """Queries of one view, written ``{view}``."""
    row = f"concat_ws(' ', {', '.join(f'v.{column}' for column in columns)})"
    yield "select v::text from {view} v"
    yield "select to_jsonb(v) from {view} v"
    yield "explain (analyze, verbose) select * from {view}"
    yield f"explain (analyze, verbose, costs off) select 1 from {{view}} v where pg_temp.leak({row})"
    yield f"select 1 from {{view}} v where pg_temp.leak({row})"
    yield f"select 1 from {{view}} v where pg_temp.leak(v::text) and {row} <> ''"
    yield f"select 1 from {{view}} v where operator(pg_temp.<<<) {row}"
    yield f"select 1 from {{view}} v join (values ('a'), ('b')) as x (y) on pg_temp.leak(x.y || {row})"
    yield f"select 1 from (values (true)) as x (y) left join {{view}} v on pg_temp.leak({row})"
    yield f"select count(*) filter (where pg_temp.leak({row})) from {{view}} v"
    yield f"select 1 from {{view}} v where case when pg_temp.leak({row}) then 1 / 0 end = 1"
    yield f"select 1 from {{view}} v group by {row} having pg_temp.leak({row})"
    yield f"select 1 from {{view}} v tablesample system (100) where pg_temp.leak({row})"
    yield f"select 1 from {{view}} v where pg_temp.leak({row}) for update"
    for column in columns:
        yield f"select 1 from {{view}} v where v.{column}::text::integer = 0"
        yield f"select 1 from {{view}} v where v.{column}::text::json is null"
        yield f"select 1 from {{view}} v where ('{{{{' || v.{column}::text)::integer[] is null"
        yield f"select 1 from {{view}} v where v.{column}::text ~ ('(' || v.{column}::text)"
        yield f"insert into {{view}} ({column}) select v.{column} from {{view}} v"


def attack(cast: Cast, name: str, **chosen: list[str]) -> dict[str, list[str]]:
    """Try everything on views, given with their columns; return what each of them says."""
    heard = {}
    with Intruder(cast, name) as intruder:
        intruder.connection.execute(LEAK.encode())
        for view, columns in chosen.items():
            intruder.heard = []
            for query in attacks(columns):
                intruder.ask(query.replace("{view}", f"eventlive_api.{view}"))
            heard[view] = intruder.heard
    return heard


@pytest.mark.parametrize("name", ATTACKERS)
def test_no_query_of_a_view_tells_of_others(whole_scene: tuple[Cast, Secrets], name: str) -> None:
    cast, secrets = whole_scene
    hidden = secrets.hidden_from(name)
    assert len(hidden) > 20
    for view, heard in attack(cast, name, **views(cast.db)).items():
        assert found_in(heard, hidden) == [], view
        assert heard, view


@pytest.mark.parametrize("name", ["webinar_allowed_emails", "webinars", "event_access_logs", "profiles"])
def test_without_row_security_they_do(broken_scene: tuple[Cast, Secrets], name: str) -> None:
    """Those of registrations, presence and sessions filter by themselves, too."""
    cast, secrets = broken_scene
    cast.db.admin.execute(WITHOUT_ROW_SECURITY.format(name).encode())
    heard = attack(cast, "stranger", **{name: views(cast.db)[name]})[name]
    assert found_in(heard, secrets.hidden_from("stranger"))


def test_a_view_of_the_owner_that_filters_by_itself_lets_a_cheap_function_run_first(
    broken_scene: tuple[Cast, Secrets],
) -> None:
    cast, secrets = broken_scene
    cast.db.admin.execute(
        "create view eventlive_api.mine as select r.user_id, r.nickname from eventlive.registrations r"
        " where r.user_id::text = (select eventlive.current_user_id())::text"
    )
    cast.db.admin.execute("grant select on eventlive_api.mine to authenticated")
    hidden = secrets.hidden_from("stranger")
    with Intruder(cast, "stranger") as intruder:
        assert intruder.ask("select v::text from eventlive_api.mine v") == ""
        assert found_in(intruder.heard, hidden) == []
    assert found_in(attack(cast, "stranger", mine=["user_id", "nickname"])["mine"], hidden)


def test_guessing_a_value_tells_nothing_of_whether_it_exists(broken_scene: tuple[Cast, Secrets]) -> None:
    """A division by zero where the guess is right would say so, without showing the row."""
    cast, secrets = broken_scene
    query = "select 1 from eventlive_api.{} v where 1 / (case when v.{}::text = '{}' then 0 else 1 end) = 1"
    guesses = [
        ("registrations", "user_id", secrets.of["viewer_elsewhere"][1]),
        ("registrations", "nickname", secrets.of["host"][2]),
        ("webinar_user_sessions", "session_id", secrets.of["viewer_elsewhere"][0]),
        ("webinar_live_presence", "user_id", secrets.of["host"][1]),
        ("webinar_allowed_emails", "email", secrets.of["list"][0]),
        ("webinars", "id", str(ELSEWHERE)),
        ("profiles", "user_id", secrets.of["host"][1]),
    ]
    with Intruder(cast, "attendee") as intruder:
        for view, column, guess in guesses:
            assert intruder.ask(query.format(view, column, guess)) == "", (view, column)
        for table in ("webinars", "webinar_allowed_emails", "profiles"):
            cast.db.admin.execute(WITHOUT_ROW_SECURITY.format(table).encode())
        told = {view for view, column, guess in guesses if intruder.ask(query.format(view, column, guess)) == "22012"}
    assert told == {"webinars", "webinar_allowed_emails", "profiles"}
