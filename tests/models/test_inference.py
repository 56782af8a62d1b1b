"""Measurements are pooled as least squares does, and fitted as over the whole joint."""

from __future__ import annotations

import itertools
import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.base.domain import Domain
from dpsynth.models.base import LinearMeasurement
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.inference import estimate
from dpsynth.models.joint import JointModel
from dpsynth.models.junction_tree import JunctionTree
from dpsynth.models.optimise import Point, minimise
from dpsynth.models.pooling import pool
from tests.models.cases import CASES, DOMAIN, graphs, potentials

every_case = pytest.mark.parametrize("cliques", CASES.values(), ids=CASES)


def measured(model, cliques, stddev, seed=0):
    """Each clique's expected counts with noise; an odd seed spreads the stddev from clique to clique."""
    rng = np.random.default_rng(seed)
    scales = [stddev * (1 + seed % 2 * i) for i, _ in enumerate(cliques)]
    return [
        LinearMeasurement(c, model.project(c) + rng.normal(0, s, model.domain.shape(c)), s)
        for c, s in zip(cliques, scales, strict=True)
    ]


def truth(domain, cliques, total=5000.0, seed=1, scale=1.0):
    return GraphicalModel.of(domain, total, potentials(domain, cliques, seed, scale))


@settings(max_examples=15)
@given(graphs(max_cliques=4), st.integers(0, 9))
def test_pooling_is_generalised_least_squares(graph, seed):
    domain, cliques = graph
    measurements = measured(truth(domain, []), [*cliques, *cliques[:1], ()], 10.0, seed)
    sketch = np.eye(domain.cells(domain.attributes)).reshape(-1, *domain.shape(domain.attributes))

    def onto(clique):
        """The matrix that sums a joint table onto the clique."""
        axes = [domain.attributes.index(a) + 1 for a in clique]
        out = np.einsum(sketch, list(range(len(domain.attributes) + 1)), [*axes, 0])
        return out.reshape(domain.cells(clique), -1)

    rows = np.concatenate([onto(m.clique) / m.stddev for m in measurements])
    values = np.concatenate([m.values.ravel() / m.stddev for m in measurements])
    joint = np.linalg.lstsq(rows, values, rcond=None)[0]
    for clique, table in pool(domain, measurements).items():
        np.testing.assert_allclose(table.values.ravel(), onto(clique) @ joint, atol=1e-6)


@every_case
@pytest.mark.parametrize("stddev", [0.5, 20.0, 500.0])
def test_the_fit_is_that_over_the_joint(cliques, stddev):
    measurements = measured(truth(DOMAIN, cliques), cliques, stddev, seed=3)
    model, joint = estimate(DOMAIN, measurements), JointModel.estimate(DOMAIN, measurements)
    assert model.converged
    assert model.total == pytest.approx(joint.total)
    for clique in itertools.combinations(DOMAIN.attributes, 3):
        np.testing.assert_allclose(model.project(clique), joint.project(clique), atol=0.02 * stddev)


@settings(max_examples=40)
@given(graphs(), st.integers(0, 99), st.floats(0.5, 1000), st.floats(0.5, 1e6))
def test_any_measurements_give_a_distribution(graph, seed, stddev, total):
    domain, cliques = graph
    model = estimate(domain, measured(truth(domain, cliques, total, seed), cliques, stddev, seed))
    for counts in [model.project((attribute,)) for attribute in domain.attributes]:
        assert (counts >= 0).all()
        assert counts.sum() == pytest.approx(model.total)


@pytest.mark.parametrize("shape", ["chain", "star", "cycle", "overlapping", "everything"])
def test_a_distribution_measured_almost_without_noise_is_recovered(shape):
    true = truth(DOMAIN, CASES[shape], total=100_000.0)
    model = estimate(DOMAIN, measured(true, CASES[shape], stddev=0.1))
    assert model.total == pytest.approx(true.total, rel=1e-5)
    for clique in itertools.combinations(DOMAIN.attributes, 3):
        np.testing.assert_allclose(model.project(clique), true.project(clique), atol=2)


def test_fitted_counts_are_nearer_to_the_truth_than_what_was_measured():
    cliques = [("a", "b"), ("b", "c"), ("c", "e")]
    true = truth(DOMAIN, cliques, scale=0.5)
    for stddev in (10.0, 100.0, 1000.0):
        errors = []
        for seed in range(0, 20, 2):
            measurements = measured(true, cliques, stddev, seed)
            model = estimate(DOMAIN, measurements)
            errors += [
                (
                    abs(model.project(m.clique) - true.project(m.clique)).sum(),
                    abs(m.values - true.project(m.clique)).sum(),
                )
                for m in measurements
            ]
        fitted, raw = np.mean(errors, axis=0)
        assert fitted < raw


