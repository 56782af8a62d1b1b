"""What every front door keeps, copies, saves and gives back; and that a loaded one spends nothing by accident."""

from __future__ import annotations

import copy
import pickle
import warnings
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import dpsynth
from dpsynth.evidence.certificate import _plain
from dpsynth.mechanisms.external.command import External
from dpsynth.mechanisms.external.smartnoise import SmartNoise
from dpsynth.mechanisms.image.dp_gan import ImageGAN
from dpsynth.mechanisms.marginal.aim import AIM
from dpsynth.mechanisms.marginal.canopy import Canopy
from dpsynth.mechanisms.marginal.workload import Workload
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.mechanisms.neural.hybrid import Hybrid
from dpsynth.mechanisms.neural.pate_gan import PATEGAN
from dpsynth.mechanisms.registry import TABLES, mechanism_for
from dpsynth.programs.external import ExternalProgram
from dpsynth.synthesizers import base
from dpsynth.synthesizers.base import NoLedger
from dpsynth.synthesizers.recorded import recorded_arguments
from tests.mechanisms.test_image_embedding import random_images

SCHEMA = dpsynth.Schema({"sex": dpsynth.Categorical(["f", "m"]), "age": dpsynth.Numeric(0, 99, integer=True)})
ROWS = pd.DataFrame({"sex": ["f", "m"] * 150, "age": np.arange(300) % 100})
ALL = {"purpose": "research", "approvals": {"board": "case 17"}}


def table(**changes):
    stated = {"epsilon": 1.0, "delta": 1e-6, "ledger": None, **ALL, "oneway_share": 0.3, **changes}
    return dpsynth.Synthesizer(SCHEMA, stated.pop("mechanism", "mst"), **stated)


def images(**changes):
    facts = {"classes": 3, "shape": (6, 5), "epsilon": 3.0, "delta": 1e-5, "frequencies": 7, "ledger": None, **ALL}
    return dpsynth.ImageSynthesizer(**{**facts, **changes})


def fit_table(synthesizer):
    return synthesizer.fit(ROWS)


def fit_images(synthesizer):
    return synthesizer.fit(*random_images(100))


DOORS = pytest.mark.parametrize(("make", "fit"), [(table, fit_table), (images, fit_images)], ids=["table", "images"])
COPIES = pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, clone, lambda s: pickle.loads(pickle.dumps(s))],
    ids=["copy", "deepcopy", "clone", "pickle"],
)


@DOORS
@COPIES
def test_an_unfitted_one_can_be_copied_cloned_and_pickled(make, fit, again):
    one = make()
    other = again(one)
    assert other is not one
    assert type(other) is type(one)
    assert other.get_params() == one.get_params()
    assert other.set_params(epsilon=2.0).epsilon == 2.0
    assert one.epsilon != 2.0
    assert fit(other).certificate.private


@DOORS
def test_the_parameters_are_the_constructors_arguments(make, fit):
    one = make()
    assert {"ledger": None, **ALL}.items() <= one.get_params().items()
    assert type(one)(**one.get_params()).get_params() == one.get_params()
    with pytest.raises(ValueError, match="epsilom"):
        fit(one.set_params(epsilom=1))


@DOORS
def test_a_fitted_one_is_copied_with_its_release_and_is_not_pickled(make, fit):
    fitted = fit(make())
    for again in (copy.copy(fitted), copy.deepcopy(fitted)):
        assert again.certificate == fitted.certificate
        again.set_params(epsilon=2.0)
        assert fitted.certificate
    with pytest.raises(TypeError, match=r"use save\(path\)"):
        pickle.dumps(fitted)


@DOORS
def test_what_is_loaded_has_the_settings_that_were_recorded(make, fit, tmp_path):
    stated = make()
    fit(make()).save(tmp_path / "m")
    loaded = type(stated).load(tmp_path / "m")
    expected = {name: value for name, value in stated.get_params().items() if name not in ("ledger", "unit", "known")}
    assert expected.items() <= loaded.get_params().items()
    again = fit(loaded.set_params(ledger=None))
    for name in ("mechanism", "budget", "unit", "schema"):
        assert again.certificate.record[name] == fit(make()).certificate.record[name]
    assert again.certificate.record["run"]["line"]["purpose"] == "research"
    assert again.certificate.record["run"]["line"]["approvals"] == {"board": "case 17"}


@DOORS
def test_a_loaded_one_does_not_fit_before_a_ledger_is_named(make, fit, tmp_path):
    path = tmp_path / "a.ledger"
    fitted = fit(make(ledger=path))
    fitted.save(tmp_path / "m")
    account = dpsynth.Ledger.open(path)
    spent = account.spent()
    load = type(fitted).load
    locked = [
        load(tmp_path / "m"),
        load(tmp_path / "m").set_params(epsilon=0.5),
        load(tmp_path / "m").set_params(purpose="", unsafe_seed=None).set_params(delta=1e-7),
        clone(load(tmp_path / "m")),
        copy.deepcopy(load(tmp_path / "m")),
        pickle.loads(pickle.dumps(load(tmp_path / "m").set_params(epsilon=1.0))),
        type(fitted)(**load(tmp_path / "m").get_params()),
    ]
    for each in locked:
        with pytest.raises(ValueError, match=r"name the ledger by set_params\(ledger=\.\.\.\)"):
            fit(each)
    with pytest.raises(dpsynth.BudgetExceededError):
        fit(load(tmp_path / "m").set_params(ledger=path))
    assert account.spent() == spent
    assert fit(load(tmp_path / "m").set_params(ledger=None)).certificate.private


