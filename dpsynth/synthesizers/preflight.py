"""Checks of a fit that need public facts only, made before anything is read or charged."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from dpsynth.data.tables.faked import check_faked
from dpsynth.door.columns import is_missing, is_number, real
from dpsynth.kernel.budget import MIN_COST, Budget, affordable
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.marginal.known import Known, Marginal
from dpsynth.mechanisms.registry import TABLES, name_of
from dpsynth.schema.table import Categorical, Identifier, OpenCategorical, Schema, SchemaError
from dpsynth.synthesizers.recorded import RecordedMarginal

_log = logging.getLogger(__name__)

Found = Mapping[str, Sequence[str]]

_MAX_CATEGORIES = 2**24  # about 60 bytes each as text: a gigabyte before any model


def check_budget(budget: Budget, charges: int = 1) -> None:
    """Refuses a budget whose even part for each of some charges is too small for any noise.

    A budget that is kept for other programs pays for no noise of ours.
    """
    if affordable(budget) // charges < MIN_COST and not budget.programs_epsilon:
        raise ValueError(
            f"epsilon {budget.epsilon:g} is too small, with noise of billions of rows: ask for more"
            + (f", or ask fewer than {charges} questions" if charges > 1 else "")
        )


def check_size(schema: Schema) -> None:
    """Refuses a schema of which nothing is read, or that would not fit into memory."""
    if all(isinstance(column, Identifier) for column in schema.columns.values()):
        raise SchemaError(
            "every column of the schema is an identifier, of which a fit reads nothing: declare a"
            " column of another type"
        )
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
    """The mechanism with its known marginals; ValueError where it cannot use them.

    Of columns whose categories are open it is given those that the marginals name: it is checked
    so, and not run. `with_prior_of_found` makes the one that runs.
    """
    marginals = _marginals(known)
    if not marginals:
        return mechanism
    if not mechanism.takes_known:
        able = " and ".join(TABLES.those("takes_known"))
        raise ValueError(
            f"only {able} can use known marginals, not {name_of(mechanism)}: leave them out"
        )
    named = _named(marginals, schema)
    given = mechanism.with_known([each.coded(schema.settled(named)) for each in marginals])
    given.check_schema(schema.settled(named))
    return given


def with_prior_of_found(
    mechanism: Mechanism, known: Sequence[Marginal | RecordedMarginal], schema: Schema, found: Found
) -> Mechanism:
    """The mechanism with its known marginals, over the categories that a fit has found.

    A marginal that would need too wide a model with them is left out, and the log says so: by now
    the fit is paid for, and must not fail by what was found.
    """
    settled = schema.settled(found)
    kept: list[Known] = []
    for marginal in _marginals(known):
        try:
            coded = marginal.coded(settled, schema.open)
            mechanism.with_known([*kept, coded]).check_schema(settled)
            kept.append(coded)
        except ValueError:
            _log.warning(
                "the known marginal of %s is left out: with the categories that were found it would"
                " need too wide a model",
                marginal.columns,
            )
    return mechanism.with_known(kept) if kept else mechanism


def _named(marginals: Sequence[Marginal], schema: Schema) -> dict[str, list[str]]:
    """For each open column the categories that known marginals name, without public ones."""
    columns = schema.columns
    found = {}
    for name in schema.open:
        column = columns[name]
        assert isinstance(column, OpenCategorical)
        values = [v for each in marginals if name in each.columns for v in each.values(name)]
        read = [v if isinstance(v, str) else real(v) for v in values if _is_read(v)]
        found[name] = sorted({text for v in read if (text := column.text(v)) is not None})
    return found


def _is_read(value: object) -> bool:
    """Whether an open column has a category for it."""
    return isinstance(value, str) or (is_number(value) and not is_missing(value))


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
    if schema.repeating and not mechanism.gaussian:
        raise SchemaError(
            f"{schema.repeating[0]!r} repeats, and {name_of(mechanism)} leaves no budget to count"
            " the rows of each unit: leave out repeats, or use another mechanism"
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


def check_counts(mechanism: Mechanism, spread: bool) -> None:
    """Refuses a mechanism that reads rows where these lie on other machines, and stay there."""
    if spread and mechanism.reads_rows:
        raise ValueError(
            f"{name_of(mechanism)} reads rows, and those of a Spark DataFrame are only counted"
            ' where they lie: take "canopy", "aim", "mst" or "independent", or write the table to'
            " Parquet and give its path"
        )
