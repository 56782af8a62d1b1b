"""Linear and logistic regression by exact methods, and the columns that predictors become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from scipy.special import expit

from dpsynth.evaluation.numbers import Numbers, value_of
from dpsynth.schema.columns import Boolean, Categorical, Column, Datetime
from dpsynth.schema.table import Schema

_STEPS, _CLOSE = 50, 1e-12
_ENDLESS = 50.0
"""A standard error so large, per standard deviation of a predictor: no finite maximum."""
_DAY = 86_400.0

Fitted = tuple[np.ndarray, np.ndarray]
"""Coefficients, and their covariance."""


def linear(y: np.ndarray, x: np.ndarray) -> Fitted:
    """Ordinary least squares, with the usual covariance s^2 (X'X)^-1. x has its constant column."""
    inverse = np.linalg.inv(x.T @ x)
    at = inverse @ (x.T @ y)
    left = len(y) - x.shape[1]
    return at, inverse * (float(np.sum((y - x @ at) ** 2)) / left)


def logistic(y: np.ndarray, x: np.ndarray) -> Fitted:
    """Maximum likelihood by Newton's method, with the inverse of the information. y: 0 or 1.

    ValueError where there is no finite maximum.
    """
    if np.ptp(y) == 0:
        raise ValueError("the outcome has one value only")
    at = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        share = expit(x @ at)
        information = (x.T * (share * (1 - share))) @ x
        slope = x.T @ (y - share)
        step = np.linalg.solve(information, slope)
        if float(slope @ step) < _CLOSE:
            covariance = np.linalg.inv(information)
            refuse_endless(covariance, x)
            return at, covariance
        # In the worst of steps no score moves by more than 5, so that none leaves the range.
        at = at + step * min(1.0, 5.0 / float(np.abs(x @ step).max()))
    raise ValueError(ENDLESS)


ENDLESS = "its coefficients grow without end: a predictor tells the outcome without fail"


def refuse_endless(covariance: np.ndarray, x: np.ndarray) -> None:
    """ValueError where the maximum is not finite: standard errors are out of all proportion."""
    spread = np.maximum(x.std(axis=0), 1e-12)
    if np.max(np.sqrt(np.diag(covariance)) * spread) > _ENDLESS:
        raise ValueError(ENDLESS)


def refuse_dependent(x: np.ndarray) -> None:
    """ValueError where there are too few rows, or columns that determine each other."""
    if len(x) <= x.shape[1] + 1:
        raise ValueError("it has too few complete rows")
    spread = np.abs(x).max(axis=0)
    if np.linalg.matrix_rank(x / np.where(spread > 0, spread, 1.0)) < x.shape[1]:
        raise ValueError("its predictors determine each other")


def baselines(real: Numbers, schema: Schema, predictors: tuple[str, ...]) -> dict[str, float]:
    """For each predictor of categories the most frequent one: the others are compared with it."""
    found = {}
    for name in predictors:
        if isinstance(schema.coded[name], Categorical):
            values, counts = np.unique(real.present(name), return_counts=True)
            found[name] = float(values[np.argmax(counts)]) if values.size else 0.0
    return found


def predictors_of(
    table: Numbers,
    schema: Schema,
    predictors: tuple[str, ...],
    base: Mapping[str, float],
    complete: np.ndarray,
) -> dict[str, np.ndarray]:
    """The columns of a regression by their terms: numbers, days, and indicators of categories.

    Only complete rows; of the categories only those that they have, and not the baseline.
    """
    found: dict[str, np.ndarray] = {}
    for name in predictors:
        values, column = table.values[name][complete], schema.coded[name]
        found.update(_terms(name, column, values, base.get(name)))
    return {term: x for term, x in found.items() if x.size and np.ptp(x) > 0}


def _terms(
    name: str, column: Column, values: np.ndarray, base: float | None
) -> Iterator[tuple[str, np.ndarray]]:
    if base is not None:
        for value in np.unique(values):
            if value != base:
                term = f"{name}: {value_of(column, value)}, not {value_of(column, base)}"
                yield term, (values == value).astype(np.float64)
    elif isinstance(column, Boolean):
        yield f"{name}: {value_of(column, 1.0)}", values
    elif isinstance(column, Datetime):
        yield f"{name}, a day", values / _DAY
    else:
        yield name, values
