"""Rows that keep the constraints of their schema: all of them, in every row, and exactly n.

Most constraints hold by the way rows are decoded (`data.constraints`). For the others rows are
drawn from the model's distribution given that they hold: a row that does not pass is drawn again.
Where an implication is broken, the row is drawn again given that its condition and its conclusion
hold, so that as many rows as before have the condition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.keys import generated_keys
from dpsynth.data.constraints.recoding import Check, recoding_of
from dpsynth.data.constraints.steps import Rows
from dpsynth.models.base import ConditionError
from dpsynth.schema.columns import Identifier
from dpsynth.schema.constraints import Unique
from dpsynth.synthesizers.balance import Split, shared_out
from dpsynth.synthesizers.cases import Case
from dpsynth.synthesizers.conditions import Term, Without
from dpsynth.synthesizers.gap_conditions import GapCases, gap_cases
from dpsynth.synthesizers.implications import Condition, Implication, implications_of
from dpsynth.synthesizers.pulled import pulled
from dpsynth.synthesizers.sampled_rows import Origin

_BATCH = 250_000
"""Rows drawn at once where some are to be drawn again."""

_MOST_DRAWS = 20_000_000
_HOPELESS = 2_000_000
"""Rows that are drawn before a condition is given up: in all, and without one that meets it."""

_RARE = 0.05
"""Of the rows drawn: where fewer meet a condition on a gap's column, its cells are chosen first."""

_LEAST_SPARE = 64
"""Rows that are drawn beside those asked for, or one of 100: they replace others without a second
draw, the cost of which does not shrink with its size.
"""

_ROUNDS = 200
"""How often rows that break an implication are drawn again."""


