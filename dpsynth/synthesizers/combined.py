"""Combining: the estimates of several imputations as one, with the error that it has.

Let Q be what an analysis finds in the population, q in the n private rows, and v its sampling
variance: q - Q has variance v. Each imputation is n' rows from a model that lies about the fitted
one as the fitted one about the private rows, W being the variance of that noise. Of m estimates q_i
with mean q. and variance b among them, and of the mean u of their own variances:

    b estimates W + u,  u estimates v n / n',  and q. - q has the variance W + b / m.

The last is (1 + 1 / m) b - u, the rule of Raghunathan, Reiter and Rubin (2003) for synthetic draws
of a population, which here is the private table. The draw of that table adds v = u n' / n:

    T = (1 + 1 / m) b + (n' / n - 1) u,

so that tables with as many rows as the private one need no variances. Where T is not positive, as
it may be for n' < n, it is u n' / n (Reiter 2002). Only b is uncertain, with m - 1 degrees of
freedom; those of T follow by matching two moments (Satterthwaite).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from dpsynth.base.text import exact, short


@dataclass(frozen=True, eq=False)
class Combined:
    """What several imputations say together.

    Parameters
    ----------
    terms : tuple of str
        What each number is called: the coefficients of a regression, say.
    estimates : ndarray
        Shape (terms,): the means.
    std_errors : ndarray
        Shape (terms,): for the noise, the draw of the rows and the number of imputations.
    degrees_of_freedom : ndarray
        Shape (terms,): of the t distribution.
    basis : {"measured", "model"}
        "measured": noisy counts cover the columns, and intervals held in simulations.
        "model": they do not. There are no intervals, because nothing says how far the model is off.
    level : float
        How often an interval holds the truth about the population.
    imputations : int
        How many.
    notes : tuple of str
        What was assumed, or why there is no interval, a sentence each.

    Examples
    --------
    >>> one = np.array([1.0])
    >>> found = Combined(("age",), 0.2 * one, 0.1 * one, 19 * one, "measured", 0.9, 20)
    >>> found.to_frame().round(3)
      term  estimate  std_error    df    low   high     basis
    0  age       0.2        0.1  19.0  0.027  0.373  measured
    """

    terms: tuple[str, ...]
    estimates: np.ndarray
    std_errors: np.ndarray
    degrees_of_freedom: np.ndarray
    basis: Literal["measured", "model"]
    level: float
    imputations: int
    notes: tuple[str, ...] = ()

    @property
    def intervals(self) -> np.ndarray:
        """For the population, shape (terms, 2); NaN where the basis is the model."""
        reach = stdtrit(self.degrees_of_freedom, (1 + self.level) / 2) * self.std_errors
        ends = np.column_stack([self.estimates - reach, self.estimates + reach])
        return ends if self.basis == "measured" else np.full(ends.shape, np.nan)

    def to_frame(self) -> pd.DataFrame:
        """A row for each term: its estimate, standard error, degrees of freedom, the ends of its
        interval, and the basis.
        """
        low, high = self.intervals.T
        numbers = {"estimate": self.estimates, "std_error": self.std_errors}
        numbers |= {"df": self.degrees_of_freedom, "low": low, "high": high}
        return pd.DataFrame({"term": self.terms, **numbers, "basis": self.basis})

    def summary(self) -> str:
        """A few lines for a terminal."""
        lines = [f"{self.imputations} imputations; basis: {self.basis}"]
        for term, value, error, (low, high) in zip(
            self.terms, self.estimates, self.std_errors, self.intervals, strict=True
        ):
            said = f"{term}: {short(value, 5)}"
            if self.basis == "measured":
                said += f" (standard error {short(error, 3)}); in the population"
                said += f" {short(low, 5)} to {short(high, 5)} ({exact(100 * self.level)}%)"
            lines.append(said)
        return "\n".join([*lines, *self.notes])

    def __repr__(self) -> str:
        return f"Combined\n{self.summary()}"


def combined_numbers(
    estimates: np.ndarray, variances: np.ndarray | None, sampling: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, standard errors and degrees of freedom; shapes (terms,).

    estimates, variances: shape (imputations, terms). sampling: the variance that the draw of the
    rows adds, in the analyst's variances: n' / n for rows that are independent draws.
    """
    m = len(estimates)
    between = (1 + 1 / m) * estimates.var(axis=0, ddof=1)
    own = np.zeros(between.shape) if variances is None else variances.mean(axis=0)
    whole = between + (sampling - 1) * own
    positive = whole > 0
    whole = np.where(positive, whole, sampling * own)
    ratio = np.divide(whole, between, out=np.ones(whole.shape), where=positive & (between > 0))
    return estimates.mean(axis=0), np.sqrt(whole), (m - 1) * ratio**2


def as_table(given: Sequence[Any], m: int, what: str) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Numbers of each imputation as rows, shape (m, terms), and what the terms are called, where
    they have names; ValueError for what is none.
    """
    if isinstance(given, str) or not hasattr(given, "__len__") or len(given) != m:
        raise ValueError(f"{what} must be a list with those of each of the {m} imputations")
    names = {tuple(map(str, each.index)) if isinstance(each, pd.Series) else None for each in given}
    try:
        rows = [np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in given]
    except (TypeError, ValueError):
        raise ValueError(f"{what} must be numbers, or arrays of numbers") from None
    if len({row.shape for row in rows}) != 1 or rows[0].ndim != 1 or len(names) != 1:
        raise ValueError(
            f"{what} must be of the same terms in each imputation: give each category a term even"
            " where a table has none of it"
        )
    table = np.array(rows)
    if not np.isfinite(table).all() or (what == "variances" and (table < 0).any()):
        kind = "0 or more" if what == "variances" else "finite"
        raise ValueError(f"{what} must be {kind}: leave out terms that a table cannot tell")
    return table, names.pop()
