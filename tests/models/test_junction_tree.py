"""The tree holds what it must, is small, and its beliefs are those of the whole joint."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dpsynth.base.domain import Domain
from dpsynth.models import junction_tree
from dpsynth.models.elimination import Elimination
from dpsynth.models.joint import JointModel
from dpsynth.models.junction_tree import JunctionTree, tree_cells
from tests.models.cases import CASES, DOMAIN, TWO_TREES, graphs, potentials
from tests.pace import soon

every_case = pytest.mark.parametrize("cliques", CASES.values(), ids=CASES)


def brute_log_mass(domain, tables):
    logs = np.zeros(domain.shape(domain.attributes))
    for cell in np.ndindex(logs.shape):
        at = dict(zip(domain.attributes, cell, strict=True))
        logs[cell] = sum(table[tuple(at[a] for a in clique)] for clique, table in tables.items())
    return np.logaddexp.reduce(logs.ravel())


@given(graphs())
def test_every_clique_and_every_attribute_lies_in_a_node(graph):
    domain, cliques = graph
    tree = JunctionTree.of(domain, cliques)
    assert set().union(*tree.nodes) == set(domain.attributes)
    assert all(set(clique) <= set(tree.nodes[tree.host(clique)]) for clique in cliques)
    assert sorted(tree.order) == sorted(domain.attributes)


@given(graphs())
def test_no_node_lies_in_another_and_each_attribute_lives_in_a_connected_part(graph):
    domain, cliques = graph
    tree = JunctionTree.of(domain, cliques)
    assert not any(set(a) <= set(b) for a, b in itertools.permutations(tree.nodes, 2))
    for i, (node, parent, separator) in enumerate(zip(tree.nodes, tree.parents, tree.separators, strict=True)):
        assert parent < i
        assert set(separator) == (set(node) & set(tree.nodes[parent]) if i else set())
        assert node[: len(separator)] == separator
    for attribute in domain.attributes:
        tops = [i for i, n in enumerate(tree.nodes) if attribute in n and attribute not in tree.separators[i]]
        assert tops == [tree.homes[attribute]]


def parts_of(tree):
    return tree.nodes, tree.parents, tree.separators, tree.order


@given(graphs())
@example(TWO_TREES)
def test_a_tree_follows_from_its_nodes(graph):
    """A model file has these alone."""
    domain, cliques = graph
    tree = JunctionTree.of(domain, cliques)
    assert parts_of(JunctionTree.of(domain, tree.nodes)) == parts_of(tree)


def test_a_tree_of_its_cliques_alone_is_refuted(monkeypatch):
    """The double whose saved models gave other rows than they did before."""
    monkeypatch.setattr(junction_tree, "_settled", junction_tree._triangulate)
    tree = JunctionTree.of(*TWO_TREES)
    assert parts_of(JunctionTree.of(TWO_TREES[0], tree.nodes)) != parts_of(tree)


@given(graphs())
def test_the_size_can_be_asked_before_building_and_does_not_depend_on_how_the_cliques_are_written(graph):
    domain, cliques = graph
    tree = JunctionTree.of(domain, cliques)
    assert tree.cells == tree_cells(domain, cliques) == sum(domain.cells(node) for node in tree.nodes)
    again = JunctionTree.of(domain, [clique[::-1] for clique in reversed(cliques)])
    assert (again.nodes, again.parents) == (tree.nodes, tree.parents)


def test_a_tree_of_pairs_is_its_own_junction_tree():
    cliques = [("a", "b"), ("b", "c"), ("c", "e"), ("e", "d")]
    assert {frozenset(n) for n in JunctionTree.of(DOMAIN, cliques).nodes} == {frozenset(c) for c in cliques}


def test_a_cycle_is_cut_where_it_is_cheapest():
    domain = Domain.of({"a": 50, "b": 2, "c": 50, "d": 2})
    assert tree_cells(domain, [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")]) == 2 * 50 * 2 * 2


def test_250_attributes_take_well_under_a_second():
    rng = np.random.default_rng(0)
    domain = Domain.of({f"x{i}": int(rng.integers(2, 40)) for i in range(250)})
    tree = [(f"x{rng.integers(i)}", f"x{i}") for i in range(1, 250)]
    star = [("x0", f"x{i}") for i in range(1, 250)]
    grid = [(f"x{i}", f"x{i + k}") for i in range(240) for k in (1, 3)]
    for cliques in (tree, star, grid, []):
        assert soon(1, lambda cliques=cliques: tree_cells(domain, cliques)) > 0


@every_case
@pytest.mark.parametrize("scale", [0.0, 2.0, 200.0])
def test_beliefs_are_the_marginals_of_the_joint(cliques, scale):
    tables = potentials(DOMAIN, cliques, seed=1, scale=scale)
    tree, joint = JunctionTree.of(DOMAIN, cliques), JointModel.of(DOMAIN, 1.0, tables)
    log_mass, beliefs = tree.calibrate(tables)
    assert log_mass == pytest.approx(brute_log_mass(DOMAIN, tables))
    for node, belief in zip(tree.nodes, beliefs, strict=True):
        np.testing.assert_allclose(belief, joint.project(node), atol=1e-12)


@given(graphs(), st.integers(0, 99))
def test_elimination_gives_the_mass_and_the_marginals_of_the_joint(graph, seed):
    domain, cliques = graph
    tables = potentials(domain, cliques, seed)
    joint = JointModel.of(domain, 1.0, tables)
    log_mass, marginals = Elimination(domain, cliques, JunctionTree.of(domain, cliques).order)(list(tables.values()))
    assert log_mass == pytest.approx(brute_log_mass(domain, tables))
    for clique, marginal in zip(cliques, marginals, strict=True):
        np.testing.assert_allclose(marginal, joint.project(clique), atol=1e-12)


def test_elimination_splits_many_tables_as_well_as_few():
    domain = Domain.of({f"x{i}": 2 for i in range(12)})
    cliques = [(f"x{i}", "x11") for i in range(11)]
    tables = potentials(domain, cliques, seed=3)
    _, marginals = Elimination(domain, cliques, ("x11", *domain.attributes[:-1]))(list(tables.values()))
    joint = JointModel.of(domain, 1.0, tables)
    for clique, marginal in zip(cliques, marginals, strict=True):
        np.testing.assert_allclose(marginal, joint.project(clique), atol=1e-12)


def test_potentials_too_far_apart_for_a_double_are_told_apart_from_a_mass():
    domain = Domain.of({"a": 2, "b": 2, "c": 2})
    cliques = [("a", "b"), ("b", "c")]
    hopeless = [np.array([[0.0, -2000.0]] * 2), np.array([[-2000.0] * 2, [0.0] * 2])]
    log_mass, marginals = Elimination(domain, cliques, ("b", "a", "c"))(hopeless)
    assert np.isinf(log_mass)
    assert marginals == []


def test_a_clique_outside_the_tree_is_refused():
    tree = JunctionTree.of(DOMAIN, [("a", "b")])
    with pytest.raises(ValueError, match="lies in no node"):
        tree.calibrate({("a", "c"): np.zeros((2, 4))})
