"""Histories: rows of several tables from their models, the root first, and each row after that above.

A row is drawn from its window's model given the rows above it and the row before it, which are
there already. So numbers of rows, keys and times hold by construction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from dpsynth.synthesizers.relational import FittedTable


def drawn_tables(
    schema: RelationalSchema,
    fitted: Mapping[str, FittedTable],
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
            made[name] = _Rows(np.zeros(0, dtype=np.int64), codes, _decoded(fitted[name], codes, rng))
        else:
            made[name] = _below(fitted, name, made, rng)
    return _released(schema, fitted, made, rng)


class _Rows:
    """Rows of a table: the row above each, their cells, and their values."""

    def __init__(self, above: np.ndarray, codes: Codes, values: pd.DataFrame) -> None:
        self.above, self.codes, self.values = above, codes, values


def _decoded(fitted: FittedTable, codes: Codes, rng: np.random.Generator) -> pd.DataFrame:
    """The values of a window's own columns."""
    schema = Schema(fitted.window.columns)
    origin = Origin(fitted.model, schema, fitted.bounds, fitted.inside)
    return origin.decoded(dict(codes), origin.free(), rng)


def _below(
    fitted: Mapping[str, FittedTable],
    name: str,
    made: Mapping[str, _Rows],
    rng: np.random.Generator,
) -> _Rows:
    """The rows that hang on those that are there: of each the first, then the second, and so on."""
    own = fitted[name]
    window, context, model = own.window, own.context, own.model
    assert window.link is not None
    parent = made[window.link.parent]
    counts = parent.values[fitted[window.link.parent].window.children(name)].to_numpy(np.int64)
    above = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    places = np.arange(len(above)) - starts[above]
    cells = codecs(Schema(context.columns), own.bounds)
    known = _around(fitted, name, made, above)
    codes = {a: np.zeros(len(above), dtype=np.int64) for a in window.columns}
    for place in range(int(counts.max(initial=0))):
        rows = starts[counts > place] + place
        partial = {a: np.full(len(rows), -1, dtype=np.int64) for a in model.domain.attributes}
        for a, each in known.items():
            partial[a] = each[rows]
        for a, of in context.tables.items():
            if a == window.place:
                partial[a] = np.full(len(rows), min(place, cells[a].size - 2))
            elif of is None:
                earlier = codes[context.own[a]][rows - 1] if place else cells[a].null
                partial[a] = np.broadcast_to(np.asarray(earlier, dtype=np.int64), len(rows))
        drawn = completed(model, partial, rng, None, LEAST)
        for a in window.columns:
            codes[a][rows] = drawn[a]
    del places
    return _Rows(above, codes, _decoded(own, codes, rng))


def _around(
    fitted: Mapping[str, FittedTable], name: str, made: Mapping[str, _Rows], above: np.ndarray
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
    fitted: Mapping[str, FittedTable],
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
            steps = _moments(fitted, name, made)
            values[str(window.link.order)] = window.moments.values(steps, rng)
        if window.link is not None:
            keys = found[window.link.parent][window.link.key]
            values[window.link.column] = keys.iloc[rows.above].reset_index(drop=True)
        for column, declared in own.columns.items():
            if isinstance(declared, Identifier) and column not in values:
                values[column] = generate_identifiers(declared, len(rows.values), rng)
        found[name] = pd.DataFrame({column: values[column] for column in own.columns})
    return found


def _moments(
    fitted: Mapping[str, FittedTable], name: str, made: Mapping[str, _Rows]
) -> np.ndarray:
    """The steps of the order: the first row's, and the gaps added up; never less than before."""
    window, rows = fitted[name].window, made[name]
    assert window.link is not None and window.moments is not None
    parent = window.link.parent
    first = made[parent].values[fitted[parent].window.first(name)]
    gaps = rows.values[window.gap].astype("float64").fillna(0).to_numpy(dtype=np.float64).copy()
    opens = np.ones(len(gaps), dtype=bool)
    opens[1:] = rows.above[1:] != rows.above[:-1]
    starts = first.astype("float64").fillna(0).to_numpy(dtype=np.float64)
    gaps[opens] = starts[rows.above[opens]]
    total = np.cumsum(gaps)
    group = np.cumsum(opens) - 1
    base = (total - gaps)[opens]
    steps = total - base[group] if len(gaps) else total
    return np.minimum(steps, window.moments.last).astype(np.int64)
