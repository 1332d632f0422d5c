"""Exceptions from rules: they need a reason, and they need to be needed."""

from __future__ import annotations

from pathlib import Path

from tests.lint.sql_bench import ONLY_NAMES, SHOP, findings

FILES = {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP}
FAULTY = "-- A query.\nselect id from shop.orders;{comment}\n"


def told(root: Path, text: str) -> list[tuple[int, str]]:
    return [(f.line, f.rule) for f in findings(root, {**FILES, "sql/2.sql": text})]


def test_a_comment_on_the_line_allows_with_a_reason(tmp_path: Path) -> None:
    text = FAULTY.format(comment="  -- lint: allow resolve.column because a later release brings it")
    assert told(tmp_path, text) == []


def test_a_comment_on_the_line_before_allows_too(tmp_path: Path) -> None:
    assert told(tmp_path, "-- lint: allow resolve.column because I say so\nselect id from shop.orders;\n") == []


def test_a_comment_two_lines_before_does_not(tmp_path: Path) -> None:
    text = "-- lint: allow resolve.column because I say so\n\nselect id from shop.orders;\n"
    assert told(tmp_path, text) == [(1, "allow.unused"), (3, "resolve.column")]


def test_a_comment_allows_its_own_rule_alone(tmp_path: Path) -> None:
    text = FAULTY.format(comment="  -- lint: allow resolve.relation because I say so")
    assert told(tmp_path, text) == [(2, "resolve.column"), (2, "allow.unused")]


def test_without_a_reason_the_exception_is_a_fault_itself(tmp_path: Path) -> None:
    for comment in ("-- lint: allow resolve.column", "-- lint: allow resolve.column because"):
        assert told(tmp_path, FAULTY.format(comment=f" {comment}")) == [(2, "allow.reason")]


def test_an_exception_from_a_rule_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    text = "select 1; -- lint: allow resolve.colum because it is misspelt\n"
    assert told(tmp_path, text) == [(1, "allow.unused")]


def test_an_exception_inside_a_body_and_in_python(tmp_path: Path) -> None:
    body = (
        "create function shop.f() returns void language plpgsql as $$\nbegin\n"
        "    -- lint: allow resolve.column because it is tried out\n    perform id from shop.orders;\nend\n$$;\n"
    )
    program = 'QUERY = "select id from shop.orders"  # lint: allow resolve.column because it is tried out\n'
    assert findings(tmp_path, {**FILES, "sql/2.sql": body, "app/main.py": program}) == []


def entry(rule: str = "resolve.column", where: str = "shop.f", because: str = "it is tried out") -> str:
    return f'[[allow]]\nrule = "{rule}"\nwhere = "{where}"\nbecause = "{because}"\n'


BODY = "create function shop.f() returns void language sql as $$ select id from shop.orders $$;\n"


def test_an_entry_of_the_configuration_allows_by_the_name_of_the_function(tmp_path: Path) -> None:
    files = {**FILES, "sql/2.sql": BODY}
    assert findings(tmp_path, {**files, "lint.toml": ONLY_NAMES + entry()}) == []
    assert findings(tmp_path, {**files, "lint.toml": ONLY_NAMES + entry(where="shop.*")}) == []
    in_file = '[[allow]]\nrule = "resolve.column"\nfile = "sql/2.*"\nbecause = "it is tried out"\n'
    assert findings(tmp_path, {**files, "lint.toml": ONLY_NAMES + in_file}) == []


def test_an_entry_without_a_reason_or_a_use_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    toml = ONLY_NAMES + entry(because="") + entry(where="shop.g")
    found = findings(tmp_path, {**FILES, "sql/2.sql": BODY, "lint.toml": toml})
    line = toml[: toml.index("[[allow]]")].count("\n") + 1
    assert [(f.file, f.line, f.rule) for f in found] == [
        ("lint.toml", line, "allow.reason"),
        ("lint.toml", line + 4, "allow.unused"),
    ]


def test_an_entry_that_other_paths_need_is_not_unused(tmp_path: Path) -> None:
    files = {**FILES, "sql/2.sql": BODY, "lint.toml": ONLY_NAMES + entry()}
    assert findings(tmp_path, files, "sql/1.sql") == []
