"""Marginals from calibrated nodes are those of the joint, and come fast where cliques crowd."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsynth.base.domain import Domain
from dpsynth.models import inference
from dpsynth.models.base import LinearMeasurement
from dpsynth.models.dense import Calibration, NodeContrasts, is_crowded
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.joint import JointModel
from dpsynth.models.junction_tree import JunctionTree
from tests.models.cases import CASES, DOMAIN, graphs, potentials

estimate_densely = partial(inference.estimate, engine=Calibration)
every_case = pytest.mark.parametrize("cliques", CASES.values(), ids=CASES)


def noisy(domain, cliques, stddev=20.0, total=5000.0):
    """Measurements of a random model."""
    rng = np.random.default_rng(3)
    true = GraphicalModel.of(domain, total, potentials(domain, cliques, seed=1, scale=1.0))
    return [LinearMeasurement(c, true.project(c) + rng.normal(0, stddev, domain.shape(c)), stddev) for c in cliques]


def parts(domain, sizes):
    return [clique for size in sizes for clique in itertools.combinations(domain.attributes, size)]


@given(graphs(), st.integers(0, 99), st.data())
def test_a_nodes_marginals_are_sums_and_the_total_is_a_sum_of_broadcast_tables(graph, seed, data):
    domain, cliques = graph
    rng = np.random.default_rng(seed)
    node = tuple(data.draw(st.permutations(domain.attributes)))
    contrasts = NodeContrasts(domain, node, cliques)
    table = rng.normal(size=domain.shape(node))
    tables = [rng.normal(size=domain.shape(clique)) for clique in cliques]
    total = np.zeros(table.shape)
    for clique, ours, term in zip(cliques, contrasts.marginals(table), tables, strict=True):
        axes = [node.index(a) for a in clique]
        np.testing.assert_allclose(ours, np.einsum(table, list(range(len(node))), axes), atol=1e-12)
        term = term.transpose([clique.index(a) for a in node if a in clique])
        total += np.expand_dims(term, [i for i, a in enumerate(node) if a not in clique])
    np.testing.assert_allclose(contrasts.total(tables), total, atol=1e-12)


@given(graphs(), st.integers(0, 99), st.booleans())
def test_calibration_gives_the_mass_and_the_marginals_of_the_joint(graph, seed, one_node):
    domain, cliques = graph
    tables = potentials(domain, cliques, seed)
    joint = JointModel.of(domain, 1.0, tables)
    tree = JunctionTree.of(domain, [domain.attributes] if one_node else cliques)
    log_mass, marginals = Calibration(domain, cliques, tree)(list(tables.values()))
    assert log_mass == pytest.approx(tree.calibrate(tables)[0])
    for clique, marginal in zip(cliques, marginals, strict=True):
        np.testing.assert_allclose(marginal, joint.project(clique), atol=1e-12)


@every_case
@pytest.mark.parametrize("stddev", [0.5, 500.0])
def test_the_fit_is_that_over_the_joint_and_that_by_elimination(cliques, stddev):
    measurements = noisy(DOMAIN, cliques, stddev)
    model, joint = estimate_densely(DOMAIN, measurements), JointModel.estimate(DOMAIN, measurements)
    by_elimination = inference.estimate(DOMAIN, measurements)
    assert model.converged
    for clique in parts(DOMAIN, [1, 2, 3]):
        np.testing.assert_allclose(model.project(clique), joint.project(clique), atol=1e-6)
        np.testing.assert_allclose(model.project(clique), by_elimination.project(clique), atol=1e-6)


def test_696_marginals_of_16_binary_columns_are_fitted():
    domain = Domain.of({f"x{i:02}": 2 for i in range(16)})
    true = GraphicalModel.of(domain, 20_000.0, potentials(domain, parts(domain, [1, 2]), seed=2, scale=0.15))
    rng = np.random.default_rng(4)
    counts = true.project_all(parts(domain, [1, 2, 3]))
    measurements = [LinearMeasurement(c, y + rng.normal(0, 150, y.shape), 150.0) for c, y in counts.items()]
    model = estimate_densely(domain, measurements)
    assert model.converged
    assert len(model.tree.nodes) == 1
    fitted = model.project_all(counts)
    assert np.mean([np.abs(fitted[c] - y).mean() for c, y in counts.items()]) < 40  # as measured: 120

    log_mass, marginals = Calibration(domain, list(counts), model.tree)([model.potentials[c] for c in counts])
    assert log_mass == pytest.approx(model.tree.calibrate(model.potentials)[0], rel=1e-12)
    for clique, marginal in zip(counts, marginals, strict=True):
        np.testing.assert_allclose(model.total * marginal, fitted[clique], atol=1e-8)


def test_a_warm_start_and_a_given_structure_are_used():
    measurements = noisy(DOMAIN, CASES["chain"])
    wide = JunctionTree.of(DOMAIN, [("a", "b", "c"), ("c", "e")])
    cold = estimate_densely(DOMAIN, measurements, structure=wide)
    assert cold.tree is wide
    assert estimate_densely(DOMAIN, measurements, warm=cold).iterations == 0 < cold.iterations
    with pytest.raises(ValueError, match=r"must hold every measured clique, it lacks \('c', 'e'\)"):
        estimate_densely(DOMAIN, measurements, structure=JunctionTree.of(DOMAIN, [("a", "b")]))


def test_potentials_too_far_apart_for_a_double_are_told_apart_from_a_mass():
    domain = Domain.of({"a": 2, "b": 2, "c": 2})
    cliques = [("a", "b"), ("b", "c")]
    hopeless = [np.array([[0.0, -2000.0]] * 2), np.array([[-2000.0] * 2, [0.0] * 2])]
    log_mass, marginals = Calibration(domain, cliques, JunctionTree.of(domain, cliques))(hopeless)
    assert np.isinf(log_mass)
    assert marginals == []


@pytest.mark.parametrize(
    ("columns", "size", "widths", "crowded"),
    [(16, 2, (1, 2), True), (12, 2, (1, 2, 3), True), (10, 3, (1, 2), True), (3, 60, (1, 2), False)],
)
def test_many_cliques_in_a_node_are_crowded(columns, size, widths, crowded):
    domain = Domain.of({f"x{i:02}": size for i in range(columns)})
    cliques = parts(domain, widths)
    assert is_crowded(JunctionTree.of(domain, cliques), cliques) is crowded
