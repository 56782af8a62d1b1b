"""What public facts can refuse of a fit, before anything is read or charged."""

from __future__ import annotations

from collections.abc import Sequence

from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.marginal.known import Marginal
from dpsynth.mechanisms.registry import TABLES, name_of
from dpsynth.schema.table import Categorical, Schema, SchemaError
from dpsynth.synthesizers.recorded import RecordedMarginal

_MOST_CATEGORIES = 2**24


def check_size(schema: Schema) -> None:
    """Refuses what would not fit into memory, before anything is read or charged."""
    sizes = {name: len(c.categories) for name, c in schema.columns.items() if isinstance(c, Categorical)}
    if sum(sizes.values()) > _MOST_CATEGORIES:
        widest = max(sizes, key=lambda name: sizes[name])
        raise SchemaError(
            f"the schema has {sum(sizes.values()):,} categories, {sizes[widest]:,} of them in {widest!r}; more than"
            f" {_MOST_CATEGORIES:,} would take gigabytes: group rare categories, or use other="
        )


def told(mechanism: Mechanism, known: Sequence[Marginal | RecordedMarginal], schema: Schema) -> Mechanism:
    """The mechanism, and what is known; ValueError where it cannot make use of that."""
    if isinstance(known, list | tuple) and (lost := [k for k in known if isinstance(k, RecordedMarginal)]):
        raise ValueError(
            f"a model file names known marginals without their counts ({', '.join(sorted({k.source for k in lost}))}):"
            " give them again by set_params(known=[...]), or set_params(known=()) to do without"
        )
    if not isinstance(known, list | tuple) or not all(isinstance(marginal, Marginal) for marginal in known):
        raise ValueError("known must be a list of dpsynth.Marginal: known=[Marginal(counts, stddev=..., source=...)]")
    if not known:
        return mechanism
    if not mechanism.takes_known:
        able = " and ".join(TABLES.those("takes_known"))
        raise ValueError(f"known marginals serve {able}, not {name_of(mechanism)}: leave them out")
    return mechanism.with_known([k.coded(schema) for k in known if isinstance(k, Marginal)])


def check_resumable(mechanism: Mechanism, seed: int | None) -> None:
    """Refuses a checkpoint that could not be resumed."""
    if not mechanism.resumable:
        able = " and ".join(TABLES.those("resumable"))
        raise ValueError(f"a checkpoint serves {able}, not {name_of(mechanism)}: leave it out")
    if seed is not None:
        raise ValueError("noise from a seed would come again in a fit that is resumed: leave the checkpoint out")


def check_settings(mechanism: Mechanism, schema: Schema) -> None:
    """Refuses settings that do not fit the schema, before anything is read or charged."""
    mechanism.check_schema(schema)
    mechanism.check_unit(schema.unit)
