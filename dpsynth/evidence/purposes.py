"""What charges were for, in groups: a page of hundreds of charges begins with a handful of lines.

A ledger's line says in words what its charge was for. These words are read here again, and whatever
is not known keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dpsynth.kernel.unit import PrivacyUnit

Charge = Mapping[str, Any]
"""A charge as a certificate tells it: its ledger line, its noise in rows, its share."""

_COUNT = "measure the row count"
_UNITS = "count the rows of each unit"
_MEASURE = "measure "
_BETWEEN = " x "
_KINDS = (
    (re.compile(r"learn the bounds of "), "Bounds that the schema leaves open"),
    (re.compile(r"see values of .* that many rows share"), "Values that many rows share"),
    (re.compile(r"see how the numbers of .* are written"), "How numbers are written"),
    (re.compile(r"see when in the week .* lies"), "Weekdays and hours"),
    (re.compile(r"see how many values of .* are multiples of "), "Round values"),
    (re.compile(r"look at pairs in \d+ blocks"), "What to measure: a first look at pairs"),
    (re.compile(_UNITS), "How many rows each unit has"),
    (re.compile(r"choose among \d+ "), "What to measure: scores of all candidates"),
    (re.compile(r"train a critic of (rows|images) in "), "Training of a network"),
    (re.compile(r"ask teachers about "), "Votes of teachers"),
    (re.compile(r"mean and spread of all images|embedding of all images "), "Means of images"),
)


@dataclass
class Group:
    """Charges of one kind: how many, their share of what was spent in percent, and their noise.

    least, most: the standard deviation of the noise on a count, in rows; None for charges that are
    not noise on counts.
    """

    what: str
    charges: int = 0
    share_percent: float = 0.0
    least: float | None = None
    most: float | None = None

    def add(self, charge: Charge) -> None:
        self.charges += 1
        self.share_percent += charge["share_percent"]
        noise = charge["noise_stddev_rows"]
        if noise is not None:
            self.least = noise if self.least is None else min(self.least, noise)
            self.most = noise if self.most is None else max(self.most, noise)


def groups(charges: Sequence[Charge], columns: Collection[str]) -> list[Group]:
    """The charges by what they were for, the costliest group first."""
    found: dict[str, Group] = {}
    for charge in charges:
        what = kind(charge["line"]["purpose"], columns)
        found.setdefault(what, Group(what)).add(charge)
    return sorted(found.values(), key=lambda group: -group.share_percent)


def kind(purpose: str, columns: Collection[str]) -> str:
    """What a charge was for, in general: the columns that it names are left out."""
    if purpose == _COUNT:
        return "The number of rows"
    if purpose.startswith(_MEASURE):
        measured = purpose.removeprefix(_MEASURE)
        several = 1 if measured in columns else measured.count(_BETWEEN) + 1
        return ("Single columns", "Pairs of columns", "Three and more columns")[min(several, 3) - 1]
    return next((what for pattern, what in _KINDS if pattern.match(purpose)), purpose)


def moved(purpose: str, unit: PrivacyUnit) -> float:
    """How far (l2) one unit moves the table of counts that a charge was for, where it is one.

    A unit is in one count of units, however many rows it has. The row count stands alone: no other
    count takes up what a replaced unit moves.
    """
    if purpose == _UNITS:
        alone = unit.max_records == 1  # then all units have one row
        return PrivacyUnit(adjacency=unit.adjacency).count_sensitivity(1 if alone else 2)[1]
    return unit.count_sensitivity(1 if purpose == _COUNT else 2)[1]
