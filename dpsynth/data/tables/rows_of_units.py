"""How many rows the units of a release have, and which rows are of one unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsynth.kernel.unit import MAX_RECORDS


@dataclass(frozen=True)
class RowsOfUnits:
    """How many rows the units of a release have.

    Parameters
    ----------
    ends : tuple of int
        The last number of rows of each count: after 1, 2 the count that ends with 4 is of 3 and 4.
    units : tuple of float
        How many units each count has, 0 or more; their shares count.
    """

    ends: tuple[int, ...]
    units: tuple[float, ...]

    def stored(self) -> dict[str, Any]:
        """Plain fields, as a model file has them."""
        return {"ends": list(self.ends), "units": list(self.units)}

    def told(self) -> dict[str, float]:
        """The share of units with each number of rows; nothing where all have one."""
        total = math.fsum(self.units)
        several = len(self.ends) > 1
        shares = zip(self.ends, self.units, strict=True)
        return {str(end): units / total for end, units in shares} if several else {}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> RowsOfUnits:
        """What `stored` gave; ValueError for anything else."""
        ends, units = tuple(stored["ends"]), tuple(map(float, stored["units"]))
        whole = all(type(end) is int and 1 <= end <= MAX_RECORDS for end in ends)
        rising = whole and [*ends] == sorted({*ends})
        if len(ends) != len(units) or not rising or not 0 < sum(units) < math.inf or min(units) < 0:
            raise ValueError("rows of units are ascending whole numbers, and a count for each")
        return cls(ends, units)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """For each of n rows the number of its unit, from 0 on, in random order.

        Units have as many rows as units here do, drawn one by one; the last has what is left.
        """
        chances = np.array(self.units) / math.fsum(self.units)
        starts = np.array([1, *(end + 1 for end in self.ends[:-1])])
        sizes = np.zeros(0, dtype=np.int64)
        while (lacking := n - int(sizes.sum())) > 0:
            count = rng.choice(len(chances), max(16, lacking), p=chances)
            sizes = np.append(sizes, rng.integers(starts[count], np.array(self.ends)[count] + 1))
            sizes = np.minimum(sizes, n)
            sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), n)) + 1]
        owners = np.repeat(np.arange(len(sizes)), sizes)[:n]
        return np.asarray(rng.permutation(owners))

    def draw_within(self, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each row the number of its unit, as `draw` has it, of units with rows of one group.

        groups: the number of each row's group, such as the month of its date.
        """
        owners = np.zeros(len(groups), dtype=np.int64)
        order = np.argsort(groups, kind="stable")
        ends = np.flatnonzero(np.diff(groups[order])) + 1
        first = 0
        for places in np.split(order, ends):
            owners[places] = first + self.draw(len(places), rng)
            first = int(owners[places].max(initial=first - 1)) + 1
        return owners
