"""From a noisy one-way measurement to the distribution inside the column: public mathematics on a
charged answer.

A column on a fine public grid has many cells, most of them below the noise. Keeping every noisy
cell turns noise into spikes; cutting small cells off loses the rare values' mass. So a cell is
pulled towards what its column suggests (its neighbours' plateau on a scale, zero among categories),
as far as the column's own departures from that make likely: a spike that stands out of the noise
stays, and a rare value keeps a small positive count.
"""

from __future__ import annotations

import math

import numpy as np

_MAX_ORDERED = 1024
_MAX_SUPPORT = 512
_EM_STEPS = 60
_PRIOR_CELLS = 1.0
_LACKING = 1.7
_SURELY_LACKING = 4.0
"""Standard deviations by which visible cells must lack rows before rows are looked for beyond, and
from which on it is beyond doubt that there are some.
"""


def denoise(
    values: np.ndarray, stddev: float, widths: tuple[float, ...] | None, total: float
) -> np.ndarray:
    """Estimated counts of a column's cells.

    Parameters
    ----------
    values : ndarray
        Noisy counts, shape (cells,).
    stddev : float
        Of their noise, in rows.
    widths : tuple of float or None
        Of the leading, ordered cells; None where no cell has an order.
    total : float
        What the counts are to sum to, in rows.

    Returns
    -------
    ndarray
        Shape (cells,), non-negative, summing to `total`.

    Examples
    --------
    >>> import numpy as np
    >>> noisy = np.array([103.0, 2.0, -3.0, 1.0, -2.0, 48.0])
    >>> counts = denoise(noisy, stddev=3.0, widths=None, total=150.0)
    >>> bool((counts >= 0).all()), round(float(counts.sum()), 6)
    (True, 150.0)
    """
    y = np.asarray(values, dtype=np.float64)
    ordered = len(widths) if widths else 0
    centre = np.zeros_like(y)
    parts = [_shrink(y[ordered:], stddev, signed=False)]
    if widths:
        centre[:ordered] = _plateaus(y[:ordered], np.asarray(widths), stddev)
        parts.insert(0, _shrink(y[:ordered] - centre[:ordered], stddev, signed=True))
    mean = np.maximum(centre + np.concatenate([m for m, _ in parts]), 0.0)
    variance = np.concatenate([v for _, v in parts]) + 1e-9 * stddev**2
    scaled = total - float(y[ordered:].sum())
    held = _with_tails(y[:ordered], stddev, np.asarray(widths or ()), scaled)
    for beyond in (slice(0, held.start), slice(held.stop, ordered)):
        mean[beyond] = variance[beyond] = 0.0
    if ordered:  # together they are off as their counts are, however sure the shape makes each
        variance[:ordered] *= (held.stop - held.start) * stddev**2 / variance[:ordered].sum()
    return _to_total(mean, variance, total)


def _visible(y: np.ndarray, stddev: float, widths: np.ndarray) -> tuple[int, int]:
    """From where to where an ordered column is seen to hold rows, half-open; all of it where none.

    A run of cells stands out when its sum exceeds what noise alone gives any run of that length in
    one column in twenty (a union bound over where runs begin). The run that stands out most is
    seen. Others must stand out more the further they lie from what is seen: at a distance of d
    times its length, what noise does in one column in 20 (1 + d). So what a false alarm moves the
    mean by does not grow with the bounds.
    """
    sums, ends = (np.concatenate([[0.0], np.cumsum(x)]) for x in (y, widths))
    runs = []
    length = 1
    while length <= y.size:
        runs.append((sums[length:] - sums[:-length]) / (stddev * math.sqrt(length)))
        length *= 2
    most = int(np.argmax([run.max() for run in runs]))
    first = int(np.argmax(runs[most]))
    last = first + 2**most
    if runs[most][first] <= standing_out(1.0, y.size):
        return 0, y.size
    seen = (y.size, 0)
    while seen != (first, last):
        seen = (first, last)
        for doublings, run in enumerate(runs):
            ends_of_runs = ends[2**doublings :]
            away = np.maximum(ends[seen[0]] - ends_of_runs, ends[: run.size] - ends[seen[1]])
            chance = 1 + np.maximum(away, 0.0) / (ends[seen[1]] - ends[seen[0]])
            (out,) = np.nonzero(run > np.sqrt(2 * np.log(20 * y.size * chance)))
            if out.size:
                first = min(first, int(out[0]) + 2**doublings - 1)
                last = max(last, int(out[-1]) + 1)
    return seen


