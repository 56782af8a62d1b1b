"""What one text says: read where it can mean one thing only, or where the schema says what it means."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsynth.data.tables.codec import codec_for
from dpsynth.data.tables.unread import likely_reason
from dpsynth.schema.columns import Boolean, Categorical, Datetime, Numeric, SchemaError
from dpsynth.schema.texts import iso_seconds, moment_reader, number_of, number_reader

READ = [
    *(("$1,234.50", 1234.5), ("\\$12", 12), ("€12.30", 12.3), ("12.30 €", 12.3), ("-$5", -5), ("$-5", -5)),
    *(("$ 1 234", 1234), ("1\u00a0234", 1234), ("1\u202f234\u202f567.5", 1234567.5), ("1'234.50", 1234.5)),
    *(("12 %", 12), ("12.5%", 12.5), ("-3 %", -3), ("\u22125", -5), ("+1,000", 1000), ("1,234,567", 1234567)),
    *(("\u00a012\u00a0", 12), ("£.5", 0.5), ("1e3", 1000), (" 7 ", 7), ("TRUE", 1), ("-inf", -math.inf), ("₹1", 1)),
]
UNREAD = [
    *("1,23,4", "1,2345", "12,34", "1,234,5", "0,125", "0x1A", "--5", "+-5", "-$-5", "$$5", "$5$", "$5 %", "5 %%"),
    *(
        "1 23",
        "1 234,567",
        "1,234 567",
        "1'234,567",
        "١٢",
        "٣",
        "\uff11\uff12",
        "1_000",
        "(5)",
        "5-",
        "$",
        "%",
        "",
        "$nan",
        "€inf",
    ),
    *("1.234,50", "12 kg", "EUR 5", "5e", "e5", "1,234e5", ".", "-", "1..2", "1.2.3", "½", "²", "12 34 56", "5 \\$ 5"),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_a_number_that_can_mean_one_thing_only_is_read_undeclared(text: str, expected: float) -> None:
    assert number_of(text) == expected


@pytest.mark.parametrize("text", UNREAD)
def test_what_may_mean_something_else_is_not_read_undeclared(text: str) -> None:
    assert math.isnan(number_of(text))


@given(text=st.text("0123456789.,' -+$€%eE\u00a0\\", max_size=9))
def test_what_is_read_has_the_digits_and_marks_of_its_number(text: str) -> None:
    """Independently: without sign, currency and per cent, equal marks every three digits from the point leftwards."""
    read = number_of(text)
    if math.isnan(read):
        return
    bare = text.strip().strip("$€%\\+- \u00a0")
    whole, _, _ = bare.partition(".")
    groups = whole.replace("\u00a0", " ").translate(str.maketrans("' ", ",,")).split(",")
    assert len(groups) == 1 or all(len(group) == 3 for group in groups[1:])
    assert abs(read) == float(bare.translate(str.maketrans("", "", ",' \u00a0")))
    assert (read < 0) == ("-" in text.lower().partition("e")[0]) or read == 0


@given(x=st.floats(allow_nan=False))
def test_what_python_writes_is_read_as_python_reads_it(x: float) -> None:
    assert number_of(repr(x)) == x
    assert math.isinf(x) or number_reader(Numeric(0, 1, decimal=","))(repr(x).replace(".", ",")) == x


COMMA = Numeric(0, 1, decimal=",")
DECLARED = [
    (
        COMMA,
        {"1.234,50": 1234.5, "12,5": 12.5, "1 234,5": 1234.5, "1.234": 1234, "12": 12, "€ 1,5": 1.5, "1,5e3": 1500},
    ),
    (COMMA, dict.fromkeys(("1.5", "1,234.5", "12.34", "1.23,4", "1,2,3"), math.nan)),
    (Numeric(0, 1, decimal=",", thousands=" "), {"1 234,5": 1234.5, "1.234,5": math.nan}),
    (Numeric(0, 1, thousands="'"), {"1'234.5": 1234.5, "1\u2019234": 1234, "1,234": math.nan, "1234.5": 1234.5}),
    (Numeric(0, 1, prefix="EUR"), {"EUR 12": 12, "-EUR12": -12, "12": 12, "$12": 12, "12 EUR": math.nan}),
    (Numeric(0, 1, suffix="kg"), {"12 kg": 12, "12kg": 12, "12": 12, "12 lb": math.nan, "12 kg kg": math.nan}),
    (Numeric(0, 1, prefix="ca.", suffix="km"), {"ca. 5 km": 5, "ca. 5 %": math.nan, "$5 km": math.nan}),
    (Numeric(0, 1, percent=True), {"12 %": 0.12, "0.12": 0.12, "12.5%": 0.125}),
]


@pytest.mark.parametrize(("column", "texts"), DECLARED, ids=str)
def test_a_declared_column_reads_its_numbers(column: Numeric, texts: dict[str, float]) -> None:
    read = number_reader(column)
    np.testing.assert_equal({text: read(text) for text in texts}, texts)


FORMATS = [
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%Y%m%d",
    "%d %b %Y %H:%M:%S",
    "%b %d, %Y %I:%M %p",
    "%d-%m-%Y %H:%M %z",
    "%Y-%d-%m",
]


@pytest.mark.parametrize("format", FORMATS)
@given(when=st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)))
def test_a_declared_format_is_read_as_the_standard_library_reads_it(format: str, when: datetime) -> None:
    text = when.strftime(format.replace("%z", "+0230"))
    expected = (datetime.strptime(text, format).replace(tzinfo=None) - datetime(1970, 1, 1)) / timedelta(seconds=1)
    read = moment_reader(Datetime("1900-01-01", "2099-12-31", format=format))
    assert read(f" {text.upper()} ") == expected - ("%z" in format) * 9000


DOTTED = Datetime("1930-01-01", "2024-12-31", format="%d.%m.%Y")
SHORT = Datetime("1930-01-01", "2024-12-31", format="%d.%m.%y")
DATETIMES = [
    (None, "2020/01/31", "2020-01-31"),
    (None, "2020/01/31 12:00", "2020-01-31T12"),
    (DOTTED, "31.1.2020", "2020-01-31"),
    (DOTTED, "2020-01-31", "2020-01-31"),
    (SHORT, "31.01.24", "2024-01-31"),
    (SHORT, "31.01.25", "1925-01-31"),
]
NO_DATETIMES = [
    *((None, text) for text in ("31.12.2020", "15/10/2022", "03/04/2022", "2020/31/01", "2020.01.31", "20200131")),
    *((DOTTED, text) for text in ("31.04.2020", "31/12/2020", "12.31.2020", "31.12.20", "٣١.12.2020", "31.12.2020x")),
    (Datetime("2020-01-01", "2024-12-31", format="%Y-%d-%m"), "2022-01-13"),
    (Datetime("2020-01-01", "2024-12-31", format="%d %b %Y %I:%M %p"), "3 May 2022 13:00 PM"),
]


@pytest.mark.parametrize(("column", "text", "expected"), DATETIMES)
def test_a_date_is_read_where_day_and_month_are_sure(column: Datetime | None, text: str, expected: str) -> None:
    read = iso_seconds if column is None else moment_reader(column)
    assert read(text) == np.datetime64(expected, "s").astype(int)


@pytest.mark.parametrize(("column", "text"), NO_DATETIMES)
def test_no_other_text_is_read_as_a_date(column: Datetime | None, text: str) -> None:
    assert math.isnan((iso_seconds if column is None else moment_reader(column))(text))


@pytest.mark.parametrize(
    ("column", "values", "words", "dtype"),
    [
        (Boolean(true=["ja", "j"], false=["nein", "n"]), ["JA", " j", "Nein", True, "yes", 1], "ja nein", "category"),
        (Boolean(true=[1], false=[0]), [1, "1", 0, True, "yes", 2], "1 0", "Int64"),
        (Boolean(true=[1], false=[2], nullable=True), [1, "1.0", 2, True, 0, None], "1 2", "Int64"),
        (Boolean(true=[1.5], false=[-1.5]), [1.5, "1.5", -1.5, True, 0, None], "1.5 -1.5", "float64"),
    ],
    ids=str,
)
def test_declared_words_for_true_and_false_are_read_and_written_back(column, values, words, dtype) -> None:
    codec = codec_for(column)
    assert codec.encode(values).tolist() == [1, 1, 0, 1, 2, 2]
    back = codec.decode(np.array([1, 0]), np.random.default_rng(0))
    assert (" ".join(map(str, back)), str(back.dtype)) == (words, dtype)
    if column.nullable:
        assert codec.decode(np.array([2]), np.random.default_rng(0)).isna().all()


def test_categories_are_read_with_blanks_around_them_and_in_any_case_where_declared() -> None:
    exact, padded = Categorical(["a", " a", "b"]), Categorical(["Aa", "aA"], nullable=True, missing_marker="?")
    assert codec_for(exact).encode(["a", " a", "\u00a0b ", "  a", "B"]).tolist() == [0, 1, 2, 0, 3]
    assert codec_for(padded).encode([" aA", "AA", "? "]).tolist() == [1, 2, 2]
    cased = Categorical(["Köln", "BONN"], ignore_case=True, nullable=True, missing_marker="n.a.")
    assert codec_for(cased).encode(["KÖLN", " bonn", "N.A.", "Ulm"]).tolist() == [0, 1, 2, 2]
    with pytest.raises(SchemaError, match="ignore_case"):
        Categorical(["Aa", "aA"], ignore_case=True)


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (Numeric(0, 100), ["1", "$2", "3,000", "1,5", "12 %", "x"]),
        (Numeric(0, 100, decimal=","), ["1", "2,5", "1.234", "1.5"]),
        (Datetime("2020-01-01", "2022-12-31", format="%d/%m/%Y"), ["03/04/2021", "31/12/2021", "12/31/2021", "x"]),
        (Boolean(true=["ja"], false=["nein"]), ["JA", "nein", "yes"]),
    ],
    ids=str,
)
def test_no_text_changes_how_another_is_read(column, texts) -> None:
    codec = codec_for(column)
    alone = [codec.encode([text])[0] for text in texts]
    for order in (texts, texts[::-1]):
        together = dict(zip(order, codec.encode(pd.Series(order)), strict=True))
        assert [together[text] for text in texts] == alone


@pytest.mark.parametrize("affix", ["-", "+", "\u2212", "(", ")", "()", ".", ",", "'", "e", "E"])
@pytest.mark.parametrize("field", ["prefix", "suffix"])
def test_what_is_part_of_a_number_is_no_affix(field, affix) -> None:
    with pytest.raises(SchemaError, match=rf"{field}=.* is part of how numbers are written"):
        Numeric(-100, 100, decimal=",", **{field: affix})


def test_prices_with_a_dash_for_no_decimals_are_read() -> None:
    assert number_reader(Numeric(0, 100, prefix="Fr.", suffix=".-"))("Fr. 5.-") == 5


@pytest.mark.parametrize(
    ("format", "texts"),
    [
        ("%d%m%Y", {"01122020": "2020-12-01", "1122020": None}),
        ("%Y%m%d", {"20201102": "2020-11-02", "2020112": None}),
        ("%H%d%m%Y", {"1003042022": "2022-04-03T10:00", "103042022": None}),
        ("%d%Y/%m", {"12020/1": "2020-01-01", "012020/01": "2020-01-01"}),
    ],
)
def test_a_text_that_could_be_two_dates_is_none(format, texts) -> None:
    of_text = moment_reader(Datetime("1990-01-01", "2024-12-31", format=format))
    for text, expected in texts.items():
        wanted = math.nan if expected is None else iso_seconds(expected)
        assert of_text(text) == pytest.approx(wanted, nan_ok=True)


def test_bounds_that_two_digits_of_a_year_cannot_tell_apart_are_refused() -> None:
    Datetime("1925-01-01", "2024-12-31", format="%d.%m.%y")
    with pytest.raises(SchemaError, match="write a low from 1925 on, or %Y"):
        Datetime("1924-12-31", "2024-12-31", format="%d.%m.%y")
    assert "%d/%m/%Y" in likely_reason(Datetime("1900-01-01", "2024-12-31"), ["31/12/2020"] * 9)