def test_attributes_whose_pair_shows_noise_only_stay_nearly_independent():
    domain = Domain.of({"a": 30, "b": 30})
    true = truth(domain, [("a",), ("b",)], total=50_000.0)
    noisy = measured(true, [("a",), ("b",), ("a", "b")], stddev=50.0)
    model = estimate(domain, noisy)
    error = np.abs(model.project(("a", "b")) - true.project(("a", "b"))).sum()
    assert error < 0.3 * np.abs(noisy[2].values - true.project(("a", "b"))).sum()


def test_what_measurements_of_one_clique_say_is_weighted_by_their_precision():
    twice = [
        LinearMeasurement(("a", "b"), np.full((2, 3), 100.0), 1.0),
        LinearMeasurement(("b", "a"), np.full((3, 2), 200.0), 3.0),
    ]
    pooled = pool(DOMAIN, twice)
    np.testing.assert_allclose(pooled["a", "b"].values, 110.0)
    np.testing.assert_allclose(pooled["a", "b"].variance, 0.9)
    assert estimate(DOMAIN, twice).total == pytest.approx(660.0)


def test_totals_that_disagree_are_weighted_by_their_precision():
    conflict = [
        LinearMeasurement((), np.asarray(1000.0), 1.0),
        LinearMeasurement(("a",), np.array([100.0, 100.0]), 10.0),
        LinearMeasurement(("c",), np.array([1.0, 2.0, 3.0, 1e6]), 1e6),
    ]
    model = estimate(DOMAIN, conflict)
    assert model.total == pytest.approx(1000 - 800 / 201, abs=0.1)
    assert model.project(("a",)) == pytest.approx([model.total / 2] * 2, rel=1e-3)


@pytest.mark.parametrize(
    ("measurements", "total", "expected"),
    [
        ([], None, 1.0),
        ([], 40.0, 40.0),
        ([LinearMeasurement((), np.asarray(77.0), 5.0)], None, 77.0),
        ([LinearMeasurement((), np.asarray(-77.0), 5.0)], None, 1.0),
        ([LinearMeasurement(("a",), np.array([-5.0, -6.0]), 5.0)], None, 1.0),
        ([LinearMeasurement(("a",), np.array([0.0, 0.0]), 5.0)], 0.0, 1.0),
        ([LinearMeasurement(("d",), np.array([12.0]), 2.0)], None, 12.0),
    ],
    ids=["nothing", "given", "measured", "negative", "negative cells", "none", "one cell"],
)
def test_there_is_always_a_total_of_at_least_one(measurements, total, expected):
    model = estimate(DOMAIN, measurements, total=total)
    assert model.converged
    assert model.total == pytest.approx(expected)
    assert model.project(("b",)) == pytest.approx([expected / 3] * 3)


def test_a_given_total_is_kept_whatever_was_measured():
    true = truth(DOMAIN, CASES["chain"])
    model = estimate(DOMAIN, measured(true, CASES["chain"], 1.0), total=123.0)
    assert model.total == 123.0
    assert model.project(("b",)).sum() == pytest.approx(123.0)


def test_negative_and_zero_counts_become_small_ones():
    values = np.array([[900.0, -60.0, 0.0], [40.0, -300.0, 100.0]])
    counts = estimate(DOMAIN, [LinearMeasurement(("a", "b"), values, 50.0)]).project(("a", "b"))
    assert (counts > 0).all()
    assert (counts[values <= 0] < 60).all()
    assert counts[0, 0] > 600


def test_a_cell_of_which_nothing_is_known_misleads_no_other():
    true = truth(DOMAIN, [("b", "c")])
    stddev = np.where(np.arange(12).reshape(3, 4) == 5, 1e7, 1.0)
    values = true.project(("b", "c")) + stddev
    exact = measured(true, [("b",), ("c",)], 1.0)
    model = estimate(DOMAIN, [LinearMeasurement(("b", "c"), values, stddev), *exact])
    np.testing.assert_allclose(model.project(("b", "c")), true.project(("b", "c")), atol=4)


def test_a_standard_deviation_may_broadcast_along_an_axis():
    stddev = np.array([[1.0], [100.0]])
    pooled = pool(DOMAIN, [LinearMeasurement(("a", "b"), np.ones((2, 3)), stddev)])
    np.testing.assert_allclose(pooled["a", "b"].variance, np.broadcast_to(stddev**2, (2, 3)))
    np.testing.assert_allclose(pooled[("a",)].variance, [3.0, 30_000.0])


@every_case
def test_the_order_of_measurements_and_of_their_axes_does_not_matter(cliques):
    measurements = measured(truth(DOMAIN, cliques), cliques, 30.0)
    turned = [LinearMeasurement(m.clique[::-1], m.values.T, m.stddev) for m in reversed(measurements)]
    one, other = estimate(DOMAIN, measurements), estimate(DOMAIN, turned)
    for clique in itertools.combinations(DOMAIN.attributes, 2):
        np.testing.assert_allclose(one.project(clique), other.project(clique), rtol=1e-6, atol=1e-6)


