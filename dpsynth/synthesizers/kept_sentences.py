"""What is said of rows that no draw has found, and of those that were made up."""

from __future__ import annotations

from collections.abc import Sequence

from dpsynth.base.text import some
from dpsynth.data.constraints.recoding import Check
from dpsynth.data.constraints.steps import Rows
from dpsynth.models.base import ConditionError


def said_of_made_up(names: Sequence[str]) -> str:
    said = some([f"`{name}`" for name in names])
    return (
        f"the model has next to no rows that keep the constraints on {said}: these columns are made"
        " up of values that the constraints allow; count by `dpsynth schema check` how many input"
        " rows break them"
    )


def none_beyond(names: Sequence[str], drawn: int) -> ConditionError:
    said = some([f"`{name}`" for name in names])
    return ConditionError(
        f"of {drawn:,} rows that were made up none keeps the constraints on {said} and meets"
        " the condition: widen it"
    )


def too_rare(checks: Sequence[Check], rows: Rows, met: int, drawn: int) -> ConditionError:
    """Names the check that the fewest rows pass."""
    hardest = min(checks, key=lambda check: int(check.passed(rows).sum()))
    return ConditionError(
        f"of {drawn:,} rows drawn {met:,} met {hardest.rule} with all else that is asked: widen the"
        " condition, or count by `dpsynth schema check` how many input rows break the constraints"
    )
