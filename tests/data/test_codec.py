"""Codecs: values go to the cell that they say, and come back from it with the schema's dtype."""

from __future__ import annotations

import math
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dpsynth.data.tables.codec import Codec, codec_for
from dpsynth.schema.columns import Boolean, Categorical, Datetime, Identifier, Numeric, Text
from tests.data.examples import CODECS, COLUMNS, ODDITIES, Colour, Hostile, Level, every_column


@every_column
def test_every_value_has_a_code_and_none_raises(codec: Codec) -> None:
    codes = codec.encode(ODDITIES)
    assert codes.dtype == np.uint8 if codec.size <= 256 else codes.dtype == np.uint16
    assert len(codes) == len(ODDITIES)
    assert codes.max() < codec.size


REAL = CODECS["real, nullable"]
MATCHES = [
    (
        "words",
        ["a", "A", " a", 1, 1.0, "1.0", 2.5, True, np.True_, "", b"a", Colour.A, 0],
        [0, 8, 0, 2, 2, 8, 3, 5, 5, 6, 0, 0, 8],
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


def test_no_moment_that_is_drawn_says_missing() -> None:
    """Of a cell of two years the day that stands for missing is never drawn; the days beside it are."""
    codec = codec_for(Datetime("1000-01-01", "2020-12-31", missing_marker="1500-06-01", nullable=True), None)
    marked = pd.Timestamp("1500-06-01")
    first, last = codec.ends()
    (cell,) = np.flatnonzero((first <= marked) & (marked <= last))
    drawn = codec.decode(np.full(50_000, cell), np.random.default_rng(0))
    assert drawn.nunique() == (last[cell] - first[cell]).days
    assert not (drawn == marked).any()
