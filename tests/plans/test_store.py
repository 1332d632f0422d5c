"""Where snapshots are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.plans.errors import SuiteError
from eventlive_db.plans.snapshot import Snapshot, parse, render
from eventlive_db.plans.store import SnapshotStore

TEXT = render(Snapshot())


def test_what_is_written_is_read_back_and_the_file_says_what_it_is(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "plans", 18)
    assert store.read("a ping") is None
    assert store.write("a ping", TEXT)
    assert store.read("a ping") == TEXT
    path = store.path("a ping")
    assert path.parent == tmp_path / "plans" / "18"
    assert path.read_text().startswith("# a ping\n")
    assert parse(path.read_text()) == Snapshot()


def test_writing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path, 18)
    store.write("ping", TEXT)
    before = store.path("ping").stat()
    assert not store.write("ping", TEXT)
    after = store.path("ping").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert store.write("ping", "another\n")
    assert store.read("ping") == "another\n"


def test_a_write_that_fails_leaves_the_old_snapshot_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SnapshotStore(tmp_path, 18)
    store.write("ping", TEXT)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        store.write("ping", "another\n")
    assert store.read("ping") == TEXT
    assert list(store.folder.iterdir()) == [store.path("ping")]


def test_a_plain_slug_is_the_file_name_and_any_other_name_is_told_apart_by_a_hash(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path, 18)
    assert store.path("ping-first").name == "ping-first.plan"
    names = ("ping first", "Ping first", "ping first!", "ping-first")
    paths = [store.path(name) for name in names]
    assert len(set(paths)) == len(names)
    assert all(path.name.startswith("ping-first") for path in paths)
    for name in names:
        store.write(name, name + "\n")
    assert [store.read(name) for name in names] == [name + "\n" for name in names]


def test_a_slug_that_looks_like_one_with_a_hash_takes_no_other_names_file(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path, 18)
    hashed = store.path("ping first").stem
    assert store.path(hashed) != store.path("ping first")


@given(st.text(), st.text())
def test_two_names_never_share_a_file_and_none_leaves_the_folder(one: str, other: str) -> None:
    store = SnapshotStore(Path("plans"), 15)
    assert (store.path(one) == store.path(other)) == (one == other)
    assert store.path(one).parent == Path("plans/15")
    assert len(store.path(one).name) <= 80
    assert store.path(one).name.isascii()


def test_each_major_has_its_own_snapshots(tmp_path: Path) -> None:
    SnapshotStore(tmp_path, 15).write("ping", TEXT)
    assert SnapshotStore(tmp_path, 18).read("ping") is None
    assert SnapshotStore(tmp_path, 18).files == ()


def test_a_snapshot_that_no_case_uses_is_found_and_can_be_removed(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path, 18)
    for name in ("ping", "enter a webinar", "old"):
        store.write(name, TEXT)
    assert store.unused(["ping", "enter a webinar", "not written yet"]) == (store.path("old"),)
    store.remove(store.path("old"))
    assert set(store.files) == {store.path("ping"), store.path("enter a webinar")}


def test_what_is_not_a_snapshot_of_the_store_is_not_removed(tmp_path: Path) -> None:
    other = tmp_path / "precious.plan"
    other.write_text("")
    with pytest.raises(ValueError, match=r"precious\.plan is no snapshot"):
        SnapshotStore(tmp_path, 18).remove(other)
    assert other.exists()


@pytest.mark.parametrize("content", [b"# enter\n\n" + TEXT.encode(), TEXT.encode(), b"", b"\xff\xfe"])
def test_the_file_of_another_case_is_refused(tmp_path: Path, content: bytes) -> None:
    store = SnapshotStore(tmp_path, 18)
    store.write("ping", TEXT)
    store.path("ping").write_bytes(content)
    with pytest.raises(SuiteError, match=r"ping\.plan does not begin with the line '# ping'.*--plan-update") as error:
        store.read("ping")
    assert error.value.token == "invalid_snapshot"


def test_a_name_of_several_lines_stays_on_the_first_line(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path, 18)
    store.write("a\nb \u00e9", TEXT)
    assert store.path("a\nb \u00e9").read_bytes().startswith(b"# a\\nb \\xe9\n\n")
    assert store.read("a\nb \u00e9") == TEXT
