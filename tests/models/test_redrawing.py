"""Models of other draws of the noise: they lie about the fitted one as that lies about the rows."""

from dataclasses import replace

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.models.base import LinearMeasurement, RoughMeasurement
from dpsynth.models.engines import estimate_exactly
from dpsynth.models.redrawing import Redrawing, _nearest
from dpsynth.models.refined import RefinedModel
from dpsynth.models.span import Span

DOMAIN = Domain.of({"a": 5, "b": 3, "c": 2})
BINS = {"a": np.array([0, 0, 1, 2, 2]), "b": np.arange(3), "c": np.arange(2)}
TABLE = np.random.default_rng(0).integers(150, 400, (5, 3, 2)).astype(float)
PAIR = np.einsum("abc->ab", TABLE)
STDDEV = 25.0


def measured(rng: np.random.Generator) -> list[RoughMeasurement]:
    """The row count, every column twice over, and two pairs, one of them in bins; each with noise."""
    pair = np.array([PAIR[BINS["a"] == i].sum(axis=0) for i in range(3)])
    counts = [((), (), TABLE.sum())]
    counts += [((n,), (np.arange(DOMAIN.size(n)),), np.einsum(f"abc->{n}", TABLE)) for n in "abc"] * 2
    counts += [(("a", "b"), (BINS["a"], BINS["b"]), pair), (("b", "c"), (BINS["b"], BINS["c"]), TABLE.sum(axis=0))]
    return [RoughMeasurement(c, g, v + np.rint(rng.normal(0, STDDEV, np.shape(v))), STDDEV) for c, g, v in counts]


def fitted(charged: list[RoughMeasurement]) -> RefinedModel:
    coarse = Domain.of({"a": 3, "b": 3, "c": 2})
    pairs = [LinearMeasurement(m.clique, m.values, m.stddev) for m in charged if len(m.clique) == 2]
    masses = {n: np.ones(DOMAIN.size(n)) for n in "abc"}
    return RefinedModel(DOMAIN, estimate_exactly(coarse, pairs), BINS, masses, charged=tuple(charged))


@pytest.fixture(scope="module")
def redrawing() -> Redrawing:
    return Redrawing(fitted(measured(np.random.default_rng(1))), {})


QUERIES = {
    "a cell of a": ("a", lambda t: t[1]),
    "a cell of two columns": ("bc", lambda t: t[0, 1]),
    "a bin and a column": ("ab", lambda t: t[:2, 2].sum()),
}


@pytest.mark.parametrize("name", QUERIES)
def test_models_scatter_as_the_noise_of_the_best_estimate(redrawing, name):
    """150 draws, threshold 5 standard errors of a variance, seed 2; noise of half and of twice the size is refuted."""
    columns, of = QUERIES[name]
    rng = np.random.default_rng(2)
    drawn = [of(redrawing.draw(rng).project(tuple(columns))) for _ in range(150)]
    weights = {"a cell of a": {"a": np.eye(5)[1]}, "a cell of two columns": {"b": np.eye(3)[0], "c": np.eye(2)[1]}}
    query = weights.get(name, {"a": np.array([1.0, 1, 0, 0, 0]), "b": np.eye(3)[2]})
    found = Span(DOMAIN, redrawing.model.charged).estimates([[query]])
    ratio, margin = np.var(drawn, ddof=1) / found.covariance[0, 0], 5 * np.sqrt(2 / 150)
    assert abs(ratio - 1) < margin
    assert abs(4 * ratio - 1) > margin
    assert abs(ratio / 4 - 1) > margin
    assert abs(np.mean(drawn) - found.values[0]) < 5 * np.sqrt(found.covariance[0, 0] / 150)


def test_a_model_without_bias_is_not_drawn_to_what_the_columns_say():
    """80 draws of counts with much noise, seed 4: the mean of a dependent cell is within 4 standard errors of the
    truth, and that of the estimator for releases, which shrinks, is not."""
    rng, domain, rows = np.random.default_rng(4), Domain.of({"a": 4, "b": 4}), 30.0 + 60 * np.eye(4)
    means = {}
    for weak in (True, False):
        found = []
        for _ in range(80):
            noisy = LinearMeasurement(("a", "b"), rows + rng.normal(0, 14.0, (4, 4)), 14.0)
            found.append(np.trace(estimate_exactly(domain, [noisy], weak=weak).project(("a", "b"))))
        means[weak] = (np.mean(found) - np.trace(rows)) / (np.std(found) / np.sqrt(80))
    assert abs(means[True]) < 4 < -means[False]


