"""Rows completed from what is known of them, where the schema has constraints.

What is known of a row is carried over to the modelled columns as far as it decides them: a gap by
its two ends, a combination by its members, a part by a total and the other parts. The model
completes the row given that, and it is drawn again until the columns that follow are as they were
given and all rules hold: the model's distribution of rows that have these values and keep the
rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.calendar import CalendarStep
from dpsynth.data.constraints.recoding import Check, recoding_of
from dpsynth.data.constraints.scale import Scale
from dpsynth.data.constraints.steps import CombinedStep, GapStep, Rows
from dpsynth.data.tables.codec import codec_for
from dpsynth.models.base import ConditionError, Evidence
from dpsynth.models.completing import completed
from dpsynth.synthesizers.cases import Case
from dpsynth.synthesizers.conditions import Term, equal
from dpsynth.synthesizers.implications import implications_of
from dpsynth.synthesizers.known import Known, inferred, plain, put
from dpsynth.synthesizers.partial_rows import valid_cells
from dpsynth.synthesizers.pulled import implied, pulled
from dpsynth.synthesizers.rule_terms import as_check, terms_and_checks
from dpsynth.synthesizers.sampled_rows import Origin

_ROUNDS = 12
_AT_ONCE = 20_000
_MOST_EACH = 500
"""How often rows are drawn again together, and so many at once; of one row at most so many."""

_NOTHING_DRAWN = np.random.default_rng(0)
"""Cells of named values are decoded without a draw."""


class Completion:
    """Completes rows together.

    Parameters
    ----------
    origin : Origin
        A model of the modelled columns, and the schema of the release.
    known : Known
        What is known of the rows.
    terms, checks : sequence of Term, of Check
        What they all have to meet besides.
    filled : collection of str
        Columns that are to have values, where no rule wants them missing.
    least : float
        As of `completed`.
    rng : numpy.random.Generator
        Draws everything.
    """

    def __init__(
        self,
        origin: Origin,
        known: Known,
        terms: Sequence[Term],
        checks: Sequence[Check],
        filled: Collection[str],
        least: float,
        rng: np.random.Generator,
    ) -> None:
        self._recoding = recoding_of(origin.schema)
        self._released = origin
        self._origin = replace(
            origin, schema=self._recoding.modelled, made_of=self._recoding.made_of
        )
        self._known = inferred(known, origin)
        self._given = known
        self._terms, self._least, self._rng = terms, least, rng
        self._filled = self._of_values(filled)
        tested = [as_check(term) for term in terms if pulled(term, self._recoding) is None]
        self._checks = [*self._recoding.checks, *checks, *tested]
        self._implications = implications_of(origin.schema)
        self._exact: dict[str, tuple[np.ndarray, pd.Series[Any]]] = {}
        self._codes = self._coded()
        self._signs, self._sign_of = self._signatures()

    def rows(self) -> tuple[Rows, np.ndarray]:
        """All rows, and the places of those that are not as they should be."""
        held = np.zeros((self._known.n, len(self._implications)), dtype=bool)
        open_ = np.arange(self._known.n)
        rows, able = self._tried(open_, held)
        for _ in range(_ROUNDS):
            open_ = self._open(rows, open_, held)
            going = open_[able[open_]]
            if not len(going):
                break
            times = int(np.clip(_AT_ONCE // len(going), 1, _MOST_EACH))
            tried = np.repeat(going, times)
            drawn, found = self._tried(tried, held[tried])
            able[tried[~found]] = False
            best = _first_of_each(self._good(drawn, tried, held[tried]), times)
            put(rows, going, {name: each.iloc[best] for name, each in drawn.items()})
        return rows, self._open(rows, open_, held)

    def with_known(self, rows: Rows) -> Rows:
        """The rows with what was given exactly as it was given."""
        for name, values in self._given.values.items():
            own = np.flatnonzero(self._given.at[name])
            put(rows, own, {name: values.iloc[own]})
        return rows

    def _open(self, rows: Rows, places: np.ndarray, held: np.ndarray) -> np.ndarray:
        """Those of these rows that are to be drawn again; `held` is told which conditions held in
        one that breaks an implication.
        """
        part = {name: values.iloc[places] for name, values in rows.items()}
        premises, broken = _judged(self._implications, part, len(places))
        good = self._good(part, places, held[places])
        bad = broken.any(axis=1)
        held[places[bad]] = premises[bad]
        return places[~good | bad]

    def _good(self, rows: Rows, places: np.ndarray, held: np.ndarray) -> np.ndarray:
        """Whether rows are as given, pass all checks, and meet the conditions that are to hold."""
        good = self._known.taken(places).fits(rows, self._released)
        for check in self._checks:
            good &= check.passed(rows)
        premises, broken = _judged(self._implications, rows, len(places))
        return np.asarray(good & ~broken.any(axis=1) & ~(held & ~premises).any(axis=1))

    def _tried(self, places: np.ndarray, held: np.ndarray) -> tuple[Rows, np.ndarray]:
        """A whole row for each of these, and for each whether the model has one such."""
        able = np.ones(len(places), dtype=bool)
        frames: list[tuple[np.ndarray, Rows]] = []
        left = list(_kinds(self._sign_of[places], held))
        while left:
            own, sign, flags = left.pop()
            of = [each for each, flag in zip(self._implications, flags, strict=True) if flag]
            try:
                drawn = self._completed(places[own], sign, of)
            except ConditionError:
                rows = np.unique(places[own])
                if len(rows) > 1:  # one of them may be to blame
                    first = np.isin(places[own], rows[: len(rows) // 2])
                    left += [(own[first], sign, flags), (own[~first], sign, flags)]
                    continue
                able[own] = False
                drawn = self._completed(places[own], None, [])
            frames.append((own, drawn))
        order = np.argsort(np.concatenate([own for own, _ in frames]))
        joined = {
            name: pd.concat([rows[name] for _, rows in frames]).iloc[order].reset_index(drop=True)
            for name in frames[0][1]
        }
        return joined, able

    def _completed(self, places: np.ndarray, sign: int | None, of: Sequence[Any]) -> Rows:
        """Rows of one kind. sign: None for any rows, in place of those that the model excludes."""
        conditions = [condition for each in of for condition in (each.when, each.then)]
        terms = [*self._terms, *(t for each in conditions for t in terms_and_checks(each)[0])]
        direct = [own for term in terms for own in implied(term, self._recoding)]
        evidence, parts = self._origin.request(Case(tuple(direct)))
        asked = {term.column for term in direct}
        beside = {a: w for a, w in self._filled.items() if a not in asked}
        more = {} if sign is None else self._signs[sign]
        codes = {a: each[places] for a, each in self._codes.items()}
        if sign is None:
            codes = {a: np.full(len(places), -1) for a in codes}
        wanted = _product(evidence, beside, more)
        for a, weights in wanted.items():
            known = codes[a][codes[a] >= 0]
            if not weights[known].all():  # a real row may break a rule by what is known of it
                raise ConditionError.no_row(self._origin.said([a]))
        try:
            drawn = completed(self._origin.model, codes, self._rng, wanted, self._least)
        except ConditionError:
            known = [a for a, each in codes.items() if (each >= 0).any()]
            raise ConditionError.no_row(self._origin.said([*known, *wanted])) from None
        frame = self._origin.decoded(drawn, {**parts, **self._origin.free(parts)}, self._rng)
        modelled = {str(name): frame[name] for name in frame}
        for step in self._recoding.steps:
            if isinstance(step, CalendarStep):  # before known times are put in its rows
                step.decode(modelled, self._rng)
        for name, (at, values) in self._exact.items():
            own = np.flatnonzero(at[places])
            put(modelled, own, {name: values.iloc[places[own]]})
        return self._recoding.decoded(modelled, self._rng)

    def _of_values(self, filled: Collection[str]) -> Evidence:
        """The weights of cells with which these columns are not missing."""
        found: dict[str, np.ndarray] = {}
        for name in filled:
            step = self._recoding.made_by(name)
            own = step.attributes if isinstance(step, GapStep | CalendarStep) else (name,)
            codecs = self._origin.codecs
            found |= {each: valid_cells(codecs[each]) for each in own if each in codecs}
        return found

    def _coded(self) -> dict[str, np.ndarray]:
        """For each modelled column the cells that are known, -1 where none is."""
        known, codecs = self._known, self._origin.codecs
        codes = {name: np.full(known.n, -1, dtype=np.int64) for name in codecs}
        for name in known.values:
            if name in codes:
                self._exact[name] = known.at[name], known.values[name]
                cells = codecs[name].encode(known.values[name]).astype(np.int64)
                codes[name] = np.where(known.at[name], cells, -1)
        for step in self._recoding.steps:
            if not isinstance(step, CombinedStep | GapStep | CalendarStep):
                continue
            names = (*step.needs, *step.makes)
            if not {*names} <= {*known.values}:
                continue
            at = np.logical_and.reduce([known.at[name] for name in names])
            if isinstance(step, CalendarStep):
                self._exact[names[0]] = at, known.values[names[0]]
                for name, cells in step.encoded(known.values).items():
                    codes[name] = np.where(at, codecs[name].encode(cells).astype(np.int64), -1)
                continue
            found = step.encode({name: known.values[name] for name in names})
            if isinstance(step, CombinedStep):
                codes[step.attribute] = np.where(at, found, -1)
                continue
            cells = codecs[step.attribute].encode(found).astype(np.int64)
            codes[step.attribute] = np.where(at & (found >= 0), cells, -1)
            scale = Scale(self._recoding.modelled.columns[step.attribute])
            self._exact[step.attribute] = at & (found >= 0), scale.series(found)
        return codes

    def _signatures(self) -> tuple[list[Evidence], np.ndarray]:
        """What known values of columns that follow say of a modelled one whose cell is not known:
        weights of its cells, for each kind of row, and the kind of each row.
        """
        known, named = self._known, []
        place = np.zeros(known.n, dtype=np.int64)
        for name, values in known.values.items():
            step = self._recoding.made_by(name)
            some = values[known.at[name]]
            if step is None or not len(some):
                continue
            own = pulled(equal(name, plain(some.iloc[0]), self._released.schema), self._recoding)
            if own is None:
                continue
            open_ = known.at[name] & (self._codes[own.column] < 0)
            cells = codec_for(self._recoding.columns[name]).encode(values).astype(np.int64)
            cells = np.where(open_, cells, -1)
            named.append((name, open_))
            _, place = np.unique(np.column_stack([place, cells]), axis=0, return_inverse=True)
            place = place.ravel()
        _, first, kind = np.unique(place, return_index=True, return_inverse=True)
        return [self._weights(row, named) for row in first.tolist()], kind.ravel()

    def _weights(self, row: int, named: Sequence[tuple[str, np.ndarray]]) -> Evidence:
        found: list[Evidence] = []
        for name, open_ in named:
            if open_[row]:
                value = plain(self._known.values[name].iloc[row])
                own = pulled(equal(name, value, self._released.schema), self._recoding)
                assert own is not None
                found.append({own.column: self._origin.weights(own.column, [own])})
        return _product(*found)


def _judged(implications: Sequence[Any], rows: Rows, n: int) -> tuple[np.ndarray, np.ndarray]:
    """For each row and implication whether its condition holds, and whether it is broken."""
    premises = np.zeros((n, len(implications)), dtype=bool)
    broken = premises.copy()
    for place, each in enumerate(implications):
        premises[:, place] = each.when.holds(rows)
        broken[:, place] = premises[:, place] & ~each.then.holds(rows)
    return premises, broken


def _kinds(signs: np.ndarray, held: np.ndarray) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
    """The places of rows of one sign in which the same conditions are to hold."""
    both = np.column_stack([signs, held])
    kinds, kind = np.unique(both, axis=0, return_inverse=True)
    for number, found in enumerate(kinds):
        yield np.flatnonzero(kind.ravel() == number), int(found[0]), found[1:].astype(bool)


def _first_of_each(good: np.ndarray, times: int) -> np.ndarray:
    """Of each run of so many candidates the place of the first good one, or of the first."""
    runs = good.reshape(-1, times)
    return np.arange(len(runs)) * times + runs.argmax(axis=1)


def _product(*given: Evidence) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for evidence in given:
        for name, weights in evidence.items():
            found[name] = found.get(name, 1.0) * weights
    return found
