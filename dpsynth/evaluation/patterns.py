"""The search for patterns in both tables: each kind once, in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dpsynth.base.progress import steps
from dpsynth.evaluation.copies import distinct_values, rare_combinations, repeated_rows
from dpsynth.evaluation.heaping import heaping, spikes
from dpsynth.evaluation.numbers import Numbers
from dpsynth.evaluation.pattern import FATES, Pattern
from dpsynth.evaluation.relations import dependencies, reversals, sums
from dpsynth.evaluation.tails import cut_tails, joint_tails, outliers
from dpsynth.schema.table import Schema

Search = Callable[[Numbers, Numbers, Schema], Iterator[Pattern]]

_KINDS: tuple[Search, ...] = (
    heaping,
    spikes,
    outliers,
    cut_tails,
    distinct_values,
    repeated_rows,
    rare_combinations,
    joint_tails,
    dependencies,
    sums,
    reversals,
)


def patterns(real: Numbers, synthetic: Numbers, schema: Schema) -> tuple[Pattern, ...]:
    """What is found in the real records or in the release: lost first, then the surest.

    A spike beyond the edge of a far group is that group, and stands there alone.
    """
    found: list[Pattern] = []
    for search in steps("looking for patterns", _KINDS):
        found += search(real, synthetic, schema)
    edges = {p.columns: p for p in found if p.kind == "outliers"}
    alone = [p for p in found if not (p.kind == "spike" and _is_far(p, edges.get(p.columns)))]
    return tuple(sorted(alone, key=lambda p: (FATES.index(p.fate), -p.errors)))


def _is_far(spike: Pattern, group: Pattern | None) -> bool:
    if group is None:
        return False
    side = group.details["side"]
    return bool(side * spike.details["value"] > side * group.details["edge"])
