"""Samples of a schema with constraints: all rows keep all of them, and there are exactly n."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.keys import generated_keys
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.data.constraints.steps import Rows
from dpsynth.models.base import ConditionError
from dpsynth.schema.columns import Identifier
from dpsynth.schema.constraints import Unique
from dpsynth.synthesizers.balance import Split, shared_out
from dpsynth.synthesizers.cases import Case
from dpsynth.synthesizers.implications import Condition
from dpsynth.synthesizers.kept_rows import Keeping, terms_and_checks
from dpsynth.synthesizers.sampled_rows import Origin


def draw_kept(
    origin: Origin,
    n: int,
    cases: Sequence[Case],
    splits: Sequence[Split],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """n rows that meet one of the cases and keep all constraints of the schema.

    Parameters
    ----------
    origin : Origin
        A model of the modelled columns, and the schema of the release with its constraints.
    n : int
        How many rows.
    cases : sequence of Case
        Of columns of the release; no row meets two.
    splits : sequence of Split
        The shares of one column's classes, or nothing.
    rng : numpy.random.Generator
        Draws everything, in an order that follows from the arguments.

    Returns
    -------
    DataFrame
        With the schema's columns and dtypes.

    Raises
    ------
    ConditionError
        Where no row meets the condition, or so few that none was found.
    """
    keeping = Keeping(origin, rng)
    terms, checks = terms_and_checks(Condition(tuple(cases)))
    if len(splits) > 1:
        raise ConditionError(
            "several columns cannot be balanced at once where the schema has constraints: balance"
            " one of them"
        )
    if not splits:
        return whole(keeping.rows(n, terms, checks), n, origin, rng)
    counts = shared_out(n, [each.share for each in splits[0].classes])
    parts = [
        pd.DataFrame(keeping.rows(int(count), [*terms, *each.terms], checks))
        for each, count in zip(splits[0].classes, counts, strict=True)
        if count or not n
    ]
    mixed = pd.concat(parts, ignore_index=True).take(rng.permutation(n)).reset_index(drop=True)
    return whole({str(name): mixed[name] for name in mixed}, n, origin, rng)


def with_keys(rows: pd.DataFrame, origin: Origin, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of several draws with new keys, as those of each may repeat."""
    keys = recoding_of(origin.schema).keys
    kept = {str(name): rows[name] for name in rows if name not in keys}
    return whole(kept, len(rows), origin, rng)


def as_modelled(rows: pd.DataFrame, origin: Origin) -> tuple[pd.DataFrame, Origin]:
    """The rows with the modelled columns beside them, and the origin of these."""
    recoding = recoding_of(origin.schema)
    encoded: Any = recoding.encoded(rows)
    return encoded, replace(origin, schema=recoding.modelled)


def whole(rows: Rows, n: int, origin: Origin, rng: np.random.Generator) -> pd.DataFrame:
    """n rows with their keys and other identifiers, in the schema's order."""
    schema = origin.schema
    columns = recoding_of(schema).columns
    unique = {rule.column for rule in schema.constraints if isinstance(rule, Unique)}
    repeats = {*schema.unit.columns}  # which say whose a row is, unless they are unique
    keys = {
        name: generated_keys(name, columns[name], n, rng)
        for name in columns  # in the schema's order: it is the order of draws
        if name in unique and (name in repeats or not isinstance(columns[name], Identifier))
    }
    made = {**origin.identifiers(n, rng), **keys}
    found = {name: (made if name in made else rows)[name] for name in columns}
    return pd.DataFrame(found, copy=False)
