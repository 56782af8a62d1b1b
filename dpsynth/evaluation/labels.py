"""Names of bins: what the cells of a column's public grid hold, in words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np

from dpsynth.base.text import short
from dpsynth.schema.columns import EPOCH, SECONDS, Boolean, Categorical, Column, Datetime, Numeric

Namer = Callable[[int, int], str]
"""The name of the cells from the first to the last of these numbers."""


def bin_labels(
    column: Column, bins: np.ndarray, widths: tuple[float, ...] | None, low: float
) -> tuple[str, ...]:
    """A name for each bin.

    bins: the bin of each cell. widths: of the cells, if they have an order. low: where the grid of
    a numeric column begins.
    """
    name = _namer(column, widths or (), low)
    valid = valid_cells(column, widths)
    firsts = np.unique(bins, return_index=True)[1]
    lasts = bins.size - 1 - np.unique(bins[::-1], return_index=True)[1]
    special = "missing" if getattr(column, "nullable", False) else "not a value"
    return tuple(
        special if first >= valid else name(first, last)
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
    )


def valid_cells(column: Column, widths: tuple[float, ...] | None) -> int:
    """How many cells hold values; the special one comes after them."""
    if widths is not None:
        return len(widths)
    return len(column.categories) if isinstance(column, Categorical) else 2


def _namer(column: Column, widths: tuple[float, ...], low: float) -> Namer:
    match column:
        case Categorical():
            names = [str(category) for category in column.categories]
        case Boolean():
            names = [str(word).lower() for word in column.written]
        case Datetime():
            return _steps(widths, column.steps[0], 1, lambda step: _datetime_label(step, column))
        case Numeric() if column.spacing is not None:
            return _steps(widths, low, column.spacing, _whole if column.integer else short)
        case _:
            return _lengths(widths, low)
    return lambda first, last: names[first] if first == last else f"{names[first]} to {names[last]}"


def _steps(
    widths: tuple[float, ...], low: float, spacing: float, write: Callable[[float], str]
) -> Namer:
    """Cells that hold whole steps: a name gives the first and the last step."""
    starts = np.concatenate([[0.0], np.cumsum(widths)])

    def name(first: int, last: int) -> str:
        first_step = starts[first]
        last_step = starts[last + 1] - 1
        lowest = write(low + first_step * spacing)
        if first_step == last_step:
            return lowest
        return f"{lowest} to {write(low + last_step * spacing)}"

    return name


def _lengths(widths: tuple[float, ...], low: float) -> Namer:
    """Cells that hold a range of numbers. In a grid that begins with 0, that cell is 0 alone."""
    edges = low + np.concatenate([[0.0], np.cumsum(widths)])

    def name(first: int, last: int) -> str:
        if last == 0 and low == 0:
            return "0"
        return f"{short(edges[first])} to {short(edges[last + 1])}"

    return name


def _whole(x: float) -> str:
    return f"{round(x):,}"


def _datetime_label(step: float, column: Datetime) -> str:
    when = EPOCH + timedelta(seconds=int(step) * SECONDS[column.resolution])
    if column.resolution == "D":
        return when.date().isoformat()
    return when.isoformat(sep=" ", timespec="minutes")
