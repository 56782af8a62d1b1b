"""Conflicts: where counts of two sources disagree by more than noise and the draw of rows.

All of it follows from counts that were paid for, so that it may be published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from dpsynth.base.domain import Clique
from dpsynth.base.text import some
from dpsynth.data.tables.codec import Codec
from dpsynth.models.agreement import Comparison, Counts, compared, standing_out
from dpsynth.models.merging import Part

MOST_NAMED = 3
"""Of each set of columns, how many cells are named."""

_CLEAR = 3.0
"""Standard errors from which on a cell is named."""

_MOST_VALUES = 3


def comparisons(
    parts: Sequence[Part], codecs: Mapping[str, Codec], rate: float
) -> list[dict[str, Any]]:
    """Each set of columns that two sources have counted, as JSON can hold it, the surest first.

    rate: of those that stand out, the part that is expected to do so by chance.
    """
    found: list[tuple[tuple[int, int], Comparison]] = []
    for i, j in combinations(range(len(parts)), 2):
        for clique in sorted(parts[i].charged.keys() & parts[j].charged.keys()):
            comparison = compared(_counts(parts[i], clique), _counts(parts[j], clique), clique)
            if comparison is not None:
                found.append(((i + 1, j + 1), comparison))
    found.sort(key=lambda one: (one[1].chance, -one[1].chi_square / one[1].degrees))
    out = standing_out([each.chance for _, each in found], rate)
    return [
        _record(sources, each, conflict, codecs)
        for (sources, each), conflict in zip(found, out, strict=True)
    ]


def _counts(part: Part, clique: Clique) -> Counts:
    return Counts(part.charged[clique], part.rows, part.alike, part.project)


def _record(
    sources: tuple[int, int], found: Comparison, conflict: bool, codecs: Mapping[str, Codec]
) -> dict[str, Any]:
    most = _most(found, codecs) if conflict else []
    return {
        "columns": [*found.clique],
        "sources": [*sources],
        "conflict": conflict,
        "chi_square": found.chi_square,
        "degrees": found.degrees,
        "chance": found.chance,
        "most": most,
    }


def _most(found: Comparison, codecs: Mapping[str, Codec]) -> list[dict[str, Any]]:
    """The cells that disagree most."""
    order = np.argsort(-np.abs(found.errors), axis=None, kind="stable")[:MOST_NAMED]
    named: list[dict[str, Any]] = []
    for place in order:
        at = np.unravel_index(int(place), found.errors.shape)
        if abs(found.errors[at]) < _CLEAR and named:
            break
        where = [
            f"{a} {_words(codecs[a], np.flatnonzero(groups == group))}"
            for a, groups, group in zip(found.clique, found.groups, at, strict=True)
        ]
        shares = [float(each[at]) for each in found.shares]
        named.append(
            {"where": "; ".join(where), "shares": shares, "errors": float(found.errors[at])}
        )
    return named


def _words(codec: Codec, cells: np.ndarray) -> str:
    """The values of some cells of a column."""
    first, last = (list(map(str, each)) for each in codec.ends())
    own = cells[cells < len(first)]
    if codec.widths is None:
        values = [first[cell] for cell in own]
    else:
        runs = np.split(own, np.flatnonzero(np.diff(own) > 1) + 1) if own.size else []
        values = [_span(first[run[0]], last[run[-1]]) for run in runs]
    if not own.size:
        values = ["is missing or was not read"]
    return some(values, _MOST_VALUES)


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
