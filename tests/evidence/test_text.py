"""Numbers are written for people: no power of ten where digits will do, and no small chance made smaller."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsynth.base.text import one_in, said, written

NUMBERS = st.floats(-1e300, 1e300, allow_subnormal=False)


@given(NUMBERS)
def test_a_written_number_is_the_number(x):
    text = written(x).replace(",", "")
    mantissa, _, power = text.partition(" × 10")  # noqa: RUF001
    digits = power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    assert math.isclose(float(f"{mantissa}e{digits or 0}"), x, rel_tol=1e-14)
    assert not re.search(r"\de[+-]?\d", written(x))


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0"),
        (1e-6, "0.000001"),
        (1e-9, "0.000000001"),
        (1.0, "1"),
        (12.50, "12.5"),
        (-3.5e-7, "-0.00000035"),
        (1e6, "1,000,000"),
        (2.5e9, "2,500,000,000"),
        (1e-20, "1 × 10⁻²⁰"),  # noqa: RUF001
        (3.2e18, "3.2 × 10¹⁸"),  # noqa: RUF001
    ],
)
def test_numbers_read_as_people_write_them(x, text):
    assert written(x) == text


def test_a_sentence_keeps_its_words_and_loses_its_powers_of_ten():
    assert said("(1, 1e-06)-private, 2.5e+09 rows") == "(1, 0.000001)-private, 2,500,000,000 rows"
    assert said("the ledger's 1e-06, for every 'a 1e-6'") == "the ledger's 0.000001, for every 'a 1e-6'"
    for text in ("line 3e5a1b", "v1e-06x", "1,234 rows", "arXiv 1805.06530", "d = 4e", "0.5", "every 'dose 1e-06', of"):
        assert said(text) == text


@given(st.floats(1e-300, 1.0))
def test_a_chance_in_words_is_never_smaller_than_the_chance(chance):
    times = one_in(chance).removeprefix("1 in ").replace(",", "")
    names = {"million": 10**6, "billion": 10**9, "trillion": 10**12}
    word = times.rpartition(" ")[2]
    if word in names:
        number = 1 if times.startswith("a ") else int(times.partition(" ")[0])
        times = str(number * names[word])
    if times.isdecimal():
        assert Fraction(1, int(times)) >= Fraction(repr(chance)) * Fraction(1 - 10**-14)
        assert 1 / int(times) <= chance * 1.0000001 or int(times) == int(1 / chance)


@pytest.mark.parametrize(
    ("chance", "text"),
    [(1e-6, "1 in a million"), (1e-9, "1 in a billion"), (2e-8, "1 in 50 million"), (3e-5, "1 in 33,333"), (0.0, "0")],
)
def test_small_chances_in_words(chance, text):
    assert one_in(chance) == text
