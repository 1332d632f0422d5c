"""A suite file is read as it is meant, and what cannot be meant is an error that says what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlive_db.plans.budget import Budget
from eventlive_db.plans.case import Case
from eventlive_db.plans.errors import SuiteError
from eventlive_db.plans.suite import NamedMutation, Scale, Suite, load_suite

WHOLE = """
[suite]
name = "shop"
sources = ["sql/b.sql"]
snapshots = "kept"

[database]
schema = ["sql/*.sql"]
seed = "seed.sql"
hook = "shop.db:build"

[scale]
sizes = [10, 1_000]
fill = "fill.sql"
real = 100
raise = ["shop.orders"]

[budget]
statements = 3
seq_scans = "none"

[identity.buyer]
role = "buyer"
claims = { sub = "7", roles = ["a"] }
settings = { "app.user" = "7", "app.level" = 3 }

[identity.nobody]

[[case]]
name = "buy"
call = "select shop.buy(%s, %s)"
parameters = [1, "x"]
as = "buyer"
before = "update shop.clock set now = now + 1"
budget = { statements = 1, locks = { orders = "RowExclusive" } }
scaled = true
repeat = 5
warmups = 3
snapshot = false

[[case]]
name = "look"
call = "select 1"
as = "nobody"

[[mutation]]
name = "forgets to lock"
function = "shop.buy"
replace = "for update"
with = ""
cases = ["buy"]

