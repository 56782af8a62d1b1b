"""PrivacyClaim: what a promise of differential privacy allows an attacker, so that it can stand beside what one found.

**Trade-off functions.** An attacker who tells two neighbouring tables apart with false-positive rate f has a true-
positive rate of at most 1 - T(f). For a mu-GDP mechanism 1 - T(f) = Phi(Phi^-1(f) + mu) (Dong, Roth, Su, "Gaussian
differential privacy", JRSS-B 2022, eq. 6). For an (epsilon, delta)-DP one it is the least of 1, delta + e^epsilon f
and 1 - e^-epsilon (1 - delta - f) (Wasserman and Zhou 2010; Dong et al., Prop. 2.4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_ndtr, ndtr, ndtri

from dpsynth.accounting import currencies
from dpsynth.kernel import gaussian_dp
from dpsynth.kernel.budget import Budget

_GRID = 20_001


@dataclass(frozen=True)
class PrivacyClaim:
    """(epsilon, delta)-DP, or mu-GDP where mu is given; the ceilings follow from the stronger of what is said.

    mu: of Gaussian differential privacy. epsilon, delta: delta may be 0. adjacency: what neighbouring tables are.
    """

    epsilon: float | None = None
    delta: float | None = None
    mu: float | None = None
    adjacency: Literal["add-remove", "replace"] = "add-remove"

    def __post_init__(self) -> None:
        if (self.epsilon is None) != (self.delta is None) or (self.epsilon is None and self.mu is None):
            raise ValueError("a claim needs epsilon and delta, or mu, or all three")
        for name, least, most in (("epsilon", 0.0, math.inf), ("delta", 0.0, 1.0), ("mu", 0.0, math.inf)):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and least <= value < most):
                raise ValueError(
                    f"{name} of a claim must be a number, {least:g} or more, below {most:g}, got {value!r}"
                )
        if self.adjacency not in ("add-remove", "replace"):
            raise ValueError(f'adjacency must be "add-remove" or "replace", got {self.adjacency!r}')

    @classmethod
    def gaussian(cls, epsilon: float, delta: float) -> PrivacyClaim:
        """What a mechanism of Gaussian noise claims when it is calibrated without loss to (epsilon, delta)."""
        return cls(epsilon, delta, mu_of_epsilon(epsilon, delta))

    @classmethod
    def zcdp_calibrated(cls, epsilon: float, delta: float) -> PrivacyClaim:
        """What Gaussian noise claims that was calibrated to (epsilon, delta) by way of zCDP: mu = sqrt(2 rho)."""
        return cls(epsilon, delta, math.sqrt(2 * rho_of_epsilon(epsilon, delta)))

    def tpr_ceiling(self, fpr: float) -> float:
        """The largest true-positive rate at a false-positive rate that the claim allows for one record."""
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
        most = np.ones_like(fpr)
        if self.mu is not None:
            most = np.minimum(most, ndtr(ndtri(fpr) + self.mu))
        if self.epsilon is not None and self.delta is not None:
            growth = math.exp(min(self.epsilon, 700.0))
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
    high = mu * mu / 2 + mu * math.sqrt(2 * math.log(1 / delta)) + 1
    return float(brentq(lambda e: _gdp_delta(e, mu) - delta, 0.0, high, xtol=1e-12))


def rho_of_epsilon(epsilon: float, delta: float) -> float:
    """The largest rho whose zCDP implies (epsilon, delta)-DP (Canonne, Kamath, Steinke, arXiv 2004.00010, Cor. 13)."""
    budget = Budget(epsilon, delta)

    def excess(log_rho: float) -> float:
        return _zcdp_log_delta(math.exp(log_rho), budget.epsilon) - math.log(budget.delta)

    return math.exp(float(brentq(excess, -40.0, math.log(budget.epsilon + 1e-9), xtol=1e-13)))


def _gdp_delta(epsilon: float, mu: float) -> float:
    """Phi(mu/2 - epsilon/mu) - e^epsilon Phi(-mu/2 - epsilon/mu)."""
    return float(ndtr(mu / 2 - epsilon / mu) - math.exp(epsilon + float(log_ndtr(-mu / 2 - epsilon / mu))))


def _zcdp_log_delta(rho: float, epsilon: float) -> float:
    """log of the least over alpha > 1 of exp((alpha - 1)(alpha rho - epsilon)) / (alpha - 1) * (1 - 1/alpha)^alpha."""

    def at(log_excess: float) -> float:
        x = math.exp(log_excess)  # alpha - 1
        return x * ((1 + x) * rho - epsilon) - math.log(x) + (1 + x) * (math.log(x) - math.log1p(x))

    guess = math.log(max((epsilon - rho) / (2 * rho), 1e-6) + 1e-6)
    found = minimize_scalar(at, bounds=(guess - 8, guess + 8), method="bounded", options={"xatol": 1e-12})
    return min(0.0, float(found.fun))
