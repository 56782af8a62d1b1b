"""Combining imputations: the rules, and how often their intervals hold the truth."""

import numpy as np
import pandas as pd
import pytest

from dpsynth.synthesizers.combined import Combined, as_table, combined_numbers

Z = 1.6448536269514722


def test_tables_as_long_as_the_private_one_need_no_variances():
    estimates = np.array([[1.0, 5.0], [2.0, 5.5], [3.0, 6.0]])
    mean, error, df = combined_numbers(estimates, None, 1.0)
    assert mean == pytest.approx([2.0, 5.5])
    assert error == pytest.approx(np.sqrt(4 / 3 * np.array([1.0, 0.25])))
    assert df == pytest.approx([2.0, 2.0])
    same = combined_numbers(estimates, np.full((3, 2), 7.0), 1.0)
    assert all(np.array_equal(one, other) for one, other in zip((mean, error, df), same, strict=True))


def test_without_a_draw_of_the_rows_it_is_the_rule_of_raghunathan_reiter_and_rubin():
    """T = (1 + 1/m) b - u, with (m - 1) (1 - u / ((1 + 1/m) b))^2 degrees of freedom."""
    estimates, own = np.array([[1.0], [2.0], [3.0], [6.0]]), np.array([[0.5], [0.7], [0.6], [0.6]])
    _, error, df = combined_numbers(estimates, own, 0.0)
    b, u = np.var(estimates, ddof=1), 0.6
    assert error**2 == pytest.approx([1.25 * b - u])
    assert df == pytest.approx([3 * (1 - u / (1.25 * b)) ** 2])


def test_a_variance_that_is_not_positive_is_that_of_the_draw_of_the_rows():
    estimates, own = np.array([[1.0], [1.01], [1.0]]), np.full((3, 1), 4.0)
    _, error, df = combined_numbers(estimates, own, 0.5)
    assert (error**2, df) == (pytest.approx([2.0]), pytest.approx([2.0]))


@pytest.mark.parametrize("length", [1.0, 4.0, 0.5], ids=["as long", "longer", "shorter"])
def test_intervals_hold_the_truth_as_often_as_they_say(length):
    """20,000 releases of 12 tables, threshold 5 standard errors, seed 3, noise as large as the draw of the rows. The
    standard error of one table, and a rule without that draw, are refuted. Short tables make wide intervals."""
    rng, releases, m, noise = np.random.default_rng(3), 20_000, 12, 1.0
    private = rng.normal(0, 1, releases)
    fitted = private + rng.normal(0, noise, releases)
    drawn = fitted + rng.normal(0, noise, (m, releases)) + rng.normal(0, 1 / np.sqrt(length), (m, releases))
    own = np.full((m, releases), 1 / length)
    mean, error, df = combined_numbers(drawn, own, length)
    found = Combined(("x",) * releases, mean, error, df, "measured", 0.9, m).intervals
    margin = 5 * np.sqrt(0.09 / releases)
    held = np.mean((found[:, 0] <= 0) & (found[:, 1] >= 0))
    assert held > 0.9 - margin
    assert held < (0.97 if length < 1 else 0.9 + margin)  # shorter tables leave few degrees of freedom
    assert np.mean(np.abs(drawn[0]) <= Z / np.sqrt(length)) < 0.9 - margin
    mean, error, df = combined_numbers(drawn, own, 0.0)
    short = Combined(("x",) * releases, mean, error, df, "measured", 0.9, m).intervals
    assert np.mean((short[:, 0] <= 0) & (short[:, 1] >= 0)) < 0.9 - margin


def test_what_rests_on_the_model_has_a_standard_error_and_no_interval():
    found = Combined(("a",), np.array([1.0]), np.array([0.2]), np.array([9.0]), "model", 0.9, 10, ("Why.",))
    assert np.isnan(found.intervals).all()
    assert found.summary().splitlines() == ["10 imputations; basis: model", "a: 1", "Why."]


def test_terms_have_the_names_of_the_series():
    table, names = as_table([pd.Series({"age": 1.0, "sex": 2.0})] * 3, 3, "estimates")
    assert (table.shape, names) == ((3, 2), ("age", "sex"))
    assert as_table([1, 2, 3], 3, "estimates")[1] is None


@pytest.mark.parametrize(
    ("given", "what", "said"),
    [
        ([1.0], "estimates", "each of the 2 imputations"),
        ("ab", "estimates", "each of the 2 imputations"),
        (["a", "b"], "estimates", "must be numbers"),
        ([[1.0], [1.0, 2.0]], "estimates", "same terms"),
        ([pd.Series({"a": 1.0}), pd.Series({"b": 1.0})], "estimates", "same terms"),
        ([1.0, np.inf], "estimates", "finite"),
        ([1.0, -1.0], "variances", "0 or more"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(given, what, said):
    with pytest.raises(ValueError, match=said):
        as_table(given, 2, what)