[[mutation]]
name = "drops the index"
sql = "drop index shop.i"
"""
CASE = '[[case]]\nname = "a"\ncall = "select 1"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "suite" / "sql").mkdir(parents=True)
    for name in ("suite/sql/b.sql", "suite/sql/a.sql", "suite/seed.sql", "suite/fill.sql", "other.sql"):
        (tmp_path / name).write_text("select 1;")
    return tmp_path / "suite"


def load(folder: Path, text: str) -> Suite:
    path = folder / "plans.toml"
    path.write_text(text, encoding="utf-8")
    return load_suite(path)


def test_each_key_is_read(folder: Path) -> None:
    suite = load(folder, WHOLE)
    assert suite == Suite(
        name="shop",
        path=folder / "plans.toml",
        schema=(folder / "sql/a.sql", folder / "sql/b.sql"),
        seed=(folder / "seed.sql",),
        hook="shop.db:build",
        sources=(folder / "sql/b.sql",),
        snapshots=folder / "kept",
        scale=Scale((10, 1000), folder / "fill.sql", 100, ("shop.orders",)),
        cases=(
            Case(
                name="buy",
                call="select shop.buy(%s, %s)",
                parameters=(1, "x"),
                role="buyer",
                claims={"sub": "7", "roles": ["a"]},
                settings={"app.user": "7", "app.level": "3"},
                before="update shop.clock set now = now + 1",
                budget=Budget(statements=1, seq_scans=(), locks={"orders": "RowExclusive"}),
                scaled=True,
                repeat=5,
                warmups=3,
                snapshot=False,
            ),
            Case(name="look", call="select 1", budget=Budget(statements=3, seq_scans=())),
        ),
        mutations=(
            NamedMutation("forgets to lock", "", "shop.buy", "for update", "", ("buy",)),
            NamedMutation("drops the index", "drop index shop.i"),
        ),
    )


def test_what_is_left_out_has_a_default(folder: Path) -> None:
    suite = load(folder, '[database]\nschema = "sql/a.sql"\n' + CASE)
    assert (suite.name, suite.snapshots, suite.sources) == ("plans", folder / "snapshots", (folder / "sql/a.sql",))
    assert (suite.scale, suite.seed, suite.hook, suite.mutations) == (Scale(), (), "", ())
    assert suite.cases == (Case(name="a", call="select 1"),)
    assert load(folder, "") == Suite(name="plans", path=folder / "plans.toml", snapshots=folder / "snapshots")


def test_the_identity_of_a_case_is_its_settings_claims_and_last_its_role(folder: Path) -> None:
    case = load(folder, WHOLE).case("buy")
    assert list(case.identity().items()) == [
        ("app.user", "7"),
        ("app.level", "3"),
        ("request.jwt.claims", '{"sub":"7","roles":["a"]}'),
        ("role", "buyer"),
    ]
    assert load(folder, WHOLE).case("look").identity() == {}


@pytest.mark.parametrize("pattern", ["../other.sql", "../*.sql", "sql/../../other.sql"])
def test_files_are_looked_for_from_the_folder_of_the_suite(folder: Path, pattern: str) -> None:
    (found,) = load(folder, f'[database]\nschema = "{pattern}"').schema
    assert found.resolve() == (folder.parent / "other.sql").resolve()


def test_a_file_may_be_named_from_the_root(folder: Path) -> None:
    path = (folder.parent / "other.sql").resolve()
    assert load(folder, f'[database]\nschema = "{path.as_posix()}"').schema == (path,)


# --- Selecting --------------------------------------------------------------------------------------------------------


def test_cases_are_selected_by_part_of_their_name(folder: Path) -> None:
    suite = load(folder, "".join(CASE.replace('"a"', f'"{name}"') for name in ("ping", "ping again", "leave")))

    def names(*patterns: str) -> list[str]:
        return [case.name for case in suite.select(patterns)]

    assert names() == ["ping", "ping again", "leave"]
    assert names("ping") == ["ping", "ping again"]
    assert names("leave", "again") == ["ping again", "leave"]
    with pytest.raises(SuiteError, match=r"there is no case 'pings'\. Did you mean 'ping'") as caught:
        names("ping", "pings")
    assert caught.value.token == "unknown_case"
    with pytest.raises(SuiteError, match=r"there is no case 'leve'\. Did you mean 'leave'"):
        suite.case("leve")
    assert suite.case("ping").name == "ping"


# --- Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "token", "problem"),
    [
        ("[suite", "invalid_suite", "is not TOML: "),
        ("[suit]", "unknown_key", "there is no key 'suit'. Did you mean 'suite'?"),
        ("[zzz]", "unknown_key", "there is no key 'zzz'. There are: suite, database, scale, budget, identity, case"),
        ("suite = 3", "invalid_suite", "suite must be a table, [suite]"),
        ("[case]", "invalid_suite", "case must be an array of tables, [[case]]"),
        ("case = [1]", "invalid_suite", "case must be an array of tables, [[case]]"),
        ('[suite]\nnam = "x"', "unknown_key", "plans.toml [suite]: there is no key 'nam'. Did you mean 'name'?"),
        ("[suite]\nname = 7", "invalid_suite", "[suite]: name is 7 and must be a text"),
        ('[database]\nschemas = "x"', "unknown_key", "[database]: there is no key 'schemas'. Did you mean 'schema'?"),
        ('[database]\nschema = "no.sql"', "invalid_suite", "no file matches schema = 'no.sql'. It is looked for from"),
        ('[database]\nseed = ["seed.sql", "no/*.sql"]', "invalid_suite", "no file matches seed = 'no/*.sql'"),
        ('[database]\nschema = ""', "invalid_suite", "no file matches schema = ''"),
        ("[database]\nschema = 7", "invalid_suite", "[database]: schema is 7 and must be a path or a list of paths"),
        ("[database]\nhook = 7", "invalid_suite", "[database]: hook is 7 and must be a text"),
        ("[scale]\nsizes = [10]", "invalid_suite", "[scale]: sizes and fill go together. fill names the SQL file"),
        ('[scale]\nfill = "fill.sql"', "invalid_suite", "[scale]: sizes and fill go together"),
        ('[scale]\nsizes = [10]\nfill = "no.sql"', "invalid_suite", "[scale]: there is no file no.sql"),
        ('[scale]\nsizes = [9, 3]\nfill = "fill.sql"', "invalid_suite", "smallest first, none twice"),
        ('[scale]\nsizes = [3, 3]\nfill = "fill.sql"', "invalid_suite", "smallest first, none twice"),
        ('[scale]\nsizes = [0]\nfill = "fill.sql"', "invalid_suite", "whole numbers of rows"),
        ('[scale]\nsizes = [true]\nfill = "fill.sql"', "invalid_suite", "whole numbers of rows"),
        ('[scale]\nsizes = ["10"]\nfill = "fill.sql"', "invalid_suite", "whole numbers of rows"),
        ("[scale]\nsizes = 10", "invalid_suite", "[scale]: sizes is 10 and must be a list"),
        ('[scale]\nreal = "many"', "invalid_suite", "[scale]: real is 'many' and must be a whole number"),
        ('[scale]\nraise = "orders"', "invalid_suite", "[scale]: raise is 'orders' and must be a list of texts"),
        ("[scale]\nsize = [1]", "unknown_key", "[scale]: there is no key 'size'. Did you mean 'sizes'?"),
        ("[budget]\nbuffer = 1", "unknown_budget", "[budget]: there is no budget 'buffer'. Did you mean buffers?"),
        ("[budget]\nbuffers = -1", "invalid_budget", "[budget]: budget buffers is -1 and must be a whole number"),
        (f"{CASE}budget = {{ xid = 0 }}", "unknown_budget", "case 'a': there is no budget 'xid'. Did you mean xids?"),
        (f"{CASE}budget = {{ hot = 2 }}", "invalid_budget", "case 'a': budget hot is 2 and must be a share"),
        (f"{CASE}budget = 3", "invalid_suite", "case 'a': budget is 3 and must be a table"),
        (f"{CASE}warmup = 3", "unknown_key", "case 'a': there is no key 'warmup'. Did you mean 'warmups'?"),
        (f"{CASE}warmups = -1", "invalid_case", "case 'a': repeat must be 1 or more, warmups 0 or more"),
        (f"{CASE}repeat = 0", "invalid_case", "case 'a': repeat must be 1 or more"),
        (f"{CASE}repeat = 1.5", "invalid_suite", "case 'a': repeat is 1.5 and must be a whole number"),
        (f"{CASE}scaled = 1", "invalid_suite", "case 'a': scaled is 1 and must be true or false"),
        (f"{CASE}before = 1", "invalid_suite", "case 'a': before is 1 and must be a text"),
        (f'{CASE}parameters = "ab"', "invalid_suite", "case 'a': parameters is 'ab' and must be a list"),
        (
            f'{CASE}as = "buyr"\n[identity.buyer]',
            "unknown_identity",
            "no identity 'buyr'. Did you mean 'buyer'",
        ),
        (f'{CASE}as = "x"', "unknown_identity", "case 'a': there is no identity 'x'. There are: none"),
        (f'{CASE}as = "x"\n[identity.x]\nrol = "r"', "unknown_key", "[identity.x]: there is no key 'rol'"),
        (
            f'{CASE}as = "x"\n[identity.x]\nclaims = "r"',
            "invalid_suite",
            "claims is 'r' and must be a table",
        ),
        (f'{CASE}as = "x"\n[identity]\nx = 3', "invalid_suite", "x must be a table"),
        (CASE + CASE, "invalid_case", "two cases are called 'a'"),
        ('[[case]]\ncall = "select 1"', "invalid_case", "a case needs a name of one line"),
        ('[[case]]\nname = "a\\nb"\ncall = "select 1"', "invalid_case", "a case needs a name of one line"),
        ('[[case]]\nname = "a"', "invalid_case", "case 'a' has no call. Give one statement"),
        ('[[case]]\nname = "a"\ncall = " "', "invalid_case", "case 'a' has no call"),
        ("[[mutation]]\nsql = 'x'", "invalid_suite", "a mutation needs a name"),
        (
            "[[mutation]]\nname = 'm'",
            "invalid_suite",
            "needs either sql, or function with replace and with",
        ),
        ("[[mutation]]\nname = 'm'\nsql = 'x'\nfunction = 'f'", "invalid_suite", "mutation 'm' needs either sql"),
        ("[[mutation]]\nname = 'm'\nfunction = 'f'", "invalid_suite", "mutation 'm' needs either sql"),
        ("[[mutation]]\nname = 'm'\nsql = 'x'\ncases = ['b']", "unknown_case", "mutation 'm': there is no case 'b'"),
        (
            "[[mutation]]\nname = 'm'\nsql = 'x'\ncases = 'b'",
            "invalid_suite",
            "cases is 'b' and must be a list",
        ),
        (
            "[[mutation]]\nname = 'm'\nsqls = 'x'",
            "unknown_key",
            "there is no key 'sqls'. Did you mean 'sql'",
        ),
    ],
)
def test_what_cannot_be_meant_is_an_error_with_token_place_and_advice(
    folder: Path, text: str, token: str, problem: str
) -> None:
    with pytest.raises(SuiteError) as caught:
        load(folder, text)
    assert problem in str(caught.value)
    assert caught.value.token == token
    assert caught.value.advice in str(caught.value)


def test_a_suite_that_is_not_there_or_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"the suite .*missing\.toml cannot be read"):
        load_suite(tmp_path / "missing.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(SuiteError, match=r"the suite .*binary\.toml cannot be read"):
        load_suite(binary)
