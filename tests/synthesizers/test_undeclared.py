"""A column that was hardly read is cautioned of, by counts that were paid for; nothing else is said of it."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Boolean, Categorical, Datetime, Numeric, Schema, Synthesizer
from dpsynth.base.domain import Domain
from dpsynth.mechanisms.marginal.independent import independent_model
from dpsynth.synthesizers.undeclared import undeclared_counts

ROWS = 4000
SCHEMA = Schema(
    {
        "cost": Numeric(0, 1000),
        "age": Numeric(0, 120, integer=True),
        "seen": Datetime("2020-01-01", "2024-12-31", nullable=True),
        "lab": Numeric(0, 10, nullable=True),
        "ward": Categorical(["north", "south"], other="south"),
        "job": Categorical(["nurse", "cook", "rest"], nullable=True, other="rest"),
        "smoker": Boolean(),
    }
)
HELD = {"cost": "unread", "age": "unread", "seen": "either", "lab": "either", "job": "missing", "smoker": "unread"}
UNREAD = {"cost": ROWS, "age": 0, "seen": ROWS, "lab": 2000, "job": 3800, "smoker": 1200}


def table():
    """No amount and no date of it can be read; half of `lab`, nearly all of `job` are missing."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "cost": [f"{x:.2f} gold" for x in rng.lognormal(3, 1, ROWS)],
            "age": rng.integers(0, 100, ROWS),
            "seen": ["15 of October"] * ROWS,
            "lab": [None, 5.0] * (ROWS // 2),
            "ward": ["elsewhere"] * ROWS,
            "job": [None] * 3800 + ["pilot"] * 200,
            "smoker": (["perhaps"] * 3 + [True] * 7) * (ROWS // 10),
        }
    )


def fitted(mechanism="independent", **settings):
    settings = {"epsilon": 1.0, "delta": 1e-6, "ledger": None, "unsafe_seed": 3, **settings}
    synth = Synthesizer(SCHEMA, mechanism, **settings)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        synth.fit(table())
    return synth, heard


@pytest.mark.parametrize("mechanism", ["canopy", "aim", "mst", "independent"])
def test_every_count_is_the_true_one_within_the_noise_that_it_states(mechanism):
    counted = fitted(mechanism)[0].certificate.record["released"]["undeclared"]
    assert {name: each["holds"] for name, each in counted.items()} == HELD
    for name, true in UNREAD.items():
        assert 0 < counted[name]["stddev"] < 100
        assert abs(counted[name]["share"] - true / ROWS) < 0.05
        assert abs(counted[name]["rows"] - true) < 5 * counted[name]["stddev"] + 1


def test_a_fit_warns_of_the_columns_that_were_hardly_read_and_of_no_other():
    synth, heard = fitted()
    assert [each.category for each in heard] == [dpsynth.CautionWarning] * 3
    assert {each.filename for each in heard} == {__file__}
    said = {str(each.message).split("'")[1]: str(each.message) for each in heard}
    assert set(said) == {"cost", "seen", "smoker"}
    assert re.match(r"about (9[5-9]|100) % of the values of 'cost' could not be read", said["cost"])
    assert re.match(r"about (29|30|31) % of the values of 'smoker' could not be read", said["smoker"])
    assert "are missing, or could not be read" in said["seen"]
    for text in (synth.certificate.summary(), synth.certificate.to_html().replace("&#39;", "'")):
        assert all(f"CAUTION: {sentence}" in text for sentence in said.values())
    assert [c.removeprefix("CAUTION: ") for c in synth.certificate.record["cautions"]] == [*said.values()]


@pytest.mark.parametrize(("total", "share"), [(1.0, 1.0), (50.0, 1.0), (400.0, 0.25)])
def test_a_share_lies_between_none_and_all_whatever_the_noise(total, share):
    domain = Domain.of(dict.fromkeys(SCHEMA.coded, 2))
    model = independent_model(domain, {name: np.ones(2) for name in SCHEMA.coded}, total)
    measured = dict.fromkeys(SCHEMA.coded, (100.0, 30.0)) | {"age": (-70.0, 30.0)}
    counted = undeclared_counts(SCHEMA, replace(model, last_cells=measured))
    assert {name: each["share"] for name, each in counted.items()} == dict.fromkeys(HELD, share) | {"age": 0.0}
    assert counted["age"]["rows"] == 0
    assert undeclared_counts(SCHEMA, model) == {}


def test_what_noise_alone_may_be_is_no_caution():
    few = table().head(40)
    synth = Synthesizer(SCHEMA, "independent", epsilon=0.05, delta=1e-6, ledger=None, unsafe_seed=1).fit(few)
    assert synth.certificate.record["cautions"] == []


@pytest.mark.parametrize("seed", range(8))
def test_a_small_table_whose_columns_were_all_read_is_never_cautioned_of(seed):
    rng = np.random.default_rng(seed)
    schema = Schema({"a": Categorical(range(31))} | {f"n{i}": Numeric(0, None) for i in range(4)})
    rows = pd.DataFrame({"a": rng.integers(0, 31, 300)} | {f"n{i}": rng.normal(0, 9, 300) for i in range(4)})
    synth = Synthesizer(schema, "canopy", epsilon=1.0, delta=1e-9, ledger=None, unsafe_seed=seed).fit(rows)
    assert synth.certificate.record["cautions"] == []


def test_no_charge_is_made_for_these_counts():
    one, _ = fitted()
    plain = table().assign(cost=5.0, seen="2022-10-15", smoker=True)
    other = Synthesizer(SCHEMA, "independent", epsilon=1.0, delta=1e-6, ledger=None, unsafe_seed=3).fit(plain)
    purposes = [
        [(c["line"]["purpose"], c["line"]["event"]) for c in synth.certificate.record["charges"]]
        for synth in (one, other)
    ]
    assert purposes[0] == purposes[1]
    measured = [purpose for purpose, _ in purposes[0] if not purpose.startswith("see ")]
    assert len(measured) == 1 + len(SCHEMA.columns)


def test_a_certificate_with_these_counts_is_verified_and_comes_back_from_its_file(tmp_path):
    with pytest.warns(dpsynth.CautionWarning):
        synth = Synthesizer(SCHEMA, "independent", epsilon=1.0, delta=1e-6, ledger=None).fit(table())
    folder = synth.certificate.save(tmp_path)
    assert dpsynth.Certificate.load(folder) == synth.certificate
    synth.save(tmp_path / "m.dpsynth")
    assert Synthesizer.load(tmp_path / "m.dpsynth").certificate == synth.certificate
