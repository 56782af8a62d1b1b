r"""Discovery: which values a column has that nobody declared, told where enough units hold them.

**What is done.** Each value that any row holds gets its count plus round(N(0, stddev^2)), stddev = noise_multiplier *
l2; values whose noisy count reaches a threshold are told, in the order of their texts; counts are not. (Korolova et
al., WWW 2009; Swanberg et al., PoPETs 2023, sections 2 and 3.)

**Theorem.** For every e and either order of the neighbours, delta(e) <= delta_mu(e) + delta, mu = 1 / noise_multiplier.

*Proof.* Let D and D' be neighbours; u the unit in D alone, u' that in D' alone (add-remove: only one of them is there).
Call a value common if D and D' both hold it. Noise is independent for each value, so what is told is a pair of
independent answers: which common values, and which others.

*Common values.* Both tables count the same values, and the counts differ by at most l2 together. So this answer is
made from a Gaussian mechanism with noise of noise_multiplier * l2: mu-GDP (`kernel/noise.py`: rounding is free).

*Others.* No unit but u or u' holds one of them. Let q be the probability that D tells any of those that u alone holds,
q' that D' tells any of those of u'. With no other value told in either, the answers agree but for that: the total
variation is max(q, q'), as both tables tell none with probability 1 - max(q, q') at least. So this answer is (0,
max(q, q'))-DP, in both orders. The two together: with probability 1 - max(q, q') at least the second answer says
nothing, so delta(e) <= max(q, q') + delta_mu(e) for every e. It is (mu, delta)-Gaussian as `gdp_upper_bound.py` has it,
and one filter adds its mu^2 and its delta to the others'.

*The threshold.* Write t for it, and p(c) = P(c + round(N) >= t) = Q((t - 1/2 - c) / stddev) for a value that c rows of
u count for. q <= sum p(c_i) (union bound). With ids each c_i is 1, and there are at most k of them, k = max_records:
q <= k p(1). Without ids the c_i add up to k at most. p is convex below t - 1/2, and t > k, so that for m values the sum
is largest with all but one of them at 1, and p(k - m + 1) + (m - 1) p(1) is convex in m: q <= max(k p(1), p(k)).
`threshold` is the smallest integer at which these are at most delta; Q's inverse is moved by 2^-40 of itself against us
(scipy's ndtri errs by less than 2^-50).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from dpsynth.base.numbers import positive, probability
from dpsynth.discovery.held import HeldTexts, _exact_counts, l2_of
from dpsynth.kernel import gaussian_dp
from dpsynth.kernel.cost import Cost, units
from dpsynth.kernel.events import Event, Grant
from dpsynth.kernel.noise import MAX_STDDEV, TOTAL_VARIATION, Bits, rounded_gaussian
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.kernel.wall import behind_the_wall

_AGAINST_US = 2.0**-40
_LEAST_DELTA = TOTAL_VARIATION


@dataclass(frozen=True)
class Discovery(Event):
    """Which values of a column enough units hold: Gaussian noise on each value's count, and a threshold.

    Parameters
    ----------
    noise_multiplier : float
        Above 0: the noise in sensitivities of all counts together.
    delta : float
        Strictly between 0 and 1: how likely a value is told, at the most, that one unit alone holds. It sets the
        threshold, and is paid from what the account keeps for events with a delta of their own.
    """

    noise_multiplier: float
    delta: float

    def __post_init__(self) -> None:
        multiplier = positive("noise_multiplier of a Discovery event", self.noise_multiplier)
        object.__setattr__(self, "noise_multiplier", multiplier)
        delta = probability("delta of a Discovery event", self.delta)
        if delta < _LEAST_DELTA:
            raise ValueError(f"delta of a Discovery event must be at least {_LEAST_DELTA:.2g}, got {delta!r}")
        object.__setattr__(self, "delta", delta)

    @property
    def cost(self) -> Cost:
        return Cost(gaussian_dp.gaussian_cost(self.noise_multiplier), units(self.delta))

    def refuse(self, unit: PrivacyUnit) -> None:
        if self.stddev(unit) > MAX_STDDEV:
            raise ValueError(f"{self} has noise of more than 2^40 rows: pay more for it")

    def stddev(self, unit: PrivacyUnit) -> float:
        """Of the noise on each count."""
        return math.nextafter(math.nextafter(self.noise_multiplier * l2_of(unit), math.inf), math.inf)

    def threshold(self, unit: PrivacyUnit) -> int:
        """From which noisy count on a value is told."""
        alone = self._over(1, self.delta / unit.max_records, unit)
        return alone if unit.id_column is not None else max(alone, self._over(unit.max_records, self.delta, unit))

    def _over(self, count: int, delta: float, unit: PrivacyUnit) -> int:
        """The smallest threshold above `count` that this count plus noise reaches with probability delta at most."""
        reach = max(0.0, -float(ndtri(delta))) * (1 + _AGAINST_US) * self.stddev(unit)
        return count + math.ceil(math.nextafter(reach + 0.5, math.inf))

    def redeem(self, grant: Grant, rows: SensitiveRows, **options: Any) -> tuple[str, ...]:
        """The values that are told, ascending. rows: HeldTexts. RowsError."""
        if not isinstance(rows, HeldTexts):
            raise TypeError(f"a discovery reads the values that units hold (held_texts), got {type(rows).__name__}")
        self.refuse(rows.protects)
        return behind_the_wall(lambda: self._told(grant.bits, rows))

    def _told(self, bits: Bits, held: HeldTexts) -> tuple[str, ...]:
        texts, counts = _exact_counts(held)
        noisy = counts + rounded_gaussian(np.full(len(counts), self.stddev(held.protects)), bits)
        return tuple(sorted(texts[place] for place in np.flatnonzero(noisy >= self.threshold(held.protects))))
