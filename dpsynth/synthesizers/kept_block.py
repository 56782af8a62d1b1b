"""Rows of one block of columns, which are tested together, and drawn again where they break a rule.

Where an implication is broken, the row is drawn again given that its condition and its conclusion
hold, so that as many rows as before have the condition. Where an order is broken, the row is drawn
again with the same values missing, so that as many as before are.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dpsynth.data.constraints.recoding import Check, Recoding
from dpsynth.data.constraints.steps import Rows
from dpsynth.models.base import ConditionError
from dpsynth.models.completing import completed
from dpsynth.synthesizers.cases import Case
from dpsynth.synthesizers.conditions import Term
from dpsynth.synthesizers.gap_conditions import GapCases, gap_cases
from dpsynth.synthesizers.implications import ROUNDS, Implication, no_row
from dpsynth.synthesizers.kept_cells import CellRules
from dpsynth.synthesizers.kept_missing import Missing, by_pattern, concluded_missing, too_many
from dpsynth.synthesizers.kept_sentences import none_beyond, too_rare
from dpsynth.synthesizers.partial_rows import LEAST
from dpsynth.synthesizers.pulled import implied, pulled
from dpsynth.synthesizers.rule_terms import (
    as_check,
    terms_and_checks,
    ways_not_to_meet,
)
from dpsynth.synthesizers.sampled_rows import Origin, Tilt

_BATCH = 250_000
"""Rows drawn at once where some are to be drawn again."""

_MOST_DRAWS = 20_000_000
_HOPELESS = 2_000_000
"""Rows that are drawn before a condition is given up: in all, and without one that meets it."""

_RARE = 0.05
"""Of the rows drawn: where fewer meet a condition on a gap's column, its cells are chosen first."""

_LEAST_SPARE = 64
"""Rows that are drawn beside those asked for where they are tested, or one of 100: they replace
others without a second draw.
"""

_TRIES = 100
"""For each row that is to have the same values missing: then rows with others are taken."""


