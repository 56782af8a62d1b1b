"""Heaping: numbers that people round, and spikes: single values with far more rows than others.

**Heaping** at multiples of m is what lies above the neighbours: N0 / n - N1 / (2 h n), with N0 the
rows at multiples of m, and N1 those within h = (m - 1) // 2 steps of one. Where frequencies change
linearly from value to value, it is 0. (Whipple's index compares the same counts.)

**A spike** is a value with at least three times as many rows as its surroundings would give it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dpsynth.base.text import percent, short
from dpsynth.evaluation.numbers import Numbers, in_both
from dpsynth.evaluation.pattern import Pattern, apart, fate_of, in_errors, is_invented
from dpsynth.schema.columns import Numeric
from dpsynth.schema.table import Schema

MULTIPLES = (5, 10, 12, 25, 30, 50, 60, 100, 250, 500, 1000, 5000, 10_000, 50_000, 100_000)
"""In steps of the column's own grid."""
_LEAST_HEAPED = 0.02
_LEAST_EXACT = 0.01
"""Shares of the values. Multiples among continuous values have no chance at all, and need less."""
_SURE = 5.0
"""Standard errors from which on a pattern is found: 15 multiples are tried of each column."""
_TIMES = 1.3
_FEWEST = 5
"""Multiples between the smallest and the largest value, and rows in fives: fewer are no grid."""
_GRIDS = tuple(10.0**-d for d in range(7))
_EXACT_GRIDS = (1e6, 1e5, 1e4, 1e3, 500.0, 100.0, 50.0, 10.0, 5.0, 1.0, 0.5, 0.1, 0.01)
_TOLERANCE = 1e-9
"""How far from its grid a number may lie, as a share of it: doubles have 16 digits."""

LEAST_SPIKE = 0.005
SPIKE_TIMES = 3.0
MOST_SPIKES = 3
"""Of one column."""
_FEWEST_DISTINCT = 20
_AROUND = 20
"""Values on each side of one that might be a spike."""


@dataclass(frozen=True)
class _Excess:
    """How many more rows than its neighbours a grid has, as a share of the values."""

    share: float
    error: float
    times: float

    @property
    def errors(self) -> float:
        return self.share / self.error if self.error > 0 else 0.0


def heaping(real: Numbers, synthetic: Numbers, schema: Schema) -> Iterator[Pattern]:
    """Heaping in numeric columns: at most one grid of each, the coarsest that explains it."""
    for name, column in schema.coded.items():
        if isinstance(column, Numeric):
            both = real.present(name), synthetic.present(name)
            yield from _heaping_of(name, *both, column.spacing)


def _heaping_of(
    name: str, real: np.ndarray, synthetic: np.ndarray, spacing: float | None
) -> Iterator[Pattern]:
    for mine, other, is_real in ((real, synthetic, True), (synthetic, real, False)):
        unit = spacing or _unit(mine)
        grid = _heaped_grid(mine, unit) if unit else _exact_grid(mine)
        if grid is None:
            continue
        own, others = (_excess(v, grid, unit) for v in (mine, other))
        r, s = (own, others) if is_real else (others, own)
        errors = in_errors(r.share - s.share, r.error, s.error)
        if is_real:
            fate = fate_of(r.share, s.share, errors)
        elif is_invented(r.share, s.share, errors):
            fate = "invented"
        else:
            continue
        said = (
            f"multiples of {short(grid)} hold {percent(max(r.share, 0.0))} more of the real values"
            f" than the values around them, and {percent(max(s.share, 0.0))} more of the synthetic"
        )
        details = {"multiple": grid}
        yield Pattern("heaping", (name,), fate, r.share, s.share, errors, said, details)
        return


def _unit(values: np.ndarray) -> float | None:
    """The coarsest decimal grid that all but a thousandth of the values are on; None if none is."""
    for unit in _GRIDS:
        if values.size and np.mean(_on(values, unit)) >= 0.999:
            return unit
    return None


def _on(values: np.ndarray, grid: float) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        steps = values / grid
        found: np.ndarray = np.abs(steps - np.rint(steps)) <= _TOLERANCE * np.abs(steps)
    return found


def _heaped_grid(values: np.ndarray, unit: float) -> float | None:
    """The grid that explains most of the heaping, in the column's unit."""
    steps = np.rint(values / unit)
    steps = steps[np.abs(steps) < 2**52].astype(np.int64)
    if steps.size < 50:
        return None
    u, c = np.unique(steps, return_counts=True)
    common = int(np.gcd.reduce(u)) or 1  # a column whose every value is a multiple has this grid
    u = u // common
    found: dict[int, float] = {}
    for m in MULTIPLES:
        if (share := _heaped_share(u, c, m)) is not None:
            found[m] = share
    if not found:
        return None
    best = max(found.values())
    return max(m for m, share in found.items() if share >= 0.8 * best) * common * unit


