"""What a plan says of columns that are modelled by others: parts of times, and gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dpsynth.data.constraints.calendar import CalendarStep
from dpsynth.data.constraints.recoding import Recoding
from dpsynth.data.constraints.steps import GapStep
from dpsynth.synthesizers.numbers import MeanNoise
from dpsynth.synthesizers.planned import Plan


def in_own_units(made: Plan, recoding: Recoding) -> Plan:
    """The plan with the figures of gaps in the units of their columns, and with the parts of times
    named.
    """
    gaps = {step.attribute: step for step in recoding.steps if isinstance(step, GapStep)}
    means = tuple(
        _in_unit(mean, gaps[mean.column]) if mean.column in gaps else mean for mean in made.means
    )
    return replace(made, means=means, notes=(*made.notes, *_named(recoding)))


def _in_unit(mean: MeanNoise, gap: GapStep) -> MeanNoise:
    step, unit = gap.step
    return replace(mean, stddev=mean.stddev * step, tail=mean.tail * step, unit=unit)


def _named(recoding: Recoding) -> Iterator[str]:
    for step in recoding.steps:
        if isinstance(step, CalendarStep):
            parts = ", ".join(f"`{name}`" for name in step.attributes)
            yield f"`{step.makes[0]}` is modelled by {parts}, which count as columns"