def draw_kept(
    origin: Origin,
    n: int,
    cases: Sequence[Case],
    splits: Sequence[Split],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """n rows that meet one of the cases and keep all constraints of the schema.

    Parameters
    ----------
    origin : Origin
        A model of the modelled columns, and the schema of the release with its constraints.
    n : int
        How many rows.
    cases : sequence of Case
        Of columns of the release; no row meets two.
    splits : sequence of Split
        The shares of one column's classes, or nothing.
    rng : numpy.random.Generator
        Draws everything, in an order that follows from the arguments.

    Returns
    -------
    DataFrame
        With the schema's columns and dtypes.

    Raises
    ------
    ConditionError
        Where no row meets the condition, or so few that none was found.
    """
    drawing = _Drawing(origin, rng)
    wanted = _terms_and_checks(Condition(tuple(cases)))
    if len(splits) > 1:
        raise ConditionError(
            "several columns cannot be balanced at once where the schema has constraints: balance"
            " one of them"
        )
    if not splits:
        return drawing.whole(drawing.rows(n, *wanted), n)
    counts = shared_out(n, [each.share for each in splits[0].classes])
    parts = [
        pd.DataFrame(drawing.rows(int(count), [*wanted[0], *each.terms], wanted[1]))
        for each, count in zip(splits[0].classes, counts, strict=True)
        if count or not n
    ]
    mixed = pd.concat(parts, ignore_index=True).take(rng.permutation(n)).reset_index(drop=True)
    return drawing.whole({str(name): mixed[name] for name in mixed}, n)


def with_keys(rows: pd.DataFrame, origin: Origin, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of several draws with new keys, as those of each may repeat."""
    keys = recoding_of(origin.schema).keys
    kept = {str(name): rows[name] for name in rows if name not in keys}
    return _Drawing(origin, rng).whole(kept, len(rows))


def as_modelled(rows: pd.DataFrame, origin: Origin) -> tuple[pd.DataFrame, Origin]:
    """The rows with the modelled columns beside them, and the origin of these."""
    recoding = recoding_of(origin.schema)
    encoded: Any = recoding.encoded(rows)
    return encoded, replace(origin, schema=recoding.modelled)


class _Drawing:
    def __init__(self, origin: Origin, rng: np.random.Generator) -> None:
        self._recoding = recoding_of(origin.schema)
        self._released = origin
        self._origin = replace(origin, schema=self._recoding.modelled)
        self._implications = implications_of(origin.schema)
        self._rng = rng

    def rows(self, n: int, terms: Sequence[Term], checks: Sequence[Check]) -> Rows:
        """n rows without keys, which meet the terms and pass the checks."""
        keys = self._recoding.keys
        named = (*(term.column for term in terms), *(name for c in checks for name in c.columns))
        if about := [name for name in named if name in keys]:
            raise ConditionError(
                f"a condition is about {about[0]!r}, a key that is generated: leave it out"
            )
        rows, spares = self._meeting(n, terms, checks)
        return self._repaired(rows, spares, n, terms, checks)

    def whole(self, rows: Rows, n: int) -> pd.DataFrame:
        """The rows with their keys and other identifiers, in the schema's order."""
        columns, schema = self._recoding.columns, self._released.schema
        unique = {rule.column for rule in schema.constraints if isinstance(rule, Unique)}
        repeats = {*schema.unit.columns}  # which say whose a row is, unless they are unique
        made = {
            name: generated_keys(name, columns[name], n, self._rng)
            for name in columns  # in the schema's order: it is the order of draws
            if name in unique and (name in repeats or not isinstance(columns[name], Identifier))
        }
        frame = self._released.whole(pd.DataFrame({**rows, **made}, copy=False), self._rng)
        return frame.assign(**made)[[*columns]]

    def _drawn(self, n: int, direct: Sequence[Term], gaps: GapCases | None = None) -> Rows:
        """Rows of the model, decoded; of these cases, where there are some."""
        if gaps is None:
            frame = self._origin.values(n, Case(tuple(direct)), self._rng)
        else:
            frame = gaps.draw(self._origin, n, self._rng)
        return self._recoding.decoded(frame, self._rng)

    def _meeting(self, n: int, terms: Sequence[Term], checks: Sequence[Check]) -> tuple[Rows, Rows]:
        """n rows that meet the terms and pass the checks, and some more; implications are not
        looked at.
        """
        found = [(term, pulled(term, self._recoding)) for term in terms]
        direct = [own for _, own in found if own is not None]
        others = (_as_check(term) for term, own in found if own is None)
        checks = [*self._recoding.checks, *checks, *others]
        more = max(_LEAST_SPARE, n // 100) if checks or self._implications else 0
        rows = self._drawn(n + more, direct)
        drawn = n + more
        bad = _failing(rows, checks)
        spare = np.setdiff1d(np.arange(n, drawn), bad, assume_unique=True)
        open_ = bad[bad < n]
        taken = min(len(open_), len(spare))
        spares = {name: values.iloc[spare[taken:]] for name, values in rows.items()}
        used = {name: values.iloc[spare[:taken]] for name, values in rows.items()}
        rows = {name: values.iloc[:n] for name, values in rows.items()}
        _put(rows, open_[:taken], used, np.arange(taken))
        self._fill(rows, open_[taken:], terms, direct, checks, drawn, drawn - len(bad))
        return rows, spares

    def _fill(
        self,
        rows: Rows,
        places: np.ndarray,
        terms: Sequence[Term],
        direct: Sequence[Term],
        checks: Sequence[Check],
        drawn: int,
        met: int,
    ) -> None:
        """Rows that pass the checks in these places. met: how many of those drawn so far did."""
        gaps = None
        if len(places) and met < _RARE * drawn:
            gaps = gap_cases(self._origin, self._recoding, terms, direct)
            drawn, met = (drawn, met) if gaps is None else (1, 0)
        while len(places):
            if drawn >= _MOST_DRAWS or (drawn >= _HOPELESS and not met):
                raise _too_rare(checks, rows, met, drawn)
            size = min(_BATCH, math.ceil(1.1 * len(places) * drawn / max(met, 1)) + 16)
            more = self._drawn(size, direct, gaps)
            good = np.delete(np.arange(size), _failing(more, checks))
            taken = good[: len(places)]
            _put(rows, places[: len(taken)], more, taken)
            places = places[len(taken) :]
            drawn, met = drawn + size, met + len(good)

    def _repaired(
        self, rows: Rows, spares: Rows, n: int, terms: Sequence[Term], checks: Sequence[Check]
    ) -> Rows:
        """The rows, with those drawn again that break an implication."""
        places = np.arange(n)
        part = rows
        held = np.zeros((n, len(self._implications)), dtype=bool)  # in this round or before
        for _ in range(_ROUNDS):
            premises, broken = self._judged(part, len(places))
            bad = broken.any(axis=1)
            if not bad.any():
                return rows
            places = places[bad]
            held[places] |= premises[bad]
            part = self._drawn_again(places, held, spares, terms, checks)
            _put(rows, places, part, np.arange(len(places)))
            spares = {name: values.iloc[:0] for name, values in spares.items()}
        said = " and ".join(f"`{each.rule.describe()}`" for each in self._implications)
        raise ConditionError(
            f"no row was found that keeps {said} and meets the condition: widen it, or count by"
            " `dpsynth schema check` how many input rows break the constraints"
        )

    def _judged(self, rows: Rows, n: int) -> tuple[np.ndarray, np.ndarray]:
        """For each row and implication whether its condition holds, and whether it is broken."""
        premises = np.zeros((n, len(self._implications)), dtype=bool)
        broken = premises.copy()
        for place, each in enumerate(self._implications):
            premises[:, place] = each.when.holds(rows)
            if premises[:, place].any():
                broken[:, place] = premises[:, place] & ~each.then.holds(rows)
        return premises, broken

    def _drawn_again(
        self,
        places: np.ndarray,
        held: np.ndarray,
        spares: Rows,
        terms: Sequence[Term],
        checks: Sequence[Check],
    ) -> Rows:
        """New rows for these places, in which the conclusions hold of all conditions that held.

        They are rows that were drawn already, where there are enough. Those whose conditions cannot
        hold together forget them.
        """
        kinds, kind = np.unique(held[places], axis=0, return_inverse=True)
        premises, broken = self._judged(spares, len(next(iter(spares.values()))))
        left = np.arange(len(premises))
        found: dict[str, list[tuple[np.ndarray, pd.Series[Any]]]] = {}
        for number, flags in enumerate(kinds):
            own = np.flatnonzero(kind.ravel() == number)
            fit = left[(premises & ~broken)[left][:, flags].all(axis=1)][: len(own)]
            if len(fit) == len(own):
                left = np.setdiff1d(left, fit)
                rows = {name: values.iloc[fit] for name, values in spares.items()}
            else:
                of = [each for each, flag in zip(self._implications, flags, strict=True) if flag]
                rows = self._given(places[own], of, held, terms, checks)
            for name, values in rows.items():
                found.setdefault(name, []).append((own, values))
        return {name: _gathered(parts) for name, parts in found.items()}

    def _given(
        self,
        places: np.ndarray,
        of: Sequence[Implication],
        held: np.ndarray,
        terms: Sequence[Term],
        checks: Sequence[Check],
    ) -> Rows:
        """Rows in which the conditions and conclusions of these implications hold.

        Where there are none, rows in which the condition of one of them does not.
        """
        both = [_terms_and_checks(each) for one in of for each in (one.when, one.then)]
        more = [term for own, _ in both for term in own]
        tests = [check for _, own in both for check in own]
        try:
            return self._meeting(len(places), [*terms, *more], [*checks, *tests])[0]
        except ConditionError:
            held[places] = False
        for each in of:
            for term in each.when.terms or ():
                try:
                    return self._meeting(len(places), [*terms, Without.of(term)], checks)[0]
                except ConditionError:
                    continue
        said = " and ".join(f"`{each.rule.describe()}`" for each in of)
        raise ConditionError(
            f"the model has no row that keeps {said} and meets the condition: widen it, or count by"
            " `dpsynth schema check` how many input rows break the constraints"
        )


def _terms_and_checks(condition: Condition) -> tuple[Sequence[Term], Sequence[Check]]:
    """What the model is asked for, and what rows are tested for besides."""
    if condition.terms is not None:
        return condition.terms, ()
    common = condition.cases[0].terms if len(condition.cases) == 1 else ()
    names = " and ".join(f"`{name}`" for name in condition.columns)
    return common, [Check(f"the condition on {names}", condition.columns, condition.holds)]


def _as_check(term: Term) -> Check:
    return Check(
        f"the condition on `{term.column}`",
        (term.column,),
        lambda rows: term.holds(rows[term.column]),
    )


def _failing(rows: Rows, checks: Sequence[Check]) -> np.ndarray:
    """The places of rows that do not pass all checks."""
    if not checks:
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(~np.logical_and.reduce([check.passed(rows) for check in checks]))


def _too_rare(checks: Sequence[Check], rows: Rows, met: int, drawn: int) -> ConditionError:
    """Names the check that the fewest rows pass."""
    hardest = min(checks, key=lambda check: int(check.passed(rows).sum()))
    return ConditionError(
        f"of {drawn:,} rows drawn {met:,} met {hardest.rule} with all else that is asked: widen the"
        " condition, or count by `dpsynth schema check` how many input rows break the constraints"
    )


def _put(rows: Rows, places: np.ndarray, more: Rows, taken: np.ndarray) -> None:
    """Rows of `more` in these places, column by column."""
    if not len(places):
        return
    for name, values in rows.items():
        kept = values.array.copy()
        kept[places] = more[name].array[taken]
        rows[name] = pd.Series(kept)


def _gathered(parts: Sequence[tuple[np.ndarray, pd.Series[Any]]]) -> pd.Series[Any]:
    """Series whose values belong to these places, as one."""
    if len(parts) == 1:
        return parts[0][1]
    order = np.argsort(np.concatenate([places for places, _ in parts]))
    return pd.concat([values for _, values in parts], ignore_index=True).take(order)
