"""Estimates of one table by the analyses that were asked for, with standard errors.

For evidence only, never for a fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from dpsynth.evaluation.asked import Analysis
from dpsynth.evaluation.numbers import Numbers, value_of
from dpsynth.evaluation.regressions import (
    Fitted,
    baselines,
    linear,
    logistic,
    predictors_of,
    refuse_dependent,
    refuse_endless,
)
from dpsynth.evaluation.survival import cox, curve
from dpsynth.schema.table import Schema

LEAST_ROWS = 10
"""Rows of a group, of which there is no estimate with fewer."""
_CURVE = (0.25, 0.5, 0.75)
"""A survival curve is compared at these quantiles of the real times of events."""

Estimates = Mapping[str, tuple[float, float]]
"""For each term an estimate and its standard error."""


def complete_rows(one: Analysis, table: Numbers) -> np.ndarray:
    """Which rows have all values that an analysis needs; shape (rows,)."""
    names = [one.outcome, *one.predictors, one.time, one.event, one.column, *one.columns, one.by]
    found = np.ones(table.rows, dtype=bool)
    for name in filter(None, names):
        found &= np.isfinite(table.values[name])
    if one.time:
        with np.errstate(invalid="ignore"):
            found &= table.values[one.time] >= 0
    return found


@dataclass(frozen=True)
class Shared:
    """What the real rows decide for all tables: baselines of categories, times of a curve."""

    schema: Schema
    base: Mapping[str, float]
    times: np.ndarray

    @classmethod
    def of(cls, one: Analysis, real: Numbers, complete: np.ndarray, schema: Schema) -> Shared:
        times = np.empty(0)
        if one.kind == "survival":
            ended = real.values[one.time][complete & (real.values[one.event] == 1)]
            if ended.size:
                times = np.unique(np.quantile(ended, _CURVE, method="inverted_cdf"))
        return cls(schema, baselines(real, schema, one.predictors), times)


def _regression(one: Analysis, table: Numbers, shared: Shared) -> Estimates:
    every = np.ones(table.rows, dtype=bool)
    terms = predictors_of(table, shared.schema, one.predictors, shared.base, every)
    if not terms:
        raise ValueError("no predictor varies")
    columns = np.stack([*terms.values()], axis=1)
    spread = columns.std(axis=0)
    scaled = (columns - columns.mean(axis=0)) / spread
    refuse_dependent(np.c_[np.ones(table.rows), scaled])
    at, covariance = _fitted(one, table, scaled)
    errors = np.sqrt(np.diag(covariance))
    return {
        term: (float(at[i] / spread[i]), float(errors[i] / spread[i]))
        for i, term in enumerate(terms)
    }


def _fitted(one: Analysis, table: Numbers, x: np.ndarray) -> Fitted:
    if one.kind == "cox":
        at, covariance = cox(table.values[one.time], table.values[one.event] == 1, x)
        refuse_endless(covariance, x)
        return at, covariance
    fit = linear if one.kind == "linear" else logistic
    at, covariance = fit(table.values[one.outcome], np.c_[x, np.ones(len(x))])
    return at[:-1], covariance[:-1, :-1]


def _groups(one: Analysis, table: Numbers, shared: Shared) -> Iterator[tuple[str, np.ndarray]]:
    """The groups of a column with enough rows, or all rows, each with its positions."""
    if not one.by:
        yield "all rows", np.arange(table.rows)
        return
    column = shared.schema.coded[one.by]
    for value in np.unique(table.values[one.by]):
        inside = np.flatnonzero(table.values[one.by] == value)
        if inside.size >= LEAST_ROWS:
            yield f"{one.by} {value_of(column, value)}", inside


def _means(one: Analysis, table: Numbers, shared: Shared) -> Estimates:
    found = {}
    for term, inside in _groups(one, table, shared):
        values = table.values[one.column][inside]
        if values.size > 1:
            found[term] = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(values.size)
    return found


def _quantiles(one: Analysis, table: Numbers, shared: Shared) -> Estimates:
    """With an error from the binomial interval of ranks, 95 % (Conover 1999, section 3.2)."""
    found = {}
    for term, inside in _groups(one, table, shared):
        values = table.values[one.column][inside]
        n = values.size
        if n < LEAST_ROWS:
            continue
        reach = 1.96 * math.sqrt(one.at * (1 - one.at) / n)
        low, high = np.quantile(values, [max(one.at - reach, 0.0), min(one.at + reach, 1.0)])
        value = float(np.quantile(values, one.at, method="inverted_cdf"))
        found[term] = value, float(high - low) / (2 * 1.96)
    return found


def _table(one: Analysis, table: Numbers, shared: Shared) -> Estimates:
    """The share of each cell; its error is never 0, by one more row of each kind."""
    cells, counts = np.unique(
        np.stack([table.values[name] for name in one.columns], axis=1), axis=0, return_counts=True
    )
    found = {}
    for cell, count in zip(cells, counts, strict=True):
        named = zip(one.columns, cell, strict=True)
        term = ", ".join(f"{n} {value_of(shared.schema.coded[n], v)}" for n, v in named)
        share = (count + 1) / (table.rows + 2)
        found[term] = count / table.rows, math.sqrt(share * (1 - share) / table.rows)
    return found


def _correlation(one: Analysis, table: Numbers, shared: Shared) -> Estimates:
    """Pearson's, with the error (1 - r^2) / sqrt(n - 3)."""
    x, y = (table.values[name] for name in one.columns)
    if table.rows < LEAST_ROWS or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise ValueError("it has too few complete rows, or a column is constant")
    r = float(np.corrcoef(x, y)[0, 1])
    return {" with ".join(one.columns): (r, (1 - r * r) / math.sqrt(table.rows - 3))}


def _survival(one: Analysis, table: Numbers, shared: Shared) -> Estimates:
    found = {}
    for term, inside in _groups(one, table, shared):
        event = table.values[one.event][inside] == 1
        survived, errors, left = curve(table.values[one.time][inside], event, shared.times)
        for i, time in enumerate(shared.times):
            if left[i] >= LEAST_ROWS:
                at = value_of(shared.schema.coded[one.time], float(time))
                found[f"{term}, after {at}"] = float(survived[i]), float(errors[i])
    if not found:
        raise ValueError("it has too few rows with the event")
    return found


MADE: Mapping[str, Callable[[Analysis, Numbers, Shared], Estimates]] = {
    "linear": _regression,
    "logistic": _regression,
    "cox": _regression,
    "mean": _means,
    "quantile": _quantiles,
    "table": _table,
    "correlation": _correlation,
    "survival": _survival,
}
"""How each kind is estimated; ValueError, with the reason, where it cannot be."""
