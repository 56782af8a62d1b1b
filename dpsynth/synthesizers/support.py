"""Support: how much paid-for evidence stands behind each row.

A fit measured some marginals, with noise of a known standard deviation. For each of them, how many
rows the model expects like this row, in standard deviations of that noise: the least of these is
the row's support. Under 2, the marginal's noise alone could have made the count: the combination
may never have occurred, and the row is extrapolated.

Along a scale, neighbours are evidence too: a cell of age and income that holds few rows because it
is narrow is as well known as its surroundings. So a cell counts together with the cells around it,
each with at most as many rows as it has itself, and the best window counts. A cell that was never
seen gains nothing from dense neighbours by that.

Everything here follows from the model and from the noise that its certificate lists: charged
answers, no row.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.base.domain import Clique, Domain
from dpsynth.models.base import ConditionError, Model
from dpsynth.models.blocks import noise_of_a_cell
from dpsynth.models.refined import RefinedModel
from dpsynth.synthesizers.sampled_rows import Origin

ENOUGH = 2.0
"""Standard deviations of noise, under which a row is extrapolated."""

SUPPORT, EXTRAPOLATED = "support", "extrapolated"
"""The columns that a sample has with support."""

_MEASURE = "measure "
_BETWEEN = " x "
_REACH = {1: 64, 2: 4}
"""How many cells a window reaches on either side, by the number of columns; 2 for more."""

_PART_OF_A_SCALE = 8
"""A window reaches no farther than this part of a scale."""

_DTYPES = {SUPPORT: "float64", EXTRAPOLATED: "boolean"}


@dataclass(frozen=True, eq=False)
class Support:
    """The support of each cell of what was measured.

    tables: by clique. bins: for some columns of a clique the bin of each cell.
    """

    tables: Mapping[Clique, np.ndarray]
    bins: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, model: Model, noise: Mapping[Clique, float]) -> Support:
        """noise: the standard deviation of each measured clique's noise, in rows."""
        coarse, bins = model, {}
        if isinstance(model, RefinedModel):
            coarse, bins = model.coarse, dict(model.bins)
        tables = {}
        for clique, stddev in noise.items():
            shown, of = (model, {}) if len(clique) == 1 else (coarse, bins)
            if len(clique) == 1:
                stddev *= noise_of_a_cell(model.domain, clique[0])
            scales = [_scale(model.domain, a, of.get(a)) for a in clique]
            tables[clique] = _windowed(shown.project(clique), scales) / stddev
        return cls(tables, bins)

    def at(self, codes: Mapping[str, np.ndarray]) -> np.ndarray:
        """The support of rows, given their cells."""
        found = np.full(len(next(iter(codes.values()))), np.inf)
        for clique, table in self.tables.items():
            of = self.bins if len(clique) > 1 else {}
            at = tuple(of[a][codes[a]] if a in of else codes[a] for a in clique)
            found = np.minimum(found, table[at])
        return found


def noise_of(record: Mapping[str, Any], columns: Sequence[str]) -> dict[Clique, float]:
    """The noise of each marginal that a certificate's charges measured, in rows.

    What was measured several times has the noise of the mean. A merge states it itself.
    """
    if "noise" in record:
        return {(*each["columns"],): each["stddev_rows"] for each in record["noise"]}
    precision: dict[Clique, float] = {}
    for charge in record["charges"]:
        purpose, stddev = charge["line"]["purpose"], charge["noise_stddev_rows"]
        if purpose.startswith(_MEASURE) and stddev:
            clique = _clique(purpose.removeprefix(_MEASURE), columns)
            if clique:
                precision[clique] = precision.get(clique, 0.0) + 1 / stddev**2
    return {clique: total**-0.5 for clique, total in precision.items()}


def _clique(measured: str, columns: Sequence[str]) -> Clique | None:
    """The columns of a charge's words, whose names may hold ` x ` themselves; None for others."""
    parts = measured.split(_BETWEEN)
    if not parts:
        return None
    found = list(_names(parts, set(columns)))
    return found[0] if len(found) == 1 else None


