"""A mixture of products as a graphical model with a hidden attribute, against the sum written out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from dpsynth.base.domain import Domain
from dpsynth.models.base import Model
from dpsynth.models.hidden import HiddenModel

DOMAIN = Domain.of({"a": 2, "component": 3, "c": 4, "one": 1})
COMPONENTS = 5


def columns(seed=0):
    rng = np.random.default_rng(seed)
    return {a: rng.dirichlet(np.ones(n), size=COMPONENTS) for a, n in DOMAIN.sizes}


def joint(parts, weights=1 / COMPONENTS):
    return np.einsum("ka,kb,kc,kd->kabcd", *(parts[a] for a in DOMAIN.attributes)) * np.reshape(
        weights, (-1, 1, 1, 1, 1)
    )


def test_it_is_a_model_whose_projections_are_the_sum_over_components():
    parts = columns()
    model = HiddenModel.mixture(DOMAIN, 100.0, parts)
    assert isinstance(model, Model)
    assert model.domain == DOMAIN
    table = 100 * joint(parts).sum(axis=0)
    for size in range(5):
        for clique in itertools.combinations(DOMAIN.attributes, size):
            axes = tuple(i for i, a in enumerate(DOMAIN.attributes) if a not in clique)
            np.testing.assert_allclose(model.project(clique), table.sum(axis=axes), atol=1e-8)
            np.testing.assert_allclose(model.project_all([clique])[clique], table.sum(axis=axes), atol=1e-8)


@pytest.mark.parametrize("evidence", [None, {"component": np.array([1.0, 0.0, 2.0])}], ids=["free", "given"])
@pytest.mark.parametrize("samples", [100, pytest.param(500, marks=pytest.mark.slow)])
def test_samples_follow_it_and_show_no_component(evidence, samples):
    parts = columns(1)
    table = joint(parts).sum(axis=0)
    if evidence:
        table = table * evidence["component"][:, None, None]
    shares = table.ravel() / table.sum()
    model, rng, counts = HiddenModel.mixture(DOMAIN, 1.0, parts), np.random.default_rng(0), np.zeros(shares.size)
    for _ in range(samples):
        codes = model.sample(40, rng, evidence)
        assert set(codes) == set(DOMAIN.attributes)
        at = np.ravel_multi_index([codes[a] for a in DOMAIN.attributes], DOMAIN.shape(DOMAIN.attributes))
        counts += np.bincount(at, minlength=shares.size)
    seen = shares > 0
    assert not counts[~seen].any()
    expected = 40 * samples * shares[seen]
    statistic = np.sum((counts[seen] - expected) ** 2 / expected)
    assert statistic < stats.chi2.isf(1e-6, seen.sum() - 1)


def test_it_comes_back_from_plain_arrays():
    model = HiddenModel.mixture(DOMAIN, 7.0, columns(2))
    again = HiddenModel.from_arrays(model.to_arrays())
    assert again.hidden not in DOMAIN.attributes
    np.testing.assert_allclose(again.project(("a", "c")), model.project(("a", "c")))
    with pytest.raises(ValueError, match="no attribute 'z' to hide"):
        HiddenModel.from_arrays({**model.to_arrays(), "hidden": "z"})


def test_probabilities_of_zero_are_allowed():
    parts = columns(3)
    parts["a"][:, 0], parts["a"][:, 1] = 0.0, 1.0
    model = HiddenModel.mixture(DOMAIN, 1000.0, parts)
    assert model.project(("a",))[0] < 1e-6
    assert np.all(model.sample(500, np.random.default_rng(0))["a"] == 1)
