"""Support tells what a fit has evidence for: common combinations have it, and those never seen have not."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Boolean, Categorical, Numeric, Schema, Synthesizer
from dpsynth.synthesizers import support as module
from dpsynth.synthesizers.support import ENOUGH, noise_of

SCHEMA = Schema(
    {
        "age": Numeric(0, 99, integer=True),
        "ward": Categorical(["child", "adult", "old", "closed"]),
        "a x b": Boolean(),
        "cost": Numeric(0, 5000),
    }
)


def records(rows=20_000, seed=0) -> pd.DataFrame:
    """Wards are a function of age, and one of them is never used; costs rise with age."""
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 100, rows)
    ward = np.select([age < 18, age < 65], ["child", "adult"], "old")
    cost = np.clip(rng.normal(20 * age + 500, 200), 0, 5000)
    return pd.DataFrame({"age": age, "ward": ward, "a x b": rng.random(rows) < 0.3, "cost": cost})


@pytest.fixture(scope="module", params=["canopy", "mst"])
def fitted(request) -> Synthesizer:
    return Synthesizer(SCHEMA, request.param, epsilon=1, delta=1e-6, unsafe_seed=1, ledger=None).fit(records())


def planted() -> dict[str, pd.DataFrame]:
    """Rows as there are many of, and rows that no record was like: by a pair, or by one column."""
    common = records(2000, seed=9)
    never = common.assign(ward=common["ward"].map({"child": "old", "adult": "child", "old": "child"}))
    return {"common": common, "never": never, "closed": common.assign(ward="closed")}


def judged(fitted, rows) -> pd.DataFrame:
    return module.with_support(rows, fitted._origin(), fitted.certificate.record)


def told_apart(fitted) -> bool:
    found = {name: judged(fitted, rows) for name, rows in planted().items()}
    common, never, closed = (found[name]["extrapolated"].mean() for name in ("common", "never", "closed"))
    medians = {name: rows["support"].median() for name, rows in found.items()}
    return common < 0.1 and never > 0.9 and closed == 1 and medians["common"] > 2 * ENOUGH > 4 * medians["never"]


def test_combinations_never_seen_have_low_support_and_common_ones_high(fitted) -> None:
    assert told_apart(fitted)


@pytest.mark.parametrize("double", ["columns alone", "no noise"])
def test_broken_doubles_do_not_tell_them_apart(fitted, monkeypatch, double) -> None:
    monkeypatch.setattr(module, "_judges", lambda origin, record: True)
    whole = module.noise_of
    if double == "columns alone":
        monkeypatch.setattr(module, "noise_of", lambda *given: {c: s for c, s in whole(*given).items() if len(c) == 1})
    else:
        monkeypatch.setattr(module, "noise_of", lambda *given: dict.fromkeys(whole(*given), 1e-3))
    assert not told_apart(fitted)


def test_a_sample_carries_its_support_and_it_can_be_drawn_again(fitted) -> None:
    rows = fitted.sample(2000, support=True, seed=3)
    assert list(rows) == [*SCHEMA.columns, "support", "extrapolated"]
    assert ((rows["support"] < ENOUGH) == rows["extrapolated"]).all()
    assert rows["extrapolated"].mean() < 0.25
    pd.testing.assert_frame_equal(rows[[*SCHEMA.columns]], fitted.sample(2000, seed=3))
    assert fitted.sample(0, support=True).dtypes.equals(rows.dtypes)


def test_the_noise_is_that_of_the_certificate_and_names_may_hold_an_x(fitted) -> None:
    """Against the charges by hand; a marginal that was measured twice has the noise of the mean."""
    noise = noise_of(fitted.certificate.record, fitted._fitted().model.domain.attributes)
    assert ("a x b",) in noise
    lines = [c for c in fitted.certificate.record["charges"] if c["line"]["purpose"] == "measure age"]
    assert noise[("age",)] == pytest.approx(sum(c["noise_stddev_rows"] ** -2 for c in lines) ** -0.5)
    assert all(set(clique) <= set(SCHEMA.columns) for clique in noise)
    assert any(len(clique) == 2 for clique in noise)


@pytest.mark.parametrize(("shape", "scales"), [((9,), (9,)), ((40,), (30,)), ((16, 5), (16, 0)), ((18, 17), (18, 16))])
def test_windows_are_those_of_brute_force(shape, scales) -> None:
    counts = np.random.default_rng(1).gamma(0.5, 10, shape)
    reach = {1: 64, 2: 4}[len(shape)]
    wanted = counts.copy()
    for at in np.ndindex(shape):
        for distance in range(1, reach + 1):
            steps = [range(-min(distance, reach, s // 8), min(distance, reach, s // 8) + 1) for s in scales]
            near = []
            for step in itertools.product(*steps):
                cell = tuple(np.add(at, step))
                inside = all(
                    d == 0 or (0 <= c < scale and a < scale)
                    for c, a, d, scale in zip(cell, at, step, scales, strict=True)
                )
                if inside:
                    near.append(min(counts[cell], counts[at]))
            wanted[at] = max(wanted[at], sum(near) / np.sqrt(len(near)))
    np.testing.assert_allclose(module._windowed(counts, scales), wanted)


def test_an_empty_cell_amid_dense_ones_gains_nothing_and_a_thin_one_among_its_like_does() -> None:
    counts = np.full((32, 32), 50.0)
    counts[16, 16] = 1.0
    found = module._windowed(counts, (32, 32))
    assert found[16, 16] == pytest.approx(81 / 9)  # as a field of ones would have
    assert found[5, 5] == pytest.approx(50 * 81 / 9)
    assert module._windowed(counts, (0, 0))[5, 5] == 50


def test_a_mechanism_that_measures_no_pairs_and_a_column_of_that_name_are_one_sentence(fitted) -> None:
    trained = Synthesizer(SCHEMA, "mst", epsilon=1, delta=1e-6, ledger=None)
    inner = fitted._fitted()
    record = {**inner.certificate.record, "charges": []}
    trained.fitted_ = replace(inner, certificate=dpsynth.Certificate(record))
    with pytest.raises(dpsynth.ConditionError, match="has measured no pairs of columns"):
        trained.sample(5, support=True)
    alone = Synthesizer(SCHEMA, "independent", epsilon=1, delta=1e-6, ledger=None).fit(records(300))
    with pytest.raises(dpsynth.ConditionError, match="independent has measured no pairs"):
        alone.sample(5, support=True)
    night = dpsynth.Scenario.from_dict({"parts": [{"name": "a"}]})
    rows = alone.sample(5, scenario=night)
    assert rows[["support", "extrapolated"]].isna().all(axis=None)
    assert night.coverage(rows)["extrapolated"].tolist() == [0]
    schema = Schema({"support": Boolean()})
    named = Synthesizer(schema, "independent", epsilon=1, delta=1e-6, ledger=None)
    named.fit(pd.DataFrame({"support": [True, False]}))
    with pytest.raises(dpsynth.ConditionError, match="has a column 'support'"):
        named.sample(5, support=True)


def test_what_compares_tables_asks_for_them_without_the_support_of_their_rows(fitted) -> None:
    real, rows = records(500, seed=1), fitted.sample(200, support=True, seed=1)
    uses = (
        lambda drawn: dpsynth.evaluate(drawn, real, SCHEMA),
        lambda drawn: dpsynth.audit(drawn, real[:200], real[200:], schema=SCHEMA),
        lambda drawn: dpsynth.mix(real, drawn, share=0.2),
    )
    for use in uses:
        with pytest.raises(dpsynth.SchemaError, match=r"not declared, at places 5, 6;|differ in 2 columns"):
            use(rows)
        use(rows[[*SCHEMA.columns]])
    assert [*dpsynth.mix(real, rows, share=0.2, schema=SCHEMA)][:4] == [*SCHEMA.columns]
