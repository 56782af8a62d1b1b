"""Model files: whole, or refused in one sentence; never executed."""

from __future__ import annotations

import zipfile

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.synthesizers.model_file import ModelFileError, load_model, model_digest


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    schema = dpsynth.Schema({"a": dpsynth.Categorical(["x", "y"]), "b": dpsynth.Numeric(0, None)})
    rows = pd.DataFrame({"a": ["x", "y"] * 50, "b": np.arange(100.0)})
    path = tmp_path_factory.mktemp("models") / "m.dpsynth"
    dpsynth.Synthesizer(schema, epsilon=10, delta=1e-6, ledger=None).fit(rows).save(path)
    return path


def test_a_model_file_is_json_and_plain_arrays(model):
    with zipfile.ZipFile(model) as file:
        names = file.namelist()
        assert "model.json" in names
        for name in names:
            if name.endswith(".npy"):
                with file.open(name) as member:
                    assert np.load(member, allow_pickle=False).dtype.kind in "fiu"


def test_a_damaged_model_is_refused_in_one_sentence(model, tmp_path):
    whole = model.read_bytes()
    damaged = tmp_path / "damaged.dpsynth"
    refused = 0
    for at in range(0, len(whole), max(1, len(whole) // 150)):
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            load_model(damaged)
        except ModelFileError:
            refused += 1
    assert refused > 100
    for length in (0, 10, len(whole) // 2):
        damaged.write_bytes(whole[:length])
        with pytest.raises(ModelFileError):
            load_model(damaged)


def test_a_model_of_another_version_is_refused(model, tmp_path):
    other = tmp_path / "other.dpsynth"
    with zipfile.ZipFile(model) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'"dpsynth_model": 1', b'"dpsynth_model": 99'))
    with pytest.raises(ModelFileError, match="99"):
        load_model(other)


def test_the_ledgers_commit_names_the_model_and_a_loaded_model_has_the_same_digest(model, tmp_path):
    schema, found, bounds, _ = load_model(model)
    fitted = dpsynth.Synthesizer(
        schema,
        epsilon=10,
        delta=1e-6,
        ledger=dpsynth.Ledger.create(None, dpsynth.Budget(20, 1e-6), dataset="d", unit=schema.unit),
    ).fit(pd.DataFrame({"a": ["x", "y"] * 50, "b": np.arange(100.0)}))
    fitted.save(tmp_path / "again.dpsynth")
    (run,) = fitted.ledger.runs()
    assert run.release == model_digest(*load_model(tmp_path / "again.dpsynth")[:3])
    assert len({run.release, model_digest(schema, found, bounds)}) == 2
    assert model_digest(schema, object(), bounds) is None
