"""A mixture is held to measured columns by the one change that relative entropy allows (Csiszar, 1975)."""

from __future__ import annotations

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.mechanisms.neural.columns import _held_to, mixture_of


def components(number, cells, seed):
    return np.random.default_rng(seed).dirichlet(np.full(cells, 0.7), number)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_held_has_the_shares_and_differs_by_a_factor_of_the_row_and_one_of_the_cell(seed):
    each, share = components(60, 7, seed), components(1, 7, 100 + seed)[0]
    held = _held_to(share, each)
    np.testing.assert_allclose(held.sum(axis=1), 1)
    np.testing.assert_allclose(held.mean(axis=0), share, atol=1e-6)
    factors = np.log(held / np.maximum(each, 1e-12))
    both = factors.mean(axis=1, keepdims=True) + factors.mean(axis=0) - factors.mean()
    np.testing.assert_allclose(factors, both, atol=1e-9)


def test_columns_that_have_the_shares_already_are_left_alone():
    each = components(40, 5, 0)
    np.testing.assert_allclose(_held_to(each.mean(axis=0), each), each, atol=1e-9)


def test_values_that_are_never_seen_stay_away_and_one_that_no_component_has_comes_in():
    each = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    held = _held_to(np.array([0.9, 0.0, 0.1]), each)
    assert np.isfinite(held).all()
    np.testing.assert_allclose(held.sum(axis=1), 1)
    np.testing.assert_allclose(held.mean(axis=0), [0.9, 0.0, 0.1], atol=1e-6)


def test_a_mixture_of_several_columns_has_the_shares_of_each():
    domain = Domain.of({"a": 3, "b": 4})
    columns, shares = [components(50, 3, 1), components(50, 4, 2)], [components(1, n, n)[0] for n in (3, 4)]
    model = mixture_of(domain, 200.0, columns, shares)
    for name, share in zip("ab", shares, strict=True):
        np.testing.assert_allclose(model.project((name,)) / 200, share, atol=1e-5)
    pair = model.project(("a", "b")) / 200
    assert np.abs(pair - np.outer(*shares)).sum() > 0.01
