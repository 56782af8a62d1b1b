"""PrivacyClaim: what a promise of differential privacy allows an attacker.

It stands beside what an attacker found.

**Trade-off functions.** An attacker who tells two neighbouring tables apart with a false-positive
rate f has a true-positive rate of at most 1 - T(f). For a mu-GDP mechanism this is
Phi(Phi^-1(f) + mu) (Dong, Roth, Su, "Gaussian differential privacy", JRSS-B 2022, eq. 6). For an
(epsilon, delta)-DP one it is the least of 1, delta + e^epsilon f and
1 - e^-epsilon (1 - delta - f) (Wasserman and Zhou 2010; Dong et al., Prop. 2.4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_ndtr, ndtr, ndtri

from dpsynth.accounting import currencies
from dpsynth.base.text import exact
from dpsynth.kernel import gaussian_dp
from dpsynth.kernel.budget import Budget

_GRID = 20_001
"""False-positive rates at which a claim's curve is looked at: 0 to 1 in steps of 1/20,000."""
_LARGEST_EXPONENT = 700.0
"""e^709 is the largest power of e that a double holds."""


@dataclass(frozen=True)
class PrivacyClaim:
    """A promise of (epsilon, delta)-differential privacy, of mu-GDP, or of both.

    The ceilings follow from the stronger of what is said.

    Parameters
    ----------
    epsilon : float, optional
        0 or more; given together with delta.
    delta : float, optional
        0 or more, below 1.
    mu : float, optional
        Of Gaussian differential privacy, 0 or more.
    adjacency : {"add-remove", "replace"}
        Whether neighbouring tables differ by one more record, or by another record.
    unit : str, optional
        Whom the promise protects, in words; by default one record.
    source : str, optional
        Where the claim was read.

    Raises
    ------
    ValueError
        Nothing is claimed, epsilon or delta stands alone, or a number is out of its range.

    Examples
    --------
    >>> claim = PrivacyClaim.gaussian(epsilon=1.0, delta=1e-6)
    >>> round(claim.tpr_ceiling(0.01), 4)
    0.0183
    >>> round(claim.auc_ceiling, 4)
    0.5665
    """

    epsilon: float | None = None
    delta: float | None = None
    mu: float | None = None
    adjacency: Literal["add-remove", "replace"] = "add-remove"
    unit: str | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        nothing = self.epsilon is None and self.mu is None
        if nothing or (self.epsilon is None) != (self.delta is None):
            raise ValueError("a claim needs epsilon and delta together, or mu, or all three")
        for name, end in (("epsilon", math.inf), ("delta", 1.0), ("mu", math.inf)):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and 0.0 <= value < end):
                raise ValueError(
                    f"{name} of a claim must be a number, 0 or more, below {end:g}, got {value!r}"
                )
        if self.adjacency not in ("add-remove", "replace"):
            raise ValueError(f'adjacency must be "add-remove" or "replace", got {self.adjacency!r}')

    @classmethod
    def gaussian(cls, epsilon: float, delta: float) -> PrivacyClaim:
        """The claim of Gaussian noise that is calibrated to (epsilon, delta) without loss."""
        return cls(epsilon, delta, mu_of_epsilon(epsilon, delta))

    @classmethod
    def zcdp_calibrated(cls, epsilon: float, delta: float) -> PrivacyClaim:
        """The claim of Gaussian noise that is calibrated by way of zCDP: mu = sqrt(2 rho)."""
        return cls(epsilon, delta, math.sqrt(2 * rho_of_epsilon(epsilon, delta)))

    def describe(self) -> str:
        """The claim in words, and where it was read."""
        parts = {"epsilon": self.epsilon, "delta": self.delta, "mu": self.mu}
        numbers = ", ".join(f"{n} {exact(x)}" for n, x in parts.items() if x is not None)
        unit = "" if self.unit is None else f" for {self.unit}"
        return numbers + unit + ("" if self.source is None else f", read from {self.source}")

    def tpr_ceiling(self, fpr: float) -> float:
        """The largest true-positive rate, for one record, that the claim allows.

        Parameters
        ----------
        fpr : float
            The false-positive rate, 0 to 1.

        Returns
        -------
        float
            A rate, 0 to 1.
        """
        return float(self._roc(np.array([fpr]))[0])

    @property
    def advantage_ceiling(self) -> float:
        """The largest true-positive less false-positive rate."""
        fpr = np.linspace(0, 1, _GRID)
        return float(np.max(self._roc(fpr) - fpr))

    @property
    def auc_ceiling(self) -> float:
        """The largest area under an attacker's curve."""
        return float(np.trapezoid(self._roc(np.linspace(0, 1, _GRID)), dx=1 / (_GRID - 1)))

    def _roc(self, fpr: np.ndarray) -> np.ndarray:
        """The claim's highest true-positive rates (see the head of this file)."""
        most = np.ones_like(fpr)
        if self.mu is not None:
            most = np.minimum(most, ndtr(ndtri(fpr) + self.mu))
        if self.epsilon is not None and self.delta is not None:
            growth = math.exp(min(self.epsilon, _LARGEST_EXPONENT))
            most = np.minimum(most, self.delta + growth * fpr)
            most = np.minimum(most, 1 - np.maximum(0.0, 1 - self.delta - fpr) / growth)
        return most


