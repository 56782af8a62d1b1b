"""A mixture is a distribution like any other, and its fit is near the graphical model's where it can be."""

from __future__ import annotations

import io
import itertools
import json

import numpy as np
import pytest
from scipy import stats

from dpsynth.base.domain import Domain
from dpsynth.models import mixture
from dpsynth.models.base import LinearMeasurement, Model
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.joint import JointModel
from dpsynth.models.mixture import MixtureModel, estimate
from dpsynth.models.pooling import pool
from tests.models.cases import CASES, DOMAIN, potentials

every_case = pytest.mark.parametrize("cliques", CASES.values(), ids=CASES)
SMALL = Domain.of({"a": 2, "b": 3, "c": 2})
EVIDENCE = {"a": np.array([0.2, 1.0]), "c": np.array([1.0, 3.0])}


def some_mixture(domain, components=7, seed=0, total=1000.0):
    rng = np.random.default_rng(seed)
    return MixtureModel(domain, total, {a: rng.dirichlet(np.full(k, 0.5), components) for a, k in domain.sizes})


def joint_table(model):
    """The share of each cell of the whole domain, component by component."""
    table = np.zeros(model.domain.shape(model.domain.attributes))
    for k in range(model.components):
        product = np.ones(())
        for a in model.domain.attributes:
            product = np.multiply.outer(product, model.shares[a][k])
        table += product / model.components
    return table


def noisy(cliques, stddev, total=5000.0, seed=1, domain=DOMAIN):
    rng = np.random.default_rng(seed)
    true = GraphicalModel.of(domain, total, potentials(domain, cliques, seed=seed, scale=1.0))
    return [LinearMeasurement(c, true.project(c) + rng.normal(0, stddev, domain.shape(c)), stddev) for c in cliques]


def apart(one, other):
    """Total-variation distance of two tables of counts."""
    return 0.5 * np.abs(one / one.sum() - other / other.sum()).sum()


def chi_square(counts, shares):
    return float(((counts - counts.sum() * shares) ** 2 / (counts.sum() * shares)).sum())


def test_projections_are_sums_of_the_joint():
    model = some_mixture(DOMAIN)
    joint = JointModel(DOMAIN, model.total, joint_table(model))
    assert isinstance(model, Model)
    asked = [c for k in range(6) for c in itertools.permutations(DOMAIN.attributes, k)]
    for clique, counts in model.project_all(asked).items():
        assert counts.shape == DOMAIN.shape(clique)
        np.testing.assert_allclose(counts, joint.project(clique), atol=1e-9)


def test_a_projection_too_large_to_hold_is_refused():
    domain = Domain.of({f"x{i}": 40 for i in range(8)})
    with pytest.raises(ValueError, match="ask for fewer attributes"):
        some_mixture(domain).project(domain.attributes)


@pytest.mark.parametrize("evidence", [None, EVIDENCE], ids=["free", "given"])
@pytest.mark.parametrize(("samples", "distortion"), [(60, 0.1), pytest.param(400, 0.03, marks=pytest.mark.slow)])
def test_rows_follow_the_mixture_and_a_distortion_would_show(evidence, samples, distortion):
    model = some_mixture(SMALL, components=3, seed=3)
    shares = joint_table(model)
    for axis, a in enumerate(SMALL.attributes):
        weights = (evidence or {}).get(a, np.ones(SMALL.size(a)))
        shares = shares * np.expand_dims(weights, [i for i in range(3) if i != axis])
    shares = shares.ravel() / shares.sum()
    rng, counts = np.random.default_rng(5), np.zeros(shares.size)
    for _ in range(samples):
        codes = model.sample(200, rng, evidence)
        cells = np.ravel_multi_index([codes[a] for a in SMALL.attributes], SMALL.shape(SMALL.attributes))
        counts += np.bincount(cells, minlength=shares.size)
    limit = stats.chi2.isf(1e-3, shares.size - 1)
    assert chi_square(counts, shares) < limit
    wrong = shares * (1 + distortion * np.resize([1, -1, -1, 1], shares.size))
    assert chi_square(counts, wrong / wrong.sum()) > limit


