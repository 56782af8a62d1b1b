"""Neighbouring tables of real records: with and without those that are most exposed.

Attacks do best on records unlike all others: "the choice of vulnerable records is as important as
more accurate attacks" (Meeus et al., arXiv 2306.10308). Whether a real table is such a pair's
ground makes what comes of it internal.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dpsynth.auditing.attacks.neighbours import nearest
from dpsynth.auditing.attacks.records import read_tables
from dpsynth.auditing.mechanism.pairs import Pair
from dpsynth.schema.table import Schema

_NEIGHBOURS = 5
"""As for the attacks on a release (`attacks.membership.NEIGHBOURS`)."""


def exposed_pairs(table: pd.DataFrame, schema: Schema, count: int = 3) -> tuple[Pair, ...]:
    """The table without and with each of the records that are most exposed.

    These are farthest from their five nearest neighbours, on average. For the adjacency "replace"
    the first table has the record nearest to it in its place. Such are the games of shadow-model
    attacks (arXiv 2407.07926), in which all but the one record is held fixed.

    Parameters
    ----------
    table : DataFrame
        Real records, at least `count` + 5 of them.
    schema : Schema
        Of the table; its adjacency decides what the first table of a pair lacks.
    count : int
        How many pairs, 1 or more.

    Returns
    -------
    tuple of Pair
        The most exposed record first.

    Raises
    ------
    ValueError
        The table has too few rows.
    """
    if not 1 <= count <= len(table) - _NEIGHBOURS:
        raise ValueError(
            f"{count} exposed records need a count of 1 or more and a table of {_NEIGHBOURS} rows"
            f" more than that, got a table of {len(table)} rows: ask for fewer, or give more rows"
        )
    records = read_tables({"records": table}, schema)["records"]
    near = nearest(records, records, _NEIGHBOURS, columns=records.columns, own=True)
    isolation = np.sqrt(near.squared).mean(axis=1)
    farthest = np.argsort(-isolation, kind="stable")[:count].tolist()
    replaced = schema.unit.adjacency == "replace"
    return tuple(_pair(table, row, int(near.rows[row, 0]), replaced) for row in farthest)


def _pair(table: pd.DataFrame, row: int, neighbour: int, replaced: bool) -> Pair:
    rest = np.delete(np.arange(len(table)), row)
    without = np.append(rest, neighbour) if replaced else rest
    with_it = np.append(rest, row)
    return Pair(
        f"the record in row {row}",
        table.iloc[without].reset_index(drop=True),
        table.iloc[with_it].reset_index(drop=True),
    )
