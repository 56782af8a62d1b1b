"""What a comparison comes to, in words: good for what, and weak at what.

A fixed reading of the distances, so that two releases are told by the same rule. Internal, as the
distances are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dpsynth.base.text import percent

GOOD, FAIR, WEAK = GRADES = ("good", "fair", "weak")

GOOD_UP_TO, FAIR_UP_TO = 0.05, 0.15
"""Distances: so many of the rows would have to change."""
GOOD_TIMES, FAIR_TIMES = 1.5, 2.0
"""Times the yardstick, which is enough where the yardstick itself is far off."""
FAR = 0.1
"""The distance from which on a column is named as far off."""
MISSING_APART = 0.05
"""The difference of shares of missing values from which on a column is named for it."""

_NAMED = 5
_USES = {
    1: "counts, shares and histograms of one column",
    2: "tables of two columns, differences between groups, correlations",
    3: "what depends on three or more columns at once, such as predictions and small groups",
}
_LEAD = {GOOD: "Good for", FAIR: "Usable with care for", WEAK: "Weak at"}


def grade(distance: float, floor: float) -> str:
    """Of one distance beside its yardstick: "good", "fair" or "weak"."""
    if distance <= max(GOOD_UP_TO, GOOD_TIMES * floor):
        return GOOD
    return FAIR if distance <= max(FAIR_UP_TO, FAIR_TIMES * floor) else WEAK


def verdict(
    ways: Sequence[Mapping[str, Any]], columns: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The verdict of a page.

    Parameters
    ----------
    ways : sequence of mapping
        `WayQuality` as plain data.
    columns : sequence of mapping
        `ColumnQuality` as plain data.

    Returns
    -------
    dict of str to object
        "grade", the worst of those of single columns and pairs; "ways", the grade by number of
        columns; "uses", a sentence for each grade that occurs; "remarks", further sentences.
    """
    grades = {way["columns"]: grade(way["distance"], way["floor"]) for way in ways}
    overall = max((g for k, g in grades.items() if k <= 2), key=GRADES.index)
    uses = []
    for each in GRADES:
        of = [_USES[k] for k, g in grades.items() if g == each]
        uses += [f"{_LEAD[each]} {'; '.join(of)}."] if of else []
    remarks = [*_far_off(columns), *_missing_apart(columns)]
    return {"grade": overall, "ways": grades, "uses": uses, "remarks": remarks}


def _far_off(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns that are far off and not only by chance, the farthest first."""
    far = [c for c in columns if c["distance"] > FAR and grade(c["distance"], c["floor"]) != GOOD]
    if not far:
        return []
    far.sort(key=lambda c: -c["distance"])
    named = [f"{c['name']} ({percent(c['distance'])})" for c in far]
    number = f"{len(far)} of {len(columns)} columns {'is' if len(far) == 1 else 'are'}"
    return [f"{number} more than {100 * FAR:.0f} of 100 rows off: {_listed(named)}."]


def _missing_apart(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns whose shares of missing values differ much, the most different first."""
    gaps = {c["name"]: abs(c["missing_synthetic"] - c["missing_real"]) for c in columns}
    names = sorted((n for n, gap in gaps.items() if gap > MISSING_APART), key=lambda n: -gaps[n])
    points = f"{100 * MISSING_APART:.0f}"
    return [f"Missing values differ by more than {points} of 100 rows in {_listed(names)}."] * bool(
        names
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
