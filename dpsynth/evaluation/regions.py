"""Regions of a table in bins: how they are found, and how they are said in words.

A region allows some bins of some columns: a row is in it where it has an allowed bin in each. It is
found on half of the rows, by trees that tell two tables apart and by corners of pairs of columns.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from dpsynth.base.text import some
from dpsynth.evaluation.numbers import Numbers, is_measured, value_of
from dpsynth.schema.columns import Column
from dpsynth.schema.table import Schema

_BINS = 16
"""Of a column of numbers or moments: few enough that a region holds rows."""
_MOST_CATEGORIES = 60
_DEPTH, _LEAST = 4, 25
"""Conditions of a region at most; rows of both tables in each at least."""

Region = Mapping[str, np.ndarray]
"""For each column that it is about, which of the bins are allowed; missing values are the last."""


@dataclass(frozen=True)
class Binned:
    """Columns in bins. edges: of each ordered column the least value of each bin but the first.

    codes: for each table the bins of its rows; sizes: bins of each column, with one for missing.
    """

    schema: Schema
    edges: Mapping[str, np.ndarray]
    sizes: Mapping[str, int]
    codes: Sequence[Mapping[str, np.ndarray]]

    @classmethod
    def of(cls, tables: Sequence[Numbers], schema: Schema) -> Binned:
        """By quantiles of the first table; columns of too many categories are left out."""
        edges, sizes, codes = {}, {}, [dict[str, np.ndarray]() for _ in tables]
        for name, column in schema.coded.items():
            if is_measured(column):
                edges[name] = _edges(tables[0].present(name))
                size = edges[name].size + 1
            else:
                size = len(getattr(column, "categories", (0, 1)))
                if size > _MOST_CATEGORIES:
                    continue
            sizes[name] = size + 1
            for table, found in zip(tables, codes, strict=True):
                values = table.values[name]
                known = ~np.isnan(values)
                code = np.full(values.size, size)
                code[known] = (
                    np.searchsorted(edges[name], values[known], side="right")
                    if name in edges
                    else values[known].astype(np.int64)
                )
                found[name] = code
        return cls(schema, edges, sizes, codes)

    def inside(self, region: Region, table: int) -> np.ndarray:
        """Which rows of a table are in a region; shape (rows,)."""
        found = np.ones(len(next(iter(self.codes[table].values()))), dtype=bool)
        for name, allowed in region.items():
            found &= allowed[self.codes[table][name]]
        return found

    def words(self, region: Region) -> str:
        """The conditions of a region, for a reader."""
        return " and ".join(self._said(name, allowed) for name, allowed in region.items())

    def _said(self, name: str, allowed: np.ndarray) -> str:
        column, at = self.schema.coded[name], np.flatnonzero(allowed[:-1])
        if not at.size:
            return f"{name} missing"
        has_missing = any((each[name] == allowed.size - 1).any() for each in self.codes)
        missing = " or missing" if allowed[-1] and has_missing else ""
        if name not in self.edges:
            return f"{name} {self._categories(column, allowed)}{missing}"
        low, high = int(at[0]), int(at[-1]) + 1
        edges = self.edges[name]
        parts = [f"from {value_of(column, edges[low - 1])}"] if low else []
        parts += [f"under {value_of(column, edges[high - 1])}"] if high < allowed.size - 1 else []
        return f"{name} {' to '.join(parts) or 'known'}{missing}"

    @staticmethod
    def _categories(column: Column, allowed: np.ndarray) -> str:
        names = [value_of(column, float(i)) for i in range(allowed.size - 1)]
        inside = [name for name, is_in in zip(names, allowed, strict=False) if is_in]
        others = [name for name, is_in in zip(names, allowed, strict=False) if not is_in]
        if len(inside) <= max(len(others), 1) or not others:
            return " or ".join(inside) if len(inside) < 4 else f"one of {some(inside, 4)}"
        return f"not {' nor '.join(others)}" if len(others) < 4 else f"none of {some(others, 4)}"


def _edges(values: np.ndarray) -> np.ndarray:
    """Least values of bins with about as many rows each; the first bin needs none."""
    if not values.size:
        return np.empty(0)
    cuts = np.quantile(values, np.arange(1, _BINS) / _BINS, method="inverted_cdf")
    tails = np.quantile(values, (0.02, 0.98), method="inverted_cdf")
    found: np.ndarray = np.setdiff1d(np.r_[cuts, tails], values.min())
    return found


def candidates(binned: Binned, rows: Sequence[np.ndarray]) -> Iterator[Region]:
    """Regions in which two tables differ, by some of their rows: leaves of a tree, and corners.

    rows: of each of the two tables which rows may be looked at.
    """
    yield from _leaves(binned, [*rows], {}, _DEPTH)
    yield from _corners(binned, rows)


def _leaves(binned: Binned, rows: list[np.ndarray], region: Region, depth: int) -> Iterator[Region]:
    """A tree's inner regions and leaves, split where the tables differ most."""
    if region:
        yield region
    split = _best_split(binned, rows, region) if depth else None
    if split is None:
        return
    name, allowed = split
    for side in (allowed, region.get(name, np.ones(allowed.size, dtype=bool)) & ~allowed):
        kept = [r[side[codes[name][r]]] for r, codes in zip(rows, binned.codes, strict=True)]
        yield from _leaves(binned, kept, {**region, name: side}, depth - 1)


