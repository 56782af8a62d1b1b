"""Whatever is asked of a graphical model agrees with the joint."""

from __future__ import annotations

import io
import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsynth.base.domain import Domain
from dpsynth.models.base import Model
from dpsynth.models.factor import contract, expand, marginal
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.joint import JointModel
from tests.models.cases import CASES, DOMAIN, TWO_TREES, graphs, potentials
from tests.pace import soon

every_case = pytest.mark.parametrize("cliques", CASES.values(), ids=CASES)


def both(domain, cliques, seed=0, total=1000.0):
    tables = potentials(domain, cliques, seed)
    return GraphicalModel.of(domain, total, tables), JointModel.of(domain, total, tables)


def test_both_are_models():
    assert all(isinstance(model, Model) for model in both(DOMAIN, []))


@every_case
def test_every_projection_is_that_of_the_joint(cliques):
    model, joint = both(DOMAIN, cliques)
    asked = [c for k in range(6) for c in itertools.permutations(DOMAIN.attributes, k)]
    for clique, counts in model.project_all(asked).items():
        np.testing.assert_allclose(counts, joint.project(clique), atol=1e-9)


@given(graphs(), st.integers(0, 99), st.data())
def test_projection_commutes(graph, seed, data):
    domain, cliques = graph
    model, joint = both(domain, cliques, seed)
    clique = tuple(data.draw(st.permutations(domain.attributes)))[: data.draw(st.integers(1, len(domain.attributes)))]
    counts = model.project(clique)
    assert counts.shape == domain.shape(clique)
    assert (counts >= 0).all()
    np.testing.assert_allclose(counts, joint.project(clique), atol=1e-9)
    np.testing.assert_allclose(counts.sum(0), model.project(clique[1:]), atol=1e-9)
    assert model.project(()) == pytest.approx(1000.0)


def test_projection_crosses_a_long_tree():
    domain = Domain.of({f"x{i:02}": 3 for i in range(12)})
    chain = list(itertools.pairwise(domain.attributes))
    model, joint = both(domain, chain)
    for clique in [("x00", "x11"), ("x11", "x00", "x05"), ("x02", "x03", "x09")]:
        np.testing.assert_allclose(model.project(clique), joint.project(clique), atol=1e-9)


def test_all_pairs_of_15_attributes_take_a_moment():
    rng = np.random.default_rng(0)
    domain = Domain.of({f"x{i}": 30 for i in range(15)})
    model, _ = both(domain.project(["x0"]), [])
    model = GraphicalModel.of(
        domain, 1.0, potentials(domain, [(f"x{rng.integers(i)}", f"x{i}") for i in range(1, 15)], 0)
    )
    pairs = list(itertools.combinations(domain.attributes, 2))
    assert len(soon(0.5, lambda: model.project_all(pairs))) == 105


def test_a_projection_too_large_to_hold_is_refused():
    domain = Domain.of({f"x{i}": 40 for i in range(8)})
    model = GraphicalModel.of(domain, 1.0, {})
    with pytest.raises(ValueError, match="ask for fewer attributes"):
        model.project(domain.attributes)


@every_case
def test_a_model_comes_back_from_its_arrays(cliques):
    domain = Domain(DOMAIN.sizes, (("c", (1.0, 2.0)),))
    model = GraphicalModel.of(domain, 321.5, potentials(domain, cliques, 0), iterations=7, converged=False)
    saved, arrays = model.to_arrays(), io.BytesIO()
    np.savez(arrays, **{k: v for k, v in saved.items() if isinstance(v, np.ndarray)}, allow_pickle=False)
    arrays.seek(0)
    text = json.dumps({k: v for k, v in saved.items() if not isinstance(v, np.ndarray)})
    with np.load(arrays, allow_pickle=False) as loaded:
        again = GraphicalModel.from_arrays({**json.loads(text), **loaded})
    assert (again.domain, again.total, again.tree.nodes) == (domain, 321.5, model.tree.nodes)
    assert (again.iterations, again.converged) == (7, False)
    for one, other in zip(model.beliefs, again.beliefs, strict=True):
        np.testing.assert_array_equal(one, other)
    rows = [m.sample(50, np.random.default_rng(3)) for m in (model, again)]
    assert all((rows[0][a] == rows[1][a]).all() for a in domain.attributes)


def test_a_model_that_comes_back_draws_the_same_rows_whatever_its_cliques_need_besides():
    domain, cliques = TWO_TREES
    model = GraphicalModel.of(domain, 500.0, potentials(domain, cliques, 0))
    again = GraphicalModel.from_arrays(model.to_arrays())
    rows = [m.sample(200, np.random.default_rng(3)) for m in (model, again)]
    assert all((rows[0][a] == rows[1][a]).all() for a in domain.attributes)


@pytest.mark.parametrize(
    ("total", "table"), [(0.0, np.zeros(2)), (np.inf, np.zeros(2)), (1.0, np.zeros(3)), (1.0, np.array([0.0, np.nan]))]
)
def test_what_is_no_distribution_is_refused(total, table):
    with pytest.raises(ValueError, match="must be"):
        GraphicalModel.of(DOMAIN, total, {("a",): table})


@given(st.integers(0, 9999))
def test_tables_are_multiplied_and_summed_as_einsum_does(seed):
    rng = np.random.default_rng(seed)
    size = dict(zip("abcde", rng.integers(1, 4, 5), strict=True))
    lefts, rights = (tuple(rng.permutation(list("abcde"))[: rng.integers(0, 6)]) for _ in range(2))
    either = sorted({*lefts, *rights})
    keep = tuple(rng.permutation(either)[: rng.integers(0, len(either) + 1)])
    left, right = (rng.random([size[a] for a in axes]) for axes in (lefts, rights))
    terms = ["".join(axes) for axes in (lefts, rights, keep)]
    expected = np.einsum(f"{terms[0]},{terms[1]}->{terms[2]}", left, right)
    np.testing.assert_allclose(contract(left, lefts, right, rights, keep), expected)
    onto = tuple(rng.permutation(list(lefts))[: rng.integers(0, len(lefts) + 1)])
    np.testing.assert_allclose(marginal(left, lefts, onto), np.einsum(f"{terms[0]}->{''.join(onto)}", left))
    wide = expand(left, lefts, tuple("edcba"))
    np.testing.assert_allclose(
        wide + np.zeros([size[a] for a in "edcba"]),
        np.einsum(f"{terms[0]},edcba->edcba", left, np.ones([size[a] for a in "edcba"])),
    )
