"""The text exposition format of Prometheus, version 0.0.4, and nothing of what is told in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric.

    Attributes:
        name: Of the metric.
        kind: ``gauge`` or ``counter``.
        says: What it is, in a sentence.
        samples: Labels and value each; no two with the same labels.
    """

    name: str
    kind: Literal["gauge", "counter"]
    says: str
    samples: Sequence[Sample]


def render(families: Iterable[Family]) -> str:
    """The page. A metric without samples is left out."""
    lines = []
    for family in families:
        if family.samples:
            says = family.says.replace("\\", "\\\\").replace("\n", "\\n")
            lines += [f"# HELP {family.name} {says}", f"# TYPE {family.name} {family.kind}"]
            lines += [f"{family.name}{_labels(labels)} {_number(value)}" for labels, value in family.samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
