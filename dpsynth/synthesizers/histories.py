"""Histories: rows of several tables from their models, the root first, each after those above.

A row is drawn from its window's model given the rows above it and the row before it, which are
there already. So numbers of rows, keys and times hold by construction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.tables.codec import codecs
from dpsynth.data.tables.identifiers import generate_identifiers
from dpsynth.models.base import Codes
from dpsynth.models.completing import completed
from dpsynth.schema.columns import Identifier
from dpsynth.schema.relations import RelationalSchema
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.asking import row_count
from dpsynth.synthesizers.partial_rows import LEAST
from dpsynth.synthesizers.sampled_rows import Origin
from dpsynth.synthesizers.windows import PLACES, FittedWindow, Window


def drawn_tables(
    schema: RelationalSchema,
    fitted: Mapping[str, FittedWindow],
    roots: int | None,
    rng: np.random.Generator,
) -> dict[str, pd.DataFrame]:
    """For each table its rows. roots: how many of the root; None for their noisy number."""
    made: dict[str, _Rows] = {}
    for name in schema.tables:
        window = fitted[name].window
        if window.link is None:
            n = max(0, round(fitted[name].model.total)) if roots is None else row_count(roots)
            drawn = fitted[name].model.sample(n, rng)
            codes = {a: drawn[a] for a in window.columns}
            none = np.zeros(0, dtype=np.int64)
            made[name] = _Rows(none, codes, _decoded(fitted[name], codes, rng), none)
        else:
            made[name] = _below(fitted, name, made, rng)
    return _released(schema, fitted, made, rng)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of a table: the row above each, their cells, their values, and stretches of time."""

    above: np.ndarray
    codes: Codes
    values: pd.DataFrame
    stretches: np.ndarray


def _decoded(fitted: FittedWindow, codes: Codes, rng: np.random.Generator) -> pd.DataFrame:
    """The values of a window's own columns."""
    origin = Origin(fitted.model, Schema(fitted.window.columns), fitted.bounds, fitted.inside)
    return origin.decoded(dict(codes), origin.free(), rng)


def _below(
    fitted: Mapping[str, FittedWindow],
    name: str,
    made: Mapping[str, _Rows],
    rng: np.random.Generator,
) -> _Rows:
    """The rows that hang on those that are there: of each the first, then the second, and so on."""
    own = fitted[name]
    assert own.window.link is not None
    parent = own.window.link.parent
    counts = made[parent].values[fitted[parent].window.children(name)].to_numpy(np.int64)
    above = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    following = _Following(own, _around(fitted, name, made, above), rng)
    if own.window.moments is not None:
        opening = made[parent].values[fitted[parent].window.first(name)]
        following.stretches = _whole(opening)[above]
    for place in range(int(counts.max(initial=0))):
        following.draw(starts[counts > place] + place, place)
    values = _decoded(own, following.codes, rng)
    return _Rows(above, following.codes, values, following.stretches)


_TRIES = 5
"""How often a row is drawn that would come after the last moment; then all of its history is
shortened to fit.
"""


class _Following:
    """Rows that are drawn one place after another. stretches: of time, of each row; at first that
    of the first row. known: for each row the cells of the rows above.
    """

    def __init__(
        self, own: FittedWindow, known: Mapping[str, np.ndarray], rng: np.random.Generator
    ) -> None:
        rows = len(next(iter(known.values())))
        self._own, self._known, self._rng = own, known, rng
        self._cells = codecs(Schema(own.context.columns), own.bounds)
        self._origin = Origin(own.model, Schema(own.window.columns), own.bounds, own.inside)
        self.codes = {a: np.zeros(rows, dtype=np.int64) for a in own.window.columns}
        self.stretches = np.zeros(rows, dtype=np.int64)

    def draw(self, rows: np.ndarray, place: int) -> None:
        """These rows, all of which have so many before them."""
        window = self._own.window
        for _ in range(_TRIES):
            drawn = completed(self._own.model, self._partial(rows, place), self._rng, None, LEAST)
            for a in window.columns:
                self.codes[a][rows] = drawn[a]
            if window.moments is None or place == 0:
                return
            gaps = {window.gap: self.codes[window.gap][rows]}
            found = self._origin.columns(gaps, self._origin.free(), self._rng)[window.gap]
            self.stretches[rows] = self.stretches[rows - 1] + _whole(found)
            rows = rows[self.stretches[rows] > window.moments.stretches]
            if not len(rows):
                return

    def _partial(self, rows: np.ndarray, place: int) -> Codes:
        """For each attribute its cells, as far as they are known."""
        own, cells = self._own, self._cells
        partial = {a: np.full(len(rows), -1, dtype=np.int64) for a in own.model.domain.attributes}
        for a, each in self._known.items():
            partial[a] = each[rows]
        for a, of in own.context.tables.items():
            if of is None:
                if a == own.window.place:
                    found: Any = min(place, PLACES - 1, own.window.link.max_children - 1)  # type: ignore[union-attr]
                else:
                    found = self._before(a, rows) if place else cells[a].null
                partial[a] = np.broadcast_to(np.asarray(found, dtype=np.int64), len(rows))
        return partial

    def _before(self, a: str, rows: np.ndarray) -> np.ndarray:
        """The cells of what the rows before say."""
        window = self._own.window
        if a == window.moment:
            return self._cells[a].encode(self.stretches[rows - 1])
        if a == window.weekday:
            return self._cells[a].encode(self.stretches[rows - 1] % 7)
        return self.codes[self._own.context.own[a]][rows - 1]