def standing_out(stddev: float, cells: int) -> float:
    """How many rows a single cell, near to what is seen, must have to be seen.

    Parameters
    ----------
    stddev : float
        Of the noise on its count.
    cells : int
        How many the column has.

    Returns
    -------
    float
        In rows: noise alone comes to it in one column in twenty.
    """
    return stddev * math.sqrt(2 * math.log(20 * cells))


def _with_tails(y: np.ndarray, stddev: float, widths: np.ndarray, rows: float) -> slice:
    """The visible cells of an ordered column, and what may be their tails on either side.

    These grow, each time by a quarter of their length on either side, while they lack more of the
    column's rows than their noise explains: then rows lie beyond although no run stands out, as
    amounts do that most people do not have. The further from where that was beyond doubt, the more
    must be lacking, as with runs. Where nothing lies beyond, a step is taken for one column in
    twenty.
    """
    if y.size == 0:
        return slice(0, 0)
    first, last = _visible(y, stddev, widths)
    length = float(widths[first:last].sum())
    first -= _tail(y[:first][::-1], stddev, widths[:first][::-1], length)
    last += _tail(y[last:], stddev, widths[last:], length)
    sure = length = float(widths[first:last].sum())
    while (first, last) != (0, y.size):
        lacking = (rows - float(y[first:last].sum())) / (stddev * math.sqrt(1 + last - first))
        if lacking > _SURELY_LACKING:
            sure = length
        elif lacking <= math.sqrt(_LACKING**2 + 2 * math.log(length / sure)):
            break
        first -= min(first, 1 + _within(widths[:first][::-1], length / 4))
        last += min(y.size - last, 1 + _within(widths[last:], length / 4))
        length = float(widths[first:last].sum())
    return slice(first, last)


def _within(widths: np.ndarray, reach: float) -> int:
    """How many of these cells, the nearest first, lie within reach as a whole."""
    return int(np.searchsorted(np.cumsum(widths), reach, side="right"))


def _tail(y: np.ndarray, stddev: float, widths: np.ndarray, length: float) -> int:
    """How many cells the tail has, of those beyond visible ones of this length, the nearest first.

    What noise leaves in an empty cell far out is drawn evenly from it: of amounts below 500 under
    bounds of 0 and a million, a hundredth of the rows out there makes the mean forty times too
    large. So the tail goes as far as the visible cells are long, and on, each time to twice as
    far, while the cells that this adds hold more rows than their noise has as standard deviation.
    Noise alone goes on once in six times: what it puts ever further out falls off faster than the
    distance grows.
    """
    sums = np.concatenate([[0.0], np.cumsum(y)])
    reach = length
    cells = _within(widths, reach)
    while cells < y.size:
        reach = 2 * reach
        more = _within(widths, reach)
        if more > cells and sums[more] - sums[cells] <= stddev * math.sqrt(more - cells):
            break
        cells = more
    return cells


def shrunk(y: np.ndarray, stddev: float) -> np.ndarray:
    """Counts of cells without an order, as far as they stand out of their noise; not below zero.

    Examples
    --------
    >>> bool(abs(shrunk(np.array([900.0]), 10.0)[0] - 900) < 1)
    True
    """
    return np.maximum(_shrink(y, stddev, signed=False)[0], 0.0)


