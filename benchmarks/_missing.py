"""Do missing values come back: how many in each column, and which columns lack theirs together?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import dpsynth
from dpsynth.evaluation.reading import as_numbers, missing_and_outside

SIGMAS = 3.0
"""A rate that is off by no more standard deviations, of the charge and of the drawing, is within its noise."""


def missing(
    real: pd.DataFrame,
    release: pd.DataFrame,
    schema: dpsynth.Schema,
    counted: dict[str, Any],
    counted_of: float,
) -> dict[str, Any]:
    """Rates by column, and distances of what is missing together.

    Missing is what a fit counts so: no value, the marker, and what is no declared category where there is no other.
    counted: for each column the noisy count of its missing values, of the certificate; counted_of: of how many rows.
    "pattern": total variation distance of the set of columns that a row lacks; "bootstrap" that of the real rows drawn
    anew, and "independent" that of rows in which each column lacks its values at its real rate, whatever the others
    do. "pairs": mean difference of the share of rows that lack both of two columns.
    """
    names = [*schema.coded]
    was, came = (np.column_stack([lacks(rows[c], schema.columns[c]) for c in names]) for rows in (real, release))
    rates = {c: (float(was[:, i].mean()), float(came[:, i].mean())) for i, c in enumerate(names)}
    some = was.any(axis=0) | came.any(axis=0)
    rng = np.random.default_rng(0)
    apart = rng.random(was.shape) < was.mean(axis=0)
    drawn = was[rng.integers(0, len(was), len(was))]
    off = {c: off_by(*rates[c], len(real), counted[c]["stddev"] / counted_of) for c in names if c in counted}
    return {
        "columns": {c: rates[c] for i, c in enumerate(names) if some[i]},
        "columns with real ones": int(was.any(axis=0).sum()),
        "counted": len(off),
        "within noise": sum(abs(each) <= SIGMAS for each in off.values()),
        "furthest": max(off, key=lambda c: abs(off[c]), default=None),
        "furthest, sd": max(map(abs, off.values()), default=0.0),
        "largest difference": max((abs(a - b) for a, b in rates.values()), default=0.0),
        "pattern": {
            "synthetic": patterns(was, came),
            "bootstrap": patterns(was, drawn),
            "independent": patterns(was, apart),
        },
        "pairs": {
            "synthetic": together(was, came),
            "bootstrap": together(was, drawn),
            "independent": together(was, apart),
        },
    }


def lacks(values: pd.Series, column: Any) -> np.ndarray:
    if getattr(column, "other", None) is not None:
        return missing_and_outside(values, column, None)[0]
    return np.isnan(as_numbers(values, column))


def off_by(real: float, synthetic: float, rows: int, noise: float) -> float:
    """The difference of two rates, in standard deviations of the charge's noise and of drawing as many rows."""
    drawing = np.sqrt(max(real * (1 - real), 1 / rows) / rows)
    return float((synthetic - real) / np.hypot(noise, drawing))


def patterns(one: np.ndarray, other: np.ndarray) -> float:
    """Total variation distance of the rows' patterns."""
    shares = [pd.Series([*map(bytes, np.packbits(each, axis=1))]).value_counts(normalize=True) for each in (one, other)]
    return float(shares[0].sub(shares[1], fill_value=0).abs().sum() / 2)


def together(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of the share of rows that lack both, over all pairs of columns of which some value is missing."""
    some = one.any(axis=0) | other.any(axis=0)
    if some.sum() < 2:
        return 0.0
    both = [
        (each[:, some].astype(np.float32).T @ each[:, some].astype(np.float32)) / len(each) for each in (one, other)
    ]
    return float(np.abs(both[0] - both[1])[np.triu_indices(int(some.sum()), 1)].mean())
