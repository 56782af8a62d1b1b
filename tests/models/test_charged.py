"""A model keeps the noisy counts that charges answered, as they were drawn, and its file has them again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.models.factor import grouped
from dpsynth.synthesizers.support import noise_of

ROWS = 3000
MECHANISMS = ("independent", "mst", "canopy", "aim")
SCHEMA = dpsynth.Schema(
    {
        "age": dpsynth.Numeric(0, 99, integer=True),
        "cost": dpsynth.Numeric(0, 10_000, nullable=True),
        "sex": dpsynth.Categorical(["f", "m"]),
        "stay": dpsynth.Categorical(["day", "short", "long"], nullable=True),
    }
)


def records() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    age, long = rng.integers(0, 100, ROWS), rng.random(ROWS)
    stay = np.where(long < age / 120, "long", np.where(long < 0.9, "short", "day"))
    cost = np.where(rng.random(ROWS) < 0.2, np.nan, rng.exponential(20.0, ROWS) * age)
    return pd.DataFrame({"age": age, "cost": cost, "sex": rng.choice(["f", "m"], ROWS), "stay": stay})


@pytest.fixture(scope="module", params=MECHANISMS)
def synth(request) -> dpsynth.Synthesizer:
    made = dpsynth.Synthesizer(SCHEMA, request.param, epsilon=20.0, delta=1e-6, ledger=None, unsafe_seed=3)
    return made.fit(records())


def exact(synth: dpsynth.Synthesizer) -> dict[tuple[str, ...], np.ndarray]:
    """The true counts of each measured marginal, over cells."""
    codes = {name: codec.encode(records()[name]) for name, codec in synth._origin().codecs.items()}
    domain = synth.fitted_.model.domain
    found = {}
    for m in synth.fitted_.model.charged:
        table = np.zeros(domain.shape(m.clique))
        np.add.at(table, tuple(codes[a] for a in m.clique), 1.0)
        found[m.clique] = table if m.clique else np.asarray(float(ROWS))
    return found


def test_what_is_kept_lies_within_its_noise_of_the_true_counts(synth):
    """Sample size: 100 counts or more of each fit; threshold 4.5 standard errors; seed 3. Another stddev is refuted."""
    true = exact(synth)
    scores = [
        (m.values - grouped(true[m.clique], m.groups)).ravel() / np.sqrt(m.stddev**2 + 1 / 12)
        for m in synth.fitted_.model.charged
    ]
    z = np.concatenate(scores)
    assert z.size >= 100
    assert abs(np.sqrt(2 * z.size) * (np.mean(z**2) - 1) / 2) < 4.5
    assert np.sqrt(2 * z.size) * (np.mean((z / 0.7) ** 2) - 1) / 2 > 4.5


def test_every_charge_that_measured_a_marginal_is_kept(synth):
    kept = {m.clique for m in synth.fitted_.model.charged}
    measured = noise_of(synth.certificate.record, synth.fitted_.model.domain.attributes)
    assert {c for c in kept if c} >= set(measured)
    assert () in kept


def test_a_saved_model_has_the_same_noisy_counts(synth, tmp_path):
    synth.save(tmp_path / "m.dpsynth")
    again = dpsynth.Synthesizer.load(tmp_path / "m.dpsynth").fitted_.model.charged
    assert len(again) == len(synth.fitted_.model.charged)
    for one, other in zip(synth.fitted_.model.charged, again, strict=True):
        assert (one.clique, one.stddev) == (other.clique, other.stddev)
        np.testing.assert_array_equal(one.values, other.values)
        for a, b in zip(one.groups, other.groups, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_is_known_beforehand_is_not_kept_as_measured():
    sexes = pd.Series([9e5, 1e5], index=pd.Index(["f", "m"], name="sex"))
    known = dpsynth.Marginal(sexes, source="a census of elsewhere", stddev=1.0)
    made = dpsynth.Synthesizer(SCHEMA, "canopy", epsilon=20.0, delta=1e-6, ledger=None, unsafe_seed=3, known=[known])
    for m in made.fit(records()).fitted_.model.charged:
        assert m.values.sum() < 2 * ROWS
