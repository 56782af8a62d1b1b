"""A rare cell of a column comes back as it was counted, whatever stands beside it."""

from __future__ import annotations

import numpy as np
import pytest

from dpsynth.base.domain import Domain
from dpsynth.models import inference
from dpsynth.models.base import LinearMeasurement
from dpsynth.models.inference import estimate

NOISE, ROWS = 38.0, 9000.0


def off(rare: float, cells: int, fits: int = 40) -> np.ndarray:
    """How far the rare last cell of a column lies from its count after each fit, in standard deviations of its noise.

    Beside it are cells of unlike sizes, and a column that was counted together with it, with twice the noise.
    """
    domain = Domain.of({"a": cells, "b": 5})
    common = np.random.default_rng(1).dirichlet(np.full(cells - 1, 5.0)) * (ROWS - rare)
    a, b = np.append(common, rare), np.full(5, ROWS / 5)
    pair = np.multiply.outer(a, b) / ROWS
    found = []
    for seed in range(fits):
        rng = np.random.default_rng(seed)
        measured = [
            LinearMeasurement(("a",), a + rng.normal(0, NOISE, cells), NOISE),
            LinearMeasurement(("b",), b + rng.normal(0, NOISE, 5), NOISE),
            LinearMeasurement(("a", "b"), pair + rng.normal(0, 2 * NOISE, (cells, 5)), 2 * NOISE),
        ]
        model = estimate(domain, measured, total=ROWS)
        found.append((model.project(("a",))[-1] - rare) / NOISE)
    return np.array(found)


@pytest.mark.parametrize("cells", [3, 12, 60])
@pytest.mark.parametrize("rare", [0.0, 1.0, 20.0, 70.0, 200.0])
def test_a_rare_cell_comes_back_within_its_noise_however_many_cells_stand_beside_it(rare, cells):
    """Below zero there are no rows: the mean of noise cut at zero is .4 standard deviations."""
    found = off(rare, cells)
    assert abs(found.mean()) < 0.6
    assert np.abs(found).max() < 4


def test_cells_that_are_drawn_to_an_even_share_without_limit_are_found_out(monkeypatch):
    monkeypatch.setattr(inference, "_MOST_DRAWN", 1e9)
    assert off(20.0, 12).mean() > 1.5


def test_a_column_of_noise_alone_stays_even():
    """Thirty cells of 3 rows with noise of 40: each is drawn to an even share, as before."""
    rng = np.random.default_rng(4)
    noisy = LinearMeasurement(("a",), 3 + rng.normal(0, 40, 30), 40.0)
    counts = estimate(Domain.of({"a": 30}), [noisy], total=90.0).project(("a",))
    assert np.abs(counts - 3).sum() < 0.2 * np.abs(noisy.values - 3).sum()
