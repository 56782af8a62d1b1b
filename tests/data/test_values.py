"""Reading: what a value says depends on that value alone, whatever container other values force upon it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dpsynth.data.tables.codec import Codec
from dpsynth.data.values import epoch_seconds, number
from dpsynth.door import columns
from tests.data.examples import CODECS, ODDITIES

values = st.sampled_from(ODDITIES) | st.integers(-60, 60) | st.floats(-60, 60) | st.text("ab1.", max_size=2)
columns_of_values = st.lists(values, max_size=8)


def alone(codec: Codec, items: list[Any]) -> list[int]:
    """The codes of values that were each encoded by themselves."""
    return [int(codec.encode([item])[0]) for item in items]


def series(items: list[Any]) -> pd.Series[Any]:
    """A Series as pandas infers it; items that pandas itself refuses are no case."""
    try:
        return pd.Series(items)
    except Exception:
        assume(False)
        raise


@settings(max_examples=100)
@given(a=columns_of_values, b=columns_of_values)
@example(a=[1, 0], b=[None])
@example(a=[True, 1, 1.0], b=["a"])
@example(a=[1, 1.0, True], b=[])
@example(a=[2**53 + 1], b=[None])
@example(a=["1"], b=[1])
@example(a=[1, 2.5], b=[1j])
@example(a=[pd.Timestamp("2020-01-31", tz="Asia/Tokyo")], b=[pd.Timestamp("2020-01-31", tz="UTC"), None])
@example(a=[np.timedelta64(1, "ns")], b=[1])
def test_no_value_moves_the_code_of_another(a: list[Any], b: list[Any]) -> None:
    for codec in CODECS.values():
        apart = np.concatenate([codec.encode(a), codec.encode(b)])
        assert np.array_equal(codec.encode(a + b), apart)
        assert apart.tolist() == alone(codec, a + b)


@settings(max_examples=100)
@given(a=columns_of_values, b=columns_of_values)
def test_no_value_moves_the_code_of_another_through_the_container_that_pandas_makes(a: list[Any], b: list[Any]) -> None:
    together, left, right = series(a + b), series(a), series(b)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # pandas 2: how empty and all-missing parts count
        joined = pd.concat([left, right], ignore_index=True)
    for codec in CODECS.values():
        assert codec.encode(together).tolist() == alone(codec, a + b)
        assert codec.encode(joined).tolist() == alone(codec, a + b)


containers: dict[str, Callable[[list[Any]], Any]] = {
    "series": pd.Series,
    "index": pd.Index,
    "array": np.array,
    "object": lambda x: pd.Series(x, dtype=object),
    "category": lambda x: pd.Series(x).astype("category"),
    "arrow": pa.array,
    "chunks": lambda x: pa.chunked_array([pa.array(x[:2]), pa.array(x[2:], pa.array(x).type)]),
    "arrow dictionary": lambda x: pa.array(x).dictionary_encode(),
    "arrow run ends": lambda x: pa.compute.run_end_encode(pa.array(x)),
    "pandas arrow": lambda x: pd.Series(x, dtype=pd.ArrowDtype(pa.array(x).type)),
    "zoned": lambda x: pd.Series(x).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
    "reversed": lambda x: pd.Series(x[::-1])[::-1],
}
dtypes: dict[type, list[Any]] = {
    int: [
        "int64",
        "float64",
        "Int64",
        "Float64",
        "complex128",
        pd.SparseDtype("int64"),
        pa.int16(),
        pa.float32(),
        "f2",
        ">i4",
    ],
    float: ["float64", "Float64", pd.SparseDtype("float64"), pa.float64(), ">f8"],
    str: ["str", "string", pd.StringDtype("python"), object, pa.large_string(), pa.string_view()],
    bool: ["bool", "boolean", pa.bool_(), object],
    datetime: [
        "datetime64[s]",
        "datetime64[ms]",
        "datetime64[ns]",
        pa.timestamp("us"),
        pa.timestamp("ns", "Asia/Tokyo"),
    ],
    date: ["datetime64[s]", pa.date32(), pa.date64(), pa.timestamp("s"), object],
}
datetimes = (
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))
    | st.datetimes(datetime(2020, 1, 20), datetime(2020, 2, 20))
).map(lambda when: when.replace(microsecond=0))
homogeneous = st.one_of(
    st.lists(st.integers(-5, 60), min_size=3, max_size=6),
    st.lists(
        st.sampled_from([0.0, 1.0, 2.5, -10.0, 1e3, 0.1, 1e9, math.inf]) | st.floats(-20, 20), min_size=3, max_size=6
    ),
    st.lists(
        st.sampled_from([item for item in ODDITIES if type(item) is str and item != "\ud800"]), min_size=3, max_size=6
    ),
    st.lists(st.booleans(), min_size=3, max_size=6),
    st.lists(datetimes, min_size=3, max_size=6),
    st.lists(st.dates(date(1900, 1, 1), date(2100, 1, 1)), min_size=3, max_size=6),
)


def contained(items: list[Any]) -> dict[str, Any]:
    """One column in every container that can hold it."""
    zones = type(items[0]) is datetime
    made: dict[str, Any] = {name: make(items) for name, make in containers.items() if zones or name != "zoned"}
    for dtype in dtypes[type(items[0])]:
        if isinstance(dtype, pa.DataType):
            made[f"arrow {dtype}"] = pa.array(items).cast(dtype) if type(items[0]) is date else pa.array(items, dtype)
            made[f"pandas arrow {dtype}"] = pd.Series(pd.arrays.ArrowExtensionArray(made[f"arrow {dtype}"]))
        else:
            made[str(dtype)] = pd.Series(items).astype(dtype)
    return made


@settings(max_examples=40)
@given(items=homogeneous)
def test_all_containers_of_a_column_get_the_same_codes(items: list[Any]) -> None:
    for where, values in contained(items).items():
        for name, codec in CODECS.items():
            assert codec.encode(values).tolist() == codec.encode(items).tolist(), (name, where)


def converted(items: list[Any]) -> pd.Series[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # pandas 2: infinity among integers
        return pd.Series(items).convert_dtypes()


@settings(max_examples=40)
@given(items=homogeneous, gap=st.integers(0, 2))
def test_a_missing_value_leaves_its_neighbours_codes_alone(items: list[Any], gap: int) -> None:
    holed = [None if i == gap else item for i, item in enumerate(items)]
    made = [pd.Series(holed), pd.Series(holed, dtype=object), pa.array(holed), pa.array(holed).dictionary_encode()]
    made += [
        converted(holed),
        pd.Series(holed).astype("category"),
        pd.Series(items).where(pd.notna(holed)),
    ]
    for codec in CODECS.values():
        expected = codec.encode(items).tolist()
        expected[gap] = int(codec.encode([None])[0])
        for values in made:
            assert codec.encode(values).tolist() == expected


@pytest.mark.parametrize(
    "kind",
    [pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(1), pa.dictionary(pa.int8(), pa.binary())],
    ids=str,
)
def test_bytes_are_read_as_the_text_that_they_are(kind: pa.DataType) -> None:
    """One record of bytes turns a column of texts into one of bytes: what is read of the texts stays."""
    for codec in CODECS.values():
        expected = codec.encode(["a", None, "1"]).tolist()
        for values in (pa.array([b"a", None, b"1"], kind), pd.Series([b"a", None, np.bytes_(b"1")], dtype=object)):
            assert codec.encode(values).tolist() == expected


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1], None]),
        pa.array([{"a": 1}, None]),
        pa.array([timedelta(1), None]),
        pa.array([2**62, None], pa.duration("ns")),
        pa.array([time(1), None]),
        pa.array([None, None]),
        pd.Series(pd.to_timedelta([1, None])),
        pd.Series(pd.period_range("2020", periods=2)),
        pd.Series(pd.interval_range(0, 2)),
    ],
    ids=str,
)
def test_types_that_say_nothing_are_coded_like_their_values(values: Any) -> None:
    objects = [None if pd.isna(item) is True else object() for item in pd.Series(values).tolist()]
    for codec in CODECS.values():
        assert codec.encode(values).tolist() == codec.encode(objects).tolist()


def test_arrow_decimals_are_numbers() -> None:
    values = pa.array([Decimal("1.00"), None, Decimal("2.50")])
    assert CODECS["words"].encode(values).tolist() == [2, 8, 3]
    assert CODECS["numbers, other"].encode(values).tolist() == [0, 2, 1]


SAYS_NUMBER = [
    *((1, 1.0), ("1e3 ", 1000.0), (True, 1.0), ("FALSE", 0.0), (Decimal("0.1"), 0.1), (Fraction(1, 2), 0.5)),
    *(
        (10**400, math.inf),
        (-(10**400), -math.inf),
        ("-inf", -math.inf),
        (2 + 0j, 2.0),
        (np.float32(0.1), 0.10000000149011612),
    ),
    *(
        (item, math.nan)
        for item in ("1_0", "", "one", None, 1j, b"1", date(2020, 1, 1), [1], pd.NaT, np.timedelta64(1, "ns"))
    ),
]
SAYS_MOMENT = [
    *(("1970-01-01", 0), ("1970-01-01T00:00:01.9Z", 1), (" 1970-01-01 01:00+01:00", 0), (date(1970, 1, 2), 86_400)),
    *(
        (datetime(1969, 12, 31, 23, 59, 59, 500_000), -1),
        (np.datetime64(-500, "ms"), -1),
        (np.datetime64(-1, "25s"), -25),
    ),
    *((np.datetime64(-1, "25ms"), -1), (np.datetime64("1971"), 31_536_000), (np.datetime64("1970-02"), 2_678_400)),
    *((np.datetime64(1, "W"), 604_800), (pd.Timestamp("1970-01-01", tz="Asia/Tokyo"), -32_400), (pd.Timestamp(-1), -1)),
    *(
        (item, math.nan)
        for item in ("19700101", "1970", 0, 0.0, "0", None, pd.NaT, timedelta(1), "", "1970-13-01", True, [])
    ),
]


@pytest.mark.parametrize(("value", "expected"), SAYS_NUMBER, ids=str)
def test_a_number_is_read_from_the_value_itself(value: object, expected: float) -> None:
    np.testing.assert_equal(number(value), float(expected))


@pytest.mark.parametrize(("value", "expected"), SAYS_MOMENT, ids=str)
def test_a_moment_is_read_from_the_value_itself(value: object, expected: float) -> None:
    np.testing.assert_equal(epoch_seconds(value), float(expected))


def test_far_moments_of_any_unit_keep_their_order() -> None:
    for unit in ("Y", "M", "W", "D", "h", "m", "s", "ms", "ns", "as"):
        far = np.array([-(2**62), -1, 0, 1, 2**62]).astype(f"datetime64[{unit}]")
        seconds = columns.seconds(far)
        assert np.all(np.diff(seconds) >= 0)
        assert seconds[[0, -1]].tolist() == [epoch_seconds(far[0]), epoch_seconds(far[-1])]