def test_samples_are_columns_of_the_domain_near_to_expectation():
    domain = Domain.of({f"x{i}": 10 for i in range(8)} | {"component": 300})
    model = some_mixture(domain, components=50, total=100_000.0)
    codes = model.sample(100_000, np.random.default_rng(2))
    assert tuple(codes) == domain.attributes
    for a in domain.attributes[:-1]:
        assert np.abs(np.bincount(codes[a], minlength=10) - model.project((a,))).max() < 25  # plain draws: about 200
    assert all(len(c) == 0 for c in model.sample(0, np.random.default_rng(2)).values())


@pytest.mark.parametrize(
    ("n", "evidence", "message"),
    [
        (5, {"q": np.ones(2)}, "attributes of the domain, got 'q'"),
        (5, {"b": np.ones(2)}, "one weight of 0 or more for each of its 3 cells"),
        (5, {"b": np.zeros(3)}, "probability 0 to rows that meet the condition on `b`: widen it, or"),
        (-1, None, "0 or more, got -1"),
    ],
)
def test_samples_that_cannot_be_had_are_refused_in_a_sentence(n, evidence, message):
    with pytest.raises(ValueError, match=message):
        some_mixture(SMALL).sample(n, np.random.default_rng(1), evidence)


def test_a_component_that_excludes_the_evidence_gives_no_row():
    shares = {"a": np.array([[1 - 1e-300, 1e-300], [0.5, 0.5]]), "b": np.array([[1.0, 1e-300], [1e-300, 1.0]])}
    model = MixtureModel(Domain.of({"a": 2, "b": 2}), 10.0, shares)
    codes = model.sample(100, np.random.default_rng(1), {"a": np.array([0.0, 1e-300])})
    assert (codes["a"] == 1).all()
    assert (codes["b"] == 1).all()


def test_hundreds_of_columns_are_sampled_like_few():
    domain = Domain.of({f"x{i}": 4 for i in range(120)})
    model = some_mixture(domain, components=60, total=5000.0)
    evidence = {f"x{i}": np.array([1e-9, 1e-9, 2e-9, 1e-9]) for i in range(100)}
    for codes in (model.sample(5000, np.random.default_rng(1)), model.sample(5000, np.random.default_rng(1), evidence)):
        assert len(codes) == 120
    counts = [np.bincount(codes[a], minlength=4) for a in domain.attributes[100:]]
    plain = model.sample(5000, np.random.default_rng(2))
    for a in domain.attributes:
        assert np.abs(np.bincount(plain[a], minlength=4) - model.project((a,))).max() < 40
    assert all(c.sum() == 5000 for c in counts)


def test_a_model_comes_back_from_its_arrays():
    domain = Domain(DOMAIN.sizes, (("c", (1.0, 2.0)),))
    model = MixtureModel(domain, 321.5, some_mixture(domain).shares, iterations=7, converged=False)
    saved, arrays = model.to_arrays(), io.BytesIO()
    np.savez(arrays, **{k: v for k, v in saved.items() if isinstance(v, np.ndarray)}, allow_pickle=False)
    arrays.seek(0)
    text = json.dumps({k: v for k, v in saved.items() if not isinstance(v, np.ndarray)})
    with np.load(arrays, allow_pickle=False) as loaded:
        again = MixtureModel.from_arrays({**json.loads(text), **loaded})
    assert (again.domain, again.total, again.iterations, again.converged) == (domain, 321.5, 7, False)
    rows = [m.sample(50, np.random.default_rng(3)) for m in (model, again)]
    assert all((rows[0][a] == rows[1][a]).all() for a in domain.attributes)


