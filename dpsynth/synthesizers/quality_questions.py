"""What the releasable quality report asks of the real rows: fixed by public facts, before any row.

The columns, their cells, and the release decide it: all columns, sets of two and three that follow
from the columns' names, and the groups and numbers that were named. The cells of a column are
merged by how the release, which is public, fills them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.data.tables.codec import Codec
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.distance_look import Cells
from dpsynth.models.base import Codes
from dpsynth.models.distances import TRIPLES, bins_of, frequencies, some_sets
from dpsynth.schema.table import Boolean, Categorical, Numeric, Schema, SchemaError

ONE_WAY_BINS, PAIR_BINS, NUMBER_BINS = 20, 12, 6
"""Of a column alone, of one in a set, and of one whose correlation is asked for."""

MAX_PAIRS = 300
MAX_NUMBERS = 6
MAX_GROUPS = 20
_SEED = 20261130
"""Any number: it makes the same columns give the same sets."""

SHARES = {"rows": 4, "columns": 2, "pairs": 4, "triples": 4, "groups": 3}
SHARES |= {"missing": 1, "correlations": 4}
"""How the budget is shared among the parts that there are."""


@dataclass(frozen=True, eq=False)
class Questions:
    """The questions of one report.

    Parameters
    ----------
    schema : Schema
        Of the modelled columns.
    codecs : mapping of str to Codec
        Their cells.
    domain : Domain
        The same.
    codes : mapping of str to ndarray
        The rows of the release.
    grouped_by : sequence of str
        Columns with few values, in each of whose groups columns are compared.
    numbers : sequence of str or None
        Columns of numbers that are correlated; None for the first six.
    """

    schema: Schema
    codecs: Mapping[str, Codec]
    domain: Domain
    codes: Codes
    grouped_by: Sequence[str]
    numbers: Sequence[str] | None

    def check(self) -> None:
        """SchemaError for columns that cannot be grouped by, or correlated."""
        for name in self.grouped_by:
            column = self.schema.columns.get(name)
            known = isinstance(column, Categorical | Boolean)
            if not known or len(self.values(name)) > MAX_GROUPS:
                raise SchemaError(
                    f"groups are by a column of at most {MAX_GROUPS} categories that is modelled as"
                    f" it is, and {name!r} is none: name another one"
                )
        for name in self.numbers or ():
            if not isinstance(self.schema.columns.get(name), Numeric):
                raise SchemaError(
                    f"correlations are of columns of numbers that are modelled as they are, and"
                    f" {name!r} is none: name another one"
                )

    @property
    def rows(self) -> int:
        """Of the release."""
        return len(next(iter(self.codes.values())))

    @cached_property
    def alone(self) -> dict[str, np.ndarray]:
        """For each column the group of each cell, where it is compared alone."""
        return {a: self._bins(a, ONE_WAY_BINS, nominal=False) for a in self.domain.attributes}

    @cached_property
    def together(self) -> dict[str, np.ndarray]:
        """The same, where it is compared with others."""
        return {a: self._bins(a, PAIR_BINS, nominal=True) for a in self.domain.attributes}

    @cached_property
    def ranks(self) -> dict[str, np.ndarray]:
        """The same, where it is correlated; the last group has no number."""
        return {a: self._bins(a, NUMBER_BINS + 1, nominal=True) for a in self._numeric}

    @cached_property
    def missing(self) -> dict[str, np.ndarray]:
        """For each nullable column: 1 in the cell of what is missing, 0 elsewhere."""
        columns = self.schema.columns
        names = [a for a in self.domain.attributes if getattr(columns[a], "nullable", False)]
        found = {a: self.special(a).astype(np.intp) for a in names}
        return {a: own for a, own in found.items() if 0 < own.sum() < own.size}

    @cached_property
    def sets(self) -> dict[str, list[Clique]]:
        """The sets of columns that are compared, by the name of the part; none of an empty one."""
        names = tuple(sorted(self.domain.attributes))
        found: dict[str, list[Clique]] = {
            "columns": [(a,) for a in self.domain.attributes],
            "pairs": some_sets(names, 2, MAX_PAIRS, _SEED),
            "triples": some_sets(names, 3, TRIPLES, _SEED),
        }
        return {part: sets for part, sets in found.items() if sets}

    @cached_property
    def correlated(self) -> list[Clique]:
        """The pairs of columns of numbers."""
        return [*itertools.combinations(self._numeric, 2)]

    @cached_property
    def answers(self) -> dict[str, int]:
        """How many numbers each part of the report asks for; parts that ask for none are left out.

        A correlation is made of as many counts as its pair has combinations of groups.
        """
        groups = sum(len(self.values(a)) for a in self.grouped_by)
        cells = sum(self._cells(self.ranks, pair) for pair in self.correlated)
        found = {"rows": 1, **{part: len(sets) for part, sets in self.sets.items()}}
        found |= {"groups": groups * (len(self.domain.attributes) - 1)}
        found |= {"missing": len(self.missing), "correlations": cells}
        return {part: number for part, number in found.items() if number}

    def costs(self, cost: int) -> dict[str, int]:
        """The cost of each part."""
        whole = sum(SHARES[part] for part in self.answers)
        return {part: cost * SHARES[part] // whole for part in self.answers}

    def sensitivities(self, unit: PrivacyUnit) -> dict[str, float]:
        """How far a unit moves all answers of each part together, as an L2 norm."""
        (l1, l2), counted = unit.count_sensitivity(2), self.answers
        groups = counted.get("groups", 0) / max(len(self.grouped_by), 1)
        found = {part: l1 / 2 * math.sqrt(len(sets)) for part, sets in self.sets.items()}
        found |= {"rows": unit.count_sensitivity(1)[1], "groups": l1 / 2 * math.sqrt(groups)}
        found |= {"missing": l2 * math.sqrt(len(self.missing))}
        found |= {"correlations": l2 * math.sqrt(len(self.correlated))}
        return {part: found[part] for part in counted}

    def expected(self, part: str, rows: float) -> list[Cells]:
        """What the release has in each cell of each set, brought to so many rows."""
        groups = self.alone if part == "columns" else self.together
        return [Cells(each, rows * self.shares(groups, each)) for each in self.sets[part]]

    def of_groups(self, by: str, rows: np.ndarray) -> list[list[Cells]]:
        """For each value of a column what the release has of each other column in that group,
        brought to so many rows of it.
        """
        groups, found = self.group_cells(by), []
        others = [a for a in self.domain.attributes if a != by]
        tables = [self.shares(groups, (by, a)) for a in others]
        for value, number in enumerate(rows[: len(self.values(by))]):
            of_value = []
            for other, shares in zip(others, tables, strict=True):
                held = shares[value].sum()
                among = np.zeros(shares.shape, dtype=bool)
                among[value] = True
                factor = max(float(number), 0.0) / held if held else 0.0
                of_value.append(Cells((by, other), shares * factor * among, among))
            found.append(of_value)
        return found

    def group_cells(self, by: str) -> dict[str, np.ndarray]:
        """For each column the group of each cell, where a column's values are told apart."""
        return {**self.together, by: np.arange(self.domain.size(by))}

    def shares(self, groups: Mapping[str, np.ndarray], clique: Clique) -> np.ndarray:
        """The shares of the release's rows in each combination of groups."""
        own = {a: groups[a][self.codes[a]] for a in clique}
        sizes = {a: int(groups[a].max()) + 1 for a in clique}
        domain = Domain.of(sizes)
        return frequencies(own, clique, domain).reshape(domain.shape(clique))

    def values(self, name: str) -> list[str]:
        """The values of a column with a cell for each."""
        return [str(value) for value in self.codecs[name].ends()[0]]

    @cached_property
    def _numeric(self) -> list[str]:
        names = [a for a in self.domain.attributes if isinstance(self.schema.columns[a], Numeric)]
        return names[:MAX_NUMBERS] if self.numbers is None else [*dict.fromkeys(self.numbers)]

    def special(self, name: str) -> np.ndarray:
        """The cells without a value."""
        return np.arange(self.domain.size(name)) >= len(self.codecs[name].ends()[0])

    def _bins(self, name: str, most: int, *, nominal: bool) -> np.ndarray:
        if not (self.domain.width(name) or nominal):
            return np.arange(self.domain.size(name))
        return bins_of(self.codes, self.domain, name, most)

    def _cells(self, groups: Mapping[str, np.ndarray], clique: Clique) -> int:
        return int(np.prod([int(groups[a].max()) + 1 for a in clique]))
