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
from dpsynth.base.domain import Domain
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.oneway import measure_oneways
from dpsynth.models.base import LinearMeasurement
from dpsynth.models.engines import ENGINES
from dpsynth.synthesizers.model_file import ModelFileError, in_stored_form, load_model, model_digest


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
    schema, found, bounds, *_ = load_model(model)
    fitted = dpsynth.Synthesizer(
        schema,
        epsilon=10,
        delta=1e-6,
        ledger=dpsynth.Ledger.create(None, dpsynth.Budget(20, 1e-6), dataset="d", unit=schema.unit),
    ).fit(pd.DataFrame({"a": ["x", "y"] * 50, "b": np.arange(100.0)}))
    fitted.save(tmp_path / "again.dpsynth")
    (run,) = fitted.ledger.runs()
    assert run.release == model_digest(*load_model(tmp_path / "again.dpsynth")[:4])
    assert len({run.release, model_digest(schema, found, bounds)}) == 2
    assert model_digest(schema, object(), bounds) is None


class Engine(Mechanism):
    """Returns what an engine found in the columns, as it is."""

    def __init__(self, engine):
        self.engine = engine

    def fit(self, table, accountant):
        half = accountant.cost_left // 2
        oneway = measure_oneways(table, accountant, total_cost=half, oneway_cost=half)
        return ENGINES[self.engine](table.domain, oneway.by_column.values(), total=oneway.rows)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mechanism_may_return_what_any_engine_finds_and_its_model_is_saved(engine, tmp_path):
    schema = dpsynth.Schema({"a": dpsynth.Categorical(["x", "y"]), "b": dpsynth.Numeric(0, None)})
    rows = pd.DataFrame({"a": ["x", "y"] * 50, "b": np.arange(100.0)})
    synthesizer = dpsynth.Synthesizer(schema, Engine(engine), epsilon=10, delta=1e-6, ledger=None).fit(rows)
    synthesizer.save(tmp_path / "m.dpsynth")
    again = dpsynth.Synthesizer.load(tmp_path / "m.dpsynth")
    pd.testing.assert_frame_equal(again.sample(200, seed=3), synthesizer.sample(200, seed=3))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_form_of_a_file_changes_nothing_of_the_distribution(engine):
    domain = Domain.of({"a": 3, "b": 4, "c": 2})
    counts = np.random.default_rng(5).uniform(1, 50, (3, 4, 2))
    pairs = [
        LinearMeasurement(("a", "b"), counts.sum(axis=2), 1.0),
        LinearMeasurement(("b", "c"), counts.sum(axis=0), 2.0),
    ]
    model = ENGINES[engine](domain, pairs)
    stored = in_stored_form(model)
    assert type(stored.to_arrays()) is dict
    assert stored.project(("c", "a", "b")) == pytest.approx(model.project(("c", "a", "b")), rel=1e-9)
    assert in_stored_form(stored) is stored


def test_a_model_without_a_file_is_refused_with_a_remedy_and_still_samples(tmp_path):
    class Own:
        """A model of a class of somebody's own."""

        def __init__(self, domain):
            self.domain, self.total = domain, 10.0

        def project(self, clique):
            return np.full(self.domain.shape(clique), self.total / self.domain.cells(clique))

        def sample(self, n, rng, evidence=None):
            return {a: rng.integers(0, size, n) for a, size in self.domain.sizes}

    class Even(Engine):
        def fit(self, table, accountant):
            super().fit(table, accountant)
            return Own(table.domain)

    schema = dpsynth.Schema({"a": dpsynth.Categorical(["x", "y"])})
    rows = pd.DataFrame({"a": ["x", "y"] * 50})
    synthesizer = dpsynth.Synthesizer(schema, Even("dense"), epsilon=10, delta=1e-6, ledger=None).fit(rows)
    assert len(synthesizer.sample(5)) == 5
    with pytest.raises(TypeError, match=r"type Own has no file: .*return what dpsynth.models.engines.estimate gives"):
        synthesizer.save(tmp_path / "m.dpsynth")
    assert not (tmp_path / "m.dpsynth").exists()


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
