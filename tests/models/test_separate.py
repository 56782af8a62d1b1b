"""Groups of columns that a model joins by nothing, and few rows drawn one by one."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.models.base import Codes, ConditionError
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.joint import JointModel
from dpsynth.models.refined import RefinedModel
from dpsynth.models.separate import among, few_rows, groups_of

SIZES = {"a": 2, "b": 3, "c": 2, "d": 4, "e": 3, "f": 2}
CLIQUES = [[("a", "c"), ("c", "e"), ("b", "d")], [("a", "b", "c")], [], [("a", "f"), ("b", "f"), ("c", "d")]]


def model_of(cliques: list[tuple[str, ...]], seed: int = 1) -> GraphicalModel:
    rng = np.random.default_rng(seed)
    domain = Domain.of(SIZES)
    singles = [(a,) for a in SIZES]
    return GraphicalModel.of(domain, 50.0, {c: rng.normal(0, 1, domain.shape(c)) for c in [*cliques, *singles]})


def refined(model: GraphicalModel) -> RefinedModel:
    """The same with two cells in each bin of one column."""
    sizes = {**SIZES, "d": 8}
    bins = {a: np.arange(n) // (2 if a == "d" else 1) for a, n in sizes.items()}
    masses = {a: np.arange(1.0, n + 1) for a, n in sizes.items()}
    return RefinedModel(Domain.of(sizes), model, bins, masses)


def table(model: Any) -> np.ndarray:
    """The share of every cell."""
    return np.asarray(model.project(model.domain.attributes) / model.total)


def counted(codes: Codes, domain: Domain) -> np.ndarray:
    cells = np.ravel_multi_index([codes[a] for a in domain.attributes], domain.shape(domain.attributes))
    return np.bincount(cells, minlength=domain.cells(domain.attributes)).reshape(domain.shape(domain.attributes))


@pytest.mark.parametrize("cliques", CLIQUES)
@pytest.mark.parametrize("shape", [lambda m: m, refined], ids=["cells", "bins"])
def test_groups_are_the_columns_that_cliques_join_and_are_independent(cliques: Any, shape: Any) -> None:
    model = shape(model_of(cliques))
    groups = groups_of(model)
    assert sorted(a for group in groups for a in group) == sorted(SIZES)
    for one, other in combinations(SIZES, 2):
        together = any({one, other} <= {*group} for group in groups)
        reach, grown = {one}, True
        while grown:
            more = {a for clique in cliques if reach & {*clique} for a in clique} - reach
            reach |= more
            grown = bool(more)
        assert together == (other in reach)
    product_ = np.ones(())
    for group in groups:
        product_ = np.multiply.outer(product_, table(among(model, group)))
    order = [a for group in groups for a in group]
    np.testing.assert_allclose(product_.transpose([order.index(a) for a in model.domain.attributes]), table(model))


@pytest.mark.parametrize("cliques", CLIQUES)
def test_every_union_of_groups_has_the_models_own_shares(cliques: Any) -> None:
    model = refined(model_of(cliques))
    groups = groups_of(model)
    for chosen in product([False, True], repeat=len(groups)):
        names = [a for group, flag in zip(groups, chosen, strict=True) if flag for a in group]
        if names:
            part = among(model, names)
            assert part.domain.attributes == model.domain.ordered(names)
            np.testing.assert_allclose(table(part) * 50, model.project(part.domain.attributes))
            assert part.sample(7, np.random.default_rng(1)).keys() == {*names}


def test_another_model_is_one_group() -> None:
    joint = JointModel.of(Domain.of({"a": 2, "b": 2}), 4.0, {("a",): np.zeros(2)})
    assert groups_of(joint) == (("a", "b"),)
    assert among(joint, ["b", "a"]) is joint
    assert len(few_rows(joint, 5, np.random.default_rng(1))["a"]) == 5


@pytest.mark.parametrize("evidence", [{}, {"c": np.array([0.0, 1.0])}, {"a": np.array([1.0, 0.2]), "d": np.ones(4)}])
@pytest.mark.parametrize("cliques", CLIQUES)
def test_few_rows_follow_the_model_given_the_evidence(cliques: Any, evidence: Any) -> None:
    """60 draws of 500 rows (seed 3): each cell within five standard errors of its expectation."""
    model = model_of(cliques)
    rng = np.random.default_rng(3)
    got = sum(counted(few_rows(model, 500, rng, evidence), model.domain) for _ in range(60))
    want = model.project_given(model.domain.attributes, evidence)
    want = want / want.sum()
    error = np.sqrt(30_000 * want * (1 - want)) + 1e-9
    assert (np.abs(got - 30_000 * want) < 5 * error + 3).all()
    assert (got[want == 0] == 0).all()
    swapped = {**evidence, "b": np.array([1.0, 0.5, 1.0])}  # a near miss is told apart
    other = model.project_given(model.domain.attributes, swapped)
    assert (np.abs(got - 30_000 * other / other.sum()) > 5 * error + 3).any()


def test_many_rows_are_dealt_as_a_sample_is() -> None:
    model = model_of(CLIQUES[0])
    one = few_rows(model, 2**17, np.random.default_rng(4))
    other = model.sample(2**17, np.random.default_rng(4))
    assert all((one[a] == other[a]).all() for a in SIZES)


def test_few_rows_of_what_the_model_excludes_are_refused() -> None:
    with pytest.raises(ConditionError, match="probability 0"):
        few_rows(model_of([]), 3, np.random.default_rng(1), {"a": np.zeros(2)})
