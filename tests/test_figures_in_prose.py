"""Figures in sentences: which are found, and what a constant must be."""

from __future__ import annotations

import re

import pytest

from tests.support.figures.prose import Checked, Constant, Known, figures, problems

NOTHING = Known([])


@pytest.mark.parametrize(
    "sentence",
    [
        "A ping takes 0.56 ms.",
        "A ping takes 560µs.",
        "It is 0.91 of the bare `UPDATE`.",
        "It takes 91 % of the time.",
        "It takes 91% of the time.",
        "The log is 75 bytes long.",
        "The table grows to 12 MB.",
        "It is 3x as fast.",
        "It is ten times as fast.",
        "It is twice as fast.",
        "12,000 are present.",
        "It kept 2 processors busy.",
        "It carried 900 a second.",
        "It carried 900/s.",
        "It carried 900 per second.",
        "A ping is 1 statement.",
        "A page has\n26 shared blocks.",
        "| a ping | 26 pages |",
        "It takes `0.56 ms`.",
        "```text\na ping took 3 ms\n```",
        "<!-- a comment: 3 ms -->",
    ],
)
def test_a_figure_that_nobody_measured_is_found(sentence: str) -> None:
    found = problems({"README.md": f"# Title\n\n{sentence}\n"}, NOTHING)
    assert len(found) == 1
    assert "is in no results file, and no constant: ..." in found[0]


@pytest.mark.parametrize(
    "sentence",
    [
        "403 `not_registered`, 404s and 4xx; SQLSTATE 40P01 and 42501.",
        "Postgres 15 to 18, and the step 0006.",
        "Exit status 0; 1 where a target is missed; 2 where it could not be measured.",
        "`--hold 60 --rate 500` in `alter role anon set statement_timeout = '3s'`.",
        "[Twelve](results/12.5ms.json).",
        "```sh\nmake bench  # 25 minutes\n```",
        "<!-- figures: costs bench.json -->\n0.91\n<!-- end -->",
        "The 95th percentile of some.",
    ],
)
def test_what_is_no_figure_is_let_alone(sentence: str) -> None:
    assert problems({"README.md": sentence}, NOTHING) == []


@pytest.mark.parametrize(
    ("phrase", "said"),
    [
        ("within 500 ms", None),
        ("within 400 ms", "stands there 0 times, not once"),
        ("500 ms", "stands there 2 times, not once"),
        ("waits", "has no figure"),
    ],
)
def test_a_constant_is_of_use_and_means_one_place(phrase: str, said: str | None) -> None:
    text = "A ping is answered within\n500 ms. It waits: not 500 ms."
    others = [Constant("README.md", "not 500 ms", "")] if said is None else []
    found = problems({"README.md": text}, Known([Constant("README.md", phrase, "a pass mark"), *others]))
    assert found == [] if said is None else said in found[0]


def test_a_constant_of_a_document_that_is_gone_is_told() -> None:
    assert problems({}, Known([Constant("docs/gone.md", "5 ms", "")])) == ["docs/gone.md: there is no such document"]


def test_beside_a_table_that_another_test_compares_figures_are_found() -> None:
    text = "# A\n\n## Settings\n\nIt takes 3 ms.\n\n| a | 4 ms |\n\n## Errors\n\n| b | 5 ms |\n"
    found = problems({"a.md": text}, Known([], [Checked("a.md", "Settings", "")]))
    assert [re.findall(r"'(\d ms)'", line) for line in found] == [["3 ms"], ["5 ms"]]


def test_the_places_of_figures() -> None:
    text = "From 1,000 to 10,000 within 2.5 s, 4 times."
    assert [text[begin:end] for begin, end in figures(text)] == ["1,000", "10,000", "2.5 s", "4 times"]
