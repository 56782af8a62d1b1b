"""Whether any row can keep all constraints, by trying all rows, where these are not too many.

Bounds and implications by themselves are looked at elsewhere (`contradictions`, `implications`):
what several kinds leave together is not seen there. Here the columns fall into groups that rules
join, and for each group every combination of its modelled values is decoded and tested, as rows of
a sample are. No row of the table is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dpsynth.base.text import some
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.data.tables.codec import codec_for
from dpsynth.schema.columns import Numeric, SchemaError
from dpsynth.schema.constraints import Constraint
from dpsynth.schema.opened import listed_values
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.implications import implications_of, refuse_impossible
from dpsynth.synthesizers.kept_rows import blocks_of

_MOST = 2**18
"""Combinations of one group's values; with more, the group counts as able to keep its rules."""

_NOTHING_DRAWN = np.random.default_rng(0)
"""Cells that hold one value each are decoded without a draw."""


def refuse_unkeepable(schema: Schema) -> None:
    """SchemaError, with the culprits, where no row can keep all constraints.

    Groups of columns with too many values, and columns with an open bound or real numbers, count
    as able to keep what they are about.
    """
    if schema.open:
        _refuse_where_a_fit_finds_nothing(schema)
        return
    refuse_impossible(schema)
    if _able(schema):
        return
    left = list(schema.constraints)
    for rule in schema.constraints:
        others = [each for each in left if each is not rule]
        if not _keepable(schema, others):
            left = others
    said = " and ".join(f"`{rule.describe()}`" for rule in left)
    raise SchemaError(
        f"no row can keep {said} between the values of the columns: move a bound, or leave one of"
        " them out"
    )


def _refuse_where_a_fit_finds_nothing(schema: Schema) -> None:
    """The same of open columns: with public categories alone, as a fit may find no others. What it
    finds makes no rule harder to keep (see `schema.opened`).
    """
    most = schema.settled(listed_values(schema.constraints, schema.columns))
    recoding_of(most)  # what tables list can be read, and so can conditions
    implications_of(most)
    named = some([*map(repr, schema.open)])
    try:
        refuse_unkeepable(schema.settled({}))
    except SchemaError as error:
        raise SchemaError(
            f"{error}; of {named} only public categories and OTHER are sure to be there, so list"
            " more of them as public"
        ) from None


def _keepable(schema: Schema, rules: Sequence[Constraint]) -> bool:
    """The same for some of the rules."""
    try:
        less = Schema(schema.columns, unit=schema.unit, constraints=rules)
        refuse_impossible(less)
        return _able(less)
    except SchemaError:
        return False


def _able(schema: Schema) -> bool:
    recoding = recoding_of(schema)
    about = [(each, recoding.sources(each.columns)) for each in recoding.checks]
    implied = [(each, recoding.sources(each.columns)) for each in implications_of(schema)]
    links = [columns for _, columns in (*about, *implied)]
    for columns, ruled in blocks_of([[name] for name in recoding.modelled.coded], links):
        values = _values(schema, columns) if ruled else None
        if values is None:
            continue
        rows = recoding.decoded(values, _NOTHING_DRAWN)
        kept = np.ones(len(next(iter(values.values()))), dtype=bool)
        for check, named in about:
            if named <= columns:
                kept &= check.passed(rows)
        for each, named in implied:
            if named <= columns:
                kept &= ~each.when.holds(rows) | each.then.holds(rows)
        if not kept.any():
            return False
    return True


def _values(schema: Schema, columns: set[str]) -> dict[str, pd.Series] | None:
    """All combinations of some modelled columns' values; None where they are not so few."""
    modelled = recoding_of(schema).modelled.columns
    found: dict[str, pd.Series] = {}
    for name in sorted(columns):
        column = modelled[name]
        if isinstance(column, Numeric) and not column.bounded:
            return None
        codec = codec_for(column)
        nullable = getattr(column, "nullable", False)
        cells = np.arange(codec.size if nullable else len(codec.ends()[0]))
        if not codec.single or len(cells) > _MOST:
            return None
        found[name] = codec.decode(cells, _NOTHING_DRAWN)
    sizes = [len(values) for values in found.values()]
    if math.prod(sizes) > _MOST:
        return None
    places = np.indices(sizes).reshape(len(sizes), -1)
    return {
        name: values.iloc[at].reset_index(drop=True)
        for (name, values), at in zip(found.items(), places, strict=True)
    }
