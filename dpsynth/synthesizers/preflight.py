"""Checks of a fit that need public facts only, made before anything is read or charged."""

from __future__ import annotations

from collections.abc import Sequence

from dpsynth.data.tables.faked import check_faked
from dpsynth.kernel.budget import MIN_COST, Budget, affordable
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.marginal.known import Marginal
from dpsynth.mechanisms.registry import TABLES, name_of
from dpsynth.schema.table import Categorical, Identifier, Schema, SchemaError
from dpsynth.synthesizers.recorded import RecordedMarginal

_MAX_CATEGORIES = 2**24  # about 60 bytes each as text: a gigabyte before any model


def check_budget(budget: Budget) -> None:
    """Refuses a budget that is too small for any noise.

    A budget that is kept for other programs pays for no noise of ours.
    """
    if affordable(budget) < MIN_COST and not budget.programs_epsilon:
        raise ValueError(
            f"epsilon {budget.epsilon:g} is too small, with noise of billions of rows: ask for more"
        )


def check_size(schema: Schema) -> None:
    """Refuses a schema that would not fit into memory."""
    nominal = {name: c for name, c in schema.columns.items() if isinstance(c, Categorical)}
    sizes = {name: len(column.categories) for name, column in nominal.items()}
    if sum(sizes.values()) > _MAX_CATEGORIES:
        widest = max(sizes, key=lambda name: sizes[name])
        raise SchemaError(
            f"the schema has {sum(sizes.values()):,} categories, {sizes[widest]:,} of them in"
            f" {widest!r}; more than {_MAX_CATEGORIES:,} would take gigabytes: group rare"
            " categories, or use other="
        )


def with_prior(
    mechanism: Mechanism, known: Sequence[Marginal | RecordedMarginal], schema: Schema
) -> Mechanism:
    """The mechanism with its known marginals; ValueError where it cannot use them."""
    marginals = _marginals(known)
    if not marginals:
        return mechanism
    if not mechanism.takes_known:
        able = " and ".join(TABLES.those("takes_known"))
        raise ValueError(
            f"only {able} can use known marginals, not {name_of(mechanism)}: leave them out"
        )
    return mechanism.with_known([marginal.coded(schema) for marginal in marginals])


def _marginals(known: Sequence[Marginal | RecordedMarginal]) -> list[Marginal]:
    """The argument `known`, each of which has its counts."""
    given = known if isinstance(known, list | tuple) else [None]
    lost = sorted({each.source for each in given if isinstance(each, RecordedMarginal)})
    if lost:
        raise ValueError(
            f"a model file names known marginals without their counts ({', '.join(lost)}): give"
            " them again by set_params(known=[...]), or fit without them by set_params(known=())"
        )
    found = [each for each in given if isinstance(each, Marginal)]
    if len(found) != len(given):
        raise ValueError(
            "known must be a list of dpsynth.Marginal:"
            " known=[Marginal(counts, stddev=..., source=...)]"
        )
    return found


def check_resumable(mechanism: Mechanism, seed: int | None) -> None:
    """Refuses a checkpoint that could not be resumed."""
    if not mechanism.resumable:
        able = " and ".join(TABLES.those("resumable"))
        raise ValueError(
            f"only {able} can use a checkpoint, not {name_of(mechanism)}: leave it out"
        )
    if seed is not None:
        raise ValueError(
            "with unsafe_seed, a resumed fit would draw the same noise again: leave out the"
            " checkpoint or the seed"
        )


def check_repeating(mechanism: Mechanism, schema: Schema) -> None:
    """Refuses names that repeat where the rows of units cannot be counted."""
    if schema.repeating is not None and not mechanism.gaussian:
        raise SchemaError(
            f"{schema.repeating!r} repeats, and {name_of(mechanism)} leaves no budget to count the"
            " rows of each unit: leave out repeats, or use another mechanism"
        )


def check_open(mechanism: Mechanism, budget: Budget, schema: Schema, kept: bool) -> None:
    """Refuses open categories where no budget is left to find them. kept: in a checkpoint."""
    if schema.open and (kept or mechanism.reserve(budget) is not None):
        raise SchemaError(
            f"the categories of {schema.open[0]!r} are open, which needs a mechanism of Gaussian"
            f" noise alone and no checkpoint, and this is {name_of(mechanism)}: declare the"
            " categories, or use canopy, aim, mst or independent"
        )


def check_names(schema: Schema) -> None:
    """Refuses new names that could not be made up once the fit is paid for."""
    for column in schema.columns.values():
        if isinstance(column, Identifier):
            check_faked(column)


def check_settings(mechanism: Mechanism, schema: Schema) -> None:
    """Refuses settings that do not fit the schema or its unit."""
    mechanism.check_schema(schema)
    mechanism.check_unit(schema.unit)
