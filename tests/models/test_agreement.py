"""Agreement: counts of one distribution agree as often as chance says, and others do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import kstest

from dpsynth.models import agreement
from dpsynth.models.agreement import Comparison, Counts, compared, standing_out, together
from dpsynth.models.base import RoughMeasurement
from dpsynth.models.factor import grouped

CLIQUE = ("a", "b")
SHAPE = (6, 4)
P = np.random.default_rng(0).dirichlet(np.full(24, 2.0)).reshape(SHAPE)
CELLS = tuple(np.arange(n) for n in SHAPE)
ROWS = 8000, 3000


def counted(rows, stddev, rng, p=P, groups=CELLS, alike=1) -> Counts:
    """A table's noisy counts; alike: the rows of a unit, all in one cell."""
    exact = alike * rng.multinomial(rows // alike, p.ravel()).reshape(SHAPE)
    values = grouped(exact.astype(float), groups)
    noisy = values + np.rint(rng.normal(0, stddev, values.shape))
    expect = lambda clique, of: grouped(rows * P, of)  # noqa: E731
    return Counts([RoughMeasurement(CLIQUE, groups, noisy, stddev)], float(rows), alike, expect)


def chances(draws: int, **more) -> list[float]:
    rng = np.random.default_rng(1)
    return [compare(counted(ROWS[0], 5.0, rng, **more), counted(ROWS[1], 9.0, rng)).chance for _ in range(draws)]


def compare(one: Counts, other: Counts) -> Comparison:
    found = compared(one, other, CLIQUE)
    assert found is not None
    return found


@pytest.mark.parametrize("stddev", [0.3, 5.0, 60.0], ids=["sampling", "both", "noise"])
def test_of_one_distribution_every_chance_is_as_likely_as_any_other(stddev):
    """250 draws: a test at 0.1% that would see a chance off by 0.12."""
    rng = np.random.default_rng(3)
    found = [compare(counted(ROWS[0], stddev, rng), counted(ROWS[1], stddev, rng)).chance for _ in range(250)]
    assert kstest(found, "uniform").pvalue > 0.001


def test_units_of_several_rows_are_allowed_for():
    rng = np.random.default_rng(4)
    pairs = [[counted(rows, 5.0, rng, alike=4) for rows in ROWS] for _ in range(250)]
    assert kstest([compare(*pair).chance for pair in pairs], "uniform").pvalue > 0.001
    single = [compare(*(replace(each, alike=1) for each in pair)).chance for pair in pairs]
    assert np.mean(np.array(single) < 0.01) > 0.3


def test_a_row_count_that_is_off_by_its_noise_makes_no_conflict():
    rng = np.random.default_rng(5)
    found = []
    for _ in range(250):
        one, other = (counted(rows, 5.0, rng) for rows in ROWS)
        found.append(compare(replace(one, rows=one.rows * 1.01), other).chance)
    assert kstest(found, "uniform").pvalue > 0.001


@pytest.mark.parametrize("wrong", ["no draw", "no noise"])
def test_a_double_that_leaves_a_part_of_the_variance_out_finds_what_is_not_there(wrong, monkeypatch):
    if wrong == "no noise":
        monkeypatch.setattr(agreement, "_variance", lambda counts: np.zeros(counts.values.shape))
    rng = np.random.default_rng(6)
    found = []
    for _ in range(100):
        one, other = (counted(rows, 9.0, rng) for rows in ROWS)
        if wrong == "no draw":
            one, other = (replace(each, alike=0) for each in (one, other))
        found.append(compare(one, other).chance)
    assert np.mean(np.array(found) < 0.01) > 0.3


def test_a_shift_of_a_few_hundred_rows_is_found_and_its_cells_are_farthest_apart():
    moved = P.copy()
    moved[2, 1], moved[4, 3] = moved[2, 1] + 0.04, max(moved[4, 3] - 0.04, 0)
    moved /= moved.sum()
    rng = np.random.default_rng(7)
    found = compare(counted(ROWS[0], 5.0, rng, p=moved), counted(ROWS[1], 9.0, rng))
    assert found.chance < 1e-9
    assert np.unravel_index(np.abs(found.errors).argmax(), SHAPE) in [(2, 1), (4, 3)]
    assert np.mean(np.array(chances(100, p=moved)) < 1e-4) > 0.95


def test_the_chi_square_is_that_of_the_full_covariance_where_the_row_count_is_not_known():
    rng = np.random.default_rng(8)
    one, other = (counted(rows, 9.0, rng) for rows in ROWS)
    p, n, m = P.ravel(), *ROWS
    d = one.charged[0].values.ravel() / n - other.charged[0].values.ravel() / m
    noise = (81 + 1 / 12) * (1 / n**2 + 1 / m**2)
    covariance = (np.diag(p) - np.outer(p, p)) * (1 / n + 1 / m) + noise * np.eye(p.size)
    inverse = np.linalg.inv(covariance)
    least = minimize_scalar(lambda x: (d - x * p) @ inverse @ (d - x * p)).fun
    assert compare(one, other).chi_square == pytest.approx(least, rel=1e-6)
    assert compare(one, other).degrees == p.size - 1


def test_counts_of_other_groups_are_compared_on_the_finest_that_neither_parts():
    rng = np.random.default_rng(9)
    one = counted(ROWS[0], 5.0, rng, groups=(np.array([0, 0, 1, 1, 2, 2]), np.arange(4)))
    other = counted(ROWS[1], 5.0, rng, groups=(np.array([0, 0, 0, 1, 2, 2]), np.array([0, 1, 1, 2])))
    found = compare(one, other)
    assert [each.tolist() for each in found.groups] == [[0, 0, 0, 0, 1, 1], [0, 1, 1, 2]]
    nothing = counted(ROWS[1], 5.0, rng, groups=(np.array([0, 1, 0, 1, 0, 1]), np.arange(4)))
    assert compared(one, nothing, CLIQUE) is None  # all cells of `a` hang together


def test_counts_of_the_same_groups_become_their_mean_by_inverse_variance():
    m = RoughMeasurement(CLIQUE, CELLS, np.full(SHAPE, 10.0), 3.0)
    (both,) = together([m, replace(m, values=np.full(SHAPE, 20.0), stddev=6.0)])
    v, w = 9 + 1 / 12, 36 + 1 / 12
    assert both.values == pytest.approx(np.full(SHAPE, (10 * w + 20 * v) / (v + w)))
    assert both.stddev**2 == pytest.approx(v * w / (v + w))
    assert len(together([m, replace(m, groups=(CELLS[0] // 2, CELLS[1]))])) == 2


def test_benjamini_and_hochbergs_rule_keeps_the_rate_of_false_discoveries():
    """1000 families of 45 true and 5 false hypotheses; the mean rate has a standard error of 0.002."""
    assert standing_out([0.04, 0.001, 0.03, 0.5], 0.05) == [False, True, False, False]
    assert standing_out([0.02, 0.001, 0.03, 0.5], 0.05) == [True, True, True, False]
    rng = np.random.default_rng(10)
    rates = []
    for _ in range(1000):
        found = np.array(standing_out([*rng.random(45), *rng.random(5) * 1e-3], 0.05))
        rates.append(found[:45].sum() / max(found.sum(), 1))
    assert np.mean(rates) < 0.05 + 0.006
