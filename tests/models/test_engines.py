"""The choice of an engine is a public rule, and engines agree."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.models import engines, inference
from dpsynth.models.base import LinearMeasurement, Model
from dpsynth.models.dense import Calibration, is_crowded
from dpsynth.models.engines import ENGINES, MAX_TREE_CELLS, choose_engine, estimate, estimate_exactly
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.joint import JointModel
from dpsynth.models.junction_tree import JunctionTree
from dpsynth.models.mixture import MixtureModel
from tests.models.cases import DOMAIN, potentials

COMPLETE = list(itertools.combinations("abce", 2))
BINARY = Domain.of({f"x{i:02}": 2 for i in range(12)})
PAIRS = list(itertools.combinations(BINARY.attributes, 2))
WIDE = Domain.of({f"x{i}": 30 for i in range(6)})


def noisy(domain, cliques, stddev=5.0, seed=1):
    rng = np.random.default_rng(seed)
    true = GraphicalModel.of(domain, 5000.0, potentials(domain, cliques, seed=seed, scale=0.5))
    return [LinearMeasurement(c, true.project(c) + rng.normal(0, stddev, domain.shape(c)), stddev) for c in cliques]


@pytest.mark.parametrize(
    ("domain", "cliques", "engine"),
    [
        (DOMAIN, [], "junction tree"),
        (WIDE, list(itertools.pairwise(WIDE.attributes)), "junction tree"),
        (Domain.of({"a": 200, "b": 200, "c": 200}), [("a", "b"), ("b", "c"), ("a", "c")], "junction tree"),
        (BINARY, PAIRS, "dense"),
        (WIDE, list(itertools.combinations(WIDE.attributes, 2)), "mixture"),
        (
            Domain.of({f"x{i}": 2 for i in range(233)}),
            [(f"x{i}", f"x{j}") for i in range(30) for j in range(i)],
            "mixture",
        ),
    ],
    ids=["nothing", "chain", "large triangle", "binary", "all pairs of large columns", "too many binary columns"],
)
def test_the_rule_looks_at_the_domain_and_the_cliques(domain, cliques, engine):
    assert choose_engine(domain, cliques) == engine
    assert choose_engine(domain, cliques[::-1]) == engine


def test_the_largest_tree_can_be_set():
    cliques = [("a", "b"), ("b", "c")]
    assert choose_engine(DOMAIN, cliques, max_cells=1000) != "mixture"
    assert choose_engine(DOMAIN, cliques, max_cells=10) == "mixture"
    assert MAX_TREE_CELLS >= 10**6


@pytest.mark.parametrize(("engine", "tolerance"), [("junction tree", 1e-6), ("dense", 1e-6), ("mixture", 150.0)])
def test_every_engine_agrees_with_the_joint(engine, tolerance):
    """The mixture within 3 % of the rows in any cell of a triple; the other two to rounding."""
    measurements = noisy(DOMAIN, COMPLETE)
    model, joint = ENGINES[engine](DOMAIN, measurements), JointModel.estimate(DOMAIN, measurements)
    assert isinstance(model, Model)
    assert model.total == pytest.approx(joint.total)
    for clique in itertools.combinations(DOMAIN.attributes, 3):
        np.testing.assert_allclose(model.project(clique), joint.project(clique), atol=tolerance)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_keeps_a_given_total_and_is_a_function_of_the_measurements(engine):
    measurements = noisy(DOMAIN, [("a", "b"), ("b", "c")])
    one, two = (ENGINES[engine](DOMAIN, measurements, total=123.0) for _ in range(2))
    assert one.total == 123.0
    np.testing.assert_array_equal(one.project(("a", "c")), two.project(("a", "c")))


def test_the_chosen_engine_is_asked(monkeypatch):
    monkeypatch.setattr(engines, "MAX_TREE_CELLS", 15)
    assert isinstance(estimate(DOMAIN, noisy(DOMAIN, [("a",)])), GraphicalModel)
    assert isinstance(estimate(DOMAIN, noisy(DOMAIN, [("a", "b"), ("b", "c")])), MixtureModel)


@pytest.mark.parametrize(("domain", "cliques"), [(BINARY, PAIRS[:40]), (DOMAIN, [("a", "b"), ("b", "c")])])
def test_the_faster_exact_engine_gives_the_model_of_the_other(domain, cliques, monkeypatch):
    monkeypatch.setattr(inference, "TOLERANCE", 1e-2)  # rounding leads the two to stop at different points
    measurements = noisy(domain, cliques)
    crowded = is_crowded(JunctionTree.of(domain, cliques), cliques)
    slow = inference.estimate(domain, measurements, engine=None if crowded else Calibration)
    monkeypatch.delattr(*((inference, "Elimination") if crowded else (engines, "Calibration")))  # it is not even asked
    fast = estimate_exactly(domain, measurements)
    for clique in itertools.combinations(domain.attributes[:5], 2):
        np.testing.assert_allclose(fast.project(clique), slow.project(clique), atol=0.5)
    assert estimate_exactly(domain, measurements, warm=fast).iterations == 0


def test_the_exact_engines_take_a_structure():
    wide = JunctionTree.of(DOMAIN, [("a", "b", "c")])
    assert estimate_exactly(DOMAIN, noisy(DOMAIN, [("a", "b")]), structure=wide).tree is wide