@DOORS
def test_a_fit_without_a_named_ledger_says_once_that_nothing_remembers_it(make, fit, monkeypatch):
    monkeypatch.setattr(base, "_warned", False)
    silent = make(ledger=NoLedger.UNSTATED)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit(silent)
        fit(silent)
        fit(make())
    assert [each.category for each in said] == [dpsynth.NoLedgerWarning]
    assert "ledger=PATH, or ledger=None" in str(said[0].message)
    assert "dpsynth.toml" in str(said[0].message)
    assert said[0].filename == __file__


@DOORS
def test_a_named_ledger_or_none_at_all_is_a_decision_that_nobody_questions(make, fit, monkeypatch, tmp_path):
    monkeypatch.setattr(base, "_warned", False)
    fit(make())
    fit(make(ledger=tmp_path / "l"))
    assert make(ledger=NoLedger.UNSTATED).plan(100)
    assert not base._warned


STATED = {
    "canopy": Canopy(workload=Workload(target="sex", weights={("sex", "age"): 3.0})),
    "aim": AIM(workload=Workload(degree=2)),
    "dp-ctgan": DPCTGAN(critic=(8, 4), steps=3),
    "hybrid": Hybrid(network=DPCTGAN(generator=(5,))),
    "pate-gan": PATEGAN(network=DPCTGAN(components=7), rounds=2),
    "external:": External(command=["a", "{output}"], claim=ExternalProgram(0.5, 1e-9), rows=7),
    "smartnoise:mst": SmartNoise(synthesizer="mst", environment="/opt/env", claim=ExternalProgram(0.5, 1e-9)),
}


@pytest.mark.parametrize("name", sorted({n for n in TABLES.names() if ":" not in n and n != "auto"} | {*STATED}))
def test_the_settings_of_every_mechanism_survive_its_certificate(name):
    plain = [TABLES.load(name)[0]()] if ":" not in name else []
    for mechanism in filter(None, [*plain, STATED.get(name)]):
        record = {
            "run": {"line": {"purpose": "", "approvals": {}}},
            "budget": {"epsilon": 1, "delta": 1e-6},
            "mechanism": {"name": name, "settings": _plain(asdict(mechanism))},
        }
        settings = recorded_arguments(record)
        for argument in ("mechanism", "epsilon", "delta", "purpose", "approvals"):
            settings.pop(argument)
        assert mechanism_for(name, settings) == mechanism


def test_the_settings_of_networks_of_images_survive_a_certificate():
    made = images(mechanism="dp-gan", critic=(4, 6), generator=(9,))
    settings = _plain(asdict(ImageGAN(**made.settings)))
    record = {
        "run": {"line": {"purpose": "", "approvals": {}}},
        "budget": {"epsilon": 3.0, "delta": 1e-5},
        "mechanism": {"name": "dp-gan", "settings": settings},
    }
    loaded = dpsynth.ImageSynthesizer(classes=3, shape=(6, 5), ledger=None, **recorded_arguments(record))
    assert ImageGAN(**loaded.settings) == ImageGAN(**made.settings)


def test_known_marginals_are_named_by_a_model_file_and_given_again_by_a_person(tmp_path):
    public = dpsynth.Marginal(
        ROWS["sex"].value_counts().to_frame().reset_index().set_index("sex")["count"], 5, "Census"
    )
    fitted = table(mechanism="canopy", oneway_share=0.3, known=[public]).fit(ROWS)
    fitted.save(tmp_path / "m")
    loaded = dpsynth.Synthesizer.load(tmp_path / "m").set_params(ledger=None)
    assert [(k.columns, k.source, k.stddev) for k in loaded.known] == [(("sex",), "Census", 5.0)]
    with pytest.raises(ValueError, match=r"without their counts \(Census\)"):
        loaded.fit(ROWS)
    again = loaded.set_params(known=[public]).fit(ROWS)
    assert again.certificate.record["mechanism"] == fitted.certificate.record["mechanism"]


@DOORS
def test_a_ledger_that_a_fit_makes_is_told_of_once_with_its_whole_path(make, fit, tmp_path, monkeypatch, caplog):
    dpsynth.Ledger.create(tmp_path / "wide", dpsynth.Budget(9, 1e-4), dataset="d", unit=dpsynth.PrivacyUnit())
    monkeypatch.chdir(tmp_path)
    fit(make(ledger="wide"))
    assert "new ledger" not in caplog.text
    fit(make(ledger=tmp_path / "l"))
    assert caplog.text.count(f"{tmp_path / 'l'} did not exist and is a new ledger") == 1


@DOORS
def test_a_relative_path_that_makes_a_ledger_is_warned_of_once_with_the_whole_path(
    make, fit, tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(dpsynth.NewLedgerWarning, match=f"makes a new one at {tmp_path / 'l'}: from another folder"):
        fit(make(ledger="l"))
    assert not (tmp_path / "l").exists()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit(make(ledger="l"))
        assert [(each.category, each.filename) for each in said] == [(dpsynth.NewLedgerWarning, __file__)]
        assert "new ledger" not in caplog.text
        with pytest.raises(dpsynth.BudgetExceededError):
            fit(make(ledger="l"))
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir("elsewhere")
        fit(make(ledger="l"))
    assert [each.category for each in said] == [dpsynth.NewLedgerWarning] * 2
    assert str(tmp_path / "elsewhere" / "l") in str(said[1].message)
