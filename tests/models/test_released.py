"""Released rows as a model: their counts, and samples that use each of them evenly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.models.base import ConditionError, Model
from dpsynth.models.released import ReleasedRows

DOMAIN = Domain.of({"a": 3, "b": 300, "one": 1})
ROWS = 40


def released(seed=0, rows=ROWS):
    """Rows that are all different."""
    rng = np.random.default_rng(seed)
    codes = np.column_stack([rng.integers(0, 3, rows), rng.permutation(300)[:rows], np.zeros(rows, int)])
    return codes, ReleasedRows.of(DOMAIN, codes.astype(np.int32))


def times(model, n, seed=0, evidence=None):
    """How often each of the released rows is drawn."""
    codes = model.sample(n, np.random.default_rng(seed), evidence)
    assert {a: c.dtype for a, c in codes.items()} == {"a": np.uint8, "b": np.uint16, "one": np.uint8}
    assert {len(c) for c in codes.values()} == {n}
    drawn = np.bincount(codes["b"], minlength=300)[model.codes["b"]]
    at = {b: i for i, b in enumerate(model.codes["b"].tolist())}
    rows = [at[b] for b in codes["b"].tolist()]
    assert np.array_equal(codes["a"], model.codes["a"][rows])
    return drawn


def test_it_is_a_model_whose_projections_are_the_counts_of_its_rows():
    codes, model = released()
    assert isinstance(model, Model)
    assert model.total == ROWS
    for size in range(4):
        for clique in itertools.combinations(DOMAIN.attributes, size):
            table = np.zeros(DOMAIN.shape(clique))
            for row in codes:
                table[tuple(row[DOMAIN.attributes.index(a)] for a in clique)] += 1
            np.testing.assert_array_equal(model.project(clique), table)


@pytest.mark.parametrize("n", [0, 1, 7, ROWS, 100, 2 * ROWS, 1001])
def test_every_row_is_drawn_as_often_as_every_other_give_or_take_one(n):
    drawn = times(released()[1], n)
    assert drawn.sum() == n
    assert set(drawn) <= {n // ROWS, -(-n // ROWS)}


def test_which_rows_are_drawn_and_in_what_order_is_random():
    _, model = released()
    mean = sum(times(model, 10, seed) for seed in range(2000)) / 2000
    assert np.abs(mean - 10 / ROWS).max() < 6 * np.sqrt(0.25 * 0.75 / 2000)  # six standard deviations, 40 rows
    firsts = np.bincount([model.sample(ROWS, np.random.default_rng(s))["a"][0] for s in range(900)], minlength=3) / 900
    assert np.abs(firsts - model.project(("a",)) / ROWS).max() < 6 * np.sqrt(0.25 / 900)


def test_evidence_weighs_the_rows():
    _, model = released()
    weights = np.array([0.0, 1.0, 3.0])
    drawn = times(model, 1000, evidence={"a": weights, "one": np.ones(1)})
    share = weights[model.codes["a"]]
    assert np.abs(drawn - 1000 * share / share.sum()).max() < 1 + 1e-9
    with pytest.raises(ConditionError, match="probability 0 to rows that meet the condition on `b`: widen it, or"):
        model.sample(5, np.random.default_rng(0), {"b": np.zeros(300)})


def test_it_comes_back_from_plain_arrays_and_a_damaged_one_does_not():
    _, model = released()
    saved = model.to_arrays()
    again = ReleasedRows.from_arrays(saved)
    assert {a: c.tolist() for a, c in again.codes.items()} == {a: c.tolist() for a, c in model.codes.items()}
    for damage in (
        {"codes:0": np.full(ROWS, 3)},
        {"codes:0": np.full(ROWS, -1)},
        {"codes:0": np.zeros(ROWS)},
        {"codes:0": np.zeros(ROWS - 1, int)},
        {"codes:0": np.zeros((ROWS, 1), int)},
        {f"codes:{i}": np.zeros(0, int) for i in range(3)},
    ):
        with pytest.raises(ValueError, match="do not fit"):
            ReleasedRows.from_arrays({**saved, **damage})