def _heaped_share(u: np.ndarray, c: np.ndarray, m: int) -> float | None:
    """The excess at multiples of m, if it is heaping: sure, large, and not of one value alone."""
    inside, at = _window(u, m)
    if at.sum() < _FEWEST:
        return None
    own = np.where(at, c, 0)
    if own.sum() ** 2 < 3 * np.sum(own.astype(float) ** 2):  # fewer than three values carry it
        return None
    n = int(c.sum())
    whole = _of_counts(own.sum(), c[inside & ~at].sum(), m, n)
    top = int(u[np.argmax(own)])
    left = np.abs(u - top) > (m - 1) // 2
    rest = _of_counts(own[left].sum(), c[inside & ~at & left].sum(), m, n)
    sure = whole.errors >= _SURE and rest.errors >= _SURE - 1
    large = whole.share >= _LEAST_HEAPED and whole.times >= _TIMES and rest.times >= _TIMES
    return whole.share if sure and large else None


def _window(u: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Which values lie within h steps of a multiple of m, of whole windows; and which on one."""
    h = (m - 1) // 2
    near = np.rint(u / m).astype(np.int64) * m
    whole = (near - h >= u.min()) & (near + h <= u.max())
    return (np.abs(u - near) <= h) & whole, (u == near) & whole


def _of_counts(own: float, around: float, m: int, n: int) -> _Excess:
    width = 2 * ((m - 1) // 2)
    expected = around / width
    error = math.sqrt(own + around / width**2) / n
    return _Excess(float(own - expected) / n, error, float(own / max(expected, 1e-9)))


def _exact_grid(values: np.ndarray) -> float | None:
    """Of continuous values the coarsest grid that holds most of those that are on one at all."""
    shares = {}
    for grid in _EXACT_GRIDS:
        on = values[_on(values, grid)]
        if np.unique(on).size >= _FEWEST and on.size >= _LEAST_EXACT * values.size and on.size > 50:
            shares[grid] = on.size / values.size
    if not shares:
        return None
    return next(grid for grid, share in shares.items() if share >= 0.8 * max(shares.values()))


def _excess(values: np.ndarray, grid: float, unit: float | None) -> _Excess:
    """The excess of one table on a grid; of continuous values, the share that is exactly on it."""
    n = max(values.size, 1)
    on = _on(values, grid)
    if unit is None or not values.size:
        share = float(on.sum()) / n
        return _Excess(share, math.sqrt(max(share * (1 - share), 1 / n) / n), math.inf)
    steps = np.rint(values / unit)
    m = round(grid / unit)
    within, at = _window(steps, m)
    return _of_counts(float((at & on).sum()), float((within & ~at).sum()), m, n)


def spikes(real: Numbers, synthetic: Numbers, schema: Schema) -> Iterator[Pattern]:
    """Single values of numeric columns that stand out, up to three of each."""
    for name, _, r, s in in_both(real, synthetic, schema, Numeric):
        seen: list[float] = []
        for values, is_real in ((r, True), (s, False)):
            for value in spike_values(values):
                if any(abs(value - other) <= _TOLERANCE * max(abs(value), 1) for other in seen):
                    continue
                pattern = _spike(name, value, r, s, is_real)
                seen.append(value)
                if pattern is not None:
                    yield pattern


def _spike(
    name: str, value: float, real: np.ndarray, synthetic: np.ndarray, is_real: bool
) -> Pattern | None:
    r, s = _share_at(value, real), _share_at(value, synthetic)
    errors = apart(r, real.size, s, synthetic.size)
    if not is_real and not is_invented(r, s, errors):
        return None
    fate = fate_of(r, s, errors) if is_real else "invented"
    said = (
        f"the value {short(value, 6)} makes up {percent(r)} of the real values and {percent(s)} of"
        " the synthetic"
    )
    return Pattern("spike", (name,), fate, r, s, errors, said, {"value": value})


def _share_at(value: float, values: np.ndarray) -> float:
    near = np.abs(values - value) <= _TOLERANCE * max(abs(value), 1.0)
    return float(near.mean()) if values.size else 0.0


def spike_values(values: np.ndarray) -> list[float]:
    """Values with at least three times the rows that their surroundings give them, largest first.

    The surroundings are the third largest count of the 40 nearest values, which a heaped grid is
    part of, and what the counts of the next values lead to where they go on as they do.
    """
    u, c = np.unique(values, return_counts=True)
    if u.size < _FEWEST_DISTINCT:
        return []
    found = []
    for i in np.argsort(-c, kind="stable")[: 2 * MOST_SPIKES]:
        count = int(c[i])
        if count < max(_FEWEST_DISTINCT, LEAST_SPIKE * values.size):
            break
        near = np.r_[c[max(i - _AROUND, 0) : i], c[i + 1 : i + 1 + _AROUND]]
        usual = max(float(np.sort(near)[-3]), _led_to(c[:i][::-1]), _led_to(c[i + 1 :]))
        if count >= SPIKE_TIMES * usual and count - usual > 6 * math.sqrt(count + usual):
            found.append(float(u[i]))
    return found[:MOST_SPIKES]


def _led_to(counts: np.ndarray) -> float:
    """The count before these, if their first ratio went on: c0 * c0 / c1, of pairs for few rows."""
    if counts.size < 4:
        return float(counts.max(initial=0))
    first, second = float(counts[:2].sum()), float(counts[2:4].sum())
    return first / 2 * math.sqrt(max(first / max(second, 1.0), 1.0)) ** 1.5