def _shrink(y: np.ndarray, stddev: float, *, signed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and variance of theta given y = theta + N(0, stddev^2), under the prior that
    the cells suggest.

    Empirical Bayes by the nonparametric maximum-likelihood prior (Kiefer and Wolfowitz 1956; Jiang
    and Zhang, Annals of Statistics 37, 2009), by expectation-maximisation on a fixed support,
    smoothed by one cell spread over it. Many cells are first grouped by value, and the posterior is
    interpolated between the groups. A count that the prior pins down because no other is like it is
    still uncertain by stddev, or by itself where it is smaller.
    """
    if y.size == 0:
        return y, y
    x, weight = _grouped(y, stddev / 4)
    grid = np.arange(-8, 8.5, 0.5) * stddev if signed else np.arange(0, 8, 0.25) * stddev
    support = np.unique(np.concatenate([grid, x if signed else np.maximum(x, 0.0)]))
    exponent = -0.5 * ((x[:, None] - support) / stddev) ** 2
    likelihood = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    # the prior, times cells and _PRIOR_CELLS
    counts = np.full(support.size, (y.size + _PRIOR_CELLS) / support.size)
    for _ in range(_EM_STEPS):
        prior = counts
        mass = likelihood @ counts
        counts = prior * ((weight / mass) @ likelihood) + _PRIOR_CELLS / support.size
    posterior = likelihood * prior / mass[:, None]
    mean = posterior @ support
    variance = np.maximum(posterior @ support**2 - mean**2, 0.0)
    if not signed:
        variance = variance + stddev * np.minimum(mean, stddev)
    return np.interp(y, x, mean), np.interp(y, x, variance)


def _grouped(y: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Values of y, ascending, and how many cells have each; values less than `width` apart share
    one when many.
    """
    if y.size <= _MAX_SUPPORT:
        return np.sort(y), np.ones(y.size)
    values, counts = np.unique(np.rint(y / width), return_counts=True)
    starts = np.unique(
        np.linspace(0, values.size, min(values.size, _MAX_SUPPORT), endpoint=False).astype(np.intp)
    )
    weight = np.add.reduceat(counts, starts).astype(np.float64)
    return np.add.reduceat(values * counts, starts) / weight * width, weight


def _to_total(mean: np.ndarray, variance: np.ndarray, total: float) -> np.ndarray:
    """The most likely non-negative cells that sum to `total`: uncertain cells give way, certain
    ones hardly move.
    """
    out = mean
    room = variance
    for _ in range(30):
        out = np.maximum(out + room * (total - out.sum()) / room.sum(), 0.0)
        if math.isclose(out.sum(), total, rel_tol=1e-9):
            break
        room = np.where(out > 0, variance, 0.0)
    return np.asarray(out * (total / out.sum()))


def _plateaus(y: np.ndarray, widths: np.ndarray, stddev: float) -> np.ndarray:
    """The piecewise constant density that minimises  residual / stddev^2 + log(cells) * pieces.

    Optimal partitioning (Jackson et al., IEEE Signal Processing Letters 12, 2005) with the price of
    the Bayesian information criterion: exact, in O(cells^2).
    """
    if y.size > _MAX_ORDERED:
        return _coarse_plateaus(y, widths, stddev)
    wy = np.concatenate([[0.0], np.cumsum(widths * y)])
    ww = np.concatenate([[0.0], np.cumsum(widths**2)])
    price = math.log(max(y.size, 2)) * stddev**2
    best = np.zeros(y.size + 1)
    start = np.zeros(y.size + 1, dtype=np.intp)
    for end in range(1, y.size + 1):
        fit = np.maximum(wy[end] - wy[:end], 0.0) ** 2 / (ww[end] - ww[:end])
        cost = best[:end] - fit + price
        start[end] = int(np.argmin(cost))
        best[end] = cost[start[end]]
    out = np.empty_like(y)
    end = y.size
    while end:
        begin = int(start[end])
        out[begin:end] = max(0.0, wy[end] - wy[begin]) / (ww[end] - ww[begin]) * widths[begin:end]
        end = begin
    return out


def _coarse_plateaus(y: np.ndarray, widths: np.ndarray, stddev: float) -> np.ndarray:
    """The same after merging runs of neighbours, so that time and memory stay bounded."""
    run = np.arange(y.size) * _MAX_ORDERED // y.size
    run_widths = np.bincount(run, widths)
    merged = _plateaus(np.bincount(run, y), run_widths, stddev * math.sqrt(y.size / _MAX_ORDERED))
    return np.asarray((merged / run_widths)[run] * widths)
