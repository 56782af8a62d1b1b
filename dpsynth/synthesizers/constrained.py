"""Samples of a schema with constraints: all rows keep all of them, and there are exactly n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.keys import generated_keys
from dpsynth.data.constraints.recoding import Check, recoding_of
from dpsynth.data.constraints.steps import Rows
from dpsynth.schema.columns import Identifier
from dpsynth.schema.constraints import Unique
from dpsynth.synthesizers.balance import Class, Split, combinations, counts_of, shared_out
from dpsynth.synthesizers.cases import Case
from dpsynth.synthesizers.conditions import Term
from dpsynth.synthesizers.implications import Condition
from dpsynth.synthesizers.kept_rows import Keeping
from dpsynth.synthesizers.parity import Adjusted
from dpsynth.synthesizers.rule_terms import terms_and_checks
from dpsynth.synthesizers.sampled_rows import Origin, Tilt
from dpsynth.synthesizers.shifting import Shifting

_SEEN = 50_000
"""Rows that are drawn to see joint shares by: a share of .5 has an error of .002."""

_PILOT = 4096
"""Rows that are drawn of a class, to see how it is joined with those of other columns."""


def draw_kept(
    origin: Origin,
    n: int,
    cases: Sequence[Case],
    splits: Sequence[Split],
    rng: np.random.Generator,
    tilts: Sequence[Tilt] = (),
    shifts: Mapping[str, float] = MappingProxyType({}),
    *,
    adjusted: Adjusted | None = None,
    beyond: bool = False,
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
        The shares of columns' classes, or nothing.
    rng : numpy.random.Generator
        Draws everything, in an order that follows from the arguments.
    tilts : sequence of Tilt
        Of columns of the release.
    shifts : mapping of str to float
        What is added to columns' numbers, when the conditions are met.
    adjusted : Adjusted or None
        Shares of combinations of classes, in place of splits.
    beyond : bool
        Whether rows that meet the conditions are made up where the model has none.

    Returns
    -------
    DataFrame
        With the schema's columns and dtypes.

    Raises
    ------
    ConditionError
        Where no row meets the condition, or so few that none was found.
    """
    keeping = Keeping(origin, rng, tilts, beyond=beyond)
    shifting = Shifting(origin, keeping, shifts)
    terms, checks = terms_and_checks(Condition(tuple(cases)))
    if adjusted is not None:
        splits, counts = adjusted.parity.splits, adjusted.counts(n, rng)
    elif splits:
        counts = _counts(keeping, splits, n, terms, checks, rng)
    else:
        return whole(shifting.rows(n, terms, checks), n, origin, rng)
    parts = [
        pd.DataFrame(shifting.rows(int(count), [*terms, *_terms_of(splits, at)], checks))
        for at, count in np.ndenumerate(counts)
        if count
    ] or [pd.DataFrame(shifting.rows(0, terms, checks))]
    mixed = pd.concat(parts, ignore_index=True).take(rng.permutation(n)).reset_index(drop=True)
    return whole({str(name): mixed[name] for name in mixed}, n, origin, rng)


def check_moves(origin: Origin, tilts: Sequence[Tilt], shifts: Mapping[str, float]) -> None:
    """ConditionError for what cannot be tilted or shifted beside constraints; nothing is drawn."""
    Shifting(origin, Keeping(origin, np.random.default_rng(0), tilts), shifts)


def _terms_of(splits: Sequence[Split], at: tuple[int, ...]) -> list[Term]:
    """Of one combination of classes."""
    chosen = (split.classes[place] for split, place in zip(splits, at, strict=True))
    return [term for each in chosen for term in each.terms]


def _counts(
    keeping: Keeping,
    splits: Sequence[Split],
    n: int,
    terms: Sequence[Term],
    checks: Sequence[Check],
    rng: np.random.Generator,
) -> np.ndarray:
    """How many rows each combination of classes has.

    How classes are joined is seen in rows of each class of one column: what their own shares are
    does not count, as the shares asked for take their place.
    """
    shape = combinations(splits)
    if len(splits) == 1:
        return shared_out(n, [each.share for each in splits[0].classes])
    pilot = keeping.rows(_PILOT, terms, checks)
    shares = [[_in_class(pilot, each).mean() for each in split.classes] for split in splits]
    first = min(range(len(splits)), key=lambda place: min(shares[place]))  # has the rarest class
    masses = np.zeros(shape)
    for place, each in enumerate(splits[first].classes):
        if each.share > 0:
            rows = keeping.rows(_PILOT, [*terms, *each.terms], checks)
            for at in np.ndindex(*shape):
                if at[first] == place:
                    chosen = (s.classes[i] for s, i in zip(splits, at, strict=True))
                    masses[at] = np.logical_and.reduce([_in_class(rows, c) for c in chosen]).sum()
    return counts_of(masses, splits, n, rng)


def kept_masses(
    origin: Origin, cases: Sequence[Case], splits: Sequence[Split], rng: np.random.Generator
) -> np.ndarray:
    """The joint shares of columns' classes, seen in rows that meet one of the cases and keep all
    constraints.
    """
    terms, checks = terms_and_checks(Condition(tuple(cases)))
    rows = Keeping(origin, rng).rows(_SEEN, terms, checks)
    places = [_places(rows, split) for split in splits]
    masses = np.zeros([len(split.classes) for split in splits])
    np.add.at(masses, tuple(places), 1 / _SEEN)
    return masses


def _places(rows: Rows, split: Split) -> np.ndarray:
    """For each row the place of its class."""
    return np.argmax([_in_class(rows, each) for each in split.classes], axis=0)


def _in_class(rows: Rows, of: Class) -> np.ndarray:
    return np.logical_and.reduce([term.holds(rows[term.column]) for term in of.terms])


def with_keys(rows: pd.DataFrame, origin: Origin, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of several draws with new keys, as those of each may repeat."""
    keys = recoding_of(origin.schema).keys
    kept = {str(name): rows[name] for name in rows if name not in keys}
    return whole(kept, len(rows), origin, rng)


def as_modelled(rows: pd.DataFrame, origin: Origin) -> tuple[pd.DataFrame, Origin]:
    """The rows with the modelled columns beside them, and the origin of these."""
    recoding = recoding_of(origin.schema)
    encoded: Any = recoding.encoded(rows)
    return encoded, replace(origin, schema=recoding.modelled, made_of=recoding.made_of)


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
    dated = pd.DataFrame(rows, copy=False) if schema.unit.periods else None
    made = {**origin.identifiers(n, rng, dated), **keys}
    found = {name: (made if name in made else rows)[name] for name in columns}
    return pd.DataFrame(found, copy=False)
