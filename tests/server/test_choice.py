"""Which Postgres is taken: the order, what forces it, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlive_db.server import DEFAULT_IMAGE, KINDS, NoPostgresError, binaries, choose


def fake_postgres(bindir: Path, version: str, *, with_initdb: bool = True) -> Path:
    bindir.mkdir(parents=True)
    for program in ("postgres", "initdb") if with_initdb else ("postgres",):
        (bindir / program).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (bindir / program).chmod(0o755)
    return bindir


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a Postgres, to which each test adds what it needs."""
    monkeypatch.setattr(binaries, "_USUAL_PLACES", ())
    monkeypatch.setattr(binaries, "embedded_package", lambda: None)


def embed(monkeypatch: pytest.MonkeyPatch, package: Path) -> Path:
    monkeypatch.setattr(binaries, "embedded_package", lambda: package)
    return fake_postgres(package / "pginstall" / "bin", "18.6")


def test_the_order_is_dsn_then_container_then_installed_then_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = embed(monkeypatch, tmp_path / "embedded_postgres")
    installed = fake_postgres(tmp_path / "bin", "17.2")
    environ = {"EVENTLIVE_DSN": "dbname=x", "EVENTLIVE_POSTGRES": "container", "PATH": str(installed)}
    assert choose(dsn="dbname=y", environ=environ).dsn == "dbname=y"
    assert choose(environ=environ).dsn == "dbname=x"
    del environ["EVENTLIVE_DSN"]
    assert choose(environ=environ).image == DEFAULT_IMAGE
    del environ["EVENTLIVE_POSTGRES"]
    found = choose(environ=environ)
    assert (found.kind, found.binaries and found.binaries.bindir) == ("installed", installed)
    environ["PATH"] = ""
    found = choose(environ=environ)
    assert (found.kind, found.binaries and found.binaries.bindir) == ("embedded", embedded)
    assert found.passed_over == ("no Postgres is installed on PATH or in the usual places",)


def test_a_kind_that_is_asked_for_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embed(monkeypatch, tmp_path / "embedded_postgres")
    installed = fake_postgres(tmp_path / "bin", "15.20")
    environ = {"EVENTLIVE_DSN": "dbname=x", "EVENTLIVE_POSTGRES": "installed", "PATH": str(installed)}
    assert {kind: choose(kind=kind, environ=environ).kind for kind in KINDS} == {kind: kind for kind in KINDS}
    assert choose(environ={"EVENTLIVE_POSTGRES": "embedded", "PATH": str(installed)}).kind == "embedded"


def test_the_image_is_the_argument_else_the_environment_else_the_default() -> None:
    environ = {"EVENTLIVE_POSTGRES": "container", "EVENTLIVE_POSTGRES_IMAGE": "mine:1"}
    assert choose(image="yours:2", environ=environ).image == "yours:2"
    assert choose(environ=environ).image == "mine:1"
    assert choose(kind="container", environ={}).image == DEFAULT_IMAGE


def test_the_bindir_variable_wins_over_path_and_is_never_passed_over(tmp_path: Path) -> None:
    on_path, explicit = fake_postgres(tmp_path / "a", "18.1"), fake_postgres(tmp_path / "b", "16.4")
    environ = {"PATH": str(on_path), "EVENTLIVE_PG_BINDIR": str(explicit)}
    found = choose(environ=environ).binaries
    assert found is not None
    assert (found.bindir, found.major) == (explicit, 16)
    environ["EVENTLIVE_PG_BINDIR"] = str(tmp_path)
    with pytest.raises(NoPostgresError, match=r"EVENTLIVE_PG_BINDIR: .* has no program postgres"):
        choose(environ=environ)


def test_a_link_on_path_leads_to_the_directory_with_all_programs(tmp_path: Path) -> None:
    real = fake_postgres(tmp_path / "pg" / "bin", "17.0")
    links = tmp_path / "links"
    links.mkdir()
    (links / "postgres").symlink_to(real / "postgres")
    found = choose(environ={"PATH": str(links)}).binaries
    assert found is not None
    assert found.bindir == real


def test_pg_config_of_a_client_package_is_passed_over_with_the_reason(tmp_path: Path) -> None:
    client = fake_postgres(tmp_path / "client", "17.0", with_initdb=False)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "pg_config").write_text(f"#!/bin/sh\necho {client}\n")
    (tools / "pg_config").chmod(0o755)
    server = fake_postgres(tmp_path / "server", "16.0")
    found = choose(environ={"PATH": f"{tools}:{server}"})
    assert found.binaries is not None
    assert found.binaries.bindir == server
    assert "has no program initdb" in found.passed_over[0]


def test_the_newest_supported_major_is_taken_and_others_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for major in ("9.6", "14.1", "15.2", "17.3", "16.4", "19.0"):
        fake_postgres(tmp_path / major / "bin", major)
    monkeypatch.setattr(binaries, "_USUAL_PLACES", (f"{tmp_path}/*/bin",))
    found = choose(environ={"PATH": ""}).binaries
    assert found is not None
    assert found.major == 17
    for major in ("15.2", "17.3", "16.4"):
        (tmp_path / major / "bin" / "postgres").unlink()
    with pytest.raises(NoPostgresError, match="is Postgres 19, and 15 to 18 are supported"):
        choose(environ={"PATH": ""})


def test_no_postgres_at_all_says_where_it_looked_and_how_to_get_one() -> None:
    with pytest.raises(NoPostgresError) as caught:
        choose(environ={"PATH": ""})
    said = str(caught.value)
    for part in ("embedded-postgres is not installed", "eventlive-db[embedded]", "apt-get", "EVENTLIVE_DSN"):
        assert part in said


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        ({"kind": "oracle"}, {}, "must be one of dsn, container, installed, embedded"),
        ({}, {"EVENTLIVE_POSTGRES": "Docker"}, "EVENTLIVE_POSTGRES is 'Docker'"),
        ({"kind": "dsn"}, {}, "EVENTLIVE_DSN is not set"),
        ({"kind": "container", "dsn": "dbname=x"}, {}, "contradict"),
        ({"kind": "installed"}, {"PATH": ""}, "no usable Postgres was found"),
        ({"kind": "embedded"}, {"PATH": ""}, "embedded-postgres is not installed"),
    ],
)
def test_a_wish_that_cannot_be_met_is_an_error(arguments: dict[str, str], environ: dict[str, str], said: str) -> None:
    with pytest.raises(NoPostgresError, match=said):
        choose(environ=environ, **arguments)


def test_the_password_of_a_dsn_is_not_shown_by_the_repr() -> None:
    assert "secret" not in repr(choose(dsn="postgresql://u:secret@h/d", environ={}))
