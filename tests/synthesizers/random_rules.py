"""Random rules about columns of a test's choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

import dpsynth as d

Maker = Callable[[np.random.Generator, Mapping[str, Any]], Any]


def values_of(column: Any) -> list[Any]:
    """All values that a column can have; of an open one those that it has where a fit finds nothing."""
    if isinstance(column, d.OpenCategorical):
        column = column.settled()
    match column:
        case d.Categorical():
            listed = list(column.categories)
        case d.Boolean():
            listed = [False, True]
        case _:
            listed = list(range(int(column.low), int(column.high) + 1))
    return [*listed, None] if column.nullable else listed


@dataclass(frozen=True)
class Vocabulary:
    """What rules are about. Of names in one text a rule takes some.

    orders: groups of columns that can be compared. ranges, combined, summed, looked_up: columns. total: what sums and
    formulas give. given: what a table gives, and its values. listed: for some columns the values that tables list.
    apart: the share of combinations that are not modelled together.
    """

    orders: Sequence[str]
    ranges: str
    conditions: Sequence[str]
    combined: str
    summed: str
    formulas: Sequence[str]
    looked_up: str
    given: tuple[str, Sequence[str]]
    total: str = "t"
    flags: str = "mo"
    increments: Sequence[tuple[str, float]] = ()
    listed: Mapping[str, Sequence[Any]] | None = None
    apart: float = 0.0

    def rules(self, rng: np.random.Generator, columns: Mapping[str, Any], kinds: Sequence[str], most: int) -> list[Any]:
        """Up to so many rules of these kinds, each once; SchemaError for one that cannot be."""
        count = rng.integers(most // 3, most + 1)
        made = [getattr(self, kinds[rng.integers(len(kinds))])(rng, columns) for _ in range(count)]
        return list(dict.fromkeys(made))

    def order(self, rng: np.random.Generator, columns: Mapping[str, Any]) -> Any:
        left, right = _of(rng, self.orders[rng.integers(len(self.orders))], 2)
        return d.Order(left, str(rng.choice(["<", "<=", ">=", ">", "<=", "=="])), right)

    def range(self, rng: np.random.Generator, columns: Mapping[str, Any]) -> Any:
        return d.Range(*_of(rng, self.ranges, 3), strict=bool(rng.random() < 0.5))

    def implies(self, rng: np.random.Generator, columns: Mapping[str, Any]) -> Any:
        return d.Implies(*map(str, rng.choice(self.conditions, 2, replace=False)))

    def combinations(self, rng: np.random.Generator, columns: Mapping[str, Any]) -> Any:
        names = _of(rng, self.combined, int(rng.integers(2, 4)))
        every = list(product(*(self._listed(name, columns) for name in names)))
        kept = rng.choice(len(every), max(1, len(every) // int(rng.integers(2, 5))), replace=False)
        together = not self.apart or bool(rng.random() >= self.apart)
        return d.FixedCombinations(names, [every[place] for place in kept], together=together)

    def sum(self, rng: np.random.Generator, columns: Mapping[str, Any]) -> Any:
        return d.Sum(self.total, _of(rng, self.summed, int(rng.integers(2, 4))))

    def formula(self, rng: np.random.Generator, columns: Mapping[str, Any]) -> Any:
        return d.Derived(self.total, str(rng.choice(self.formulas)))

    def table(self, rng: np.random.Generator, columns: Mapping[str, Any]) -> Any:
        (of,) = _of(rng, self.looked_up, 1)
        name, values = self.given
        return d.Derived(name, of=of, table={v: str(rng.choice(values)) for v in self._listed(of, columns)})

    def derived(self, rng: np.random.Generator, columns: Mapping[str, Any]) -> Any:
        return (self.formula if rng.random() < 0.5 else self.table)(rng, columns)

    def one_hot(self, rng: np.random.Generator, columns: Mapping[str, Any]) -> Any:
        return d.OneHot(list(self.flags), none=bool(rng.random() < 0.5))

    def increment(self, rng: np.random.Generator, columns: Mapping[str, Any]) -> Any:
        return d.FixedIncrements(*self.increments[rng.integers(len(self.increments))])

    def unique(self, rng: np.random.Generator, columns: Mapping[str, Any]) -> Any:
        return d.Unique("n")

    def _listed(self, name: str, columns: Mapping[str, Any]) -> Sequence[Any]:
        return (self.listed or {}).get(name) or values_of(columns[name])


def _of(rng: np.random.Generator, names: str, count: int) -> list[str]:
    return [str(name) for name in rng.choice(list(names), count, replace=False)]
