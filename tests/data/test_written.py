"""A CSV file of a release is read with the schema that it was made by, whatever formats that declares."""

from __future__ import annotations

import re
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dpsynth.data.engines.files import open_rows
from dpsynth.data.tables.codec import codecs, decode_frame, encode_frame, schema_domain
from dpsynth.data.tables.written import as_declared
from dpsynth.schema.columns import Boolean, Categorical, Column, Datetime, Numeric
from dpsynth.schema.table import Schema
from dpsynth.schema.texts import number_reader

COLUMNS: dict[str, Column] = {
    "comma": Numeric(-1000, 1e6, decimal=",", nullable=True),
    "cents": Numeric(0, 100_000, decimal=",", decimals=2),
    "whole": Numeric(0, 10**9, integer=True, decimal=",", nullable=True),
    "kept": Numeric(0, 100, nullable=True),
    "truth": Boolean(true=["ja"], false=["nein"], nullable=True),
    "coded": Boolean(true=[1], false=[0], nullable=True),
    **{
        format: Datetime("1969-12-31", "2031-01-01", resolution="s", format=format, nullable=True)
        for format in ("%d.%m.%Y %H:%M:%S", "%b %d, %y %I:%M:%S %p", "%d/%m/%Y %H:%M:%S %z", "%Y-%d-%m %H:%M:%S")
    },
}
SCHEMA = Schema(COLUMNS)


@pytest.fixture
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    codes = {name: rng.integers(0, size, 400) for name, size in schema_domain(SCHEMA).sizes}
    return decode_frame(codes, SCHEMA, {}, rng)


def test_a_file_has_the_values_of_the_rows(rows: pd.DataFrame, tmp_path) -> None:
    as_declared(rows, SCHEMA).to_csv(tmp_path / "rows.csv", index=False)
    read = encode_frame(open_rows(tmp_path / "rows.csv"), SCHEMA)
    expected = encode_frame(rows, SCHEMA)
    for name, codec in codecs(SCHEMA).items():
        known = expected[name] < codec.size - 1
        assert known.mean() > 0.5
        assert np.array_equal(read[name][known], expected[name][known])
        assert np.array_equal(read[name] == codec.size - 1, ~known)


def test_the_file_is_written_as_declared_and_the_rows_stay_as_they_are(rows: pd.DataFrame) -> None:
    before = rows.copy()
    text = as_declared(rows, SCHEMA)
    pd.testing.assert_frame_equal(rows, before)
    assert text["comma"].dropna().str.fullmatch(r"-?\d+(,\d+)?(e-\d+)?").all()
    assert set(text["truth"].dropna()) == {"ja", "nein"}
    assert set(text["coded"].dropna()) == {1, 0}
    assert text["%d.%m.%Y %H:%M:%S"].dropna().str.fullmatch(r"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d").all()
    assert text["kept"].dropna().str.fullmatch(r"\d+(\.\d*[1-9])?").all()
    assert np.array_equal(text["kept"].map(float, "ignore").astype(float), rows["kept"].astype(float), equal_nan=True)


@given(st.floats(-1e300, 1e300))
@example(0.0)
@example(-0.0)
@example(45478.0)
@example(1e-05)
@example(5e-324)
@example(2.0**53 + 2)
@example(1e22)
@example(123456789012345.6)
def test_a_number_is_written_as_people_write_it_and_is_read_as_the_same(number: float) -> None:
    for mark in (".", ","):
        column = Numeric(None, None, decimal=mark)
        rows = as_declared(pd.DataFrame({"x": [number]}), Schema({"x": column}))
        (text,) = rows["x"]
        assert number_reader(column)(text) == number
        plain = r"-?(0|[1-9]\d*)([.,]\d*[1-9])?"
        assert re.fullmatch(plain, text) or not 1e-22 <= abs(number) < 1e23
        assert text != "-0"


def test_numbers_of_a_column_with_whole_steps_and_of_categories_are_whole() -> None:
    schema = Schema(
        {"pay": Numeric(0, 100, step=5), "grade": Categorical([1, 1.5, 2]), "age": Numeric(0, 9, integer=True)}
    )
    rows = pd.DataFrame({"pay": [45.0, 0.0], "grade": pd.Categorical([2.0, 1.5]), "age": [3, 4]})
    shown = as_declared(rows, schema)
    assert shown.to_dict("list") == {"pay": ["45", "0"], "grade": ["2", "1.5"], "age": [3, 4]}
    assert rows.dtypes.to_dict() == {"pay": float, "grade": rows.dtypes["grade"], "age": int}


def test_what_stands_as_text_already_stays_and_columns_may_be_missing() -> None:
    """Rows of a file beside drawn ones; the text is as it was, a comma or a zero at the end included."""
    schema = Schema(
        {
            "pay": Numeric(0, 10, decimal=","),
            "at": Datetime("2020-01-01", "2020-12-31", format="%d.%m.%Y"),
            "grade": Categorical([1.5, 2.0]),
            "gone": Numeric(0, 1),
        }
    )
    for kind in ("str", "object"):
        rows = pd.DataFrame({"pay": ["1,50", None], "at": ["01.02.2020", None], "grade": ["1.5", "2"]}, dtype=kind)
        pd.testing.assert_frame_equal(as_declared(rows, schema), rows)


@pytest.mark.parametrize(
    ("days", "written"),
    [
        ([date(1999, 12, 31), None], ["31.12.1999", None]),
        ([datetime(1999, 12, 31, 23, 59), pd.NaT], ["31.12.1999", None]),
        ([float("nan"), pd.Timestamp("9999-12-31")], [None, "31.12.9999"]),
        ([None, None], [None, None]),
        ([1999, 2000], [1999, 2000]),
    ],
)
def test_times_that_a_frame_holds_as_objects_are_written_as_declared_and_what_is_none_stays(days, written) -> None:
    """Rows beside real ones: a file that says no time and drawn times give a column of objects."""
    schema = Schema({"day": Datetime("1900-01-01", "9999-12-31", format="%d.%m.%Y", nullable=True)})
    rows = pd.DataFrame({"day": pd.Series(days, dtype=object)})
    shown = as_declared(rows, schema)["day"]
    assert shown.astype(object).where(shown.notna(), None).tolist() == written


def test_an_hour_that_comes_twice_is_written_as_the_later_and_one_that_is_left_out_as_the_next() -> None:
    column = Datetime("2020-01-01", "2020-12-31", resolution="min", format="%d.%m.%Y %H:%M %z", zone="Europe/Berlin")
    times = pd.Series(["2020-10-25T02:30", "2020-10-25T01:30", "2020-03-29T02:30"], dtype="datetime64[s]")
    shown = as_declared(pd.DataFrame({"at": times}), Schema({"at": column}))["at"].tolist()
    assert shown == ["25.10.2020 02:30 +0100", "25.10.2020 01:30 +0200", "29.03.2020 03:00 +0200"]
