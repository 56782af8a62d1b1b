"""Linear estimates by noisy counts: the best ones, with exact noise, and none outside of the span."""

from __future__ import annotations

import numpy as np
import pytest

from dpsynth import Domain
from dpsynth.models.base import RoughMeasurement
from dpsynth.models.factor import grouped
from dpsynth.models.ratios import fieller, logistic
from dpsynth.models.span import Query, Span

DOMAIN = Domain.of({"a": 6, "b": 3, "c": 2})
BINS = np.array([0, 0, 1, 1, 1, 2])
CELLS = {name: np.arange(size) for name, size in DOMAIN.sizes}
LAYOUT = (
    ((), (), 3.0),
    (("a",), (CELLS["a"],), 4.0),
    (("b",), (CELLS["b"],), 5.0),
    (("a",), (BINS,), 4.0),
    (("a", "b"), (BINS, CELLS["b"]), 6.0),
    (("b", "c"), (CELLS["b"], CELLS["c"]), 7.0),
)
QUERIES: dict[str, Query] = {
    "all rows": [{}],
    "one column": [{"a": np.array([1.0, 1, 1, 0, 0, 0])}],
    "weights": [{"a": np.arange(6.0)}],
    "two columns along bins": [{"a": np.array([0.0, 0, 1, 1, 1, 1]), "b": np.array([1.0, 0, 1])}],
    "either of two": [{"a": np.array([1.0, 1, 0, 0, 0, 0])}, {"a": np.array([0.0, 0, 1, 1, 1, 1]), "b": np.eye(3)[0]}],
    "nothing": [],
}
OUTSIDE: dict[str, Query] = {
    "through a bin": [{"a": np.array([1.0, 0, 0, 0, 0, 0]), "b": np.eye(3)[0]}],
    "columns not counted together": [{"a": np.array([1.0, 1, 0, 0, 0, 0]), "c": np.eye(2)[0]}],
    "three columns": [{"a": BINS == 0, "b": np.eye(3)[0], "c": np.eye(2)[0]}],
}


def table() -> np.ndarray:
    return np.random.default_rng(0).integers(20, 90, (6, 3, 2)).astype(float)


def measured(rng: np.random.Generator | None) -> list[RoughMeasurement]:
    """Noisy counts of the table; exact ones without rng."""
    found = []
    for clique, groups, stddev in LAYOUT:
        others = tuple(i for i, a in enumerate("abc") if a not in clique)
        values = grouped(table().sum(axis=others), groups)
        noise = 0.0 if rng is None else np.rint(rng.normal(0, stddev, values.shape))
        found.append(RoughMeasurement(clique, groups, values + noise, stddev))
    return found


def truth(query: Query) -> float:
    whole = 0.0
    for part in query:
        weights = [np.asarray(part.get(a, np.ones(n)), dtype=float) for a, n in DOMAIN.sizes]
        whole += float(np.einsum("abc,a,b,c->", table(), *weights))
    return whole


def oracle(query: Query) -> tuple[float, float]:
    """Generalised least squares over all cells of the table, by a pseudo-inverse: weights and the estimate's noise."""
    rows, noise = [], []
    for clique, groups, stddev in LAYOUT:
        sizes = [int(g.max()) + 1 for g in groups]
        for place in np.ndindex(*sizes):
            masks = dict(zip(clique, (g == i for g, i in zip(groups, place, strict=True)), strict=True))
            each = [masks.get(a, np.ones(n, bool)) for a, n in DOMAIN.sizes]
            rows.append(np.einsum("a,b,c->abc", *[m.astype(float) for m in each]).ravel())
            noise.append(np.sqrt(stddev**2 + 1 / 12))
    scaled = np.array(rows) / np.array(noise)[:, None]
    weights = np.zeros((6, 3, 2))
    for part in query:
        weights += np.einsum("a,b,c->abc", *[np.asarray(part.get(a, np.ones(n)), float) for a, n in DOMAIN.sizes])
    v = np.linalg.pinv(scaled.T) @ weights.ravel()
    return float(np.abs(scaled.T @ v - weights.ravel()).max()), float(np.linalg.norm(v))


@pytest.mark.parametrize("name", QUERIES)
def test_exact_counts_give_the_exact_answer(name):
    found = Span(DOMAIN, measured(None)).estimates([QUERIES[name]])
    assert found.values[0] == pytest.approx(truth(QUERIES[name]), abs=1e-5)