class Block:
    """Columns whose rows are tested together, with the implications and tilts that are of them."""

    def __init__(
        self,
        origin: Origin,
        recoding: Recoding,
        implications: Sequence[Implication],
        tilts: Sequence[Tilt],
        rng: np.random.Generator,
    ) -> None:
        self._origin, self._recoding, self._rng = origin, recoding, rng
        self._implications, self._tilts = implications, tilts

    def drawn(self, n: int, terms: Sequence[Term]) -> Rows:
        """n rows that meet terms of modelled columns, where no rule is to be tested."""
        direct = [own for term in terms if (own := pulled(term, self._recoding)) is not None]
        return self._drawn(n, direct, few=False)

    def kept(self, n: int, terms: Sequence[Term], checks: Sequence[Check]) -> Rows:
        """n rows that meet the terms, pass the checks and keep the implications."""
        direct = [own for term in terms if (own := pulled(term, self._recoding)) is not None]
        if self._implications and not checks and len(direct) == len(terms):
            asked = (self._origin, self._recoding, self._implications, self._tilts, self._rng)
            if (rules := CellRules.of(*asked)) is not None:
                codes, parts = rules.drawn(n, direct)
                return self._recoding.decoded(
                    self._origin.columns(codes, parts, self._rng), self._rng
                )
        rows = self._meeting(n, terms, checks, few=False)
        return self._repaired(rows, n, terms, checks)

    def as_often_missing(self, rows: Rows, terms: Sequence[Term], checks: Sequence[Check]) -> Rows:
        """The rows, with values where implications made more of them missing than the model has."""
        direct = [own for term in terms if (own := pulled(term, self._recoding)) is not None]
        if len(direct) < len(terms):
            return rows
        for each in self._implications:
            known = concluded_missing(self._origin, each, direct, self._tilts)
            for name, share in known.items():
                places = too_many(each, name, share, rows, self._rng)
                if not len(places):
                    continue
                asked = [*terms, Missing.of(name, False)]
                for unmet, ways in ways_not_to_meet(each.when):
                    with contextlib.suppress(ConditionError):
                        n = len(places)
                        more = self._meeting(n, [*asked, *unmet], [*checks, *ways], few=True)
                        more = self._repaired(more, n, asked, checks)
                        _put(rows, places, more, np.arange(n))
                        break
        return rows

    def made_up(
        self, n: int, terms: Sequence[Term], checks: Sequence[Check], asked: bool
    ) -> tuple[Rows, list[str]]:
        """n rows that meet the terms and keep all rules, of a model that has none: the columns that
        terms and rules are about are drawn each by itself, half of the time evenly, until they do;
        the other columns follow the model given these. And the names of the former.

        asked: whether somebody's condition is among the terms and checks.
        """
        found = [(term, pulled(term, self._recoding)) for term in terms]
        case = Case(tuple(own for _, own in found if own is not None))
        checks = [*checks, *(as_check(term) for term, own in found if own is None)]
        about = [*(each.columns for each in checks), *(each.columns for each in self._implications)]
        names = sorted(set().union(case.columns, *map(self._recoding.sources, about)))
        cells: list[pd.DataFrame] = []
        values: list[pd.DataFrame] = []
        drawn = kept = 0
        while kept < max(n, 1) and (drawn < _HOPELESS or not kept):
            if drawn >= (_HOPELESS if asked else _MOST_DRAWS):
                raise (
                    none_beyond(self._origin.said(names), drawn)
                    if asked
                    else no_row(self._implications)
                )
            codes, parts = self._origin.apart(names, case, self._tilts, _BATCH, self._rng)
            frame = self._origin.decoded(dict(codes), parts, self._rng)
            rows = self._recoding.decoded({name: frame[name] for name in frame}, self._rng)
            bad = self._judged(rows, np.arange(_BATCH))[1].any(axis=1)
            good = np.setdiff1d(np.flatnonzero(~bad), _failing(rows, checks))
            cells.append(pd.DataFrame(codes).iloc[good])
            values.append(frame.iloc[good])
            drawn, kept = drawn + _BATCH, kept + len(good)
        chosen = np.arange(n) if kept >= n else self._rng.integers(kept, size=n)
        whole = self._around(pd.concat(cells).iloc[chosen], pd.concat(values).iloc[chosen])
        return whole, self._origin.said(names)

    def _around(self, codes: pd.DataFrame, values: pd.DataFrame) -> Rows:
        """The rows with these cells and values, their other columns as the model has them."""
        nothing = np.full(len(codes), -1)
        known = {
            a: codes[a].to_numpy() if a in codes else nothing
            for a in self._origin.model.domain.attributes
        }
        try:
            drawn = completed(self._origin.model, known, self._rng, None, LEAST)
        except ConditionError:  # of a model that is a list of rows, and has none with these cells
            drawn = self._origin.model.sample(len(codes), self._rng)
        frame = self._origin.decoded(drawn, self._origin.free(), self._rng)
        whole = {
            name: pd.Series((values if name in values else frame)[name].array) for name in frame
        }
        return self._recoding.decoded(whole, self._rng)

    def _drawn(
        self, n: int, direct: Sequence[Term], gaps: GapCases | None = None, *, few: bool
    ) -> Rows:
        """Rows of the model, decoded; of these cases, where there are some."""
        if gaps is None:
            case = Case(tuple(direct))
            codes, parts = self._origin.cells(n, case, self._rng, self._tilts, few=few)
            return self._recoding.decoded(self._origin.columns(codes, parts, self._rng), self._rng)
        frame = gaps.draw(self._origin, n, self._rng)
        return self._recoding.decoded({name: frame[name] for name in frame}, self._rng)

    def _meeting(
        self, n: int, terms: Sequence[Term], checks: Sequence[Check], *, few: bool
    ) -> Rows:
        """n rows that meet the terms and pass the checks; implications are not looked at.

        few: whether they take the place of others.
        """
        direct = [own for term in terms for own in implied(term, self._recoding)]
        tested = [term for term in terms if pulled(term, self._recoding) is None]
        checks = [*checks, *map(as_check, tested)]
        if not checks:
            return self._drawn(n, direct, few=few)
        drawn = n + max(_LEAST_SPARE, n // 100)
        rows = self._drawn(drawn, direct, few=few)
        bad = _failing(rows, checks)
        spare = np.setdiff1d(np.arange(n, drawn), bad, assume_unique=True)
        patterns, open_ = by_pattern(rows, bad[bad < n], checks)
        taken = min(len(open_), len(spare))
        used = {name: values.iloc[spare[:taken]] for name, values in rows.items()}
        rows = {name: values.iloc[:n] for name, values in rows.items()}
        _put(rows, open_[:taken], used, np.arange(taken))
        met = drawn - len(bad)
        self._fill(rows, open_[taken:], terms, direct, checks, drawn, met)
        for pattern, places in patterns:
            own = [pulled(term, self._recoding) for term in pattern]
            if None not in own:
                asked = [*direct, *(term for term in own if term is not None)]
                most = drawn + _TRIES * (len(places) + _LEAST_SPARE)
                with contextlib.suppress(ConditionError):
                    self._fill(rows, places, [*terms, *pattern], asked, checks, drawn, met, most)
            some = {name: values.iloc[places] for name, values in rows.items()}
            self._fill(rows, places[_failing(some, checks)], terms, direct, checks, drawn, met)
        return rows

    def _fill(
        self,
        rows: Rows,
        places: np.ndarray,
        terms: Sequence[Term],
        direct: Sequence[Term],
        checks: Sequence[Check],
        drawn: int,
        met: int,
        most: int = _MOST_DRAWS,
    ) -> None:
        """Rows that pass the checks in these places. met: how many of those drawn so far did. most:
        when it is given up.
        """
        gaps = None
        if len(places) and met < _RARE * drawn and not self._tilts:
            gaps = gap_cases(self._origin, self._recoding, terms, direct)
            drawn, met = (drawn, met) if gaps is None else (1, 0)
        while len(places):
            if drawn >= most or (drawn >= _HOPELESS and not met):
                raise too_rare(checks, rows, met, drawn)
            size = min(_BATCH, most, math.ceil(1.1 * len(places) * drawn / max(met, 1)) + 16)
            more = self._drawn(size, direct, gaps, few=True)
            good = np.delete(np.arange(size), _failing(more, checks))
            taken = good[: len(places)]
            _put(rows, places[: len(taken)], more, taken)
            places = places[len(taken) :]
            drawn, met = drawn + size, met + len(good)

    def _repaired(self, rows: Rows, n: int, terms: Sequence[Term], checks: Sequence[Check]) -> Rows:
        """The rows, with those drawn again that break an implication."""
        places = np.arange(n)
        for _ in range(ROUNDS):
            premises, broken = self._judged(rows, places)
            bad = broken.any(axis=1)
            if not bad.any():
                return rows
            places = places[bad]
            self._draw_again(rows, places, premises[bad], terms, checks)
        raise no_row(self._implications)

    def _judged(self, rows: Rows, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each of these rows and each implication whether its condition holds, and whether it
        is broken.
        """
        if len(places) < len(next(iter(rows.values()))):
            named = {name for each in self._implications for name in each.columns}
            rows = {name: rows[name].iloc[places] for name in named}
        premises = np.zeros((len(places), len(self._implications)), dtype=bool)
        broken = premises.copy()
        for place, each in enumerate(self._implications):
            premises[:, place] = each.when.holds(rows)
            if premises[:, place].any():
                broken[:, place] = premises[:, place] & ~each.then.holds(rows)
        return premises, broken

    def _draw_again(
        self,
        rows: Rows,
        places: np.ndarray,
        held: np.ndarray,
        terms: Sequence[Term],
        checks: Sequence[Check],
    ) -> None:
        """Puts in each place a row in which all conditions that held hold, and their conclusions
        too.
        """
        left = np.arange(len(places))
        while len(left):
            kind = held[left[0]]
            alike = (held[left] == kind).all(axis=1)
            own = left[alike]
            of = [each for each, flag in zip(self._implications, kind, strict=True) if flag]
            _put(rows, places[own], self._given(len(own), of, terms, checks), np.arange(len(own)))
            left = left[~alike]

    def _given(
        self,
        n: int,
        of: Sequence[Implication],
        terms: Sequence[Term],
        checks: Sequence[Check],
    ) -> Rows:
        """n rows in which the conditions and conclusions of these implications hold.

        Where there are none, rows in which the condition of one of them does not.
        """
        both = [terms_and_checks(each) for one in of for each in (one.when, one.then)]
        more = [term for own, _ in both for term in own]
        tests = [check for _, own in both for check in own]
        with contextlib.suppress(ConditionError):
            return self._meeting(n, [*terms, *more], [*checks, *tests], few=True)
        for each in of:
            for unmet, ways in ways_not_to_meet(each.when):
                with contextlib.suppress(ConditionError):
                    return self._meeting(n, [*terms, *unmet], [*checks, *ways], few=True)
        raise no_row(of)


def _failing(rows: Rows, checks: Sequence[Check]) -> np.ndarray:
    """The places of rows that do not pass all checks."""
    if not checks:
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(~np.logical_and.reduce([check.passed(rows) for check in checks]))


def _put(rows: Rows, places: np.ndarray, more: Rows, taken: np.ndarray) -> None:
    """Rows of `more` in these places, column by column."""
    if not len(places):
        return
    for name, values in rows.items():
        kept = values.array.copy()
        kept[places] = more[name].array[taken]
        rows[name] = pd.Series(kept)
