"""What a list of events that was fixed beforehand costs: tighter than the filter, and no use as one.

The filter of `budget.py` gates whatever is chosen when. Where the whole list was known before anything was read, the
loss of it all is found exactly (Gaussian events) or by privacy loss distributions (`joint.py`), jointly. To stop by
such figures, or to choose by them, would be wrong: they hold for the whole list only (Rogers et al., arXiv 1605.08294;
Feldman and Zrnic, arXiv 2008.11193, say what holds of filters).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from dpsynth.accounting import joint
from dpsynth.kernel import gaussian_dp
from dpsynth.kernel.budget import delta_less_sampler
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.programs.foreign import Foreign
from dpsynth.training.event import DpSgd
from dpsynth.training.loss_grid import Sampled


def epsilon(events: Iterable[Event], delta: float) -> float:
    """The smallest epsilon found at which all events together are (epsilon, delta)-DP; infinity where there is none."""
    events = list(events)
    left = delta_less_sampler(delta)
    if all(isinstance(event, Gaussian) for event in events):
        return gaussian_dp.gaussian_epsilon(sum(event.cost.gaussian for event in events), left)
    return joint.epsilon(parts(events), math.nextafter(left, 0))


def parts(events: Iterable[Event]) -> list[joint.Part]:
    """All events, for `joint`: Gaussian noise as one, equal steps together."""
    gaussian, steps, foreign = 0, Counter[tuple[float, float]](), Counter[Foreign]()
    for event in events:
        match event:
            case Gaussian():
                gaussian += event.cost.gaussian
            case DpSgd(rate=1.0):
                gaussian += event.steps * gaussian_dp.gaussian_cost(event.noise_multiplier)
            case DpSgd():
                steps[event.rate, event.noise_multiplier] += event.steps
            case Foreign():
                foreign[event] += 1
    found: list[joint.Part] = [Sampled(rate, noise, count) for (rate, noise), count in steps.items()]
    found += [joint.Bounded(event.epsilon, event.delta, count) for event, count in foreign.items()]
    if gaussian:
        found.append(Sampled(1.0, math.nextafter(math.sqrt(Fraction(gaussian_dp.COST_UNIT, gaussian)), 0), 1))
    return found
