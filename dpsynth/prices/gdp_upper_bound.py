r"""Other events in the currency of the Gaussian filter, so that one filter gates everything, whatever is chosen when.

**The price.** A mechanism is (mu, tau)-Gaussian when delta(e) <= delta_mu(e) + tau for every real e and either order
of the neighbours, where delta_mu is the curve of mu-GDP. Of other programs only an (e_i, tau_i) is known. Let events
of both kinds be chosen one after another, each by the answers so far, while the sums of mu_i^2, of tau_i and of e_i
stay within B, T and E that were fixed beforehand. Then all of them together are (epsilon, delta_sqrt(B)(epsilon - E) +
T)-DP, for every epsilon.

*Proof.* Write L for the loss so far under P, r, w and s for what is left of B, T and E, and let V =
delta_sqrt(r)(epsilon - L - s) + w. A further (mu, tau)-Gaussian event changes the mean of V, given the past, to that
of delta_sqrt(r - mu^2)(epsilon - s - L - l), which is the hockey-stick divergence of the event together with an
independent Gaussian of mu-squared r - mu^2 at epsilon - s - L. Averaged over the Gaussian's loss g it is
E[delta(epsilon - s - L - g)] <= E[delta_mu(epsilon - s - L - g)] + tau = delta_sqrt(r)(epsilon - s - L) + tau. An
event of another program is no worse than one that fails with probability tau and else has a loss of at most e: L + s
does not rise but with probability tau, and V never exceeds 1 + w. So V, in which w falls by tau, never rises in the
mean; it starts at delta_sqrt(B)(epsilon - E) + T and ends no lower than (1 - e^(epsilon - L))_+. With T = E = 0 this
is the Gaussian filter of Smith and Thakurta (arXiv 2210.17520).

The steps of a training may lie between other events: its curve, which is one for all of its steps, is that of a product
of pairs which were fixed with it, and the same V holds with what is left of that product in the place of its mu^2.

T and E have to be fixed beforehand: whoever could draw on them only where L came out small would spend more in effect.
The same holds for a choice among several Renyi orders, or between a filter for Gaussian events and another for mixed
ones, made after the answers; that is why there is one filter only.

For e < 0 the condition follows from that for -e and the other order of the neighbours, as
delta(-e) = 1 - e^-e + e^-e delta'(e) on both sides.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
from scipy.special import log_ndtr

from dpsynth.kernel import gaussian_dp
from dpsynth.prices import loss_grid, pld

TAU = 2.0**-60
"""What one event of training may lack of a Gaussian curve."""

_POINTS = 2000
_LEVELS = [0.2 * 1e-3**k for k in range(7)]  # of delta, down to TAU: near each of them one curve is tight
_ABOVE = 1e-6  # relative, and _LEAST absolute: what mu is raised by, far more than doubles err
_LEAST = 1e-9
_NEARLY_ALL = 1 - 1e-9  # of delta: no curve can be told from another in doubles, and nothing is private there
_HOPELESS = 2000.0  # mu^2 of training, at the least: epsilon would be a thousand


@lru_cache(maxsize=4096)
def gaussian_price(rate: float, noise_multiplier: float, steps: int) -> tuple[int, bool]:
    """mu^2 in cost units, rounded up, and whether TAU comes with it; at most what the steps cost without sampling."""
    unsampled = steps * gaussian_dp.gaussian_cost(noise_multiplier)
    if rate == 1 or noise_multiplier < loss_grid.MIN_NOISE:
        return unsampled, False
    if steps * (rate / noise_multiplier) ** 2 > _HOPELESS:
        return unsampled, False
    part = loss_grid.Sampled(rate, noise_multiplier, steps)
    mu = max(_dominating(part, removed) for removed in (True, False)) * (1 + _ABOVE) + _LEAST
    price = math.ceil(Fraction(mu) ** 2 * gaussian_dp.COST_UNIT) if math.isfinite(mu) else unsampled
    return (price, True) if price < unsampled else (unsampled, False)


def _dominating(part: loss_grid.Sampled, removed: bool) -> float:
    """The smallest mu found whose curve lies nowhere on [0, infinity) more than TAU below that of the part."""
    curves_found = pld.curves(part, _LEVELS, removed)
    farthest = curves_found[-1].epsilon(TAU)
    if not math.isfinite(farthest):
        return math.inf
    epsilons = np.linspace(0, farthest, _POINTS)
    deltas = np.min([c.at(epsilons) for c in curves_found], axis=0)
    wanted = deltas[:-1] - TAU
    needed = wanted > 0
    if wanted.max() > _NEARLY_ALL:
        return math.inf
    return float(_mu_for(epsilons[1:][needed], wanted[needed]).max(initial=0.0))


def _mu_for(epsilon: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """The mu at which delta_mu(epsilon) is delta, element by element, from above."""
    low, high = np.zeros(epsilon.shape), 1 + np.sqrt(2 * epsilon)
    while (short := _log_delta(epsilon, high) < np.log(delta)).any():
        high = np.where(short, 2 * high, high)
    for _ in range(50):
        middle = (low + high) / 2
        enough = _log_delta(epsilon, middle) >= np.log(delta)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _log_delta(epsilon: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """log delta_mu(epsilon): Balle and Wang (arXiv 1805.06530, Thm 8) in logarithms."""
    first, second = log_ndtr(mu / 2 - epsilon / mu), epsilon + log_ndtr(-mu / 2 - epsilon / mu)
    return first + np.log(-np.expm1(np.minimum(second - first, -1e-300)))
