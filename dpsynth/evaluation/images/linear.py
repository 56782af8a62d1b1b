"""Multinomial logistic regression by L-BFGS: a classifier that needs no further package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

_STEPS = 100
"""Of L-BFGS: few, as a model is trained many times, and one that stops early is a model as well."""


@dataclass(frozen=True, eq=False)
class Linear:
    """Scores of classes, linear in the columns: weights (columns, classes), bias (classes,)."""

    weights: np.ndarray
    bias: np.ndarray

    def scores(self, columns: np.ndarray) -> np.ndarray:
        """Logarithms of probabilities, up to a number for each row: (n, classes)."""
        return np.asarray(columns @ self.weights + self.bias)


def logistic(columns: np.ndarray, targets: np.ndarray, classes: int) -> Linear:
    """Fitted to columns (n, columns) and targets 0 to classes - 1 (n,).

    The mean log loss plus columns / (16 n) times the squares of all weights: a ridge that suits
    columns of a spread of up to 1.
    """
    n, width = columns.shape
    ridge = width / (8 * n)
    wanted = np.eye(classes)[targets]

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = at[:-classes].reshape(width, classes), at[-classes:]
        logs = log_softmax(columns @ weights + bias, axis=1)
        errors = (np.exp(logs) - wanted) / n
        value = -float((wanted * logs).sum()) / n + ridge / 2 * float((weights**2).sum())
        slope = columns.T @ errors + ridge * weights
        return value, np.concatenate([slope.reshape(-1), errors.sum(axis=0)])

    start = np.zeros(width * classes + classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x
    return Linear(found[:-classes].reshape(width, classes), found[-classes:])
