"""A folder with all that a job needs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth
from tests.jobs.made import JOB


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    schema = dpsynth.Schema({"age": dpsynth.Numeric(0, 99, integer=True), "sex": dpsynth.Categorical(["f", "m"])})
    schema.save(tmp_path / "schema.yaml")
    for name in ("train", "holdout"):
        rows = pd.DataFrame({"age": rng.integers(20, 90, 300), "sex": rng.choice(["f", "m"], 300)})
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    from dpsynth.evidence.signing.ed25519 import new_key  # skipped by the tests where it is absent

    new_key(tmp_path / "office.key", {})
    budget = dpsynth.Budget(3.0, 1e-6)
    policy = dpsynth.Policy({"2026-11": dpsynth.Budget(1.0, 1e-6), "2026-12": dpsynth.Budget(1.0, 1e-6)})
    dpsynth.Ledger.create(tmp_path / "stays.ledger", budget, dataset="stays", unit=schema.unit, policy=policy)
    (tmp_path / "job.yaml").write_text(JOB)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DPSYNTH_KEY_PASSPHRASE", raising=False)
    return tmp_path
