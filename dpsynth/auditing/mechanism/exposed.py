"""Neighbouring tables of real records: with and without those that are most exposed.

Attacks do best on records unlike all others: "the choice of vulnerable records is as important as more accurate
attacks" (Meeus et al., arXiv 2306.10308). Whether a real table is such a pair's ground makes what comes of it internal.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dpsynth.auditing.attacks.neighbours import nearest
from dpsynth.auditing.attacks.records import read_tables
from dpsynth.auditing.mechanism.pairs import Pair
from dpsynth.schema.table import Schema

_NEIGHBOURS = 5


def exposed_pairs(table: pd.DataFrame, schema: Schema, count: int = 3) -> tuple[Pair, ...]:
    """For each of the `count` records that are farthest from their five nearest neighbours, on average, the table
    without it and the table with it; for the adjacency "replace", with the record nearest to it in its place.

    The games of shadow-model attacks (arXiv 2407.07926), in which all but the one record is held fixed.
    """
    if not 1 <= count <= len(table) - _NEIGHBOURS:
        raise ValueError(f"a table of {len(table)} rows has no {count} records with {_NEIGHBOURS} neighbours each")
    records = read_tables({"records": table}, schema)["records"]
    near = nearest(records, records, _NEIGHBOURS, columns=records.columns, own=True)
    farthest = np.argsort(-np.sqrt(near.squared).mean(axis=1), kind="stable")[:count].tolist()
    return tuple(_pair(table, row, int(near.rows[row, 0]), schema.unit.adjacency == "replace") for row in farthest)


def _pair(table: pd.DataFrame, row: int, neighbour: int, replaced: bool) -> Pair:
    rest = np.delete(np.arange(len(table)), row)
    first = np.append(rest, neighbour) if replaced else rest
    first_table, second = (table.iloc[rows].reset_index(drop=True) for rows in (first, np.append(rest, row)))
    return Pair(f"the record in row {row}", first_table, second)
