"""Codecs: the code of a value depends on the value and the schema, and on nothing else in the column."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dpsynth.columns import Boolean, Categorical, Column, Datetime, Identifier, Numeric, Text
from dpsynth.data.codec import Codec, codec_for
from dpsynth.data.values import datetime64_seconds, moment, number

COLUMNS: dict[str, Column] = {
    "words": Categorical(["a", "b", "1", "2.5", "-0", "True", "", "é"]),
    "words, nullable": Categorical(["a", "1", "nan", "None"], nullable=True, missing_marker=2),
    "words, other": Categorical(["a", "other", "10", "False"], other="other"),
    "words, nullable, other": Categorical(["b", "x", "1"], nullable=True, other="x", missing_marker="?", ordered=True),
    "numbers": Categorical([1, 2, 0], ordered=True),
    "numbers, other": Categorical([1, 2.5, -1], other=-1),
    "numbers, nullable": Categorical([3, 1e3], nullable=True, missing_marker="a"),
    "boolean": Boolean(),
    "boolean, nullable": Boolean(nullable=True, missing_marker="a"),
    "real": Numeric(-10, 10.5),
    "real, nullable": Numeric(0, 1e6, nullable=True, missing_marker=2),
    "integer": Numeric(-3, 50, integer=True),
    "wide integer": Numeric(0, 10**9, integer=True, nullable=True, missing_marker="1"),
    "step": Numeric(0.05, 1000.05, step=0.1),
    "one value": Numeric(1, 1),
    "day": Datetime("1999-12-31", "2021-03-01"),
    "hour": Datetime("2020-01-20", "2020-02-20", resolution="h", nullable=True),
    "second, nullable": Datetime("1969-12-31", "2030-01-01", resolution="s", nullable=True),
}
CODECS: dict[str, Codec] = {name: codec_for(column) for name, column in COLUMNS.items()}
every_column = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())


class Colour(str, Enum):  # noqa: UP042 (str() of a StrEnum is its value, of this one it is not)
    A = "a"


class Level(IntEnum):
    ONE = 1


class Hostile:
    """Fails whatever is asked of it."""

    __hash__ = None  # type: ignore[assignment]

    def fail(self, *args: object) -> Any:
        raise RuntimeError("CANARY")

    __eq__ = __bool__ = __float__ = __int__ = __str__ = __repr__ = __len__ = fail  # type: ignore[assignment]


ODDITIES: list[Any] = [
    *(None, math.nan, pd.NA, pd.NaT, np.float32("nan"), np.datetime64("NaT"), np.timedelta64("NaT")),
    *(Decimal("NaN"), Decimal("sNaN"), complex("nan")),
    *(True, False, np.True_, np.False_),
    *(
        1,
        1.0,
        np.int8(1),
        np.uint64(1),
        np.float32(1),
        np.float16(2.5),
        np.longdouble(2),
        Decimal("1.00"),
        Fraction(5, 2),
    ),
    *(Level.ONE, 1 + 0j, 2.5 + 0j, 1 + 1j, -0.0, 10, 10.0),
    *(math.inf, -math.inf, 10**400, -(10**400), Fraction(10**400), 2**53, 2**53 + 1, 2**64, -(2**63), 1e308),
    *(
        "a",
        "b",
        "1",
        "1.0",
        " 1 ",
        "01",
        "1_0",
        "2.5",
        "nan",
        "inf",
        "-0",
        "",
        "é",
        "٣",
        "\ud800",
        "True",
        "true",
        "None",
    ),
    *("yes", "N", "?", Colour.A, np.str_("a"), b"a", b"1", bytearray(b"a")),
    *(date(2020, 1, 31), datetime(2020, 1, 31, 23, 59, 59, 999999), datetime(2020, 1, 31, 1, tzinfo=UTC)),
    *(
        datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=5))),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))),
    ),
    *(pd.Timestamp("2020-01-31 12:00:00.000000001"), pd.Timestamp("2020-01-31", tz="Asia/Tokyo")),
    *(np.datetime64("2020-01-31"), np.datetime64("2020-01"), np.datetime64("1969-12-31T23:59:59.5")),
    *("2020-01-31", "2020-01-31T12:00", "2020-01-31 12:00:00.123456789+02:00", "20200131", "31.1.2020", "2020-1-31"),
    *(timedelta(1), np.timedelta64(1, "D"), np.timedelta64(1, "ns"), time(1), pd.Period("2020-01"), pd.Interval(0, 1)),
    *([1], ["a"], {"a": 1}, ("a",), {1}, np.array([1]), object(), type, Hostile()),
]
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


@every_column
def test_every_value_has_a_code_and_none_raises(codec: Codec) -> None:
    codes = codec.encode(ODDITIES)
    assert codes.dtype == np.uint8 if codec.size <= 256 else codes.dtype == np.uint16
    assert len(codes) == len(ODDITIES)
    assert codes.max() < codec.size


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
moments = (
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))
    | st.datetimes(datetime(2020, 1, 20), datetime(2020, 2, 20))
).map(lambda moment: moment.replace(microsecond=0))
homogeneous = st.one_of(
    st.lists(st.integers(-5, 60), min_size=3, max_size=6),
    st.lists(
        st.sampled_from([0.0, 1.0, 2.5, -10.0, 1e3, 0.1, 1e9, math.inf]) | st.floats(-20, 20), min_size=3, max_size=6
    ),
    st.lists(
        st.sampled_from([item for item in ODDITIES if type(item) is str and item != "\ud800"]), min_size=3, max_size=6
    ),
    st.lists(st.booleans(), min_size=3, max_size=6),
    st.lists(moments, min_size=3, max_size=6),
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
    "values",
    [
        pa.array([[1], None]),
        pa.array([{"a": 1}, None]),
        pa.array([b"a", None]),
        pa.array([timedelta(1), None]),
        pa.array([2**62, None], pa.duration("ns")),
        pa.array([time(1), None]),
        pa.array([None, None]),
        pd.Series(pd.to_timedelta([1, None])),
        pd.Series(pd.period_range("2020", periods=2)),
        pd.Series(pd.interval_range(0, 2)),
        pd.Series([b"a", None]),
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


REAL = CODECS["real, nullable"]
MATCHES = [
    (
        "words",
        ["a", "A", " a", 1, 1.0, "1.0", 2.5, True, np.True_, "", b"a", Colour.A, 0],
        [0, 8, 8, 2, 2, 8, 3, 5, 5, 6, 8, 0, 8],
    ),
    ("words", [np.timedelta64(1, "ns"), timedelta(1), Hostile(), "zzz"], [8, 8, 8, 8]),
    ("real, nullable", [2, "2", 2.0, " 2.0 ", None, "N", math.nan], [REAL.size - 1] * 7),
    ("words, nullable", ["a", 1, "nan", math.nan, None, "None", 2, "2", 2.0, "zzz"], [0, 1, 2, 4, 4, 3, 4, 4, 4, 4]),
    ("words, other", ["a", "other", 10.0, False, None, "zzz", [1]], [0, 1, 2, 3, 1, 1, 1]),
    ("words, nullable, other", ["b", "zzz", None, "?", [], pd.NaT, 1], [0, 1, 3, 3, 1, 3, 2]),
    ("numbers", [1, 1.0, "1", " 1.0 ", Decimal(1), Level.ONE, True, "True", 3, None, "1_0"], [0] * 6 + [3] * 5),
    ("numbers, other", [2.5, "2.5", np.float32(2.5), 7, None], [1, 1, 1, 2, 2]),
    ("numbers, nullable", [3, "1e3", 1000, "a", "b", math.inf], [0, 1, 1, 2, 2, 2]),
    ("boolean", [True, "yes", "T", 1, "1.0", False, "NO", 0.0, "0", 2, "maybe", None], [1] * 5 + [0] * 4 + [2] * 3),
    ("boolean, nullable", [np.True_, " y ", "n", "A", None], [1, 1, 0, 2, 2]),
    ("integer", [-3, "-2", -1.2, True, "false", 50, 51, math.inf, -1e300, 10**400], [0, 1, 2, 4, 3, 53, 53, 53, 0, 53]),
    ("one value", [1, 0, "7", None, [1]], [0, 0, 0, 1, 1]),
    (
        "day",
        ["1999-12-31", "1999-12-31T23:59Z", 0, date(1900, 1, 1), "2000-01-01T00:00+02:00", None],
        [0, 0, 512, 0, 0, 512],
    ),
]


@pytest.mark.parametrize(("name", "given_", "expected"), MATCHES, ids=[name for name, *_ in MATCHES])
def test_a_value_goes_to_the_cell_that_it_says(name: str, given_: list[Any], expected: list[int]) -> None:
    assert CODECS[name].encode(given_).tolist() == expected


def test_integers_that_a_float_container_would_merge_match_no_category() -> None:
    codec = codec_for(Categorical(["9007199254740992", "9007199254740991"]))
    assert codec.encode(["9007199254740992", 2**53 - 1, 2**53, 2**53 + 1]).tolist() == [0, 1, 2, 2]


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
    np.testing.assert_equal(moment(value), float(expected))


def test_far_moments_of_any_unit_keep_their_order() -> None:
    for unit in ("Y", "M", "W", "D", "h", "m", "s", "ms", "ns", "as"):
        far = np.array([-(2**62), -1, 0, 1, 2**62]).astype(f"datetime64[{unit}]")
        seconds = datetime64_seconds(far)
        assert np.all(np.diff(seconds) >= 0)
        assert seconds[[0, -1]].tolist() == [moment(far[0]), moment(far[-1])]


@every_column
def test_a_decoded_value_goes_back_to_its_cell(codec: Codec) -> None:
    rng = np.random.default_rng(5)
    codes = np.arange(codec.size).repeat(20)
    decoded = codec.decode(codes, rng)
    kept = ~(decoded.isna().to_numpy() | (codes >= _valid(codec)))
    assert np.array_equal(codec.encode(decoded)[kept], codes[kept])
    assert np.array_equal(codec.encode(decoded.astype(object).tolist()), codec.encode(decoded))


def _valid(codec: Codec) -> int:
    return len(codec.ends()[0])


EXPECTED_DTYPES = {
    "words": pd.CategoricalDtype(["a", "b", "1", "2.5", "-0", "True", "", "é"]),
    "words, nullable, other": pd.CategoricalDtype(["b", "x", "1"], ordered=True),
    "numbers": pd.CategoricalDtype([1, 2, 0], ordered=True),
    "boolean": "boolean",
    "boolean, nullable": "boolean",
    "real": "float64",
    "real, nullable": "float64",
    "integer": "Int64",
    "wide integer": "Int64",
    "step": "float64",
    "day": "datetime64[s]",
    "second, nullable": "datetime64[s]",
}


@every_column
def test_dtypes_are_the_schemas_whatever_the_data(codec: Codec) -> None:
    rng = np.random.default_rng(0)
    ordinary, one, missing, nothing = (
        codec.decode(codec.encode(column), rng) for column in (["a", 1, "2020-01-01", None] * 3, [1], [None, None], [])
    )
    assert ordinary.dtype == one.dtype == missing.dtype == nothing.dtype
    name = next(name for name, known in CODECS.items() if known is codec)
    assert ordinary.dtype == EXPECTED_DTYPES.get(name, ordinary.dtype)
    assert (len(ordinary), len(one), len(missing), len(nothing)) == (12, 1, 2, 0)


@every_column
def test_missing_comes_back_as_missing_only_where_the_column_is_nullable(codec: Codec) -> None:
    name = next(name for name, known in CODECS.items() if known is codec)
    nullable = COLUMNS[name].nullable  # type: ignore[union-attr]
    decoded = codec.decode(codec.encode([None] * 50), np.random.default_rng(0))
    assert decoded.isna().all() if nullable else decoded.notna().all()


def test_an_invalid_value_decodes_as_a_draw_from_the_valid_ones() -> None:
    codec, rng = codec_for(Categorical(["a", "b", "c"])), np.random.default_rng(0)
    drawn = codec.decode(np.array([1, 1, 1, 2] + [3] * 4000), rng)[4:].value_counts()
    assert drawn["a"] == 0
    assert abs(drawn["b"] / 4000 - 0.75) < 0.03
    lone = codec.decode(np.array([3] * 3000), rng).value_counts()
    assert lone.min() > 900
    grid = codec_for(Numeric(0, 9999, integer=True))
    uniform = grid.decode(np.full(4000, grid.size - 1), rng).astype(float)
    assert abs(uniform.mean() - 4999.5) < 5 * 2887 / 4000**0.5


@pytest.mark.parametrize("column", [Numeric(0, 1e5), Numeric(-1e4, 1e5), Numeric(0, 99_999, integer=True)])
def test_the_zeros_of_a_zero_inflated_column_come_back_as_zeros(column: Numeric) -> None:
    rng = np.random.default_rng(1)
    amounts = np.round(rng.lognormal(6, 2, 5000)) + 1
    amounts[rng.random(5000) < 0.4] = 0
    codec = codec_for(column)
    back = codec.decode(codec.encode(amounts), rng).to_numpy(dtype=float)
    assert np.array_equal(back == 0, amounts == 0)
    assert np.quantile(back, [0.5, 0.9]) == pytest.approx(np.quantile(amounts, [0.5, 0.9]), rel=0.05)


def test_numbers_outside_the_bounds_are_clipped_to_the_outer_cells() -> None:
    for column in (Numeric(-5, 1e4), Numeric(-5, 10**4, integer=True), Numeric(-5, 1e4, step=0.5), Numeric(0, 3)):
        codec = codec_for(column)
        last = len(codec.widths or ()) - 1
        assert codec.encode([-math.inf, -1e308, column.low, column.high, 1e308, "inf", "1e999"]).tolist() == [
            *(0, 0, 0),
            *(last, last, last, last),
        ]
        decoded = codec.decode(np.arange(last + 1).repeat(3), np.random.default_rng(0))
        assert column.low <= decoded.min()  # type: ignore[operator]
        assert decoded.max() <= column.high


def test_steps_decode_as_they_are_written() -> None:
    rng = np.random.default_rng(0)
    for low, step, count in ((0, 0.1, 11), (0.05, 0.1, 4000), (-1, 0.25, 9), (0, 0.01, 10**6), (1e-7, 1e-7, 5000)):
        exact_low, exact_step = Decimal(repr(low)), Decimal(repr(step))
        codec = codec_for(Numeric(low, float(exact_low + (count - 1) * exact_step), step=step))
        for value in codec.decode(rng.integers(0, codec.size - 1, 500), rng):
            steps = (Decimal(repr(value)) - exact_low) / exact_step
            assert steps == round(steps)


def test_drawn_values_are_uniform_in_their_cell() -> None:
    codec, rng = codec_for(Numeric(0, 10**6, integer=True)), np.random.default_rng(2)
    cell = int(codec.encode([500_000])[0])
    drawn = codec.decode(np.full(20_000, cell), rng).to_numpy(dtype=float)
    values = np.arange(drawn.min(), drawn.max() + 1)
    assert len(values) == (codec.widths or ())[cell]
    assert abs(drawn.mean() - values.mean()) < 5 * values.std() / 20_000**0.5
    day = codec_for(Datetime("1900-01-01", "1999-12-31"))
    drawn_days = day.decode(np.full(5000, 7), rng)
    assert drawn_days.nunique() == (day.widths or ())[7]
    assert (drawn_days == drawn_days.dt.normalize()).all()


def test_moments_decode_to_whole_steps_of_the_resolution() -> None:
    rng = np.random.default_rng(0)
    for resolution, seconds in (("D", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        codec = codec_for(Datetime("2019-12-31", "2020-03-01", resolution=resolution))  # type: ignore[arg-type]
        decoded = codec.decode(rng.integers(0, codec.size, 500), rng)
        assert (decoded.to_numpy().astype(np.int64) % seconds == 0).all()
        assert decoded.between("2019-12-31", "2020-03-01").all()


def test_learned_bounds_are_used_where_none_are_public() -> None:
    assert codec_for(Numeric(None, None), (-1.0, 5.0)).widths == codec_for(Numeric(-1, 5)).widths
    assert codec_for(Numeric(0, None), (-1.0, 5.0)).widths == codec_for(Numeric(0, 5)).widths
    assert codec_for(Numeric(None, 4), (-1.0, 5.0)).widths == codec_for(Numeric(-1, 4)).widths
    assert codec_for(Numeric(0, 4), (-1.0, 5.0)).widths == codec_for(Numeric(0, 4)).widths
    assert codec_for(Numeric(None, None, integer=True), (-0.5, 4.2)).size == 8
    assert codec_for(Numeric(None, None, step=0.1), (0.25, 0.5)).decode([0], np.random.default_rng(0)).tolist() == [0.2]  # type: ignore[arg-type]
    assert codec_for(Numeric(3, None, step=2), (0, 6.0)).size == 4
    assert codec_for(Numeric(None, 3, step=2), (0, 6.0)).size == 4
    assert codec_for(Numeric(3, None), (-9.0, -1.0)).size == 2
    assert codec_for(Numeric(None, 3, integer=True), (7, 9)).size == 2
    assert (
        codec_for(Numeric(None, None, integer=True), (-1e300, 1e300))
        .decode([0], np.random.default_rng(0))
        .notna()
        .all()
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("bounds", [None, (math.nan, 1.0), (2.0, 1.0), (0.0, math.inf)])
def test_a_bound_that_is_lacking_or_impossible_is_refused(bounds: tuple[float, float] | None) -> None:
    with pytest.raises(ValueError, match="bounds"):
        codec_for(Numeric(0, None), bounds)


def test_columns_that_are_never_read_have_no_codec() -> None:
    for column in (Identifier(), Text()):
        with pytest.raises(ValueError, match="never read"):
            codec_for(column)


def test_codes_use_the_smallest_type() -> None:
    for count, dtype in ((255, np.uint8), (256, np.uint16), (65_535, np.uint16), (65_536, np.int32)):
        codec = codec_for(Categorical(range(count)))  # type: ignore[arg-type]
        assert codec.size == count + 1
        assert codec.encode([count - 1, None]).dtype == dtype
        assert codec.encode([count - 1, None]).tolist() == [count - 1, count]
    assert codec_for(Categorical(range(256), other=0)).size == 256  # type: ignore[arg-type]


def test_many_categories_are_encoded_one_by_one() -> None:
    names = [f"k{i}" for i in range(100_000)]
    codec = codec_for(Categorical(names))
    order = np.random.default_rng(0).permutation(len(names))
    assert np.array_equal(codec.encode(pd.Series(np.array(names)[order])), order)


@every_column
def test_the_ends_of_a_cell_are_its_first_and_last_value(codec: Codec) -> None:
    first, last = codec.ends()
    cells = np.arange(_valid(codec))
    drawn = codec.decode(cells.repeat(9), np.random.default_rng(4))
    assert first.dtype == last.dtype == drawn.dtype
    assert codec.encode(first).tolist() == codec.encode(last).tolist() == cells.tolist()
    if not isinstance(first.dtype, pd.CategoricalDtype):
        assert (first.repeat(9).to_numpy() <= drawn.to_numpy()).all()
        assert (drawn.to_numpy() <= last.repeat(9).to_numpy()).all()


def test_only_ordered_columns_have_widths() -> None:
    assert codec_for(Categorical(["a", "b"], ordered=True, nullable=True)).widths == (1.0, 1.0)
    assert codec_for(Categorical(["a", "b"])).widths is None
    assert codec_for(Boolean()).widths is None
    assert codec_for(Numeric(0, 3, integer=True)).widths == (1.0,) * 4
    assert codec_for(Datetime("2020-01-01", "2020-01-07")).widths == (1.0,) * 7
