"""Rows that keep the constraints of their schema: all of them, in every row, and exactly n.

Most constraints hold by the way rows are decoded (`data.constraints`). For the others rows are
drawn from the model's distribution given that they hold: a row that does not pass is drawn again.
Where an implication is broken, the row is drawn again given that its condition and its conclusion
hold, so that as many rows as before have the condition.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.keys import generated_keys
from dpsynth.data.constraints.recoding import Check, recoding_of
from dpsynth.data.constraints.steps import Rows
from dpsynth.data.tables.inside import Inside
from dpsynth.models.base import ConditionError, Model
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.conditions import Term
from dpsynth.synthesizers.implications import Implication, Not, implications_of
from dpsynth.synthesizers.pulled import pulled
from dpsynth.synthesizers.sampled_rows import draw_rows

_BATCH = 250_000
"""Rows drawn at once where some are to be drawn again."""

_MOST_DRAWS = 20_000_000
_HOPELESS = 2_000_000
"""Rows that are drawn before a condition is given up: in all, and without one that meets it."""

_ROUNDS = 200
"""How often rows that break an implication are drawn again."""


def draw_kept(
    model: Model,
    schema: Schema,
    bounds: Mapping[str, tuple[float, float]],
    n: int,
    terms: Sequence[Term],
    rng: np.random.Generator,
    inside: Mapping[str, Inside] = {},
) -> pd.DataFrame:
    """n rows that meet all terms and keep all constraints of the schema.

    Parameters
    ----------
    model, bounds, inside : Model, mapping, mapping
        Of the modelled columns, as a fit leaves them.
    schema : Schema
        Of the release, with its constraints.
    n : int
        How many rows.
    terms : sequence of Term
        Of columns of the release.
    rng : numpy.random.Generator
        Draws everything, in an order that follows from the arguments.

    Returns
    -------
    DataFrame
        With the schema's columns and dtypes.

    Raises
    ------
    ConditionError
        Where no row meets the terms, or so few that none was found.
    """
    if not schema.constraints:
        return draw_rows(model, schema, bounds, n, terms, rng, inside)
    return _Drawing(model, schema, bounds, rng, inside).rows(n, terms)


class _Drawing:
    def __init__(
        self,
        model: Model,
        schema: Schema,
        bounds: Mapping[str, tuple[float, float]],
        rng: np.random.Generator,
        inside: Mapping[str, Inside],
    ) -> None:
        self._model, self._bounds, self._rng, self._inside = model, bounds, rng, inside
        self._recoding = recoding_of(schema)
        self._implications = implications_of(schema)

    def rows(self, n: int, terms: Sequence[Term]) -> pd.DataFrame:
        keys = self._recoding.keys
        if about := [term.column for term in terms if term.column in keys]:
            raise ConditionError(
                f"a condition is about {about[0]!r}, a key that is generated: leave it out"
            )
        rows = self._repaired(self._meeting(n, terms), n, terms)
        columns = self._recoding.columns
        for name in keys:
            rows[name] = generated_keys(name, columns[name], n, self._rng)
        return pd.DataFrame({name: rows[name] for name in columns}, copy=False)

    def _drawn(self, n: int, direct: Sequence[Term]) -> Rows:
        """Rows of the model, decoded."""
        modelled = self._recoding.modelled
        frame = draw_rows(self._model, modelled, self._bounds, n, direct, self._rng, self._inside)
        return self._recoding.decoded(frame, self._rng)

    def _meeting(self, n: int, terms: Sequence[Term]) -> Rows:
        """n rows that meet the terms and pass the checks; implications are not looked at."""
        found = {term: pulled(term, self._recoding) for term in terms}
        direct = [term for term in found.values() if term is not None]
        checks = [
            *self._recoding.checks,
            *(_as_check(t) for t, own in found.items() if own is None),
        ]
        rows = self._drawn(n, direct)
        open_ = _failing(rows, checks)
        drawn = n
        while len(open_):
            met = n - len(open_)
            if drawn >= _MOST_DRAWS or (drawn >= _HOPELESS and not met):
                raise _too_rare(checks, rows, met, drawn)
            wanted = len(open_) * max(1.0, drawn / max(met, 1))
            size = min(_BATCH, math.ceil(1.1 * wanted) + 16)
            more = self._drawn(size, direct)
            bad = _failing(more, checks)
            good = np.delete(np.arange(size), bad)[: len(open_)]
            _put(rows, open_[: len(good)], more, good)
            open_ = open_[len(good) :]
            drawn += size
        return rows

    def _repaired(self, rows: Rows, n: int, terms: Sequence[Term]) -> Rows:
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
            part = self._drawn_again(places, held, terms)
            _put(rows, places, part, np.arange(len(places)))
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
            premises[:, place] = each.premise(rows)
            if premises[:, place].any():
                broken[:, place] = premises[:, place] & ~each.conclusion(rows)
        return premises, broken

    def _drawn_again(self, places: np.ndarray, held: np.ndarray, terms: Sequence[Term]) -> Rows:
        """New rows for these places. Those whose conditions cannot hold together forget them."""
        kinds, kind = np.unique(held[places], axis=0, return_inverse=True)
        found: Rows = {}
        for number, flags in enumerate(kinds):
            own = np.flatnonzero(kind.ravel() == number)
            of = [each for each, flag in zip(self._implications, flags, strict=True) if flag]
            try:
                both = [term for each in of for term in (*each.when, *each.then)]
                rows = self._meeting(len(own), [*terms, *both])
            except ConditionError:
                rows = self._elsewhere(len(own), terms, of)
                held[places[own]] = False
            for name, values in rows.items():
                found.setdefault(name, []).append((own, values))
        return {name: _gathered(parts) for name, parts in found.items()}

    def _elsewhere(self, n: int, terms: Sequence[Term], of: Sequence[Implication]) -> Rows:
        """Rows in which the condition of one of these implications does not hold."""
        for each in of:
            for term in each.when:
                try:
                    return self._meeting(n, [*terms, Not.of(term)])
                except ConditionError:
                    continue
        said = " and ".join(f"`{each.rule.describe()}`" for each in of)
        raise ConditionError(
            f"the model has no row that keeps {said} and meets the condition: widen it, or count by"
            " `dpsynth schema check` how many input rows break the constraints"
        )


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
