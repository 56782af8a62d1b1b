"""Partial rows and real tables made whole where the schema has constraints (see `completion`).

Known values stay as they are. Partial rows for which completing takes too long are drawn one by
one, as samples under conditions are. A real row is filled in so that it keeps the rules where its
own values allow it: none makes the result fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from dpsynth.data.constraints.recoding import Check, recoding_of
from dpsynth.data.constraints.steps import Rows
from dpsynth.data.tables.check import missing_in
from dpsynth.data.tables.written import as_declared
from dpsynth.models.base import ConditionError
from dpsynth.schema.columns import SchemaError
from dpsynth.synthesizers.cases import Case, Relation
from dpsynth.synthesizers.completion import Completion
from dpsynth.synthesizers.kept_rows import Keeping
from dpsynth.synthesizers.known import Known, put, read_known
from dpsynth.synthesizers.partial_rows import LEAST, filled
from dpsynth.synthesizers.rule_check import kept_rules
from dpsynth.synthesizers.sampled_rows import Origin

KEEPS = "keeps_constraints"
"""The column of a filled-in table that says which rows keep all constraints."""


def rows_given_kept(
    origin: Origin,
    given: pd.DataFrame,
    cases: Sequence[Case],
    each: int,
    rng: np.random.Generator,
) -> Rows:
    """For each partial row so many whole ones, in its place, without keys; see `rows_given`."""
    given = given.iloc[np.repeat(np.arange(len(given)), each)].reset_index(drop=True)
    for name in given.columns:
        if name not in able_columns(origin):
            raise ConditionError(
                f"given has a column {name!r}, which cannot be sampled: use columns of"
                f" {able_columns(origin)}"
            )
    known, odd = read_known(origin, given)
    for name, wrong in odd.items():
        if wrong.any():
            raise ConditionError(
                f"given has {int(wrong.sum())} values of {name!r} that the schema and its"
                f" constraints do not allow, the first in row {int(np.argmax(wrong)) // each}:"
                " change them, or leave them empty"
            )
    if len(cases) != 1:
        raise ConditionError(
            "given has partial rows, and where must have no alternatives beside them: draw each"
            " alternative by itself"
        )
    terms, checks = cases[0].terms, _checks_of(cases[0])
    completing = Completion(origin, known, terms, checks, (), 0.0, rng)
    rows, left = completing.rows()
    for row, others in _alike(given, left):
        try:
            wanted = [*terms, *known.terms(row, origin)]
            drawn = Keeping(origin, rng).rows(len(others), wanted, checks)
        except ConditionError as error:
            raise ConditionError(f"row {row // each} of given: {error}") from None
        put(rows, others, drawn)
    return completing.with_known(rows)


def filled_in_kept(
    origin: Origin, table: pd.DataFrame, columns: Sequence[str], rng: np.random.Generator
) -> pd.DataFrame:
    """The table with a value drawn wherever one of these columns has none, as rules allow it.

    A column that is computed is computed; a value that a rule wants missing stays so. A last
    column says of each row whether it now keeps all constraints: real values may break them.
    """
    if KEEPS in table:
        raise SchemaError(f"the table has a column {KEEPS!r}, which is added here: rename it")
    named = [name for name in table if name in able_columns(origin)]
    absent = {name: missing_in(origin.schema.coded[name], table[name]) for name in columns}
    known = _with_missing(origin, table[named], columns)
    rows, left = Completion(origin, known, (), (), columns, LEAST, rng).rows()
    drawn = pd.DataFrame(rows, copy=False)[[*columns]]
    spelled = as_declared(drawn, origin.schema)
    found = table.copy()
    for name in columns:
        text = pd.api.types.infer_dtype(table[name]) == "string"
        values = spelled[name].astype(object) if text else drawn[name]
        found[name] = filled(table[name], absent[name], values)
    return found.assign(**{KEEPS: _keep(found, origin, left)})


def _keep(table: pd.DataFrame, origin: Origin, left: np.ndarray) -> np.ndarray:
    """For each row whether it keeps the constraints of the columns that the table has."""
    kept = np.ones(len(table), dtype=bool)
    kept[left] = False
    for _, own in kept_rules(table, origin.schema):
        kept &= own
    return kept


def _with_missing(origin: Origin, table: pd.DataFrame, columns: Sequence[str]) -> Known:
    """What the table says: of columns that are not to be filled in missing values are known."""
    known, odd = read_known(origin, table)
    at = dict(known.at)
    for name in map(str, table):
        column = origin.schema.columns[name]
        if name not in columns and getattr(column, "nullable", False):
            at[name] = at[name] | (~odd[name] & missing_in(column, table[name]))
    values = {name: each.mask(~known.at[name]) for name, each in known.values.items()}
    return Known(known.n, values, at)


def able_columns(origin: Origin) -> list[str]:
    """The columns that can be given or filled in: all but keys."""
    keys = recoding_of(origin.schema).keys
    return sorted(name for name in origin.schema.coded if name not in keys)


def _checks_of(case: Case) -> list[Check]:
    """The relations of a case, as checks."""
    return [_check_of(each) for each in case.relations]


def _check_of(relation: Relation) -> Check:
    left, right = relation.left, relation.right
    return Check(
        f"the condition on `{left}` and `{right}`",
        (left, right),
        lambda rows: relation.holds(rows[left], rows[right]),
    )


def _alike(given: pd.DataFrame, left: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The places in which the same is given, by the first of them."""
    found: dict[tuple[str, ...], list[int]] = {}
    for row, values in zip(left.tolist(), given.iloc[left].to_numpy(dtype=object), strict=True):
        found.setdefault(tuple(map(repr, values)), []).append(row)
    for rows in found.values():
        yield rows[0], np.array(rows)
