"""What a list of events costs that was chosen beforehand: tighter than the filter.

The filter of `kernel/budget.py` holds whatever is chosen and whenever. Where the whole list was
known before anything was read, its loss is found exactly (Gaussian events), or by privacy loss
distributions of all events jointly (`joint.py`). No run may stop or choose by these figures: they
hold for the whole list only (Rogers et al., arXiv 1605.08294; Feldman and Zrnic, arXiv 2008.11193,
say what holds of filters).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from dpsynth.accounting import joint
from dpsynth.discovery.discovery import Discovery
from dpsynth.kernel import gaussian_dp
from dpsynth.kernel.budget import delta_less_sampler
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.prices.loss_grid import Sampled
from dpsynth.programs.external import ExternalProgram
from dpsynth.training.event import DpSgd


def epsilon(events: Iterable[Event], delta: float) -> float:
    """The smallest epsilon found at which all events together are (epsilon, delta)-DP.

    Infinity where there is none.
    """
    events = list(events)
    left = delta_less_sampler(delta)
    if all(isinstance(event, Gaussian) for event in events):
        cost = sum(event.cost.gaussian for event in events)
        return gaussian_dp.gaussian_epsilon(cost, left)
    return joint.epsilon(parts(events), math.nextafter(left, 0))


def parts(events: Iterable[Event]) -> list[joint.Part]:
    """All events in the form of `joint`: all Gaussian noise as one step, equal steps together."""
    gaussian = 0
    steps = Counter[tuple[float, float]]()
    programs = Counter[ExternalProgram]()
    thresholds = Counter[float]()
    for event in events:
        match event:
            case Gaussian():
                gaussian += event.cost.gaussian
            case DpSgd(rate=1.0):  # everybody is in every batch: plain Gaussian noise
                gaussian += event.steps * gaussian_dp.gaussian_cost(event.noise_multiplier)
            case DpSgd():
                steps[event.rate, event.noise_multiplier] += event.steps
            case Discovery():  # noise on counts, and a threshold that is (0, delta)-DP
                gaussian += event.cost.gaussian
                thresholds[event.delta] += 1
            case ExternalProgram():
                programs[event] += 1
    found: list[joint.Part] = [
        Sampled(rate, noise, count) for (rate, noise), count in steps.items()
    ]
    found += [joint.Bounded(event.epsilon, event.delta, count) for event, count in programs.items()]
    found += [joint.Bounded(0.0, delta, count) for delta, count in thresholds.items()]
    if gaussian:
        noise = math.sqrt(Fraction(gaussian_dp.COST_UNIT, gaussian))
        # Rounded towards less noise, so that no figure is below the truth.
        found.append(Sampled(1.0, math.nextafter(noise, 0), 1))
    return found