@pytest.mark.parametrize("name", QUERIES)
def test_the_noise_is_that_of_the_best_combination_of_all_counts_nearly(name):
    """Counts are summed over columns that are not asked for first, which may cost a part of the best."""
    off, best = oracle(QUERIES[name])
    found = float(np.sqrt(Span(DOMAIN, measured(None)).estimates([QUERIES[name]]).covariance[0, 0]))
    assert off < 1e-9
    assert best - 1e-6 <= found <= 1.15 * best + 1e-6


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_no_combination_of_counts_is_has_no_answer(name):
    assert oracle(OUTSIDE[name])[0] > 0.05
    assert Span(DOMAIN, measured(None)).estimates([OUTSIDE[name]]) is None


def test_estimates_have_the_covariance_that_is_said():
    """400 draws; threshold 5 standard errors of a variance; seed 1. A variance of 0.65 squared is refuted."""
    queries = [QUERIES["one column"], QUERIES["two columns along bins"]]
    rng = np.random.default_rng(1)
    drawn = np.array([Span(DOMAIN, measured(rng)).estimates(queries).values for _ in range(400)])
    said = Span(DOMAIN, measured(None)).estimates(queries).covariance
    ratio = drawn.var(axis=0) / np.diag(said)
    assert (np.abs(ratio - 1) < 5 * np.sqrt(2 / 400)).all()
    assert (ratio / 0.65**2 - 1 > 5 * np.sqrt(2 / 400)).all()
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(said[0, 1] / np.sqrt(said[0, 0] * said[1, 1]), abs=0.2)
    assert drawn.mean(axis=0) == pytest.approx([truth(q) for q in queries], abs=5 * np.sqrt(said.max() / 400))


def test_cells_that_are_taken_to_be_empty_need_not_be_told_apart():
    query: Query = [{"a": np.array([0.0, 0, 1, 1, 0, 0]), "b": np.eye(3)[0]}]
    assert Span(DOMAIN, measured(None)).estimates([query]) is None
    empty = {"a": np.arange(6) == 4}
    assert Span(DOMAIN, measured(None), empty).estimates([query]) is not None


def test_noise_that_is_rounded_coarsely_has_steps():
    fine = RoughMeasurement(("a",), (CELLS["a"],), np.arange(6.0), 0.3)
    found = Span(DOMAIN, [fine]).estimates([[{"a": np.eye(6)[1]}]])
    assert found.steps[0] == pytest.approx(0.5)
    assert found.covariance[0, 0] == pytest.approx(0.0956, abs=1e-3)  # of round(N(0, 0.3^2)): 2 P(|z| > 1/2) / 2
    assert Span(DOMAIN, measured(None)).estimates([QUERIES["all rows"]]).steps[0] == 0


def test_a_ratio_is_covered_as_often_as_said_where_its_bottom_is_noisy():
    """4,000 draws, threshold 4 standard errors, seed 2; an interval without the bottom's noise is refuted."""
    rng, z = np.random.default_rng(2), 1.6449
    noise = np.array([[30.0, -10.0], [-10.0, 60.0]])
    drawn = rng.multivariate_normal([40.0, 90.0], noise, 4000)
    full = [fieller(a, b, noise, z, (-9, 9)) for a, b in drawn]
    part = [fieller(a, b, np.diag([30.0, 1e-9]), z, (-9, 9)) for a, b in drawn]
    rates = [np.mean([low <= 4 / 9 <= high for low, high in each]) for each in (full, part)]
    assert abs(rates[0] - 0.9) < 4 * np.sqrt(0.09 / 4000)
    assert rates[1] < 0.9 - 4 * np.sqrt(0.09 / 4000)


def test_a_logistic_regression_on_patterns_is_that_on_rows():
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, (5000, 2))
    y = rng.random(5000) < 1 / (1 + np.exp(-(x @ [1.0, -0.5] - 0.3)))
    patterns = np.array([[i, j] for i in (0, 1) for j in (0, 1)])
    counts = [[((x == p).all(axis=1) & (y == bit)).sum() for p in patterns] for bit in (1, 0)]
    design = np.column_stack([np.ones(4), patterns])
    found, _ = logistic(design, *np.array(counts, dtype=float))
    fitted = linear_model.LogisticRegression(C=1e9, tol=1e-10, max_iter=1000).fit(x, y)
    assert found == pytest.approx([*fitted.intercept_, *fitted.coef_[0]], abs=1e-4)
    assert logistic(design, np.array([-5.0, 1, 1, 1]), np.array([-5.0, 1, 1, -9])) is None