def _fitting(rows: _Rows, last: int) -> np.ndarray:
    """The stretches; of rows that hang on one row and go beyond the last, all since their first in
    proportion.
    """
    if not len(rows.stretches):
        return rows.stretches
    opens = np.flatnonzero(np.append(True, rows.above[1:] != rows.above[:-1]))
    group = np.cumsum(np.append(0, rows.above[1:] != rows.above[:-1]))
    first = rows.stretches[opens][group]
    whole = np.maximum.reduceat(rows.stretches, opens)[group] - first
    fits = np.minimum(1.0, (last - first) / np.maximum(whole, 1))
    return first + np.floor((rows.stretches - first) * fits + 1e-9).astype(np.int64)


def _whole(values: pd.Series[Any]) -> np.ndarray:
    """Whole numbers; 0 for what is missing."""
    return values.astype("Int64").fillna(0).to_numpy(dtype=np.int64)


def _around(
    fitted: Mapping[str, FittedWindow], name: str, made: Mapping[str, _Rows], above: np.ndarray
) -> dict[str, np.ndarray]:
    """For each row the cells of the rows above it."""
    context, found = fitted[name].context, {}
    table, rows = fitted[name].window.link.parent, above  # type: ignore[union-attr]
    while True:
        for a, of in context.tables.items():
            if of == table:
                found[a] = np.asarray(made[table].codes[context.own[a]], dtype=np.int64)[rows]
        link = fitted[table].window.link
        if link is None:
            return found
        table, rows = link.parent, made[table].above[rows]


def _released(
    schema: RelationalSchema,
    fitted: Mapping[str, FittedWindow],
    made: Mapping[str, _Rows],
    rng: np.random.Generator,
) -> dict[str, pd.DataFrame]:
    """The columns of a release, with keys that join."""
    found: dict[str, pd.DataFrame] = {}
    for name, own in schema.tables.items():
        window, rows = fitted[name].window, made[name]
        plain: dict[Any, Any] = {
            column: rows.values[window.named(column)] for column in window.recoding.modelled.coded
        }
        values: dict[str, Any] = window.recoding.decoded(plain, rng)
        if window.moments is not None and window.link is not None:
            steps = _moments(window, rows)
            values[str(window.link.order)] = window.moments.values(steps, rng)
        if window.link is not None:
            keys = found[window.link.parent][window.link.key]
            values[window.link.column] = keys.iloc[rows.above].reset_index(drop=True)
        for column, declared in own.columns.items():
            if isinstance(declared, Identifier) and column not in values:
                values[column] = generate_identifiers(declared, len(rows.values), rng)
        found[name] = pd.DataFrame({column: values[column] for column in own.columns})
    return found


def _moments(window: Window, rows: _Rows) -> np.ndarray:
    """The steps of the order, which ascend among rows that hang on one row."""
    assert window.moments is not None
    steps = _fitting(rows, window.moments.stretches) * window.moments.stretch
    if window.moments.stretch > 1:
        steps = steps + _whole(rows.values[window.phase])
        steps = steps[np.lexsort((steps, rows.above))]  # two of one day stand in its order
    return np.minimum(steps, window.moments.last)
