"""Measured answers: estimates by raw noisy counts, with intervals for the noise and for sampling.

The noise interval follows from the noise that charges drew, and from nothing else. It is of the
rows that the fit used: those of a unit beyond max_records are not among them. Sampling takes rows
as draws from a population: independent ones where the unit is a row; else the units are drawn, and
the rows of one may all be alike, so that a sum has at most max_records times the variance (for a
unit with n <= k rows, (sum of its d)^2 <= n sum of d^2 <= k sum of d^2, by Cauchy and Schwarz).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.models.ratios import design_of, fieller, logistic
from dpsynth.models.roc import area
from dpsynth.models.span import Estimates, Query, Span
from dpsynth.schema.table import Numeric
from dpsynth.synthesizers.answers import Estimate, Interval
from dpsynth.synthesizers.asked_cells import AskedCells, NotMeasuredError, among, possible, products
from dpsynth.synthesizers.questions import Question

_EDGES = 64
"""Places at which a quantile is tested at once; twice, from coarse to fine."""

_CLEAR = 2.0
"""Standard deviations of its noise that each pattern of a regression must have."""


@dataclass(frozen=True, eq=False)
class MeasuredAnswers:
    """Answers by what was measured; NotMeasuredError where the span does not have one.

    level: how often an interval holds the truth.
    """

    span: Span
    cells: AskedCells
    unit: PrivacyUnit
    level: float

    def estimates(self, asked: Question) -> list[Estimate]:
        """The numbers of an answer; NotMeasuredError where a question is not in the span."""
        if asked.kind == "logistic":
            return self._logistic(asked)
        rows = self.cells.rows_where(asked.where)
        kinds: dict[str, Callable[..., Estimate]] = {
            "count": self._count,
            "share": self._share,
            "mean": self._mean,
            "quantile": self._quantile,
            "auc": self._auc,
        }
        answer = kinds[asked.kind]
        found = []
        for group, cells in self._groups(asked.by):
            found.append(answer(asked, among(rows, cells), group))
        return found

    @property
    def _z(self) -> float:
        return NormalDist().inv_cdf((1 + self.level) / 2)

    @property
    def _alike(self) -> int:
        """How many rows of one unit may be alike."""
        return 1 if self.unit.id_column is None else self.unit.max_records

    def _groups(self, by: Sequence[str]) -> Iterator[tuple[dict[str, Any], dict[str, np.ndarray]]]:
        """Each group's values by column, and its cells."""
        named = [self.cells.groups(name) for name in by]
        for name, _ in named:
            self.cells.codec(name)  # NotMeasuredError for one that is modelled otherwise
        values = dict(named)
        for group in products(named):
            yield group, {name: values[name][value] for name, value in group.items()}

    def _of(self, *queries: Query) -> Estimates:
        found = self.span.estimates(queries)
        if found is None:
            raise NotMeasuredError
        return found

    def _count(self, asked: Question, rows: Query, group: Mapping[str, Any]) -> Estimate:
        found = self._of(rows, [{}])
        value, total = found.values
        noise = found.covariance[0, 0]
        if self._alike > 1:
            drawn = self._alike * max(value, 0.0)
        else:
            share = min(max(value / max(total, 1.0), 0.0), 1.0)
            drawn = max(total, 1.0) * share * (1 - share)
        return Estimate(
            float(value),
            self._around(value, noise, found.steps[0]),
            self._around(value, noise + drawn, found.steps[0]),
            group,
        )

    def _around(self, value: float, variance: float, step: float) -> Interval:
        """Of a count, which is never negative."""
        reach = self._z * float(np.sqrt(variance)) + step
        return max(float(value - reach), 0.0), max(float(value + reach), 0.0)

    def _share(self, asked: Question, rows: Query, group: Mapping[str, Any]) -> Estimate:
        (condition,) = asked.of
        parts = [among(rows, part) for part in self.cells.rows_where(condition)]
        found = self._of([part for each in parts for part in each], rows)
        top, bottom = map(float, found.values)
        limits = (0.0, 1.0)
        value = _ratio(top, bottom, limits)
        drawn = self._alike * max(bottom, 0.0) * value * (1 - value) if bottom > 0 else 0.0
        ends = [
            fieller(top, bottom, found.covariance, self._z, limits, each) for each in (0.0, drawn)
        ]
        return Estimate(value, ends[0], ends[1], group)

    def _mean(self, asked: Question, rows: Query, group: Mapping[str, Any]) -> Estimate:
        """Of values inside of cells the first and the last bound what they are."""
        name, first, last = self.cells.numbers(asked.of[0])
        codec = self.cells.codec(name)
        present = among(rows, {name: self.cells.present(name)})
        limits = (float(first.min()), float(last.max()))
        middle = (first + last) / 2
        far = max(abs(limits[0]), abs(limits[1]), 1e-300)  # weights of at most one

        def weighted(values: np.ndarray) -> Query:
            own = np.append(values / far, np.zeros(codec.size - values.size))
            return among(rows, {name: own})

        found = self._of(*map(weighted, (first, last, middle)), present)
        found2 = self._of(among(weighted(middle), {name: np.append(middle / far, 0)[: codec.size]}))
        low, high, mean, number = map(float, found.values)
        value = _ratio(mean, number, (limits[0] / far, limits[1] / far))
        spread = float(found2.values[0]) - 2 * value * mean + value**2 * number
        most = number * ((limits[1] - limits[0]) / far) ** 2 / 4
        drawn = self._alike * min(max(spread, 0.0), max(most, 0.0))
        ends = []
        for each in (0.0, drawn):
            both = []
            for i, top in ((0, low), (1, high)):
                part = found.covariance[np.ix_([i, 3], [i, 3])]
                scaled = (limits[0] / far, limits[1] / far)
                both.append(fieller(top, number, part, self._z, scaled, each))
            ends.append((both[0][0] * far, both[1][1] * far))
        return Estimate(value * far, ends[0], ends[1], group)

    def _quantile(self, asked: Question, rows: Query, group: Mapping[str, Any]) -> Estimate:
        """By tests of the share of rows up to each of some edges between cells.

        Each end is the last edge that every test from its side up to it has rejected, so that it
        is beyond the quantile only where the one test at the quantile errs.
        """
        name, first, last = self.cells.numbers(asked.of[0])
        self.cells.codec(name)
        places: np.ndarray = np.arange(first.size)
        scores: dict[int, tuple[float, float, float]] = {}
        low = high = (0, first.size - 1)
        for _ in range(2):
            step = np.linspace(0, places.size - 1, min(_EDGES, places.size))
            tested = [int(place) for place in places[np.unique(step.astype(int))]]
            for place in tested:
                self._tested(asked, rows, name, place, scores)
            parting = [place for place in tested if self._splits(rows, name, place)]
            if parting and not any(place in scores for place in parting):
                raise NotMeasuredError
            low, high = (_ends(scores, self._z, which, first.size) for which in (1, 2))
            places = np.arange(min(low[0], high[0]), max(low[1], high[1]) + 1)
        beyond = [place for place in sorted(scores) if scores[place][0] >= 0]
        at = beyond[0] if beyond else first.size - 1
        before = max((place for place in scores if place < at), default=-1)
        value = float(last[at]) if before == at - 1 else float((first[before + 1] + last[at]) / 2)
        if first[at] != last[at] and before == at - 1:
            value = float((first[at] + last[at]) / 2)
        ends = [(float(first[each[0]]), float(last[each[1]])) for each in (low, high)]
        return Estimate(value, ends[0], ends[1], group)

    def _splits(self, rows: Query, name: str, place: int) -> bool:
        """Whether rows may lie on both sides of a cell's upper edge."""
        codec = self.cells.codec(name)
        below = (np.arange(codec.size) <= place).astype(float)
        present = self.cells.present(name)
        return all(possible(among(rows, {name: present * side})) for side in (below, 1 - below))

    def _tested(
        self,
        asked: Question,
        rows: Query,
        name: str,
        place: int,
        scores: dict[int, tuple[float, float, float]],
    ) -> None:
        """How many rows more than the quantile's share lie up to a cell, and the deviations of its
        noise, without and with sampling. Nothing where the edge is not in the span.
        """
        present = self.cells.present(name)
        upto = present * (np.arange(present.size) <= place)
        found = self.span.estimates([among(rows, {name: upto}), among(rows, {name: present})])
        if found is None:
            return
        q = asked.at
        noise = max(float(np.array([1, -q]) @ found.covariance @ np.array([1, -q])), 0.0)
        drawn = self._alike * max(float(found.values[1]), 0.0) * q * (1 - q)
        score = float(found.values[0] - q * found.values[1])
        scores[place] = (score, noise**0.5, (noise + drawn) ** 0.5)

    def _auc(self, asked: Question, rows: Query, group: Mapping[str, Any]) -> Estimate:
        """By the rows with and without the outcome in each group of scores that is told apart."""
        self.cells.apart(asked)
        outcome, met, other = self.cells.either(asked.of[0])
        name = self.cells.column(asked.of[1], Numeric)
        scores = self._scores(outcome, name)
        present, single = self.cells.present(name), self.cells.codec(name).single
        queries = [
            among(rows, {outcome: side, name: present * (scores == each)})
            for side in (met, other)
            for each in range(int(scores.max()) + 1)
            if (present * (scores == each)).any()
        ]
        found = self._of(*queries)
        cells = np.bincount(scores, present)
        found_area = area(
            found.values.reshape(2, -1),
            found.covariance,
            (cells[cells > 0] == 1) & single,
            self._z,
            self._alike,
        )
        return Estimate(found_area.value, found_area.noise, found_area.sampling, group)

    def _scores(self, outcome: str, name: str) -> np.ndarray:
        """The group of each cell of the scores, from the lowest up, as they were counted with the
        outcome; NotMeasuredError where they were not.
        """
        counted = [m for m in self.span.charged if {outcome, name} <= {*m.clique}]
        present = self.cells.present(name) > 0
        for m in sorted(counted, key=lambda m: -m.values.size):
            groups = m.groups[m.clique.index(name)]
            own = groups[present]
            first = np.flatnonzero(np.diff(own, prepend=own[0] - 1))
            if np.unique(own).size == first.size:  # each is a run of neighbours
                found = np.full(groups.size, first.size)
                found[present] = np.cumsum(np.diff(own, prepend=own[0]) != 0)
                return found
        raise NotMeasuredError

    def _logistic(self, asked: Question) -> list[Estimate]:
        """Counts of each pattern of outcome and predictors, and the regression that solves them.

        Of b = solution(n) the derivative is H^-1 (y - p) x for each pattern, so that the noise of b
        is that of a linear combination of counts (the delta method).
        """
        patterns, queries = self.cells.patterns(asked)
        found = self._of(*queries)
        design, outcome = design_of(patterns), patterns[:, 0]
        terms = ["intercept", *asked.of[1:]]
        solved = logistic(design, found.values * outcome, found.values * (1 - outcome))
        clear = found.values > _CLEAR * np.sqrt(np.diag(found.covariance))
        if solved is None or not clear.all():
            everything = (-np.inf, np.inf)
            return [Estimate(np.nan, everything, everything, {"term": term}) for term in terms]
        values, inverse = solved
        score = (outcome - 1 / (1 + np.exp(-design @ values)))[:, None] * design
        moved = score @ inverse
        noise = moved.T @ found.covariance @ moved
        drawn = self._alike * (moved.T * found.values) @ moved
        estimates = []
        for i, term in enumerate(terms):
            ends = []
            for variance in (noise[i, i], noise[i, i] + drawn[i, i]):
                reach = self._z * float(np.sqrt(variance))
                ends.append((float(values[i] - reach), float(values[i] + reach)))
            estimates.append(Estimate(float(values[i]), ends[0], ends[1], {"term": term}))
        return estimates


def _ratio(top: float, bottom: float, limits: Interval) -> float:
    """The ratio, within its limits; NaN where there is nothing to divide by."""
    return min(max(top / bottom, limits[0]), limits[1]) if bottom > 0 else float("nan")


def _ends(
    scores: Mapping[int, tuple[float, float, float]], z: float, which: int, cells: int
) -> tuple[int, int]:
    """The first and the last cell that the quantile may lie in."""
    low, high = 0, cells - 1
    for place in sorted(scores):
        score = scores[place]
        if score[0] + z * score[which] >= 0:
            break
        low = place + 1
    for place in sorted(scores, reverse=True):
        score = scores[place]
        if score[0] - z * score[which] < 0:
            break
        high = place
    return min(low, cells - 1), max(high, min(low, cells - 1))
