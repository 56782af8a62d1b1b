"""Conditions of rules and samples: what a model is asked for, and what rows are tested for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dpsynth.data.constraints.recoding import Check, Recoding
from dpsynth.models.base import ConditionError
from dpsynth.synthesizers.conditions import Term, Without
from dpsynth.synthesizers.implications import Condition
from dpsynth.synthesizers.pulled import pulled
from dpsynth.synthesizers.sampled_rows import Tilt


def tilts_of_modelled(tilts: Sequence[Tilt], recoding: Recoding) -> list[Tilt]:
    """The tilts of the modelled columns that the tilted ones follow from."""
    found: dict[str, Tilt] = {}
    for tilt in tilts:
        factors = [(pulled(term, recoding), by) for term, by in tilt.factors]
        own = {term.column: tilt.column for term, _ in factors if term is not None}
        if any(term is None for term, _ in factors) or {*own} & {*found}:
            raise ConditionError(
                f"{tilt.column!r} follows from others by a constraint or calendar parts, or is"
                " modelled with another tilted column, and cannot be tilted: balance it, or tilt"
                " what it follows from"
            )
        (name,) = own
        kept = tuple((term, by) for term, by in factors if term is not None)
        found[name] = Tilt(name, kept, tilt.rest)
    return [*found.values()]


def terms_and_checks(condition: Condition) -> tuple[Sequence[Term], Sequence[Check]]:
    """What the model is asked for, and what rows are tested for besides."""
    if condition.terms is not None:
        return condition.terms, ()
    common = condition.cases[0].terms if len(condition.cases) == 1 else ()
    return common, [_check_of(condition, condition.holds)]


def ways_not_to_meet(
    condition: Condition,
) -> Iterator[tuple[Sequence[Term], Sequence[Check]]]:
    """The same for rows that do not meet it, one way after another."""
    if condition.terms is None:
        yield (), [_check_of(condition, lambda rows: ~condition.holds(rows))]
    for term in condition.terms or ():
        yield [Without.of(term)], ()


def _check_of(condition: Condition, passed: Callable[[Mapping[str, Any]], np.ndarray]) -> Check:
    names = " and ".join(f"`{name}`" for name in condition.columns)
    return Check(f"the condition on {names}", condition.columns, passed)


def as_check(term: Term) -> Check:
    return Check(
        f"the condition on `{term.column}`",
        (term.column,),
        lambda rows: term.holds(rows[term.column]),
    )
