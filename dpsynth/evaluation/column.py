"""Each column of a release by itself beside the real one.

For evidence only, never for a fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.data.engines.files import Rows
from dpsynth.data.engines.files import column as values_of
from dpsynth.evaluation.comparison import Comparison
from dpsynth.evaluation.labels import bin_labels, valid_cells
from dpsynth.evaluation.numbers import Numbers
from dpsynth.evaluation.quality import ColumnQuality
from dpsynth.evaluation.reading import missing_and_outside
from dpsynth.models.distances import total_variation
from dpsynth.schema.columns import Boolean, Categorical, Column, Numeric


def column_quality(
    name: str,
    column: Column,
    ones: Comparison,
    domain: Domain,
    tables: tuple[Rows, Rows],
    numbers: Sequence[Numbers],
    grid: tuple[float, float] | None,
    learned: tuple[float, float] | None,
) -> ColumnQuality:
    bins = ones.bins[name]
    widths = domain.width(name)
    real, synthetic, yardstick = ones.shares((name,))
    values = [values_of(table, name) for table in tables]
    missing_real, _ = missing_and_outside(values[0], column, learned)
    missing_synthetic, outside = missing_and_outside(values[1], column, learned)
    ranges = (
        [_range(table.present(name)) for table in numbers] if isinstance(column, Numeric) else []
    )
    return ColumnQuality(
        name=name,
        type=type(column).__name__.lower(),
        ordered=widths is not None,
        values=_values(column, bins, widths),
        measured_on=_measured_on(column, bins, widths),
        distance=total_variation(real, synthetic),
        floor=total_variation(real, yardstick),
        missing_real=_share(missing_real),
        missing_synthetic=_share(missing_synthetic),
        outside_domain=int(outside.sum()),
        range_real=ranges[0] if ranges else None,
        range_synthetic=ranges[1] if ranges else None,
        labels=bin_labels(column, bins, widths, _low(column, grid)),
        real=tuple(real.tolist()),
        synthetic=tuple(synthetic.tolist()),
    )


def _range(numbers: np.ndarray) -> tuple[float, float] | None:
    return (float(numbers.min()), float(numbers.max())) if numbers.size else None


def _low(column: Column, grid: tuple[float, float] | None) -> float:
    """Where the grid of a numeric column begins; 0 for other columns, which do not use it."""
    if not isinstance(column, Numeric):
        return 0.0
    if column.low is not None:
        return column.low
    return 0.0 if grid is None else grid[0]


def _values(column: Column, bins: np.ndarray, widths: tuple[float, ...] | None) -> int:
    """How many bins hold values; the special cell is left out."""
    return int(bins[valid_cells(column, widths) - 1]) + 1


def _measured_on(column: Column, bins: np.ndarray, widths: tuple[float, ...] | None) -> str:
    count = _values(column, bins, widths)
    if count < valid_cells(column, widths):
        return f"{count} bins with about equal numbers of real rows"
    cells = "categories" if isinstance(column, Categorical | Boolean) else "cells of its grid"
    return f"all {count} {cells}"


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if flags.size else 0.0