def _best_split(
    binned: Binned, rows: Sequence[np.ndarray], region: Region
) -> tuple[str, np.ndarray] | None:
    """The column and bins with the largest likelihood ratio between the tables; None if small."""
    found, best = None, 10.0
    for name, size in binned.sizes.items():
        real, release = (
            np.bincount(codes[name][r], minlength=size).astype(float)
            for r, codes in zip(rows, binned.codes, strict=True)
        )
        order = _order(name in binned.edges, real, release)
        inside = np.cumsum(np.stack([real, release])[:, order], axis=1)[:, :-1]
        gain = _gain(inside, np.array([[real.sum()], [release.sum()]]))
        if gain.size and gain.max() > best:
            best, allowed = float(gain.max()), np.zeros(size, dtype=bool)
            allowed[order[: int(np.argmax(gain)) + 1]] = True
            found = name, allowed & region.get(name, np.ones(size, dtype=bool))
    return found


def _order(ordered: bool, real: np.ndarray, release: np.ndarray) -> np.ndarray:
    """The order in which bins may be cut: values, or categories by their share of real rows."""
    if ordered:
        return np.arange(real.size)
    return np.argsort((real + 1) / (real + release + 2), kind="stable")


def _gain(inside: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Twice the log likelihood ratio of a split; 0 where a side has too few rows."""
    outside = whole - inside
    found = np.zeros(inside.shape[1])
    for side in (inside, outside):
        expected = side.sum(axis=0) * whole / whole.sum()
        found += 2 * np.sum(xlogy(side, side) - xlogy(side, np.maximum(expected, 1e-12)), axis=0)
    enough = (inside.sum(axis=0) >= _LEAST) & (outside.sum(axis=0) >= _LEAST)
    return np.where(enough, found, 0.0)


_CORNERS_KEPT = 6


def _corners(binned: Binned, rows: Sequence[np.ndarray]) -> Iterator[Region]:
    """The corners of pairs of columns in which the tables differ most: a tree may miss where two
    columns differ together and neither does alone.
    """
    scored = []
    for a, b in itertools.combinations(binned.sizes, 2):
        shape = binned.sizes[a], binned.sizes[b]
        real, release = (
            np.bincount(codes[a][r] * shape[1] + codes[b][r], minlength=shape[0] * shape[1])
            .astype(float)
            .reshape(shape)
            for r, codes in zip(rows, binned.codes, strict=True)
        )
        for flips in itertools.product(*(_sides(name in binned.edges) for name in (a, b))):
            score, at = _worst_corner(real, release, flips, (a in binned.edges, b in binned.edges))
            scored.append((score, a, b, flips, at))
    scored.sort(key=lambda each: -each[0])
    for score, a, b, flips, at in scored[:_CORNERS_KEPT]:
        if score > 0:
            masks = (
                _mask(binned.sizes[name], place, flip, name in binned.edges)
                for name, place, flip in zip((a, b), at, flips, strict=True)
            )
            yield dict(zip((a, b), masks, strict=True))


def _sides(ordered: bool) -> tuple[int, ...]:
    """An ordered column may be cut from below and from above; of another each category stands."""
    return (1, -1) if ordered else (1,)


def _mask(size: int, place: int, flip: int, ordered: bool) -> np.ndarray:
    found = np.zeros(size, dtype=bool)
    if not ordered:
        found[place] = True
    elif flip > 0:
        found[: place + 1] = True
    else:
        found[size - 2 - place : size - 1] = True
    return found


def _worst_corner(
    real: np.ndarray, release: np.ndarray, flips: Sequence[int], ordered: Sequence[bool]
) -> tuple[float, tuple[int, int]]:
    """The largest difference of shares, in standard errors, and where."""
    tables = [
        _summed(_summed(t, 0, flips[0], ordered[0]), 1, flips[1], ordered[1])
        for t in (real, release)
    ]
    n, m = max(real.sum(), 1), max(release.sum(), 1)
    p, q = tables[0] / n, tables[1] / m
    pooled = (tables[0] + tables[1]) / (n + m)
    error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / n + 1 / m))
    enough = tables[0] + tables[1] >= _LEAST
    score = np.where(enough, np.abs(p - q) / error, 0.0)
    place = np.unravel_index(int(np.argmax(score)), score.shape)
    return float(score[place]), (int(place[0]), int(place[1]))


def _summed(table: np.ndarray, axis: int, flip: int, ordered: bool) -> np.ndarray:
    """Counts of the first cells, or of the last, along an axis; missing values are left out."""
    if not ordered:
        return table
    values = np.delete(table, -1, axis)
    found: np.ndarray = np.cumsum(np.flip(values, axis) if flip < 0 else values, axis)
    return found
