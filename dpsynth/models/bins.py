"""Bins: which cells of a column are told apart when it is measured together with others.

A cell of mass m costs noise in every pair it takes part in and tells how its rows differ from its
neighbours'. With noise `stddev` a cell, partners of about `partner` cells, and rows that differ
from those they would be merged with by a total variation of tau, keeping it apart pays when m * tau
exceeds the noise 0.4 * stddev * partner that it adds (0.4 = half the mean of |N(0, 1)|). Neighbours
on a scale are more alike (tau 1/12) than categories are (tau 1/4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dpsynth.base.domain import Domain

_TAU_ORDERED = 1 / 12
_TAU_NOMINAL = 1 / 4


def choose_bins(
    domain: Domain,
    masses: Mapping[str, np.ndarray],
    stddev: float,
    sharper: Mapping[str, float] = {},
) -> dict[str, np.ndarray]:
    """For each attribute the bin of each cell; a public function of charged answers.

    The partner's number of bins is what this very rule gives on average: a few rounds settle it.

    Parameters
    ----------
    domain : Domain
        Of the cells.
    masses : mapping of str to ndarray
        Estimated counts of each attribute's cells (`histogram.denoise`), in rows.
    stddev : float
        Expected noise on a cell of a pair, in rows.
    sharper : mapping of str to float
        Of attributes of which something is known with less noise than that, how much.

    Returns
    -------
    dict of str to ndarray
        Shape (cells,), bins numbered from 0 without gaps.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import Domain
    >>> domain = Domain.of({"job": 4, "sex": 2})
    >>> masses = {"job": np.array([900.0, 80.0, 2.0, 1.0]), "sex": np.array([500.0, 485.0])}
    >>> choose_bins(domain, masses, stddev=5.0)["job"]
    array([0, 1, 0, 0])
    """
    partner = float(np.mean([min(16, n) for _, n in domain.sizes]))
    for _ in range(4):
        noise = {
            a: 0.4 * min(stddev, sharper.get(a, math.inf)) * partner for a in domain.attributes
        }
        bins = {a: _bins(masses[a], domain.width(a), noise[a]) for a in domain.attributes}
        partner = float(np.mean([b.max() + 1 for b in bins.values()]))
    return bins


def _bins(mass: np.ndarray, widths: tuple[float, ...] | None, noise: float) -> np.ndarray:
    ordered = len(widths) if widths else 0
    bins = np.empty(mass.size, dtype=np.int64)
    if ordered:
        bins[:ordered] = _merge_in_order(mass[:ordered], noise / _TAU_ORDERED)
    by_mass = ordered + np.argsort(-mass[ordered:], kind="stable")
    first = int(bins[:ordered].max()) + 1 if ordered else 0
    small = mass[by_mass] < noise / _TAU_NOMINAL
    bins[by_mass] = first + np.arange(by_mass.size)
    if small.any():
        bins[by_mass[small]] = (
            first
            + _merge_in_order(mass[by_mass[small]], noise / _TAU_NOMINAL)
            + int((~small).sum())
        )
    return _absorb(bins, mass, noise)


def _merge_in_order(mass: np.ndarray, enough: float) -> np.ndarray:
    """Runs of neighbours, each with `enough` mass; what is left at the end joins the last run."""
    bins = np.empty(mass.size, dtype=np.int64)
    current = 0
    held = 0.0
    for i, m in enumerate(mass):
        if held > 0 and m >= enough:  # a spike stands alone
            current = current + 1
            held = 0.0
        bins[i] = current
        held += m
        if held >= enough and i + 1 < mass.size:
            current = current + 1
            held = 0.0
    if held < enough and current > 0:
        bins[bins == current] = current - 1
    return bins


def _absorb(bins: np.ndarray, mass: np.ndarray, noise: float) -> np.ndarray:
    """Bins with less mass than the noise join another one, where they change least: one of much
    mass for its cells, as noise on many may make a tail look heavy.
    """
    held = np.bincount(bins, mass)
    most = int(np.argmax(held / np.sqrt(np.bincount(bins))))
    joined = np.where(held < noise, most, np.arange(held.size))
    return np.unique(joined[bins], return_inverse=True)[1]
