"""Every figure in README and docs is in a results file, or is a constant that is listed with the reason."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.figures import sample
from tests.support.figures.benchmark import show_benchmark
from tests.support.figures.blocks import BLOCKS
from tests.support.figures.project import CONSTANTS, ROOT, documents, faults, rewrite
from tests.support.figures.prose import read_known
from tests.support.figures.regions import fill
from tests.support.figures.results import FOLDER

KNOWN = read_known(CONSTANTS)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The documents of this project, with results files that are made up, and figures that are those."""
    for name, text in documents(ROOT).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    sample.write(tmp_path, sample.files())
    rewrite(tmp_path)
    return tmp_path


def edit(root: Path, name: str, change: Callable[[str], str]) -> None:
    path = root / name
    before = path.read_text(encoding="utf-8")
    after = change(before)
    assert after != before
    path.write_text(after, encoding="utf-8")


def stale(name: str) -> list[str]:
    return [f"{name}: a block is not what the results files say: make figures"]


# This project


def test_every_figure_of_the_documents_is_measured_or_known() -> None:
    assert faults(ROOT, KNOWN) == []
    assert all(one.because for one in KNOWN.constants)


def test_tables_that_are_left_out_are_compared_by_a_test_that_exists() -> None:
    for one in KNOWN.checked:
        path, _, test = one.test.partition("::")
        assert f"\ndef {test}(" in (ROOT / path).read_text(), one.test
        assert f"\n## {one.heading}\n" in (ROOT / one.file).read_text(), one.heading


# Blocks


def test_one_command_fills_every_block(project: Path) -> None:
    assert faults(project, KNOWN) == []
    assert rewrite(project) == []
    text = documents(project)
    assert "| A ping in both designs: ping | 0.96 to 0.97 of base | at least 0.95 | met |" in text["README.md"]
    assert "| S1: ping, 95th percentile | 6.1 ms | < 500 ms | met |" in text["README.md"]
    assert "refused: 109 x webinar_presence_ping: not_registered\npromise" in text["README.md"]
    assert "| `webinar_enter` | 1 | 9 | 1,725 | 1.20 |" in text["docs/benchmark.md"]
    assert "| ping | 0.97 | 973 | 0.95 | met |" in text["docs/benchmark.md"]
    assert "| Dead rows | 12 | at most 4 | **missed** |" in text["docs/benchmark.md"]
    assert "- redis was left out: redis-server is not on PATH" in text["docs/benchmark.md"]
    assert (
        "| fallback poll at 10,000 viewers, 95th percentile | 7.7 ms | < 500 ms | met | sampled |"
        in text["docs/load.md"]
    )
    assert "### S1: 1,000 viewers for an hour\n" in text["docs/load.md"]
    assert re.search(r"^### S2: .*, at speed 10$", text["docs/load.md"], re.M)
    assert "[The page of this run](results/s1-hour.html)" in text["docs/load.md"]


