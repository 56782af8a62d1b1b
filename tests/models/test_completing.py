"""What a model says of a condition, and partial rows that it makes whole, against the joint by brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from dpsynth.base.domain import Domain
from dpsynth.models import completing
from dpsynth.models.base import ConditionError
from dpsynth.models.completing import completed, counts_given
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.hidden import HiddenModel
from dpsynth.models.joint import JointModel
from dpsynth.models.refined import RefinedModel
from dpsynth.models.released import ReleasedRows
from tests.models.cases import CASES, DOMAIN, potentials

every_case = pytest.mark.parametrize("cliques", CASES.values(), ids=CASES)
EVIDENCE = {"b": np.array([0.0, 0.25, 1.0]), "e": np.array([1.0, 0.5, 0.0])}


def both(cliques, seed=0):
    tables = potentials(DOMAIN, cliques, seed)
    return GraphicalModel.of(DOMAIN, 1000.0, tables), JointModel.of(DOMAIN, 1000.0, tables)


@every_case
def test_counts_under_a_condition_are_those_of_the_joint(cliques):
    model, joint = both(cliques)
    for clique in (c for k in range(4) for c in itertools.combinations(DOMAIN.attributes, k)):
        np.testing.assert_allclose(
            model.project_given(clique, EVIDENCE), joint.project_given(clique, EVIDENCE), atol=1e-9
        )
    assert float(model.project_given((), {"b": np.zeros(3)})) == 0


def test_a_refined_model_counts_cells_under_a_condition_on_cells():
    rng = np.random.default_rng(3)
    coarse = GraphicalModel.of(Domain.of({"a": 3, "b": 2}), 100.0, {("a", "b"): rng.normal(size=(3, 2))})
    bins = {"a": np.array([0, 0, 1, 2, 2]), "b": np.array([0, 1, 1])}
    masses = {"a": rng.random(5), "b": rng.random(3)}
    model = RefinedModel(Domain.of({"a": 5, "b": 3}), coarse, bins, masses)
    whole = model.project(("a", "b"))
    evidence = {"a": np.array([0.0, 0.3, 1.0, 0.0, 0.5]), "b": np.array([1.0, 0.0, 0.7])}
    wanted = whole * evidence["a"][:, None] * evidence["b"]
    np.testing.assert_allclose(model.project_given(("a", "b"), evidence), wanted)
    np.testing.assert_allclose(model.project_given(("b",), {"a": evidence["a"]}), evidence["a"] @ whole)
    np.testing.assert_allclose(model.project_given((), evidence), wanted.sum())


def test_released_rows_and_a_hidden_attribute_count_under_a_condition():
    rows = np.array([[0, 1], [0, 0], [1, 1], [1, 1]])
    released = ReleasedRows.of(Domain.of({"a": 2, "b": 2}), rows)
    np.testing.assert_allclose(released.project_given(("b",), {"a": np.array([1.0, 0.5])}), [1, 2])
    columns = {"a": np.array([[0.9, 0.1], [0.2, 0.8]]), "b": np.array([[0.7, 0.3], [0.1, 0.9]])}
    hidden = HiddenModel.mixture(Domain.of({"a": 2, "b": 2}), 10.0, columns)
    wanted = hidden.project(("a", "b")) * np.array([[0.0], [1.0]])
    np.testing.assert_allclose(hidden.project_given(("a", "b"), {"a": np.array([0.0, 1.0])}), wanted)


def test_a_model_that_cannot_weigh_a_condition_is_one_sentence():
    class Bare:
        domain, total = DOMAIN, 10.0

    with pytest.raises(ConditionError, match="cannot say how many rows meet a condition"):
        counts_given(Bare(), (), EVIDENCE)


def partial_rows(known, times, seed=1):
    """Rows that know these columns: every combination of their cells, so often."""
    cells = [range(DOMAIN.size(a)) if a in known else [-1] for a in DOMAIN.attributes]
    rows = np.repeat(np.array(list(itertools.product(*cells))), times, axis=0)
    rows = np.random.default_rng(seed).permutation(rows)
    return {a: rows[:, i] for i, a in enumerate(DOMAIN.attributes)}


def worst(joint, known, whole):
    """The least p-value of the unknown columns' distribution, over the combinations of the known ones."""
    shape = DOMAIN.shape(DOMAIN.attributes)
    axes = tuple(i for i, a in enumerate(DOMAIN.attributes) if a in known)
    others = tuple(i for i in range(len(shape)) if i not in axes)
    cells = np.ravel_multi_index([whole[a] for a in DOMAIN.attributes], shape)
    counts = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)
    found = []
    for at in itertools.product(*(range(shape[i]) for i in axes)):
        shares, seen = (np.moveaxis(t, axes, range(len(axes)))[at].ravel() for t in (joint, counts))
        if len(others) and shares.size > 1:
            found.append(stats.chisquare(seen, seen.sum() * shares / shares.sum()).pvalue)
    return min(found)