@pytest.mark.parametrize(
    ("total", "table", "message"),
    [
        (0.0, np.full((2, 2), 0.5), "total must be positive"),
        (1.0, np.full((2, 3), 0.5), "one row for each component"),
        (1.0, np.array([[1.0, 0.0], [0.5, 0.5]]), "must be positive"),
        (1.0, np.full((2, 2), 0.6), "must sum to one"),
    ],
)
def test_what_is_no_distribution_is_refused(total, table, message):
    with pytest.raises(ValueError, match=message):
        MixtureModel(Domain.of({"a": 2}), total, {"a": table})


@pytest.mark.parametrize("cliques", [CASES["cycle"], CASES["overlapping"], CASES["everything"]])
def test_the_gradient_is_that_of_the_objective(cliques):
    objective = mixture._Objective(DOMAIN, pool(DOMAIN, noisy(cliques, 20.0)), 5)
    rng = np.random.default_rng(6)
    x = objective.start(rng).astype(float)
    for _ in range(5):
        direction = rng.normal(size=x.size)
        rise = objective(x + 1e-3 * direction).value - objective(x - 1e-3 * direction).value
        assert rise / 2e-3 == pytest.approx(float(objective(x).gradient @ direction), rel=2e-3)


@every_case
def test_what_was_measured_almost_without_noise_is_met_and_the_rest_is_near_greatest_entropy(cliques):
    measurements = noisy(cliques, 0.5)
    model, joint = estimate(DOMAIN, measurements, components=300), JointModel.estimate(DOMAIN, measurements)
    assert model.total == pytest.approx(joint.total)
    for m in measurements:
        assert apart(model.project(m.clique), joint.project(m.clique)) < 0.003
    assert apart(model.project(DOMAIN.attributes), joint.project(DOMAIN.attributes)) < 0.08


@every_case
def test_what_was_measured_with_noise_is_fitted_within_a_tenth_of_the_fit_over_the_joint(cliques):
    measurements = noisy(cliques, 20.0)
    model, joint = estimate(DOMAIN, measurements), JointModel.estimate(DOMAIN, measurements)
    assert model.converged
    for m in measurements:
        assert apart(model.project(m.clique), joint.project(m.clique)) < 0.1


def test_fitted_counts_are_nearer_to_the_truth_than_what_was_measured():
    domain = Domain.of({f"x{i}": 8 for i in range(6)})
    pairs = list(itertools.combinations(domain.attributes, 2))
    true = GraphicalModel.of(domain, 20_000.0, potentials(domain, list(itertools.pairwise(domain.attributes)), 2, 0.7))
    rng = np.random.default_rng(7)
    measurements = [LinearMeasurement(c, true.project(c) + rng.normal(0, 60, (8, 8)), 60.0) for c in pairs]
    model = estimate(domain, measurements, components=300)
    assert model.converged

    def error(counts):
        return np.mean([np.abs(counts[c] - true.project(c)).mean() for c in pairs])

    independent = {c: np.multiply.outer(*(true.project((a,)) for a in c)) / true.total for c in pairs}
    measured = {m.clique: m.values for m in measurements}
    assert error(model.project_all(pairs)) < 0.8 * min(error(measured), error(independent))


def test_more_noise_needs_fewer_steps():
    steps = [estimate(DOMAIN, noisy(CASES["complete"], s), components=100).iterations for s in (1.0, 30.0, 1000.0)]
    assert steps[0] > steps[1] > steps[2]


@pytest.mark.parametrize("measurements", [[], [LinearMeasurement((), np.asarray(40.0), 1.0)]], ids=["none", "total"])
def test_where_nothing_was_measured_all_cells_are_alike(measurements):
    model = estimate(DOMAIN, measurements)
    assert model.converged
    np.testing.assert_allclose(model.project(("b", "c")), model.total / 12, rtol=1e-2)


def test_the_same_measurements_give_the_same_model():
    measurements = noisy(CASES["complete"], 20.0)
    one, two = (estimate(DOMAIN, measurements, total=99.0, components=50) for _ in range(2))
    assert one.total == 99.0
    assert one.components == 50
    assert all((one.shares[a] == two.shares[a]).all() for a in DOMAIN.attributes)
