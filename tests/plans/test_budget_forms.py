"""How a budget is written, and what of it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from eventlive_db.plans.budget import Budget, allowed_lock, matches
from eventlive_db.plans.errors import SuiteError


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("jobs", True),
        ("app.jobs", True),
        ("j*", True),
        ("*", True),
        ("app.*", True),
        ("*.jobs", True),
        ("job", False),
        ("Jobs", False),
        ("app", False),
        ("app*", False),
        ("a*s", False),
        ("other.jobs", False),
        ("app.j", False),
    ],
)
def test_a_table_is_named_bare_or_with_its_schema_and_a_star_stays_within_what_it_is_for(
    pattern: str, fits: bool
) -> None:
    assert matches("app.jobs", [pattern]) is fits


def test_of_two_patterns_for_a_lock_the_one_that_allows_more_counts_in_any_order() -> None:
    allowed = {"*": "RowShare", "jobs": "RowExclusive", "app.jobs": "AccessShare"}
    assert allowed_lock("app.jobs", allowed) == "RowExclusive"
    assert allowed_lock("app.jobs", dict(reversed(allowed.items()))) == "RowExclusive"
    assert allowed_lock("app.owners", allowed) == "RowShare"
    assert allowed_lock("app.owners", {}) == "AccessShare"


def test_an_unknown_budget_is_an_error_that_names_the_one_meant() -> None:
    with pytest.raises(SuiteError) as caught:
        Budget.from_mapping({"buffer": 1}, "suite.toml case 'x'")
    assert caught.value.token == "unknown_budget"
    assert str(caught.value) == "suite.toml case 'x': there is no budget 'buffer'. Did you mean buffers?"
    with pytest.raises(SuiteError, match="There are: statements, repeats, rows_read, buffers"):
        Budget.from_mapping({"zzz": 1})


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"buffers": -1}, "budget buffers is -1 and must be a whole number, 0 or more"),
        ({"buffers": 1.5}, "budget buffers is 1.5 and must be a whole number"),
        ({"statements": True}, "budget statements is True and must be a whole number"),
        ({"statements": "none"}, "budget statements is 'none' and must be a whole number"),
        ({"hot": 1.01}, "budget hot is 1.01 and must be a share between 0 and 1"),
        ({"hot": "0.9"}, "budget hot is '0.9' and must be a share between 0 and 1"),
        ({"hot": True}, "budget hot is True and must be a share"),
        ({"seq_scans": "jobs"}, "budget seq_scans is 'jobs' and must be a list of names"),
        ({"seq_scans": [1]}, r"budget seq_scans is \[1\] and must be a list of names"),
        ({"never_touches": [""]}, r"budget never_touches is \[''\] and must be a list of names"),
        ({"ties": 3}, "budget ties is 3 and must be a list of names"),
        ({"locks": ["jobs"]}, r"budget locks is \['jobs'\] and must be a table of modes"),
        ({"locks": {"jobs": "Row"}}, "budget locks.jobs is 'Row' and must be one of AccessShare, RowShare"),
        ({"locks": {"advisory": "RowShare"}}, "locks.advisory is 'RowShare' and must be one of Share, Exclusive"),
        ({"locks": {"jobs": 1}}, "budget locks.jobs is 1 and must be one of"),
    ],
)
def test_a_value_that_cannot_be_meant_is_an_error_that_says_what_can(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(SuiteError, match=f"^here: .*{problem}") as caught:
        Budget.from_mapping(values, "here")
    assert caught.value.token == "invalid_budget"


def test_none_stands_for_an_empty_list_or_table() -> None:
    budget = Budget.from_mapping({"seq_scans": "none", "only_touches": "none", "ties": "none", "locks": "none"})
    assert (budget.seq_scans, budget.only_touches, budget.ties, budget.locks) == ((), (), (), {})
