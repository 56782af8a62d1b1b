"""What teachers are asked, and what a student makes of their noised votes. No PyTorch: arrays only.

A question is a row. A teacher says yes when its own rows agree with it in *two columns at once*
more often than independent columns would: with e_a = [r_a = x_a] - p_a(x_a) for a row r, a question
x and the measured shares p_a, when the sum over its rows r and all pairs a < b of e_a e_b is above
zero. The mean of that sum over all rows is what is to be learned, the sum over pairs of D_ab(x_a,
x_b) = P_ab(x_a, x_b) - p_a(x_a) p_b(x_b).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import ndtri

from dpsynth.training.teachers import Teacher

_GRAIN = 2**10
"""Shares are whole numbers of 1/1024: all sums are exact, so that votes do not depend on the order
of summation.
"""

_PIECE = 4096
_MIN_SHARE = 0.02
_PRIOR = 0.05**2
_SWEEPS = 3
_PROBES = 64


@dataclass(frozen=True, eq=False)
class Questions:
    """asked: rows of codes, shape (questions, columns). shares: for each column the measured share
    of each value.
    """

    asked: np.ndarray
    shares: Sequence[np.ndarray]

    def teacher(self) -> Teacher:
        """A teacher's rows, shape (rows, columns), to its answers, shape (questions,)."""
        errors = self._errors()
        return lambda rows: np.asarray(_agreement(errors, self._indicators(rows)).sum(axis=1) > 0)

    def expected(self, rows: np.ndarray, size: float, rng: np.random.Generator) -> Expected:
        """What teachers with about `size` of these public rows each would answer; shapes
        (questions,).
        """
        errors = self._errors()
        pieces = [
            _agreement(errors, self._indicators(rows[start : start + _PIECE]))
            for start in range(0, len(rows), _PIECE)
        ]
        scores = np.concatenate(pieces, axis=1)
        teachers = max(1, round(len(rows) / size))
        holds = sparse.csr_array(
            (np.ones(len(rows)), (np.arange(len(rows)), rng.integers(0, teachers, len(rows))))
        )
        yes = np.sum(scores @ holds > 0, axis=1) / teachers
        scores /= 2 * _GRAIN**2
        return Expected(yes, scores.mean(axis=1), scores.std(axis=1))

    def _errors(self) -> np.ndarray:
        """e_a of each question for each value of each column, in grains; shape (questions, all
        values).
        """
        whole = [np.rint(share * _GRAIN) for share in self.shares]
        asked = self._indicators(self.asked) * _GRAIN
        ends = np.cumsum([0, *(len(share) for share in self.shares)])
        for a, share in enumerate(whole):
            asked[:, ends[a] : ends[a + 1]] -= share[self.asked[:, a]][:, None]
        return asked

    def _indicators(self, rows: np.ndarray) -> np.ndarray:
        ends = np.cumsum([0, *(len(share) for share in self.shares)])
        held = np.zeros((len(rows), int(ends[-1])))
        np.put_along_axis(held, rows + ends[:-1], 1.0, axis=1)
        return held