def test_that_command_is_make_figures() -> None:
    make = shutil.which("make")
    assert make
    shown = subprocess.run(
        [make, "--no-print-directory", "--dry-run", "figures"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert shown.endswith("python -m tests.support.figures\n")


def test_a_block_without_its_results_file_is_empty_and_not_stale(project: Path) -> None:
    for path in (project / FOLDER).glob("*"):
        path.unlink()
    assert faults(project, KNOWN) == [*stale("README.md"), *stale("docs/benchmark.md"), *stale("docs/load.md")]
    rewrite(project)
    assert faults(project, KNOWN) == []
    assert "<!-- figures: costs bench.json s1-hour.json -->\n<!-- end -->" in documents(project)["README.md"]


def test_a_figure_that_somebody_changes_in_a_block_is_noticed(project: Path) -> None:
    edit(project, "README.md", lambda text: text.replace("0.96 to 0.97", "0.98 to 0.99"))
    assert faults(project, KNOWN) == stale("README.md")


def test_a_results_file_that_changes_is_noticed_until_the_command_is_run(project: Path) -> None:
    edit(project, "docs/results/s2.json", lambda text: text.replace("5.0 ms", "5.1 ms"))
    assert faults(project, KNOWN) == stale("docs/load.md")
    assert rewrite(project) == ["docs/load.md"]
    assert faults(project, KNOWN) == []


def test_a_ratio_that_is_rounded_up_to_its_target_is_missed_as_in_the_run() -> None:
    just = sample.comparison("A, 1 client", {"base": [10_000], "ping": [9_496]}, {"ping": 0.95})
    kept = sample.comparison("A, 4 clients", {"base": [10_000], "ping": [9_600]}, {"ping": 0.95})
    assert just["ratios"]["ping"] == 0.95
    found = sample.benchmark(just, kept)
    block = show_benchmark(found)
    assert "| A: ping | 0.95 to 0.96 of base | at least 0.95 | **missed** in 1 of 2 |" in block
    assert "| ping | 0.95 | 9,496 | 0.95 | **missed** |" in block


def test_a_mark_that_was_missed_is_in_sight_however_many_there_are() -> None:
    marks = [sample.mark(f"check {number}", "3") for number in range(30)]
    marks[17] = sample.mark("check 17", "7", passed=False)
    in_sight = show_benchmark(sample.benchmark(marks=marks)).partition("<details>")[0]
    assert re.findall(r"check \d+", in_sight) == ["check 17"]


def test_blocks_say_nothing_that_is_not_in_the_results(project: Path) -> None:
    """Where every figure of the results is made a 1, there is nothing else in the blocks."""
    made = {name: ones(found) for name, found in sample.files().items()}
    sample.write(project, made)
    rewrite(project)
    blocks = re.findall(r"<!-- figures: (\S+).*?-->(.*?)<!-- end -->", "\n".join(documents(project).values()), re.S)
    assert {name for name, _ in blocks} == set(BLOCKS)
    assert all(block.strip() for _, block in blocks)
    assert [invented(block, made) for _, block in blocks] == [set()] * len(blocks)
    assert invented("A ping is 0.91 of the bare UPDATE, and 11 of 1,000.", made) == {"0.91"}


def invented(block: str, made: dict[str, Any]) -> set[str]:
    """The numbers in a block that are neither ones nor in a name."""
    numbers = r"\d+(?:[.,]\d+)*"
    there = set(re.findall(numbers, block)) - set(re.findall(numbers, json.dumps(made)))
    return {number for number in there if re.search("[2-9]", number)}


def ones(found: Any, key: str = "") -> Any:
    """Results with a 1 for every number, also in what is told; names stay."""
    if isinstance(found, dict):
        return {name: ones(value, name) for name, value in found.items()}
    if isinstance(found, list):
        return [ones(value, key) for value in found]
    if isinstance(found, str):
        return found if key in {"title", "name"} else re.sub(r"\d", "1", found)
    return found if found is None or isinstance(found, bool) else 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- figures: a x.json -->\n1\n", "is alone"),
        ("1\n<!-- end -->\n", "<!-- end --> is alone"),
        ("<!-- figures: a x.json -->\n<!-- figures: b x.json -->\n<!-- end -->\n", "a x.json --> has no end"),
    ],
)
def test_a_region_begins_and_ends(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        fill(text, lambda name, _: name)


def test_a_region_may_be_part_of_a_sentence() -> None:
    before = "A ping is <!-- figures: ratio a.json b.json -->?<!-- end --> of it."
    after = "A ping is <!-- figures: ratio a.json b.json -->ratio of a.json, b.json<!-- end --> of it."
    assert fill(before, lambda name, files: f"{name} of {', '.join(files)}") == after


def test_a_block_that_there_is_not_is_told(project: Path) -> None:
    edit(project, "docs/load.md", lambda text: text.replace("figures: scenarios", "figures: scenario"))
    with pytest.raises(ValueError, match="no block is called 'scenario': there are benchmarks, "):
        faults(project, KNOWN)


def test_a_target_of_the_readme_that_nobody_measured_is_told(project: Path) -> None:
    sample.write(project, {"bench.json": sample.benchmark()})
    with pytest.raises(ValueError, match=r"bench\.json has no target of .Ping in PostgREST's transaction.:"):
        faults(project, KNOWN)


def test_a_results_file_that_nobody_shows_or_that_is_too_large_is_told(project: Path) -> None:
    sample.write(project, {"s4.json": "[]", "s1-hour.html": " " * 1_000_001})
    assert faults(project, KNOWN) == [
        "s4.json: no document shows this results file",
        "s1-hour.html: larger than 1,000,000 bytes",
    ]


def test_a_figure_in_a_sentence_of_this_project_is_found(project: Path) -> None:
    edit(project, "docs/load.md", lambda text: text.replace("# Load\n", "# Load\n\nA ping takes 2.3 ms.\n"))
    [found] = faults(project, KNOWN)
    assert found.startswith("docs/load.md: '2.3 ms' is in no results file, and no constant: ...# Load A ping takes 2.3")
