"""Recoding: what a record becomes depends on that record and on public facts alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dpsynth as d
from dpsynth.data.constraints import recoding as module
from dpsynth.data.constraints.lookup import Lookup
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.data.constraints.steps import CombinedStep, GapStep
from dpsynth.data.tables.codec import codecs, schema_domain
from dpsynth.door.codes import codes_of

PLACES = [["DE", "Berlin"], ["DE", "Bonn"], ["FR", "Paris"], ["FR", None]]
SCHEMA = d.Schema(
    {
        "admitted": d.Datetime("2020-01-01", "2020-12-31", format="%d.%m.%Y"),
        "discharged": d.Datetime("2020-01-01", "2021-12-31", nullable=True, missing_marker="9999-12-31"),
        "low": d.Numeric(0, 10, decimals=1),
        "high": d.Numeric(0, 20, decimals=1),
        "gross": d.Numeric(0, None),
        "fee": d.Numeric(0, 50),
        "net": d.Numeric(None, None, nullable=True),
        "country": d.Categorical(["DE", "FR", "else"], other="else"),
        "city": d.Categorical(["Berlin", "Bonn", "Paris"], nullable=True, missing_marker="?"),
        "north": d.Boolean(true=["ja"], false=["nein"]),
        "south": d.Numeric(0, 1, integer=True),
        "visit": d.Identifier(),
    },
    constraints=[
        d.Order("admitted", "<=", "discharged"),
        d.Order("low", "<", "high"),
        d.Order("fee", "<=", "gross"),
        d.Derived("net", "gross - fee"),
        d.FixedCombinations(["country", "city"], public=PLACES),
        d.OneHot(["north", "south"]),
        d.Unique("visit"),
    ],
)
ODD = [
    None, "", "strange", -1e308, 1e308, np.inf, -np.inf, np.nan, True, "2020-05-05", "31.12.2020", "9999-12-31",
    b"\xff", object, 10**400, "Berlin", "ja", 1, 0, "1", pd.NaT, pd.Timestamp("2300-01-01"), "DE", "?", 7.25,
]  # fmt: skip


def odd_rows(seed: int, n: int) -> pd.DataFrame:
    """Rows of anything, about half of whose values are declared."""
    rng = np.random.default_rng(seed)
    good: dict[str, list[Any]] = {
        "admitted": ["03.02.2020", "2020-07-01", pd.Timestamp("2020-03-01")],
        "discharged": ["2020-02-03", "2021-01-01", "2020-06-01"],
        "low": [0, 1.5, "2.5", 9.9],
        "high": [3, 1.5, "20"],
        "gross": [10, 1e6, "12.5"],
        "fee": [1, 2.5, 40],
        "net": [4, 5],
        "country": ["DE", "FR", "US"],
        "city": ["Berlin", "Bonn", "Paris", "?"],
        "north": ["ja", "nein"],
        "south": [0, 1],
    }
    columns = {
        name: [
            values[rng.integers(len(values))] if rng.random() < 0.5 else ODD[rng.integers(len(ODD))] for _ in range(n)
        ]
        for name, values in good.items()
    }
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


def codes(schema: d.Schema, rows: Any) -> Mapping[str, list[int]]:
    """The codes that a fit counts."""
    recoding = recoding_of(schema)
    learned = dict.fromkeys(recoding.modelled.unbounded, (-1e6, 1e6))
    table = recoding.encoded(rows)
    found = codecs(recoding.modelled, learned)
    return {name: codes_of(table[name], codec).tolist() for name, codec in found.items()}


def joins_records(schema: d.Schema, one: pd.DataFrame, other: pd.DataFrame) -> bool:
    both = codes(schema, pd.concat([one, other], ignore_index=True))
    parts = [codes(schema, each) for each in (one, other)]
    return all(both[name] == parts[0][name] + parts[1][name] for name in both)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # as behind the wall
@pytest.mark.parametrize("seed", range(20))
def test_the_code_of_a_record_depends_on_that_record_alone(seed: int) -> None:
    assert joins_records(SCHEMA, odd_rows(seed, 30), odd_rows(seed + 100, 1))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_value_makes_the_recoding_raise() -> None:
    for value in ODD:
        rows = pd.DataFrame({name: pd.Series([value, value], dtype=object) for name in odd_rows(0, 1)})
        for name, found in codes(SCHEMA, rows).items():
            assert len(found) == 2, name


def test_an_arrow_table_of_texts_has_the_codes_of_the_same_data_frame() -> None:
    frame = pd.DataFrame(
        {
            "admitted": ["03.02.2020", "2020-07-01"],
            "discharged": ["2020-02-05", None],
            "low": ["1.5", "2"],
            "high": ["1.7", "20"],
            "gross": ["12.5", "99"],
            "fee": ["3", "4.25"],
            "net": [None, "1"],
            "country": ["DE", "FR"],
            "city": ["Bonn", "Berlin"],
            "north": ["ja", "nein"],
            "south": ["0", "1"],
        }
    )
    assert codes(SCHEMA, pa.Table.from_pandas(frame)) == codes(SCHEMA, frame)


def test_a_combination_that_is_not_public_counts_as_an_undeclared_value() -> None:
    rows = pd.concat([odd_rows(1, 1)] * 4, ignore_index=True)
    rows["country"], rows["city"] = ["DE", "FR", "DE", "FR"], ["Bonn", "Bonn", None, None]
    assert codes(SCHEMA, rows)["country, city"] == [1, 4, 4, 3]


def test_what_follows_is_left_out_of_a_fit_and_what_goes_together_is_one_column() -> None:
    names = set(recoding_of(SCHEMA).modelled.columns)
    assert names == {
        "admitted", "admitted to discharged", "low", "low to high", "fee", "fee to gross", "country, city",
        "north, south",
    }  # fmt: skip


# Broken doubles


def same_for_neighbours(recode: Callable[[d.Schema, pd.DataFrame], Any]) -> bool:
    """Whether what a fit is about, its domain, stays as it is when one record is added."""
    rows = odd_rows(3, 40)
    rows["country"], rows["city"] = "DE", "Bonn"
    added = rows.iloc[:1].assign(city="Berlin")
    neighbour = pd.concat([rows, added], ignore_index=True)
    return bool(recode(SCHEMA, rows) == recode(SCHEMA, neighbour))


def learned() -> dict[str, tuple[float, float]]:
    return dict.fromkeys(recoding_of(SCHEMA).modelled.unbounded, (-1e6, 1e6))


def public_domain(schema: d.Schema, rows: pd.DataFrame) -> Any:
    return schema_domain(recoding_of(schema).modelled, learned()).sizes


def domain_of_occurring(schema: d.Schema, rows: pd.DataFrame) -> Any:
    """The leak of other libraries: the combinations that occur in the rows."""
    occurring = rows[["country", "city"]].drop_duplicates().to_numpy().tolist()
    rules = [
        d.FixedCombinations(["country", "city"], public=occurring) if isinstance(rule, d.FixedCombinations) else rule
        for rule in schema.constraints
    ]
    return public_domain(d.Schema(schema.columns, constraints=rules), rows)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_domain_is_the_same_for_neighbours_and_not_where_combinations_are_read_from_rows() -> None:
    assert same_for_neighbours(public_domain)
    assert not same_for_neighbours(domain_of_occurring)


class _RankedGap(GapStep):
    """Counts gaps from the smallest that occurs."""

    def encode(self, values: Mapping[str, Any]) -> np.ndarray:
        gap = super().encode(values)
        return gap - np.nanmin(gap, initial=1e6)


class _NumberedCombinations(CombinedStep):
    """Numbers combinations in the order in which they occur."""

    def encode(self, values: Mapping[str, Any]) -> np.ndarray:
        return pd.factorize(super().encode(values))[0]


class _CommonCombinations(CombinedStep):
    """Gives a combination that is not public the most frequent one."""

    def encode(self, values: Mapping[str, Any]) -> np.ndarray:
        found = super().encode(values)
        known = found[found >= 0]
        return np.where(found < 0, np.bincount(known).argmax() if len(known) else 0, found)


DOUBLES = {
    "gaps from the least": ("GapStep", _RankedGap),
    "combinations as they occur": ("CombinedStep", _NumberedCombinations),
    "the most frequent for others": ("CombinedStep", _CommonCombinations),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "double"), DOUBLES.values(), ids=DOUBLES.keys())
def test_a_step_that_looks_at_other_records_is_found_by_the_law(
    name: str, double: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, double)
    recoding_of.cache_clear()
    try:
        assert not all(joins_records(SCHEMA, odd_rows(seed, 30), odd_rows(seed + 100, 5)) for seed in range(20))
    finally:
        recoding_of.cache_clear()


# Decoding


def test_lookups_find_the_row_of_each_combination_and_no_other() -> None:
    columns = {"a": d.Categorical(["x", "y", "z"]), "b": d.Boolean(nullable=True), "c": d.Numeric(0, 4, integer=True)}
    rng = np.random.default_rng(5)
    every = np.array([(a, b, c) for a in range(3) for b in range(3) for c in range(5)])
    kept = rng.permutation(every)[:20]
    lookup = Lookup(columns, list(columns), kept)
    values = {
        "a": [["x", "y", "z"][row[0]] for row in every],
        "b": [[False, True, None][row[1]] for row in every],
        "c": [int(row[2]) for row in every],
    }
    listed = [tuple(row) for row in kept.tolist()]
    wanted = [listed.index(tuple(row)) if tuple(row) in listed else -1 for row in every.tolist()]
    assert lookup.rows_of(values).tolist() == wanted


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("spacing", [{"integer": True}, {"decimals": 2}, {"step": 0.1}, {}])
def test_a_gap_leads_back_to_the_column_that_it_was_made_of(above: bool, strict: bool, spacing: dict[str, Any]) -> None:
    rng = np.random.default_rng(7)
    column = d.Numeric(-10, 40, **spacing)
    numbers = np.sort(np.round(rng.uniform(-10, 40, (2, 500)), 0 if "integer" in spacing else 1), axis=0)
    numbers = numbers[:, numbers[0] < numbers[1]]
    lower, upper = map(pd.Series, numbers)
    base, other = (lower, upper) if above else (upper, lower)
    step = GapStep(("base", column), ("other", column), above=above, strict=strict)
    gap = step.encode({"base": base, "other": other})
    assert (gap > 0).all()
    rows = {"base": base, step.attribute: pd.Series(gap)}
    step.decode(rows, rng)
    assert rows["other"].astype(float).tolist() == other.tolist()
    assert list(rows) == ["base", "other"]