@dataclass(frozen=True, eq=False)
class Expected:
    """Of each question: the share of teachers who say yes; mean and standard deviation of a row's
    sum of e_a e_b.
    """

    yes: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    def updated(
        self, yes: np.ndarray, size: float, variance: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Estimated means where a share `yes` of teachers says yes, known up to `variance`; and
        their variances.

        The mean over a teacher's rows is nearly normal, so a change of the mean moves the share by
        the density at its threshold (central limit theorem).
        """
        threshold = ndtri(np.clip(self.yes, _MIN_SHARE, 1 - _MIN_SHARE))
        density = np.exp(-(threshold**2) / 2) / math.sqrt(2 * math.pi)
        slope = np.maximum(self.spread, 1e-9) / (math.sqrt(size) * density)
        return self.mean + (yes - self.yes) * slope, variance * slope**2


class Student:
    """Bayesian linear regression of all answers so far on the pairs of values that their questions
    hold.

    D_ab(u, v) is normal with mean 0 and variance t_ab s_a(u) s_b(v), s = p (1 - p). The t_ab, one
    for each pair of columns, are those under which the answers are likeliest (MacKay, Neural
    Computation 1992; Tipping, JMLR 2001).
    """

    def __init__(self, shares: Sequence[np.ndarray]) -> None:
        self._shares = shares
        self._spreads = [np.sqrt(share * (1 - share)) for share in shares]
        self._pairs = list(itertools.combinations(range(len(shares)), 2))
        self._relevance = np.full(len(self._pairs), _PRIOR)
        sizes = [len(shares[a]) * len(shares[b]) for a, b in self._pairs]
        self._starts = np.cumsum([0, *sizes])
        self._group = np.repeat(np.arange(len(self._pairs)), sizes)
        self._asked: list[sparse.csr_array] = []
        self._updates: list[tuple[np.ndarray, np.ndarray]] = []

    def learn(self, asked: np.ndarray, means: np.ndarray, variances: np.ndarray) -> None:
        """Questions, shape (questions, columns), with what was estimated of each and how uncertain
        that is.
        """
        self._asked.append(self._features(asked))
        self._updates.append((means, variances))

    def pairs(self) -> np.ndarray:
        """The posterior share of each pair of values of two columns, shape (all values, all
        values), 0 within one.
        """
        features = sparse.vstack(self._asked, format="csr")
        means, variances = (np.concatenate(parts) for parts in zip(*self._updates, strict=True))
        probes = np.random.default_rng(0).standard_normal((len(means), _PROBES))
        for sweep in range(_SWEEPS):
            weighted = features * np.sqrt(self._relevance)[self._group]
            covariance = (weighted @ weighted.T).toarray() + np.diag(variances)
            factor = cho_factor(covariance, lower=True)
            slopes = features.T @ cho_solve(factor, means)
            if sweep + 1 < _SWEEPS:
                chance = features.T @ solve_triangular(factor[0], probes, lower=True, trans="T")
                found = self._by_pair(slopes**2), self._by_pair(np.square(chance).mean(axis=1))
                self._relevance *= np.sqrt((found[0] + 1e-12) / (found[1] + 1e-12))
        return self._laid_out(slopes * self._relevance[self._group])

    def _features(self, asked: np.ndarray) -> sparse.csr_array:
        """For each question and pair of columns, the pair of values it holds; shape (questions,
        pairs of values).
        """
        columns = [
            self._starts[i] + asked[:, a] * len(self._shares[b]) + asked[:, b]
            for i, (a, b) in enumerate(self._pairs)
        ]
        spreads = [
            self._spreads[a][asked[:, a]] * self._spreads[b][asked[:, b]] for a, b in self._pairs
        ]
        where = np.tile(np.arange(len(asked)), len(self._pairs)), np.concatenate(columns)
        return sparse.csr_array(
            (np.concatenate(spreads), where), shape=(len(asked), int(self._starts[-1]))
        )

    def _by_pair(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self._group, values, minlength=len(self._pairs))

    def _laid_out(self, weights: np.ndarray) -> np.ndarray:
        ends = np.cumsum([0, *(len(share) for share in self._shares)])
        table = np.zeros((ends[-1], ends[-1]))
        for i, (a, b) in enumerate(self._pairs):
            together = np.outer(self._shares[a], self._shares[b])
            extra = weights[self._starts[i] : self._starts[i + 1]].reshape(together.shape)
            extra = _centred(
                extra * np.outer(self._spreads[a], self._spreads[b]),
                self._shares[a],
                self._shares[b],
            )
            block = np.maximum(together + extra, 1e-3 * together)
            table[ends[a] : ends[a + 1], ends[b] : ends[b + 1]] = block
            table[ends[b] : ends[b + 1], ends[a] : ends[a + 1]] = block.T
        return table


def _centred(extra: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What is left of it when no row and no column of the pair's table may gain or lose: columns
    are known already.
    """
    rows = extra.sum(axis=1)
    columns = extra.sum(axis=0)
    return np.asarray(
        extra - np.outer(rows, b) - np.outer(a, columns) + extra.sum() * np.outer(a, b)
    )


def _agreement(errors: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Twice the sum over pairs of e_a e_b, in squared grains: whole numbers, shape (questions,
    rows).
    """
    return np.asarray((errors @ held.T) ** 2 - (errors**2) @ held.T)
