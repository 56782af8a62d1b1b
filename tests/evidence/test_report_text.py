"""How numbers and names are written."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsynth.base.text import at_most, clip, difference, exact, percent, plain, printable, short


@given(st.floats(0, 1e6, allow_subnormal=False))
def test_a_loss_is_never_shown_smaller_than_it_is(x):
    shown = Fraction(float(at_most(x)))
    assert Fraction(x) <= shown <= Fraction(x) * Fraction(1001, 1000)


def test_numbers_read_as_a_person_would_write_them():
    assert [exact(x) for x in (1.0, 1e-6, 0.1, 12.5)] == ["1", "1e-06", "0.1", "12.5"]
    assert [short(x) for x in (0, 12345.678, 1e-9, 2.5e9, 20.3214)] == ["0", "12,350", "1e-09", "2.5e+09", "20.32"]
    assert [at_most(x) for x in (0.0, 1.0, 1.00001, 0.12341)] == ["0", "1", "1.001", "0.1235"]


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0"), (1, "100"), (1e-9, "under 0.1"), (0.0123, "1.2"), (0.99999, "over 99.9"), (0.5, "50.0")],
)
def test_a_little_is_not_nothing_and_nearly_all_is_not_all(share, text):
    assert percent(share) == f"{text}\xa0%"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        ([], "none"),
        ({}, "none"),
        (True, "yes"),
        (False, "no"),
        (12062, "12,062"),
        (0, "0"),
        (0.5, "0.5"),
        ("fraud", "fraud"),
        ("a\x1bb", "a\ufffdb"),
        ([1, 2], "1, 2"),
        ({"degree": 3, "target": None, "weights": []}, "degree = 3; target = none; weights = none"),
        ([[["age", "fraud"], 10.0], [["age", "stay"], 2.5]], "((age, fraud), 10), ((age, stay), 2.5)"),
        ([{"columns": ["fraud"], "stddev": 0.01}], "columns = (fraud); stddev = 0.01"),
    ],
)
def test_a_setting_is_written_as_a_reader_would(value, text):
    assert plain(value) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_whatever_json_holds_is_text_that_can_be_printed(value):
    assert all(c.isprintable() or c in "\n\xa0" for c in plain(value))


@given(st.text())
def test_what_is_printed_can_be_printed(text):
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(c.isprintable() or c in "\n\xa0" for c in shown)


def test_what_is_no_text_stays_as_it_is():
    assert printable(1.5) == 1.5
    assert printable(None) is None


@given(st.text(), st.integers(1, 30))
def test_a_clipped_text_fits(text, length):
    assert len(clip(text, length)) <= length


def test_a_difference_has_a_sign_unless_it_is_none():
    assert [difference(x) for x in (0.0123, -0.0123, 0.0, -0.0004, 1.0)] == [
        "1.2\xa0%",
        "\N{MINUS SIGN}1.2\xa0%",
        "0.0\xa0%",
        "0.0\xa0%",
        "100.0\xa0%",
    ]