def _names(parts: Sequence[str], columns: set[str]) -> Iterator[Clique]:
    if not parts:
        yield ()
    for i in range(1, len(parts) + 1):
        name = _BETWEEN.join(parts[:i])
        if name in columns:
            for rest in _names(parts[i:], columns):
                yield (name, *rest)


def with_support(rows: pd.DataFrame, origin: Origin, record: Mapping[str, Any]) -> pd.DataFrame:
    """The rows with two more columns: their support, and whether they are extrapolated.

    ConditionError where the fit has measured no pair of columns.
    """
    if not _judges(origin, record):
        raise ConditionError(
            f"this fit by {record['mechanism']['name']} has measured no pairs of columns, so"
            " nothing says whether the values of a row occur together: leave out support, or fit by"
            " canopy, aim or mst with more epsilon"
        )
    support = Support.of(origin.model, noise_of(record, origin.model.domain.attributes))
    codes = {name: codec.encode(rows[name]) for name, codec in origin.codecs.items()}
    found = support.at(codes).round(2)
    return rows.assign(**{SUPPORT: found, EXTRAPOLATED: found < ENOUGH})


def support_of(rows: pd.DataFrame, origin: Origin, record: Mapping[str, Any]) -> pd.DataFrame:
    """The two columns; where no pairs were measured they are missing in every row."""
    if _judges(origin, record):
        return with_support(rows, origin, record)[[SUPPORT, EXTRAPOLATED]].astype(_DTYPES)
    unknown = dict.fromkeys([SUPPORT, EXTRAPOLATED], [None] * len(rows))
    return pd.DataFrame(unknown, index=rows.index).astype(_DTYPES)


def _judges(origin: Origin, record: Mapping[str, Any]) -> bool:
    """Whether the fit has measured what occurs together: counts of columns alone do not say it."""
    columns = origin.model.domain.attributes
    most = max(map(len, noise_of(record, columns)), default=0)
    return most >= min(2, len(columns))


def _scale(domain: Domain, attribute: str, bins: np.ndarray | None) -> int:
    """How many leading cells, or bins, of an attribute lie on a scale; 0 for a nominal one."""
    ordered = len(domain.width(attribute) or ())
    if not ordered or bins is None:
        return ordered
    of = bins[:ordered]
    return int(of[-1]) + 1 if (np.diff(of) >= 0).all() else 0


def _windowed(counts: np.ndarray, scales: Sequence[int]) -> np.ndarray:
    """For each cell the count in its best window, over the root of the window's cells.

    scales: of each axis how many leading cells lie on a scale. Of each other cell in the window no
    more rows count than the cell has itself.
    """
    reach = _REACH.get(len(scales), 2)
    reaches = [min(reach, scale // _PART_OF_A_SCALE) for scale in scales]
    total, cells = counts.copy(), np.ones(counts.shape)
    best = total.copy()
    offsets = itertools.product(*(range(-r, r + 1) for r in reaches))
    far = lambda offset: max(map(abs, offset))  # noqa: E731
    for distance, ring in itertools.groupby(sorted(offsets, key=far), key=far):
        for offset in ring if distance else ():
            here, there = _shifted(scales, offset)
            total[here] += np.minimum(counts[here], counts[there])
            cells[here] += 1
        best = np.maximum(best, total / np.sqrt(cells))
    return best


def _shifted(
    scales: Sequence[int], offset: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The cells that have a cell at this offset from them, and these."""
    here, there = [], []
    for scale, step in zip(scales, offset, strict=True):
        whole = slice(None) if step == 0 else slice(max(0, -step), min(scale, scale - step))
        here.append(whole)
        there.append(slice(None) if step == 0 else slice(whole.start + step, whole.stop + step))
    return tuple(here), tuple(there)
