"""Heaping: public facts about numbers that people round when they report them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from dpsynth.schema.declared import SchemaError, number_of_text

Heaping = tuple[int, ...] | tuple[tuple[int, float], ...]
"""Grids, or grids with the share of values that are multiples of each; ascending."""

_ROUNDING = 1e-9
"""In steps: float64 has decimal steps only nearly."""

MOST = 2**40
"""The largest grid: multiples of it are exact in float64."""


def as_heaping(given: Any) -> Heaping:
    """What a column declares, in its one form; SchemaError where it is no heaping.

    A file has pairs of a grid and its share, or a mapping, whose keys JSON writes as text.
    """
    if isinstance(given, Mapping):
        given = [*given.items()]
    listed = [*given] if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    paired = [isinstance(each, Sequence) and not isinstance(each, str) for each in listed]
    if not any(paired):
        grids = sorted(_grid(each) for each in listed)
        return _chained(grids)
    if not all(paired) or any(len(each) != 2 for each in listed):
        raise SchemaError(
            f"heaping has grids with and without a share, {given!r}: write a share for each, as in"
            " {5: 0.6, 10: 0.4}, or for none"
        )
    shares = sorted((_grid(grid), _share(share)) for grid, share in listed)
    _chained([grid for grid, _ in shares])
    for (finer, more), (coarser, less) in pairwise(shares):
        if less > more:
            raise SchemaError(
                f"heaping says that {less:g} of the values are multiples of {coarser}, and {more:g}"
                f" of {finer}: the multiples of {coarser} are among those of {finer}, so give"
                f" {finer} no less"
            )
    return tuple(shares)


def grids_of(heaping: Any) -> tuple[int, ...]:
    """The grids of a heaping in its one form."""
    return tuple(each[0] if isinstance(each, tuple) else each for each in heaping)


def shares_of(heaping: Any) -> tuple[float, ...]:
    """Their shares, where these are declared."""
    return tuple(each[1] for each in heaping if isinstance(each, tuple))


def heaping_fault(
    grids: Sequence[int], bounds: tuple[float | None, float | None], spacing: float | None
) -> str | None:
    """A sentence where a column of these bounds and steps has no multiples of a grid, or no
    others.
    """
    low, high = bounds
    for grid in grids:
        if low is not None and high is not None and not _reached(grid, low, high):
            return (
                f"heaping={grid} has no multiple but 0 between low={low:g} and high={high:g}: name"
                " a smaller one, or leave it out"
            )
        if spacing is None or meets(grid, low, spacing):
            continue
        if grid <= spacing:
            return f"heaping={grid} is no more than the step {spacing:g}: leave it out"
        return (
            f"heaping={grid} does not meet the steps of {spacing:g} from {low or 0:g} on: name a"
            " multiple of the step, or move low to one"
        )
    return None


def _reached(grid: int, low: float, high: float) -> bool:
    """Whether a multiple other than 0 lies between these bounds."""
    least, most = math.ceil(low / grid), math.floor(high / grid)
    return least <= most and (least, most) != (0, 0)


def meets(grid: float, low: float | None, spacing: float) -> bool:
    """Whether multiples of a grid are among these steps, and not all of them."""
    steps = (grid / spacing, (low or 0) / spacing)
    near = all(abs(each - round(each)) < _ROUNDING * max(1.0, abs(each)) for each in steps)
    return near and grid > spacing


def _grid(given: Any) -> int:
    number = number_of_text(given) if isinstance(given, str) else given
    whole = isinstance(number, int | float) and not isinstance(number, bool)
    if not whole or not 2 <= number <= MOST or number != int(number):
        raise SchemaError(
            f"heaping must name whole numbers from 2 to {MOST:,}, got {given!r}: write one such as"
            " 5, and declare halves and tenths by step or decimals"
        )
    return int(number)


def _share(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
        raise SchemaError(
            f"the share of a heaping must be a number from 0 to 1, got {given!r}: write one such as"
            " 0.6"
        )
    return float(given)


def _chained(grids: list[int]) -> tuple[int, ...]:
    for finer, coarser in pairwise(grids):
        if coarser % finer or coarser == finer:
            raise SchemaError(
                f"heaping names {finer} and {coarser}, and each must be a multiple of the one"
                " before: leave one of them out"
            )
    return tuple(grids)
