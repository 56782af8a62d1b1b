"""Merging: exact targets come back, sums of models are sums of their marginals, and what is too large is left out."""

from __future__ import annotations

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.models import merging
from dpsynth.models.base import LinearMeasurement, RoughMeasurement
from dpsynth.models.engines import estimate_exactly
from dpsynth.models.factor import grouped
from dpsynth.models.merging import Merging, Part
from dpsynth.models.refined import RefinedModel

DOMAIN = Domain.of({"a": 4, "b": 3, "c": 2})
BINS = {"a": np.array([0, 0, 1, 1]), "b": np.arange(3), "c": np.arange(2)}


def part(seed: int, rows: float, pairs=(("a", "b"), ("b", "c")), noise: float = 1.0, bins=BINS) -> Part:
    """A model of counts without noise, which says that they have some."""
    rng = np.random.default_rng(seed)
    joint = rows * rng.dirichlet(np.full(24, 1.0)).reshape(4, 3, 2)
    axes = {"a": 0, "b": 1, "c": 2}
    binned = Domain.of({a: int(g.max()) + 1 for a, g in bins.items()})

    def counts(clique, groups):
        others = tuple(i for a, i in axes.items() if a not in clique)
        return grouped(joint.sum(axis=others), groups)

    coarse = [(c, tuple(bins[a] for a in c)) for c in [("a",), ("b",), ("c",), *pairs]]
    model = estimate_exactly(binned, [LinearMeasurement(c, counts(c, g), 0.01) for c, g in coarse], total=rows)
    single = [((a,), (np.arange(DOMAIN.size(a)),)) for a in axes]
    charged = [RoughMeasurement(c, g, counts(c, g), noise) for c, g in [*single, *coarse[3:]]]
    masses = {a: counts((a,), (np.arange(DOMAIN.size(a)),)) for a in axes}
    return Part(RefinedModel(DOMAIN, model, bins, masses, charged=tuple(charged)), DOMAIN)


def test_groups_of_cells_are_projected_as_the_sums_of_their_cells():
    model = part(0, 100.0).model
    groups = np.array([1, 0, 0, 1]), np.array([0, 1, 1])
    assert model.project_groups(("a", "b"), groups) == pytest.approx(grouped(model.project(("a", "b")), groups))


def test_what_all_sources_have_measured_adds_up():
    parts = [part(0, 1000.0), part(1, 3000.0)]
    model, left_out = Merging(DOMAIN, parts, add=True).made()
    assert left_out == []
    assert model.total == pytest.approx(4000.0)
    for clique in (("a",), ("b", "c"), ("a", "b")):
        groups = [BINS[a] for a in clique]
        both = sum(each.model.project_groups(clique, groups) for each in parts)
        assert model.project_groups(clique, groups) == pytest.approx(both, abs=4.0)  # a thousandth of the rows


def test_an_average_of_sources_of_equal_rows_and_noise_is_their_mean():
    parts = [part(0, 2000.0), part(1, 2000.0)]
    model, _ = Merging(DOMAIN, parts, add=False).made()
    assert model.total == pytest.approx(2000.0)
    both = sum(each.model.project(("b", "c")) for each in parts) / 2
    assert model.project(("b", "c")) == pytest.approx(both, abs=2.0)


def test_what_one_source_has_measured_together_keeps_its_association():
    """The odds ratio of the one source, at the shares of both."""
    pairs, single = (("b", "c"),), ()
    parts = [part(0, 1000.0, pairs), part(1, 1000.0, single)]
    model, _ = Merging(DOMAIN, parts, add=True).made()
    odds = [t[0, 0] * t[1, 1] / t[0, 1] / t[1, 0] for t in (m.project(("b", "c")) for m in (model, parts[0].model))]
    assert odds[0] == pytest.approx(odds[1], rel=0.02)
    assert model.project(("b",)) == pytest.approx(sum(p.model.project(("b",)) for p in parts), rel=0.01)


def test_sets_of_columns_that_make_the_model_too_large_are_left_out_and_named(monkeypatch):
    parts = [part(0, 1000.0), part(1, 1000.0, (("a", "b"),))]
    monkeypatch.setattr(merging, "MAX_CELLS", 9)
    model, left_out = Merging(DOMAIN, parts, add=True).made()
    assert left_out == [("b", "c")]  # what most sources have measured comes first
    assert model.coarse.domain.size("a") <= 4


def test_bins_of_a_merge_keep_apart_what_any_source_keeps_apart():
    parts = [part(0, 1000.0), part(1, 1000.0, bins={**BINS, "a": np.array([0, 1, 1, 1])})]
    model, _ = Merging(DOMAIN, parts, add=True).made()
    assert len({*zip(model.bins["a"], range(4), strict=True)}) == 4
    assert [model.bins["a"][i] == model.bins["a"][i + 1] for i in range(3)] == [False, False, True]