@pytest.mark.parametrize("way", ["by messages", "by conditions"])
@pytest.mark.parametrize("known", [("a",), ("b", "e"), ("a", "c", "e"), ()], ids=str)
@pytest.mark.parametrize(
    "cliques", [CASES["chain"], CASES["overlapping"], CASES["cycle"]], ids=["chain", "over", "cycle"]
)
def test_rows_are_completed_as_the_joint_given_what_they_know(cliques, known, way, monkeypatch):
    """Power: a double that draws each unknown column by itself fails the same test."""
    monkeypatch.setattr(completing, "_FEW", 0 if way == "by conditions" else 1e9)
    tables = potentials(DOMAIN, cliques, seed=4, scale=0.7)
    model, joint = GraphicalModel.of(DOMAIN, 1.0, tables), JointModel.of(DOMAIN, 1.0, tables)
    partial = partial_rows(known, times=6000 // max(1, 2 ** len(known)))
    whole = completed(model, partial, np.random.default_rng(2))
    for a in known:
        np.testing.assert_array_equal(whole[a], partial[a])
    assert worst(joint.table, known, whole) > 1e-4
    rng = np.random.default_rng(7)
    alone = {a: v if a in known else rng.permutation(v) for a, v in whole.items()}
    assert worst(joint.table, known, alone) < 1e-6


def test_a_model_without_a_way_of_its_own_completes_by_conditions():
    _, joint = both(CASES["chain"])
    partial = partial_rows(("b",), times=2000)
    whole = completed(joint, partial, np.random.default_rng(2))
    np.testing.assert_array_equal(whole["b"], partial["b"])
    assert worst(joint.table, ("b",), whole) > 1e-4


def test_a_row_that_the_model_excludes_is_refused_or_completed_with_a_least_share():
    table = np.array([[0.5, 0.0], [0.25, 0.25]])
    domain = Domain.of({"a": 2, "b": 2, "c": 2})
    model = GraphicalModel.of(
        domain, 10.0, {("a", "b"): np.log(np.maximum(table, 1e-300)), ("b", "c"): np.zeros((2, 2))}
    )
    model = GraphicalModel(domain, 10.0, {}, model.tree, tuple(np.where(b < 1e-200, 0, b) for b in model.beliefs))
    row = {"a": np.array([0]), "b": np.array([1]), "c": np.array([-1])}
    with pytest.raises(ConditionError, match="`a` and `b`"):
        completed(model, row, np.random.default_rng(0))
    whole = completed(model, row, np.random.default_rng(0), least=1e-9)
    assert (whole["a"][0], whole["b"][0]) == (0, 1)


def test_refined_rows_keep_the_cells_that_they_know():
    coarse = GraphicalModel.of(Domain.of({"a": 2, "b": 2}), 10.0, {("a", "b"): np.log(np.array([[8.0, 1], [1, 8]]))})
    bins = {"a": np.array([0, 0, 1]), "b": np.array([0, 1, 1])}
    model = RefinedModel(Domain.of({"a": 3, "b": 3}), coarse, bins, {"a": np.ones(3), "b": np.array([1.0, 1, 3])})
    partial = {"a": np.repeat([0, 1, 2, -1], 5000), "b": np.full(20_000, -1)}
    whole = completed(model, partial, np.random.default_rng(0))
    known = partial["a"] >= 0
    np.testing.assert_array_equal(whole["a"][known], partial["a"][known])
    counts = np.bincount(whole["b"][whole["a"] == 2], minlength=3)
    assert stats.chisquare(counts, counts.sum() * np.array([1 / 9, 2 / 9, 6 / 9])).pvalue > 1e-4


@pytest.mark.parametrize("way", ["by messages", "by conditions"])
def test_completed_rows_agree_with_the_evidence_too(way, monkeypatch):
    monkeypatch.setattr(completing, "_FEW", 0 if way == "by conditions" else 10**9)
    tables = potentials(DOMAIN, CASES["cycle"], seed=4, scale=0.7)
    model, joint = GraphicalModel.of(DOMAIN, 1.0, tables), JointModel.of(DOMAIN, 1.0, tables)
    evidence = {"c": np.array([0.0, 1.0, 0.5, 2.0]), "e": np.array([1.0, 0.25, 1.0])}
    whole = completed(model, partial_rows(("b",), times=3000), np.random.default_rng(2), evidence)
    assert (whole["c"] > 0).all()
    kept = {a: whole[a] for a in ("a", "b", "c", "d", "e")}
    table = joint.project_given(DOMAIN.attributes, evidence)
    counts = np.zeros(table.shape)
    np.add.at(counts, tuple(kept[a].astype(int) for a in DOMAIN.attributes), 1)
    wanted = table / table.sum(axis=(0, 2, 3, 4), keepdims=True) * 3000
    some = wanted > 0
    assert stats.chi2.sf((((counts - wanted) ** 2)[some] / wanted[some]).sum(), some.sum() - 3) > 1e-4
    unlike = joint.table / joint.table.sum(axis=(0, 2, 3, 4), keepdims=True) * 3000
    assert stats.chi2.sf((((counts - unlike) ** 2) / unlike).sum(), unlike.size - 3) < 1e-6


def test_a_hidden_component_is_drawn_with_the_rest_and_not_shown():
    """The component follows from what is known; a double that draws it from all components is refuted."""
    domain = Domain.of({"a": 2, "b": 2, "c": 3})
    rng = np.random.default_rng(1)
    columns = {a: rng.dirichlet(np.full(n, 0.3), 4) for a, n in domain.sizes}
    model = HiddenModel.mixture(domain, 1.0, columns)
    joint = sum(
        np.einsum("i,j,k->ijk", *(np.maximum(columns[a][k], 1e-12) for a in domain.attributes)) for k in range(4)
    )
    partial = {"a": np.repeat([0, 1], 4000), "b": np.full(8000, -1), "c": np.full(8000, -1)}
    whole = completed(model, partial, np.random.default_rng(2))
    assert list(whole) == ["a", "b", "c"]
    for a in (0, 1):
        counts = np.zeros((2, 3))
        np.add.at(counts, (whole["b"][whole["a"] == a], whole["c"][whole["a"] == a]), 1)
        expected = 4000 * joint[a] / joint[a].sum()
        marginal = 4000 * joint.sum(axis=0) / joint.sum()
        some = expected > 1e-6
        assert counts[~some].sum() == 0
        assert stats.chi2.sf(((counts - expected) ** 2 / expected)[some].sum(), some.sum() - 1) > 1e-4
        assert stats.chi2.sf(((counts - marginal) ** 2 / marginal).sum(), 5) < 1e-6
