"""`schema check` names the kind of fault where over a fifth of a column is undeclared, and quotes no value."""

from __future__ import annotations

import pandas as pd
import pytest

from dpsynth.data.engines.files import open_rows
from dpsynth.data.tables.check import check_rows
from dpsynth.data.tables.unread import NULLS, UNKNOWN
from dpsynth.schema.columns import Boolean, Categorical, Datetime, Numeric
from dpsynth.schema.table import Schema

DAY = Datetime("2015-01-01", "2024-12-31")
COST = Numeric(0, 10_000)
TOWN = Categorical(["Köln", "Bonn", "Berlin"])
KINDS = [
    (DAY, "several formats", ["31.01.2020", "1/2/2021", "05-Mar-2019", "31/31/2020", "March 5, 2020"]),
    (DAY, 'format: "%d.%m.%Y"', ["31.01.2020", "1.2.2021", "05.06.2019", "March 5, 2020"]),
    (DAY, 'format: "%m/%d/%Y"', ["01/02/2020", "1/31/2021", "5/6/2019"]),
    (DAY, '"%d/%m/%Y" or "%m/%d/%Y"', ["01/02/2020", "1/12/2021", "5/6/2019"]),
    (DAY, 'format: "%d-%b-%Y %H:%M"', ["05-Mar-2019 13:05", "31-Dec-2020 00:00"]),
    (DAY, 'format: "%Y%m%d"', ["20200131", "20211201"]),
    (DAY, "not read as dates", ["43861", "1580428800"]),
    (COST, 'declare decimal: ","', ["12,50", "1.234,5", "12,50 €", "0,125"]),
    (Numeric(0, 9, decimal=","), "leave decimal", ["1.5", "2.25", "$0.5"]),
    (COST, "currency code", ["EUR 12", "12 CHF", "1,234.50 USD"]),
    (COST, "groups of three", ["1,23,4", "1'2", "(12)", "5-"]),
    (COST, "unit", ["12 kg", "<5", "7mg", "ca. 5", "Fr. 5"]),
    (COST, "declare the column Datetime", ["2020-01-31", "31.01.2020"]),
    (Categorical([1, 2]), "list the categories as texts", ["1,0", "2,0", "2,0"]),
    (TOWN, "ignore_case: true", ["BONN", "berlin", "köln", " BERLIN"]),
    (Categorical(["1", "2"]), "01 for 1", ["01", "02", "1.0"]),
    (Boolean(), "true and false", ["ja", "nein"]),
    (TOWN, UNKNOWN, ["Ulm", "Trier"]),
]


def check(column, values):
    (found,) = check_rows(pd.DataFrame({"x": pd.Series(values, dtype=object)}), Schema({"x": column}))
    return found


@pytest.mark.parametrize(("column", "words", "values"), KINDS, ids=[words for _, words, _ in KINDS])
def test_each_kind_of_fault_is_named_and_no_value_is_quoted(column, words, values):
    found = check(column, values)
    assert found.undeclared == len(values)
    assert words in found.reason
    assert not [value for value in values if len(value) > 3 and value in found.reason]


@pytest.mark.parametrize("column", [DAY, COST, TOWN, Boolean()], ids=repr)
def test_missing_values_are_undeclared_where_the_schema_does_not_declare_them(column):
    found = check(column, [None, None])
    assert (found.missing, found.undeclared, found.reason) == (0, 2, NULLS)


def test_just_a_fifth_is_not_over_a_fifth():
    assert check(COST, [1, 2, 3, 4, "5 kg"]).reason is None
    assert check(COST, [1, 2, 3, "4 kg", "5 kg"]).reason is not None


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (Datetime("2015-01-01", "2024-12-31", format="%d.%m.%Y"), ["31.01.2020", "1.2.2021"]),
        (Numeric(0, 10_000, decimal=","), ["12,50", "1.234,5", "12,50 €"]),
        (Numeric(0, 10_000, prefix="EUR", suffix="CHF"), ["EUR 12", "12 CHF"]),
        (Categorical(["1,0", "2,0"]), ["1,0", "2,0"]),
        (Categorical(["Köln", "Bonn", "Berlin"], ignore_case=True), ["BONN", "berlin", " KÖLN"]),
        (Boolean(true=["ja"], false=["nein"]), ["Ja", "nein "]),
        (TOWN, [" Bonn", "Berlin ", "Köln\u00a0"]),
    ],
    ids=str,
)
def test_what_is_declared_as_the_reason_says_is_read(column, values):
    assert check(column, values).undeclared == 0


def test_another_category_takes_what_is_none_of_them_unless_they_are_miswritten():
    column = Categorical(["Bonn", "other"], other="other")
    assert check(column, ["Ulm", "Trier"]).reason is None
    assert "upper case" in check(column, ["BONN", "BONN", "Ulm"]).reason


def test_a_latin_1_file_is_named(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes("town\nKöln\nKöln\nBonn\n".encode("latin-1"))
    (found,) = check_rows(open_rows(path), Schema({"town": TOWN}))
    assert found.undeclared == 2
    assert "latin-1" in found.reason
