"""Model files: whole, or refused in one sentence; never executed."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

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


GOLDEN = Path(__file__).parents[1] / "golden" / "formats"


def edited(source, target, edit):
    """A copy of a model file, in which `edit` changed the document and the arrays by their names in the zip."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        document = json.loads(old.read("model.json"))
        arrays = {name: np.load(io.BytesIO(old.read(name))) for name in old.namelist() if name.endswith(".npy")}
        edit(document, arrays)
        new.writestr("model.json", json.dumps(document))
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            new.writestr(name, buffer.getvalue())
    return target


def one_number_more(document, arrays):
    array = max((each for each in arrays.values() if each.dtype.kind == "f"), key=lambda each: each.size)
    array.flat[-1] += 0.5


def not_ended(document, arrays):
    document["certificate"]["run"]["ended"] = None
    document["certificate"]["ledger"]["other_lines"] += 1


FORGED = {
    "another claim": (lambda d, a: d["certificate"]["claim"].update(epsilon=0.01), "does not hold"),
    "a line": (lambda d, a: d["certificate"]["run"]["ended"].update(release="0" * 64), "does not hold"),
    "a number of the model": (one_number_more, "another model"),
    "a run that released nothing": (not_ended, "another model"),
    "a field more": (lambda d, a: d.update(extra=1), "another model"),
}


@pytest.mark.parametrize(("edit", "why"), FORGED.values(), ids=FORGED.keys())
@pytest.mark.parametrize("kind", [dpsynth.Synthesizer, dpsynth.ImageSynthesizer], ids=lambda kind: kind.__name__)
def test_a_model_under_the_certificate_of_another_is_refused(kind, edit, why, tmp_path):
    """Else the rows drawn from it would be taken for as private as its certificate says."""
    source = GOLDEN / ("claims.dpsynth" if kind is dpsynth.Synthesizer else "images.dpsynth")
    kind.load(edited(source, tmp_path / "same", lambda document, arrays: None))
    with pytest.raises(ModelFileError, match=why):
        kind.load(edited(source, tmp_path / "forged", edit))


def test_the_public_bounds_of_a_model_are_part_of_it(tmp_path):
    def wider(document, arrays):
        document["bounds"]["cost"] = [0.0, 9999.0]

    with pytest.raises(ModelFileError, match="another model"):
        dpsynth.Synthesizer.load(edited(GOLDEN / "claims.dpsynth", tmp_path / "forged", wider))
