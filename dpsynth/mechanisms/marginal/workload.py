"""Workload: which marginals a release should get right, and how much each of them counts."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from dpsynth.base.domain import Clique, Domain
from dpsynth.base.text import some

Weights = tuple[tuple[Clique, float], ...]


@dataclass(frozen=True)
class Workload:
    """Which marginals a release should get right, and how much each of them counts.

    These are public settings, which mean something once there is a domain.

    Parameters
    ----------
    degree : int
        Every marginal of so many columns is wanted, 1 to 4; where one would have more than
        `max_cells` cells, its largest parts that have fewer stand for it. A column by itself is
        always wanted. Each marginal counts once.
    target : str or None
        A column that matters more, say the label of a classifier.
    target_weight : float
        How often a marginal that holds the target counts. 4 makes those among 15 columns taken
        three at a time weigh as much as all the others together.
    weights : mapping of tuple of str to float
        What single marginals count instead, or besides; 0 removes one. Kept as a tuple of pairs.
    max_cells : int
        The most cells of a marginal that is wanted as a whole.

    Raises
    ------
    ValueError
        For a degree, a weight or a number that is out of range, and for a marginal stated twice.

    Examples
    --------
    >>> from dpsynth import Domain
    >>> workload = Workload(degree=2, target="job", weights={("age", "sex"): 10.0})
    >>> workload.marginals(Domain.of({"age": 100, "sex": 2, "job": 12}))
    {('age', 'sex'): 10.0, ('age', 'job'): 4.0, ('sex', 'job'): 4.0}
    """

    degree: int = 3
    target: str | None = None
    target_weight: float = 4.0
    weights: Mapping[Clique, float] | Weights = ()
    max_cells: int = 1_000_000

    def __post_init__(self) -> None:
        if not _whole(self.degree) or not 1 <= self.degree <= 4:
            raise ValueError(f"the degree of a workload must be 1, 2, 3 or 4, got {self.degree!r}")
        if not _whole(self.max_cells) or self.max_cells < 1:
            raise ValueError(f"max_cells must be a whole number above 0, got {self.max_cells!r}")
        if self.target is not None and not isinstance(self.target, str):
            raise ValueError(f"the target must be a column name or None, got {self.target!r}")
        if not _is_weight(self.target_weight) or self.target_weight == 0:
            raise ValueError(
                "target_weight must be a number above 0 and at most 1e12, got"
                f" {self.target_weight!r}"
            )
        object.__setattr__(self, "weights", _checked(self.weights))

    def check(self, domain: Domain) -> None:
        """ValueError where a column is named that the domain lacks."""
        named = {a for clique, _ in self._pairs for a in clique}
        if self.target is not None:
            named.add(self.target)
        if lacking := sorted(named.difference(domain.attributes)):
            raise ValueError(_not_modelled(lacking[0], domain))

    def marginals(self, domain: Domain) -> dict[Clique, float]:
        """Every marginal of the workload with its weight, above 0: a long list for many columns."""
        stated = self._stated(domain)
        usual = _Usual(domain, self.degree, self.max_cells)
        weights = {c: self._usual_weight(c) for c in usual.marginals()}
        return {c: w for c, w in (weights | stated).items() if w > 0}

    def importance(self, domain: Domain) -> dict[str, float]:
        """For each column the weights of the marginals that hold it, added up without a list."""
        return dict(_importance(self, domain))

    def weight(self, clique: Clique, domain: Domain) -> float:
        """How much it matters to measure `clique`: w_r of AIM (arXiv 2201.12677, section 4).

        That is the sum over the workload's marginals of their weight times the number of columns
        that they share with the clique, which is the importance of its columns, added up.
        """
        importance = _importance(self, domain)
        return math.fsum(importance[a] for a in clique)

    def candidates(self, domain: Domain, *, degree: int = 4) -> dict[Clique, float]:
        """What may be measured, each with its `weight`: parts of marginals, of `degree` columns at
        most.
        """
        usual = _Usual(domain, self.degree, self.max_cells)
        stated = self._stated(domain)
        sizes = range(1, min(degree, usual.degree) + 1)
        parts = {
            c
            for size in sizes
            for c in itertools.combinations(domain.attributes, size)
            if usual.fits(c)
        }
        removed = [c for c, w in stated.items() if w == 0 and usual.wants(c)]
        for part in _parts(removed, degree):
            if usual.holding(part) == sum(set(part) <= set(c) for c in removed):
                parts.discard(part)
        parts |= _parts((c for c, w in stated.items() if w > 0), degree)
        position = {a: i for i, a in enumerate(domain.attributes)}
        ordered = sorted(parts, key=lambda c: (len(c), [position[a] for a in c]))
        importance = _importance(self, domain)
        return {c: math.fsum(importance[a] for a in c) for c in ordered}

    @property
    def _pairs(self) -> Weights:
        assert isinstance(self.weights, tuple)
        return self.weights

    def _stated(self, domain: Domain) -> dict[Clique, float]:
        self.check(domain)
        return {domain.ordered(c): w for c, w in self._pairs}

    def _usual_weight(self, clique: Clique) -> float:
        return self.target_weight if self.target in clique else 1.0


@dataclass(frozen=True)
class _Usual:
    """The marginals that a workload has unless stated otherwise: the largest that fit."""

    domain: Domain
    max_columns: int
    max_cells: int

    @property
    def degree(self) -> int:
        return min(self.max_columns, len(self.domain.attributes))

    def fits(self, clique: Clique) -> bool:
        return len(clique) == 1 or self.domain.cells(clique) <= self.max_cells

    def wants(self, clique: Clique) -> bool:
        return clique in self.lesser or (len(clique) == self.degree and self.fits(clique))

    def marginals(self) -> Iterable[Clique]:
        full = (
            c for c in itertools.combinations(self.domain.attributes, self.degree) if self.fits(c)
        )
        return itertools.chain(self.lesser, full)

    def holding(self, clique: Clique) -> int:
        """How many of the marginals hold all of this clique."""
        lesser = self._lesser_holding[clique]
        if len(clique) >= self.degree:
            return lesser + (len(clique) == self.degree and self.fits(clique))
        others = tuple(n for n, a in self._ascending if a not in clique)
        return lesser + _products(
            others, self.degree - len(clique), self.max_cells // self.domain.cells(clique)
        )

    @cached_property
    def _ascending(self) -> list[tuple[int, str]]:
        return sorted((n, a) for a, n in self.domain.sizes)

    @cached_property
    def lesser(self) -> frozenset[Clique]:
        """Those of fewer columns: they fit, and with any further column they would not."""
        if math.prod(n for n, _ in self._ascending[-self.degree :]) <= self.max_cells:
            return frozenset()
        shorter = (
            itertools.combinations(self.domain.attributes, size) for size in range(1, self.degree)
        )
        return frozenset(c for c in itertools.chain(*shorter) if self.fits(c) and self._full(c))

    @cached_property
    def _lesser_holding(self) -> Counter[Clique]:
        return Counter(part for c in self.lesser for part in _parts([c], len(c)))

    def _full(self, clique: Clique) -> bool:
        least = next(n for n, a in self._ascending if a not in clique)
        return self.domain.cells(clique) * least > self.max_cells


@lru_cache(maxsize=16)
def _importance(workload: Workload, domain: Domain) -> dict[str, float]:
    stated = workload._stated(domain)
    usual = _Usual(domain, workload.degree, workload.max_cells)
    found = {a: float(usual.holding((a,))) for a in domain.attributes}
    if workload.target is not None:
        for a in found:
            found[a] += (workload.target_weight - 1) * usual.holding(
                domain.ordered((a, workload.target))
            )
    for clique, weight in stated.items():
        change = weight - (workload._usual_weight(clique) if usual.wants(clique) else 0.0)
        for a in clique:
            found[a] += change
    return found


@lru_cache(maxsize=4096)
def _products(sizes: tuple[int, ...], number: int, limit: int) -> int:
    """How many sets of `number` of these sizes, in ascending order, have a product of at most
    `limit`.
    """
    if number == 1:
        return bisect_right(sizes, limit)
    if math.prod(sizes[-number:]) <= limit:
        return math.comb(len(sizes), number)
    largest = range(number - 1, bisect_right(sizes, limit))
    return sum(_products(sizes[:i], number - 1, limit // sizes[i]) for i in largest)


def _parts(cliques: Iterable[Clique], degree: int) -> set[Clique]:
    return {
        part
        for c in cliques
        for size in range(1, degree + 1)
        for part in itertools.combinations(c, size)
    }


def _checked(weights: Any) -> Weights:
    pairs = list(weights.items() if isinstance(weights, Mapping) else weights)
    for pair in pairs:
        if len(pair) != 2 or not _is_clique(pair[0]) or not _is_weight(pair[1]):
            raise ValueError(
                f"weights give tuples of different columns a number from 0 to 1e12, got {pair!r}"
            )
    if len({frozenset(clique) for clique, _ in pairs}) < len(pairs):
        raise ValueError(
            "a workload states the weight of a marginal once, in whatever order its columns are"
            " named"
        )
    return tuple((tuple(clique), float(weight)) for clique, weight in pairs)


def _is_clique(value: Any) -> bool:
    names = (
        isinstance(value, tuple | list)
        and len(value) > 0
        and all(isinstance(a, str) for a in value)
    )
    return names and len(set(value)) == len(value)


def _is_weight(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value <= 1e12


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _not_modelled(name: str, domain: Domain) -> str:
    """A column of times is modelled by its parts, and others together or by a gap."""
    instead = [
        each
        for each in domain.attributes
        if each.endswith(f" of {name}") or name in (*each.split(" to "), *each.split(", "))
    ]
    if instead:
        return (
            f"the workload names {name!r}, which a fit models by {some([*map(repr, instead)])}:"
            " name one of these"
        )
    known = some([*map(repr, domain.attributes)])
    return f"the workload names {name!r}, which the table lacks: name one of {known}"