def mu_of_epsilon(epsilon: float, delta: float) -> float:
    """The largest mu that is (epsilon, delta)-DP (Balle and Wang, arXiv 1805.06530, Thm 8)."""
    budget = Budget(epsilon, delta)
    return currencies.mu_of(gaussian_dp.gaussian_budget(budget.epsilon, budget.delta))


def epsilon_of_mu(mu: float, delta: float) -> float:
    """The smallest epsilon at which mu-GDP is (epsilon, delta)-DP; 0 for mu of 0 or less."""
    if mu <= 0 or _gdp_delta(0.0, mu) <= delta:
        return 0.0
    # mu-GDP implies zCDP with rho = mu^2 / 2, and so delta at rho + 2 sqrt(rho log(1 / delta))
    # (Bun and Steinke, arXiv 1605.02065, Prop. 1.3); 1 more makes sure of the sign.
    high = mu * mu / 2 + mu * math.sqrt(2 * math.log(1 / delta)) + 1
    return float(brentq(lambda e: _gdp_delta(e, mu) - delta, 0.0, high, xtol=1e-12))


def rho_of_epsilon(epsilon: float, delta: float) -> float:
    """The largest rho whose zCDP implies (epsilon, delta)-DP.

    By Canonne, Kamath and Steinke, arXiv 2004.00010, Cor. 13.
    """
    budget = Budget(epsilon, delta)

    def excess(log_rho: float) -> float:
        return _zcdp_log_delta(math.exp(log_rho), budget.epsilon) - math.log(budget.delta)

    # rho is looked for from e^-40, about 4e-18, to epsilon.
    return math.exp(float(brentq(excess, -40.0, math.log(budget.epsilon + 1e-9), xtol=1e-13)))


def _gdp_delta(epsilon: float, mu: float) -> float:
    """Phi(mu/2 - epsilon/mu) - e^epsilon Phi(-mu/2 - epsilon/mu) (Balle and Wang, Thm 8)."""
    first = ndtr(mu / 2 - epsilon / mu)
    log_second = epsilon + float(log_ndtr(-mu / 2 - epsilon / mu))
    return float(first - math.exp(log_second))


def _zcdp_log_delta(rho: float, epsilon: float) -> float:
    """The logarithm of the delta of rho-zCDP at this epsilon.

    It is the least over alpha > 1 of
    exp((alpha - 1)(alpha rho - epsilon)) / (alpha - 1) * (1 - 1/alpha)^alpha.
    """

    def at(log_excess: float) -> float:
        x = math.exp(log_excess)  # alpha - 1
        exponent = x * ((1 + x) * rho - epsilon)
        return exponent - math.log(x) + (1 + x) * (math.log(x) - math.log1p(x))

    # The exponent alone is least at alpha - 1 = (epsilon - rho) / (2 rho). The factors after it
    # move this by less than the 8 of log(alpha - 1) that are searched on either side.
    guess = math.log(max((epsilon - rho) / (2 * rho), 1e-6) + 1e-6)
    found = minimize_scalar(
        at,
        bounds=(guess - 8, guess + 8),
        method="bounded",
        options={"xatol": 1e-12},
    )
    return min(0.0, float(found.fun))
