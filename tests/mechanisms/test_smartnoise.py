"""smartnoise-synth in its own interpreter: how it is found, what it is told, what the certificate says against it."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dpsynth import Budget, Categorical, Numeric, PrivacyUnit, Schema, SchemaError, Synthesizer, evaluate
from dpsynth.evidence import wording
from dpsynth.evidence.verify import check
from dpsynth.mechanisms.external import smartnoise
from dpsynth.mechanisms.external.smartnoise import KNOWN, VARIABLE, SmartNoise
from dpsynth.programs.external import ExternalProgram

SCHEMA = Schema({"age": Numeric(0, 80, integer=True), "sex": Categorical(["f", "m"]), "one": Categorical(["x"])})
ROOM = {"epsilon": 8.0, "delta": 1e-4, "claim": ExternalProgram(1.0, 1e-13)}
CLAIMS = {"mwem": ExternalProgram(1.0)}


def records(n=600, seed=0):
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], n, p=[0.8, 0.2])
    return pd.DataFrame({"age": np.where(sex == "f", 20, 60) + rng.integers(0, 20, n), "sex": sex, "one": "x"})


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """A stand-in: it says which smartnoise-synth it has, keeps what it is told, and releases five rows of zeros."""
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    pq.write_table(pa.table({a: [0] * 5 for a in SCHEMA.columns}), tmp_path / "zeros.parquet")
    (tmp_path / "version").write_text("1.0.8")
    python.write_text(
        f'#!/bin/sh\nif [ "$2" = -c ]; then cat {tmp_path}/version; exit; fi\n'
        f'echo "$1 $2 $3 $4" > {tmp_path}/words; cp "$7" {tmp_path}/job.json; cp {tmp_path}/zeros.parquet "$6"\n'
    )
    python.chmod(0o700)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(smartnoise, "HOME", str(tmp_path / "nowhere"))
    return tmp_path


def fit(name, **settings):
    return Synthesizer(SCHEMA, f"smartnoise:{name}", ledger=None, **{**ROOM, "rows": 5, **settings}).fit(records())


@pytest.mark.parametrize("how", ["folder", "file", "variable", "home"])
def test_its_interpreter_is_found(interpreter, monkeypatch, how):
    folder = interpreter / "env"
    settings = {"folder": {"environment": folder}, "file": {"environment": str(folder / "bin" / "python")}}.get(how, {})
    if how == "variable":
        monkeypatch.setenv(VARIABLE, str(folder))
    if how == "home":
        monkeypatch.setattr(smartnoise, "HOME", str(folder))
    assert len(fit("mst", **settings).sample()) == 5
    worker = Path(smartnoise.__file__).with_name("smartnoise_worker.py")
    assert (interpreter / "words").read_text() == f"-I -B {worker} mst\n"


def test_an_interpreter_that_will_not_do_is_refused_before_anything_is_charged(interpreter):
    with pytest.raises(
        ValueError, match=r"has no smartnoise-synth, and 1\.0\.8 is needed: set it up as docs/external-programs"
    ):
        fit("mst")
    (interpreter / "version").write_text("1.0.5")
    with pytest.raises(ValueError, match=r"has smartnoise-synth 1\.0\.5, and 1\.0\.8 is needed"):
        fit("mst", environment=interpreter / "env")
    assert not (interpreter / "words").exists()


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_known_against_it_is_on_the_certificate(interpreter, name, tmp_path):
    fitted = fit(name, environment=interpreter / "env")
    record = fitted.certificate.record
    assert record["mechanism"]["name"] == f"smartnoise:{name}"
    assert record["cautions"][: 1 + len(KNOWN[name])] == [wording.EXTERNAL_PROGRAM, *map(wording.against, KNOWN[name])]
    (charge,) = record["charges"]
    wanted = CLAIMS.get(name, ROOM["claim"])
    assert (charge["line"]["event"]["epsilon"], charge["line"]["event"]["delta"]) == (wanted.epsilon, wanted.delta)
    fitted.certificate.save(tmp_path / "release")
    assert check(tmp_path / "release") == []
    for sentence in KNOWN[name]:
        assert sentence in fitted.plan(100).summary()


def test_it_is_told_what_a_row_may_have_and_public_facts(interpreter):
    schema = Schema(SCHEMA.columns, unit=PrivacyUnit(adjacency="replace"))
    Synthesizer(schema, "smartnoise:aim", rows=5, environment=interpreter / "env", ledger=None, **ROOM).fit(records())
    job = json.loads((interpreter / "job.json").read_text())
    assert job["epsilon"] == pytest.approx(0.5)
    assert [c["name"] for c in job["columns"]] == list(SCHEMA.columns)


@pytest.mark.parametrize(
    ("name", "changes", "word"),
    [
        ("dpctgam", {}, "needs one of the names"),
        ("pacsynth", {}, "needs one of the names"),
        ("mst", {"claim": ExternalProgram(1.0)}, "needs a delta above 0"),
        ("mst", {"synthesizer": "aim"}, "not \\['synthesizer'\\]"),
        ("mst", {"command": ["cp"]}, "not \\['command'\\]"),
    ],
)
def test_what_cannot_be_asked_of_it_is_refused(interpreter, name, changes, word):
    with pytest.raises(ValueError, match=word):
        fit(name, environment=interpreter / "env", **changes)


def test_mwem_claims_no_delta_and_takes_small_domains_only(interpreter):
    budget = Budget.for_programs(2.0, 1e-6)
    assert SmartNoise(synthesizer="mwem").reserve(budget) == [ExternalProgram(2.0)]
    assert SmartNoise(synthesizer="mst").reserve(budget) == [ExternalProgram(2.0, budget.programs_delta)]
    wide = Schema({f"c{i}": Numeric(0, 1000) for i in range(4)})
    settings = {"environment": interpreter / "env", **ROOM}
    with pytest.raises(SchemaError, match="a cell for every possible row"):
        Synthesizer(wide, "smartnoise:mwem", **settings).plan(100)
    Synthesizer(wide, "smartnoise:mwem", max_cells=10, **settings).plan(100)
    Synthesizer(wide, "smartnoise:mst", **settings).plan(100)


class FakeTransformer:
    """Remembers what it was fitted to."""

    def __init__(self, *parts, nullable=None):
        self.parts, self.nullable = parts, nullable

    def fit(self, domain):
        self.domain = domain


class FakeSynthesizer:
    """A synthesizer that remembers how it was made and fitted, and answers with ones."""

    made: FakeSynthesizer

    @classmethod
    def create(cls, name, **settings):
        cls.made = cls()
        cls.made.name, cls.made.settings = name, settings
        return cls.made

    def fit(self, rows, *, transformer, preprocessor_eps):
        self.rows, self.transformer, self.preprocessor_eps = rows, transformer, preprocessor_eps

    def sample(self, n):
        return [(1,) * self.rows.shape[1]] * n


@pytest.fixture
def worker(monkeypatch):
    """The worker's module, beside a library that is not there."""
    library, transforms = ModuleType("snsynth"), ModuleType("snsynth.transform")
    library.Synthesizer = FakeSynthesizer
    for name in ("ChainTransformer", "LabelTransformer", "OneHotEncoder", "TableTransformer"):
        setattr(transforms, name, type(name, (FakeTransformer,), {}))
    monkeypatch.setitem(sys.modules, "snsynth", library)
    monkeypatch.setitem(sys.modules, "snsynth.transform", transforms)
    path = Path(smartnoise.__file__).with_name("smartnoise_worker.py")
    spec = importlib.util.spec_from_file_location("worker_under_test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["mst", "mwem", "patectgan"])
def test_the_worker_tells_the_library_the_domain_and_spends_nothing_on_preprocessing(worker, tmp_path, name):
    pq.write_table(pa.table({"a": [0, 1], "one": [0, 0], "b": [4, 4]}), tmp_path / "in.parquet")
    columns = [{"name": "a", "cells": 3}, {"name": "one", "cells": 1}, {"name": "b", "cells": 5}]
    job = {"epsilon": 0.5, "delta": 1e-9, "rows": 7, "columns": columns}
    (tmp_path / "job.json").write_text(json.dumps(job))
    worker.main(name, *(str(tmp_path / f) for f in ("in.parquet", "out.parquet", "job.json")))
    made = FakeSynthesizer.made
    assert (made.name, made.preprocessor_eps) == (name, 0.0)
    assert made.settings == ({"epsilon": 0.5} if name == "mwem" else {"epsilon": 0.5, "delta": 1e-9})
    assert made.rows.to_dict("list") == {"a": [0, 1], "b": [4, 4]}
    domain = made.transformer.domain
    assert {c: set(domain[c]) for c in domain} == {"a": {0, 1, 2}, "b": set(range(5))}
    assert len(domain) == 5
    assert pd.read_parquet(tmp_path / "out.parquet").to_dict("list") == {"a": [1] * 7, "one": [0] * 7, "b": [1] * 7}


def test_columns_that_say_nothing_are_answered_without_the_library(worker, tmp_path):
    pq.write_table(pa.table({"one": [0, 0]}), tmp_path / "in.parquet")
    job = {"epsilon": 1, "delta": 0, "rows": 3, "columns": [{"name": "one", "cells": 1}]}
    (tmp_path / "job.json").write_text(json.dumps(job))
    worker.main("mst", *(str(tmp_path / f) for f in ("in.parquet", "out.parquet", "job.json")))
    assert pd.read_parquet(tmp_path / "out.parquet")["one"].tolist() == [0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_the_real_library_releases_rows(name):
    if VARIABLE not in os.environ:
        pytest.skip(f"{VARIABLE} does not name an environment with smartnoise-synth 1.0.8 (docs/external-programs.md)")
    real = records(3000)
    fitted = Synthesizer(SCHEMA, f"smartnoise:{name}", rows=2000, ledger=None, **ROOM).fit(real)
    release = fitted.sample(2000, seed=0)
    assert len(release) == 2000
    assert evaluate(release, real, SCHEMA).outside_domain == 0
    if name in ("mst", "aim"):
        assert abs((release["sex"] == "f").mean() - 0.8) < 0.1
        assert release["age"][release["sex"] == "m"].mean() > release["age"][release["sex"] == "f"].mean() + 8
