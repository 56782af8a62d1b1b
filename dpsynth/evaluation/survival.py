"""Times until an event, some of them censored: survival curves, Cox regression, concordance.

Everywhere `time` holds numbers of 0 or more and `event` whether the event came then (else the row
was censored: it is known to have had no event up to that time); both have the shape (rows,).
"""

from __future__ import annotations

import numpy as np

from dpsynth.evaluation.measures import Measured

SURVIVAL = -1
"""In the place of a target's number of classes: it is a time until an event."""

_STEPS, _CLOSE = 50, 1e-12
_BLOCK = 2_000_000
"""Pairs of rows that are compared at once."""


def together(time: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Both in one array: the time, with a minus sign (-0.0 too) where the row was censored."""
    return np.copysign(time, np.where(event, 1.0, -1.0))


def apart(both: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The time and the event of what `together` made."""
    return np.abs(both), ~np.signbit(both)


def curve(
    time: np.ndarray, event: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kaplan and Meier's estimate of the share without an event after each of the times `at`.

    Also its standard error by Greenwood's formula, and how many rows are at risk then: those whose
    time is not before. Kaplan and Meier 1958; Greenwood 1926.
    """
    times, deaths, at_risk = _by_time(time, event)
    factor = 1 - deaths / at_risk
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = deaths / (at_risk * (at_risk - deaths))
    survived = np.r_[1.0, np.cumprod(factor)]
    variance = np.r_[0.0, np.cumsum(np.where(np.isfinite(terms), terms, 0.0))]
    place = np.searchsorted(times, at, side="right")
    left = time.size - np.searchsorted(np.sort(time), at, side="left")
    return survived[place], survived[place] * np.sqrt(variance[place]), left


def _by_time(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The times of events in order, how many events each has, and the rows at risk just before."""
    times, deaths = np.unique(time[event], return_counts=True)
    at_risk = time.size - np.searchsorted(np.sort(time), times, side="left")
    return times, deaths, at_risk


def cumulative_hazard(time: np.ndarray, event: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Nelson and Aalen's estimate at each of the times `at`. Aalen 1978."""
    times, deaths, at_risk = _by_time(time, event)
    total = np.r_[0.0, np.cumsum(deaths / at_risk)]
    return total[np.searchsorted(times, at, side="right")]


def cox(
    time: np.ndarray, event: np.ndarray, x: np.ndarray, ridge: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of a proportional hazards regression, and their covariance.

    Maximises Cox's partial likelihood with Efron's correction for ties, less ridge / 2 times the
    sum of squares, by Newton's method with halved steps. Cox 1972; Efron 1977, section 3.

    x: shape (rows, columns). ValueError where there is no event, or no finite maximum.
    """
    if not event.any():
        raise ValueError("no row has the event")
    order = np.argsort(time, kind="stable")
    risk = _Risk(time[order], event[order], x[order], ridge)
    at = np.zeros(x.shape[1])
    value, slope, curvature = risk.parts(at)
    for _ in range(_STEPS):
        try:
            step = np.linalg.solve(curvature, slope)
        except np.linalg.LinAlgError:
            raise ValueError("its columns determine each other") from None
        gain = float(slope @ step)
        if gain < _CLOSE:
            return at, np.linalg.inv(curvature)
        while (found := risk.parts(at + step))[0] < value and gain > _CLOSE:
            step, gain = step / 2, gain / 2
        at, (value, slope, curvature) = at + step, found
        if not np.isfinite(value) or np.abs(risk.x @ at).max() > 500:
            break
    raise ValueError("its coefficients grow without end: a column tells the event without fail")


class _Risk:
    """Rows in the order of time, and who is at risk at each event.

    Each event has a term: the l-th of d events at one time is drawn from the sum of the risks of
    all who are at risk, less l / d of those who have the event then.
    """

    def __init__(self, time: np.ndarray, event: np.ndarray, x: np.ndarray, ridge: float) -> None:
        self.x, self.ridge = x - x.mean(axis=0), ridge
        self.times, self.deaths = np.unique(time[event], return_counts=True)
        self.first = np.searchsorted(time, self.times, side="left")
        self.dead = np.flatnonzero(event)
        self.group = np.repeat(np.arange(self.times.size), self.deaths)
        ends = np.cumsum(self.deaths)
        self.share = (np.arange(ends[-1]) - (ends - self.deaths)[self.group]) / self.deaths[
            self.group
        ]
        self.passed = np.searchsorted(self.times, time, side="right")

    def parts(self, at: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """The penalised log likelihood, its gradient, and minus its second derivatives."""
        score = self.x @ at
        risk = np.exp(np.minimum(score, 500.0))
        starts = np.r_[0, np.cumsum(self.deaths)[:-1]]
        total = _from_the_end(risk)[self.first]
        dying = np.add.reduceat(risk[self.dead], starts)
        sums = total[self.group] - self.share * dying[self.group]
        weighted = risk[:, None] * self.x
        whole = _from_the_end(weighted)[self.first]
        of_dead = np.add.reduceat(weighted[self.dead], starts)
        means = (whole[self.group] - self.share[:, None] * of_dead[self.group]) / sums[:, None]
        # A row's weight in the sum of all terms' second moments: of the events up to its time.
        per_time = np.bincount(self.group, 1 / sums, minlength=self.times.size)
        spared = np.bincount(self.group, self.share / sums, minlength=self.times.size)
        weight = risk * np.r_[0.0, np.cumsum(per_time)][self.passed]
        weight[self.dead] -= risk[self.dead] * spared[self.group]
        second = (self.x * weight[:, None]).T @ self.x - means.T @ means
        value = float(score[self.dead].sum() - np.log(sums).sum()) - self.ridge / 2 * float(at @ at)
        slope = self.x[self.dead].sum(axis=0) - means.sum(axis=0) - self.ridge * at
        return value, slope, second + self.ridge * np.eye(at.size)


def _from_the_end(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.cumsum(values[::-1], axis=0)[::-1]
    return found


def concordance(both: np.ndarray, score: np.ndarray) -> Measured:
    """Harrell's concordance: of the pairs whose order in time is known, the share told right.

    A pair is known where the earlier row has the event; of rows of one time, where one has the
    event and the other is censored, which had it later. Equal scores count half. It is 1/2 where no
    pair is known. Harrell, Califf, Pryor, Lee and Rosati 1982.

    both: as `together` makes it. score: higher where the event is expected earlier.
    """
    time, event = apart(both)
    return _concordance(time, event, score, event.astype(np.float64))


def uno(both: np.ndarray, score: np.ndarray) -> float:
    """The same with each pair weighted by how likely it is not to be censored, squared: Uno's.

    It does not depend on when rows are censored. Of rows of one time, those with the event come
    first. Uno, Cai, Pencina, D'Agostino and Wei 2011.
    """
    time, event = apart(both)
    order = 2.0 * np.unique(time, return_inverse=True)[1] + ~event
    uncensored, _, _ = curve(order, ~event, order - 1)
    with np.errstate(divide="ignore"):
        weight = np.where(event & (uncensored > 0), uncensored**-2.0, 0.0)
    return _concordance(time, event, score, weight).value


def _concordance(
    time: np.ndarray, event: np.ndarray, score: np.ndarray, weight: np.ndarray
) -> Measured:
    """weight: of the pairs in which a row comes first. A row's influence is that of U-statistics
    (Hoeffding 1948): n (right - value * known) / all known, of its own pairs.
    """
    n = time.size
    right, known = np.zeros(n), np.zeros(n)
    early = np.flatnonzero(weight > 0)
    for rows in np.array_split(early, max(early.size * n // _BLOCK, 1)):
        later = time > time[rows, None]
        later |= (time == time[rows, None]) & ~event
        good = (score < score[rows, None]) + 0.5 * (score == score[rows, None])
        good = np.where(later, good, 0.0) * weight[rows, None]
        right += good.sum(axis=0)
        known += (later * weight[rows, None]).sum(axis=0)
        right[rows] += good.sum(axis=1)
        known[rows] += later.sum(axis=1) * weight[rows]
    if not known.any():
        return Measured(0.5, np.zeros(n), 0)
    value = float(right.sum() / known.sum())
    influence = 2 * n * (right - value * known) / known.sum()
    return Measured(value, influence, int(event.sum()) - 1)