def test_a_warm_start_saves_steps_and_changes_nothing():
    measurements = measured(truth(DOMAIN, CASES["complete"]), CASES["complete"], 20.0)
    cold = estimate(DOMAIN, measurements)
    warm = estimate(DOMAIN, measurements, warm=cold)
    assert warm.iterations == 0 < cold.iterations
    more = [*measurements, *measured(truth(DOMAIN, CASES["complete"]), [("a", "d"), ("b", "c", "e")], 20.0)]
    again, anew = estimate(DOMAIN, more, warm=cold), estimate(DOMAIN, more)
    for clique in itertools.combinations(DOMAIN.attributes, 2):
        np.testing.assert_allclose(again.project(clique), anew.project(clique), atol=10)


def test_a_hopeless_start_is_forgotten():
    measurements = measured(truth(DOMAIN, CASES["chain"]), CASES["chain"], 20.0)
    hopeless = GraphicalModel.of(
        DOMAIN,
        1.0,
        {("a", "b"): np.array([[0.0, -2e3, -2e3]] * 2), ("b", "c"): np.array([[-2e3] * 4, [0.0] * 4, [0.0] * 4])},
    )
    assert estimate(DOMAIN, measurements, warm=hopeless).converged


def test_a_structure_that_holds_the_measured_cliques_may_be_larger():
    measurements = measured(truth(DOMAIN, CASES["chain"]), CASES["chain"], 20.0)
    wide = JunctionTree.of(DOMAIN, [("a", "b", "c"), ("c", "e")])
    model, plain = estimate(DOMAIN, measurements, structure=wide), estimate(DOMAIN, measurements)
    assert model.tree is wide
    np.testing.assert_allclose(model.project(("a", "c")), plain.project(("a", "c")), atol=0.5)
    with pytest.raises(ValueError, match="must hold every measured clique"):
        estimate(DOMAIN, measurements, structure=JunctionTree.of(DOMAIN, [("a", "b")]))


@pytest.mark.parametrize(
    ("clique", "values", "message"),
    [
        (("a", "q"), np.zeros((2, 2)), "different attributes of the domain"),
        (("a", "a"), np.zeros((2, 2)), "different attributes of the domain"),
        (("a", "b"), np.zeros((3, 2)), r"must have the shape \(2, 3\), got \(3, 2\)"),
    ],
)
def test_a_measurement_that_does_not_fit_the_domain_is_refused(clique, values, message):
    with pytest.raises(ValueError, match=message):
        estimate(DOMAIN, [LinearMeasurement(clique, values, 1.0)])


def test_the_optimiser_finds_the_least_of_a_crooked_valley_and_says_when_it_gave_up():
    scales = np.logspace(0, 6, 20)

    def valley(x):
        bend = np.log(np.cosh(x - 1))
        return Point(x, float(scales @ bend), scales * np.tanh(x - 1), scales)

    def near(point):
        return bool(np.abs(point.gradient).max() < 1e-6)

    point, steps, converged = minimise(valley, np.zeros(20), near, 100)
    assert converged
    assert steps > 2
    np.testing.assert_allclose(point.x, 1.0, atol=1e-6)
    assert not minimise(valley, np.zeros(20), near, 2)[2]
    assert not minimise(valley, np.zeros(20), lambda point: False, 10_000)[2]


def told(caplog):
    """The shares that were told, in order."""
    return np.array([record.done for record in caplog.records if hasattr(record, "done")])


def test_the_share_of_a_fit_that_is_told_grows_to_all_of_it_and_foretells_the_steps_that_are_left(caplog):
    """Thirty columns in a chain, each mostly what the one before is; seed 3, noise of 5 rows."""
    domain = Domain.of({f"c{i}": 8 for i in range(30)})
    rng = np.random.default_rng(3)
    pairs = list(itertools.pairwise(domain.attributes))
    pair = 5000 * (0.7 * np.eye(8) / 8 + 0.3 / 64)
    measurements = [LinearMeasurement(c, pair + rng.normal(0, 5, (8, 8)), 5.0) for c in pairs]
    with caplog.at_level(logging.DEBUG, logger="dpsynth"):
        model = estimate(domain, measurements, total=5000)
    shares = told(caplog)
    assert model.iterations == len(shares) - 1 > 20
    assert np.all(np.diff(shares) >= 0)
    assert 0 < shares[0] < 0.1
    assert shares[-1] == 1
    done = np.arange(len(shares))
    middle = slice(len(shares) // 4, 3 * len(shares) // 4)
    foretold = np.log((done * (1 - shares) / shares)[middle] / (len(shares) - done)[middle])
    assert abs(foretold.mean()) < math.log(3)
    assert abs(foretold).max() < math.log(8)


def test_a_fit_of_one_cell_is_done_at_once(caplog):
    with caplog.at_level(logging.DEBUG, logger="dpsynth"):
        estimate(Domain.of({"a": 1}), [LinearMeasurement(("a",), np.array([5.0]), 1.0)], total=5)
    assert told(caplog).tolist() == [1.0]