def test_rows_scatter_as_independent_draws(redrawing):
    """200 samples of 500 rows, threshold 5 standard errors, seed 3; rows that keep near to expectation are refuted."""
    model = redrawing.draw(np.random.default_rng(3))
    kept = replace(model, coarse=replace(model.coarse, apart=False), apart=False)
    expected = model.project(("a", "c")).ravel() / model.total
    ratios = []
    for one in (model, kept):
        rng, squares = np.random.default_rng(3), []
        for _ in range(200):
            rows = one.sample(500, rng)
            counts = np.bincount(rows["a"].astype(int) * 2 + rows["c"], minlength=10)
            squares.append(((counts - 500 * expected) ** 2 / (500 * expected)).sum() / 9)
        ratios.append(np.mean(squares))
    margin = 5 * np.sqrt(2 / 9 / 200)
    assert abs(ratios[0] - 1) < margin
    assert ratios[1] < 1 - margin


def test_cells_that_are_taken_to_be_empty_hold_no_row(redrawing):
    without = Redrawing(redrawing.model, {"a": np.arange(5) == 1, "b": np.arange(3) == 2})
    table = without.draw(np.random.default_rng(5)).project(("a", "b"))
    assert table[1].sum() == table[:, 2].sum() == 0
    assert (table[[0, 2, 3, 4], :2] > 0).all()


def test_columns_alone_are_drawn_cell_by_cell():
    charged = measured(np.random.default_rng(6))
    model = replace(fitted(charged), charged=tuple(m for m in charged if len(m.clique) < 2))
    drawn = Redrawing(model, {}).draw(np.random.default_rng(6))
    assert drawn.coarse.domain.sizes == DOMAIN.sizes
    assert np.abs(drawn.project(("a",)) - TABLE.sum(axis=(1, 2))).max() < 5 * STDDEV


def test_merged_cells_and_faint_columns_are_told(redrawing):
    pair = redrawing.together("a", "b")
    assert redrawing.merged("a", pair) == pytest.approx(1 - PAIR[2].sum() / PAIR.sum(), abs=0.05)
    assert redrawing.merged("b", pair) == 0
    assert redrawing.together("a", "c") is None
    assert redrawing.faint("a") == 0
    noise = replace(redrawing.model, charged=tuple(replace(m, stddev=1e4) for m in redrawing.model.charged))
    assert Redrawing(noise, {}).faint("a") == pytest.approx(0.4 * np.sqrt(5))


def test_a_model_that_keeps_no_counts_of_a_column_is_refused(redrawing):
    part = tuple(m for m in redrawing.model.charged if m.clique != ("c",))
    with pytest.raises(ValueError, match="keeps no noisy counts of every column"):
        Redrawing(replace(redrawing.model, charged=part), {})


def test_counts_that_no_tree_holds_are_refused():
    sizes = dict.fromkeys("abcde", 60)
    domain = Domain.of(sizes)
    cells = {name: np.arange(80) for name in sizes}
    charged = [RoughMeasurement((a,), (cells[a],), np.ones(60), 1.0) for a in sizes]
    pairs = [(a, b) for a in sizes for b in sizes if a < b]
    charged += [RoughMeasurement(c, (cells[c[0]], cells[c[1]]), np.ones((60, 60)), 1.0) for c in pairs]
    coarse = estimate_exactly(domain, [LinearMeasurement((a,), np.ones(60), 1.0) for a in sizes])
    with pytest.raises(ValueError, match="more than 10,000,000"):
        Redrawing(replace(RefinedModel.of_cells(coarse), charged=tuple(charged)), {})


@pytest.mark.parametrize("values", [[3.0, 1.0, 2.0], [5.0, -1.0, -1.0, 2.0], [-1.0, -2.0], [0.5, -0.4]])
def test_the_nearest_counts_keep_their_sum(values):
    found = _nearest(np.array(values))
    assert found.sum() == pytest.approx(max(sum(values), 0.0))
    assert (found >= 0).all()
    if min(values) >= 0:
        assert found == pytest.approx(values)
    others = np.random.default_rng(7).dirichlet(np.ones(len(values)), 2000) * found.sum()
    assert ((others - values) ** 2).sum(axis=1).min() >= ((found - values) ** 2).sum() - 1e-9
