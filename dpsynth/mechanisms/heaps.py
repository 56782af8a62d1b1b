"""Charged looks at heaps, and columns whose cells hold one value each, brought to their shares.

Where a cell holds several values, multiples are drawn inside of it (`data.tables.heaps`). Where
each has one, as years of age do, the cells around a multiple share their rows: it takes as many as
were counted, or declared, and the others what is left. Bins keep what the model gives them, so that
pairs of columns stay as they are, and a spike that stands out of the noise stays as measured. Where
a share is declared, cells of several values come to rows enough for their multiples likewise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dpsynth.data.tables.cells import NumericCodec
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.tables.heaps import able_cells
from dpsynth.data.tables.inside import DecimalsCoding, several_values
from dpsynth.door.bounded import Bounded
from dpsynth.kernel.accountant import Accountant
from dpsynth.mechanisms.inside import Seen, look, written_of
from dpsynth.models.base import Model
from dpsynth.models.refined import RefinedModel
from dpsynth.schema.columns import Numeric
from dpsynth.schema.table import Schema

SHARE = 0.005
MAX_SHARE = 0.02
"""Of a fit's budget: what a look at one column's heaps costs, and at those of many together."""

_ROUNDS = 200
_ENOUGH = 1e-6
"""How often cells of each grid are brought to their rows, and the relative change that ends it."""

_FLOOR = 1e-3
"""Of an even share of its group: what a cell has at least, so that it can take rows."""

_NONE = 1e-9

Bounds = Mapping[str, tuple[float, float]]


def heaps_cost(cost: int, columns: int) -> int:
    """What the look at one column costs a fit that has this cost left."""
    return int(cost * min(MAX_SHARE, SHARE * columns)) // columns


def with_heaps_unknown(schema: Schema, bounds: Bounds) -> dict[str, Numeric]:
    """The columns that declare heaps without their shares, and whose cells hold one value each."""
    return {
        name: column
        for name, (column, codec) in _numeric(schema, bounds).items()
        if column.heaps and not column.heaped and not several_values(codec).any()
    }


def look_at_heaps(
    rows: Bounded, columns: Mapping[str, Numeric], accountant: Accountant, cost: int
) -> dict[str, Seen]:
    """How many numbers are multiples of the declared grids; one charge for a column."""
    found = {}
    codings = {name: DecimalsCoding(column, column.heaps) for name, column in columns.items()}
    purposes = {
        name: f"how many values of {name} are multiples of {', '.join(map(str, column.heaps))}"
        for name, column in columns.items()
    }
    for name, (counts, noise) in look(rows, codings, accountant, cost, purposes).items():
        decimals, grids, heaps = written_of(codings[name], counts, noise)
        if any(heaps):
            found[name] = Seen((), (), decimals, (), grids, heaps)
    return found


def with_declared(seen: Seen, column: Numeric, codec: NumericCodec, held: np.ndarray) -> Seen:
    """What was seen, with the heaps that a column declares; held: the rows of its cells."""
    if not column.heaped:
        return seen
    rows = float(held[: len(codec.grid.widths)].sum())
    finer = np.array(column.heaped) - np.append(column.heaped[1:], 0.0)
    return replace(
        seen, grids=tuple(map(float, column.heaps)), heaps=tuple((rows * finer).tolist())
    )


def with_heaps(model: Model, schema: Schema, bounds: Bounds, seen: Mapping[str, Seen]) -> Model:
    """The model with rows in the cells of multiples for as many as were seen, or declared.

    A model that is none of bins stays as it is: its cells are as they were measured.
    """
    if not isinstance(model, RefinedModel):
        return model
    masses = dict(model.masses)
    for name, (column, codec) in _numeric(schema, bounds).items():
        held = model.project((name,))
        told = with_declared(seen.get(name, Seen()), column, codec, held)
        single = not several_values(codec).any()
        if any(told.heaps) and (single or column.heaped):
            around = _around(model.bins[name], codec, told.grids[-1])
            masses[name] = _settled(around, held, codec, told, single=single)
    return replace(model, masses=masses)


def _around(bins: np.ndarray, codec: NumericCodec, grid: float) -> np.ndarray:
    """Groups of cells: those of one bin around one multiple of a grid, so that rows move no further
    than to the nearest.
    """
    first, last = (each.to_numpy(np.float64) for each in codec.ends())
    middle = (first + last) / 2
    nearest = np.append(np.floor(middle / grid + 0.5), np.full(bins.size - middle.size, np.inf))
    return np.unique(np.stack([bins, nearest]), axis=1, return_inverse=True)[1].ravel()


def _settled(
    groups: np.ndarray, held: np.ndarray, codec: NumericCodec, told: Seen, *, single: bool
) -> np.ndarray:
    """The masses of a column's cells, those with multiples of each grid as large as they must be.

    held: the rows of the cells. By iterative proportional fitting of the kinds of cells, and of
    their groups, in turn: a group keeps its rows.
    """
    kinds = _kinds(codec, told)
    kinds = np.append(kinds, np.full(held.size - kinds.size, len(told.grids) + 1))
    wanted = _wanted(np.bincount(kinds, held, len(told.grids) + 2), told, single=single)
    in_group = np.bincount(groups, held)
    found = np.maximum(held, _FLOOR * (in_group / np.bincount(groups))[groups])
    for _ in range(_ROUNDS):
        before = found
        found = found * (wanted / np.maximum(np.bincount(kinds, found, wanted.size), _NONE))[kinds]
        found = found * (in_group / np.maximum(np.bincount(groups, found), _NONE))[groups]
        if np.abs(found - before).sum() <= _ENOUGH * held.sum():
            break
    return np.asarray(found)


def _kinds(codec: NumericCodec, told: Seen) -> np.ndarray:
    """For each valid cell the place of the coarsest grid that it has a multiple of, from 1 on; 0
    for none.
    """
    ends, found = codec.grid.ends(), np.zeros(len(codec.grid.widths), dtype=np.int64)
    borne = [place for place, grid in enumerate(told.grids) if codec.lattice.bears(grid)]
    ways = codec.lattice.ways([told.grids[place] for place in borne])
    for place, way in zip(borne, ways, strict=True):
        found[able_cells(way, ends)] = place + 1
    return found


def _wanted(held: np.ndarray, told: Seen, *, single: bool) -> np.ndarray:
    """How many rows each kind of cell is to have: those of single values as many as were told.

    Where cells hold several values, those that have multiples of a grid or of a coarser one hold
    others too, and need no fewer rows than there are such multiples. The last kind is of missing
    values, and stays.
    """
    heaps = np.array(told.heaps)
    found = held.copy()
    total = held[:-1].sum()
    if single:
        found[1:-1] = np.where(held[1:-1] > 0, heaps, 0.0)
    else:
        upto = np.maximum(np.cumsum(heaps[::-1]), np.cumsum(held[-2:0:-1]))[::-1]
        found[1:-1] = np.maximum(upto - np.append(upto[1:], 0.0), 0.0)
    found[0] = max(0.0, total - found[1:-1].sum())
    if found[:-1].sum() > 0:
        found[:-1] *= total / found[:-1].sum()
    return found


def _numeric(schema: Schema, bounds: Bounds) -> dict[str, tuple[Numeric, NumericCodec]]:
    """The numeric columns, with their codecs."""
    found = {}
    for name, column in schema.columns.items():
        if isinstance(column, Numeric):
            codec = codec_for(column, bounds.get(name))
            assert isinstance(codec, NumericCodec)
            found[name] = column, codec
    return found
