"""Parts of cells: shares and draws given a condition, against the enumeration of all values, and against rejection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dpsynth import Datetime, Numeric
from dpsynth.data.tables.codec import Codec, codec_for
from dpsynth.data.tables.parts import Parts, cut

Holds = Callable[[pd.Series], np.ndarray]

STEPPED: list[tuple[Any, pd.Series, list[Any], Callable[[pd.Series], Any]]] = [
    (
        Numeric(-700, 5000, integer=True),
        pd.Series(np.arange(-700, 5001)),
        [17, 1203, 1205.5, 4999],
        lambda x: (x < 17) | ((x >= 1203) & (x <= 1205.5)) | (x > 4999),
    ),
    (Numeric(0, 3000, integer=True), pd.Series(np.arange(3001)), [2001], lambda x: x != 2001),
    (Numeric(0, 400, step=0.1), pd.Series(np.arange(4001) / 10), [77.7, 300.05], lambda x: (x == 77.7) | (x > 300.05)),
    (
        Datetime("2020-01-01", "2020-01-02", resolution="s"),
        pd.Series(pd.date_range("2020-01-01", "2020-01-02", freq="s", unit="s")),
        [pd.Timestamp("2020-01-01 10:00:01"), pd.Timestamp("2020-01-01 10:00:09")],
        lambda x: (x >= "2020-01-01 10:00:01") & (x < "2020-01-01 10:00:09"),
    ),
]
every_step = pytest.mark.parametrize(("column", "values", "constants", "holds"), STEPPED)


def _parts(codec: Codec, holds: Callable[[pd.Series], Any], constants: list[Any]) -> Parts:
    return codec.parts(lambda x: np.asarray(holds(x).fillna(False), dtype=bool), constants)


@every_step
def test_shares_and_draws_are_those_of_the_enumerated_values(column, values, constants, holds) -> None:
    codec = codec_for(column)
    cells = codec.encode(values)
    kept = np.asarray(holds(values))
    expected = np.bincount(cells[kept], minlength=codec.size) / np.bincount(cells, minlength=codec.size).clip(1)
    parts = _parts(codec, holds, constants)
    assert np.allclose(codec.weights(parts), expected, atol=1e-12)
    for cell in np.unique(cells[kept])[[0, len(np.unique(cells[kept])) // 2, -1]]:
        drawn = codec.decode(np.full(4000, cell), np.random.default_rng(cell), parts)
        possible = values[kept & (cells == cell)]
        counts = drawn.value_counts().reindex(possible.tolist(), fill_value=0)
        assert counts.sum() == 4000
        assert len(possible) == 1 or stats.chisquare(counts).pvalue > 1e-4


REAL: list[tuple[list[float], Callable[[pd.Series], Any]]] = [
    ([-3.2, 41.0], lambda x: (x > -3.2) & (x <= 41.0)),
    ([10.01, 10.02, 10.3], lambda x: (x < 10.01) | ((x > 10.02) & (x < 10.3))),
    ([0.0], lambda x: x >= 0),
    ([-250.0, -100.5], lambda x: (x > -250.0) & (x != -100.5)),
]


@pytest.mark.parametrize(("constants", "holds"), REAL)
def test_real_numbers_given_a_condition_are_those_that_rejection_leaves(constants, holds) -> None:
    codec = codec_for(Numeric(-300, 300))
    rng = np.random.default_rng(5)
    masses = rng.dirichlet(np.ones(codec.size - 1))
    whole = codec.decode(rng.choice(codec.size - 1, 200_000, p=masses), rng)
    rejected = whole[holds(whole)]
    parts = _parts(codec, holds, constants)
    weights = codec.weights(parts)[:-1] * masses
    drawn = codec.decode(rng.choice(codec.size - 1, 50_000, p=weights / weights.sum()), rng, parts)
    assert holds(drawn).all()
    assert stats.ks_2samp(rejected, drawn).pvalue > 1e-4


def test_the_comparison_sees_cells_that_count_whole_where_a_part_of_them_is_wanted() -> None:
    """The test above has power: cells weighted by 0 and 1, as they once were, do not pass it."""
    codec = codec_for(Numeric(-300, 300))
    rng = np.random.default_rng(6)
    cell = int(codec.encode([10.01])[0])
    masses = np.full(codec.size - 1, 0.0)
    masses[[cell, cell + 1]] = 0.5
    first, last = (end[cell] for end in codec.ends())
    bound = first + (last - first) / 10
    whole = codec.decode(rng.choice(codec.size - 1, 20_000, p=masses), rng)
    holds = lambda x: (x < bound) | (x > last)  # noqa: E731
    parts = _parts(codec, holds, [bound, last])
    for weights, same in ((codec.weights(parts)[:-1], True), (codec.weights(parts)[:-1] > 0, False)):
        share = weights * masses
        drawn = codec.decode(rng.choice(codec.size - 1, 10_000, p=share / share.sum()), rng, parts)
        assert (stats.ks_2samp(whole[holds(whole)], drawn).pvalue > 1e-4) == same


def test_single_real_numbers_count_by_the_density_of_their_cells() -> None:
    codec = codec_for(Numeric(-300, 300))
    parts = _parts(codec, lambda x: x.isin([1.3, 250.5]), [1.3, 250.5])
    weights = codec.weights(parts)
    small, large = codec.encode([1.3, 250.5])
    assert codec.widths is not None
    assert weights[small] / weights[large] == pytest.approx(codec.widths[large] / codec.widths[small], rel=1e-9)
    assert np.count_nonzero(weights) == 2
    drawn = codec.decode(np.array([small, large]), np.random.default_rng(0), parts)
    assert drawn.tolist() == [1.3, 250.5]


def test_a_single_number_counts_nothing_beside_an_interval_or_a_number_that_has_a_cell() -> None:
    codec = codec_for(Numeric(-300, 300))
    for holds, constants in ((lambda x: (x == 1.3) | (x > 5), [1.3, 5]), (lambda x: x.isin([0, 1.3]), [0, 1.3])):
        assert codec.weights(_parts(codec, holds, constants))[codec.encode([1.3])[0]] == 0


def test_cells_outside_a_condition_are_refused() -> None:
    codec = codec_for(Numeric(0, 9, integer=True))
    parts = _parts(codec, lambda x: x == 3, [3])
    with pytest.raises(ValueError, match="evidence"):
        codec.decode(np.array([3, 4]), np.random.default_rng(0), parts)


def test_pieces_join_to_the_cells_that_were_cut() -> None:
    first, last = np.array([0, 10, 20]), np.array([9, 19, 29])
    cells, begin, end = cut(first, last, np.array([-5, 0, 12, 13, 29, 30]))
    assert cells.tolist() == [0, 1, 1, 1, 2, 2]
    assert begin.tolist() == [0, 10, 12, 13, 20, 29]
    assert end.tolist() == [9, 11, 12, 19, 28, 29]
