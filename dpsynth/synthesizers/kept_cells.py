"""Implications kept before cells get their values, where cells alone tell what holds.

A row that breaks an implication is drawn again given its condition and its conclusion, as in
`kept_block`. Where no cell has both values that meet a condition and values that do not, rows can
be tested and drawn again as codes: the same distribution, and each value is drawn once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.data.constraints.recoding import Recoding
from dpsynth.data.tables.parts import Parts
from dpsynth.models.base import Codes, ConditionError
from dpsynth.synthesizers.cases import Case
from dpsynth.synthesizers.conditions import Term, Without
from dpsynth.synthesizers.implications import ROUNDS, Condition, Implication, no_row
from dpsynth.synthesizers.pulled import pulled
from dpsynth.synthesizers.sampled_rows import Origin, Tilt

Cells = Mapping[str, np.ndarray]
"""For each column that a condition is about whether a cell's values meet it."""


@dataclass(frozen=True, eq=False)
class _ByCells:
    """An implication of which cells tell all: its conditions as terms and as cells."""

    rule: Implication
    when: tuple[Term, ...]
    then: tuple[Term, ...]
    met: Cells
    concluded: Cells


class CellRules:
    """Implications about a block of columns.

    Parameters
    ----------
    origin : Origin
        A model of these columns.
    rules : sequence of _ByCells
        All implications about them.
    tilts : sequence of Tilt
        Of these columns.
    rng : numpy.random.Generator
        Draws everything.
    """

    def __init__(
        self,
        origin: Origin,
        rules: Sequence[_ByCells],
        tilts: Sequence[Tilt],
        rng: np.random.Generator,
    ) -> None:
        self._origin, self._rules, self._tilts, self._rng = origin, rules, tilts, rng
        self._named = sorted({name for each in rules for name in (*each.met, *each.concluded)})

    @classmethod
    def of(
        cls,
        origin: Origin,
        recoding: Recoding,
        implications: Sequence[Implication],
        tilts: Sequence[Tilt],
        rng: np.random.Generator,
    ) -> CellRules | None:
        """The rules of a block; None where cells do not tell of each of them whether it is kept."""
        found: list[_ByCells] = []
        for each in implications:
            when, then = _terms(each.when, recoding), _terms(each.then, recoding)
            if when is None or then is None:
                return None
            met, concluded = _cells(when, origin), _cells(then, origin)
            if met is None or concluded is None:
                return None
            found.append(_ByCells(each, when, then, met, concluded))
        return cls(origin, found, tilts, rng)

    def drawn(self, n: int, terms: Sequence[Term]) -> tuple[Codes, dict[str, Parts]]:
        """n rows that meet the terms and keep the implications, and the parts of their cells."""
        codes, parts = self._more(n, terms, few=False)
        places = np.arange(n)
        among = codes
        for _ in range(ROUNDS):
            premises, broken = self._judged(among)
            bad = np.flatnonzero(broken.any(axis=0))
            if not len(bad):
                return codes, parts
            places = places[bad]
            among = self._again(premises[:, bad], terms)
            for name, cells in among.items():
                codes[name][places] = cells
        raise no_row([each.rule for each in self._rules])

    def _more(self, n: int, terms: Sequence[Term], *, few: bool) -> tuple[Codes, dict[str, Parts]]:
        """n rows of the model, with valid cells in the columns of the rules."""
        case = Case(tuple(terms))
        codes, parts = self._origin.cells(n, case, self._rng, self._tilts, few=few)
        for name in self._named:
            codes[name] = self._origin.codecs[name].settled(codes[name], self._rng)
        return codes, parts

    def _judged(self, codes: Codes) -> tuple[np.ndarray, np.ndarray]:
        """For each implication and each row whether its condition holds and it is broken."""
        premises = np.array([_hold(each.met, codes) for each in self._rules])
        kept = np.array([_hold(each.concluded, codes) for each in self._rules])
        return premises, premises & ~kept

    def _again(self, held: np.ndarray, terms: Sequence[Term]) -> Codes:
        """For each row a new one in which conditions that held and their conclusions do."""
        found: Codes = {}
        left = np.arange(held.shape[1])
        while len(left):
            kind = held[:, left[0]]
            alike = (held[:, left] == kind[:, None]).all(axis=0)
            rules = [each for each, flag in zip(self._rules, kind, strict=True) if flag]
            for name, cells in self._given(int(alike.sum()), rules, terms).items():
                found.setdefault(name, np.empty(held.shape[1], cells.dtype))[left[alike]] = cells
            left = left[~alike]
        return found

    def _given(self, n: int, rules: Sequence[_ByCells], terms: Sequence[Term]) -> Codes:
        """n rows in which the conditions and conclusions of these implications hold.

        Where there are none, rows in which the condition of one of them does not.
        """
        for more in _ways(rules):
            with contextlib.suppress(ConditionError):
                return self._more(n, [*terms, *more], few=True)[0]
        raise no_row([each.rule for each in rules])


def _ways(rules: Sequence[_ByCells]) -> Iterator[Sequence[Term]]:
    yield [term for each in rules for term in (*each.when, *each.then)]
    for each in rules:
        for term in each.when:
            yield [Without.of(term)]


def _terms(condition: Condition, recoding: Recoding) -> tuple[Term, ...] | None:
    """The condition as terms of modelled columns; None where these do not say all of it."""
    found = [pulled(term, recoding) for term in condition.terms or ()]
    known = tuple(term for term in found if term is not None)
    return known if condition.terms is not None and len(known) == len(found) else None


def _cells(terms: Sequence[Term], origin: Origin) -> Cells | None:
    """For each column the cells that meet the terms of it; None where a cell may be cut."""
    found: dict[str, np.ndarray] = {}
    for term in terms:
        told = origin.told_by_cells(term)
        if told is None:
            return None
        found[term.column] = told & found.get(term.column, True)
    return found


def _hold(cells: Cells, codes: Codes) -> np.ndarray:
    return np.logical_and.reduce([met.take(codes[name]) for name, met in cells.items()])
