"""Makes the files of format 1 that lie beside this script, of invented records.

python -m tests.golden.formats.make      # from the root of a checkout, with PyTorch

They were made once, and stay as they are: a 1.x that cannot read them has broken its promise (docs/formats.md). Make
them anew only where a format changes, which is another major version.

The noise is the operating system's, so that no two makings have the same figures; their keys are the same. What the
files must mean to a reader is in `meaning.json`, taken from the objects that wrote them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

import dpsynth
from dpsynth.mechanisms.checkpoint import Checkpoint
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.synthesizers.drawing import draw_rows_to
from dpsynth.synthesizers.release import keep_fit

HERE = Path(__file__).parent
NETWORK = DPCTGAN(steps=20, rate=0.2, components=8, fakes=32, generator=(4,), critic=(4,))
TRAINED = dpsynth.Schema({name: dpsynth.Categorical(range(3)) for name in "abc"})
KEPT = 10
"""Of the steps of the training that dies: those that led to the state in the checkpoint."""


class Died(BaseException):
    """What ends a fit that is to be gone on with."""


def make(folder: Path) -> None:
    """All of the files, in a folder that is there and empty."""
    schema().save(folder / "schema.yaml")
    dpsynth.AuditPolicy(auc=0.6).save(folder / "policy.yaml")
    budget = dpsynth.Budget(20.0, 1e-6)
    ledger = dpsynth.Ledger.create(folder / "claims.ledger", budget, dataset="claims", unit=schema().unit)
    meaning = {**table(folder, ledger), **images(folder)}
    dies(folder, ledger)
    ledger.export(folder / "claims.jsonl")
    meaning["spent"] = ledger.spent().claim
    meaning["states"] = [run.state for run in ledger.runs()]
    (folder / "meaning.json").write_text(json.dumps(meaning, indent=1) + "\n")


def schema() -> dpsynth.Schema:
    """One column of each type that can be released."""
    return dpsynth.Schema(
        {
            "age": dpsynth.Numeric(0, 99, integer=True),
            "cost": dpsynth.Numeric(0, None, nullable=True),
            "stay": dpsynth.Categorical(["day", "short", "long"], ordered=True, other="short"),
            "smoker": dpsynth.Boolean(nullable=True),
            "admitted": dpsynth.Datetime("2020-01-01", "2024-12-31"),
            "patient": dpsynth.Identifier(pattern="P-####"),
        }
    )


def records() -> pd.DataFrame:
    rng, n = np.random.default_rng(0), 500
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1800, n), unit="D")
    return pd.DataFrame(
        {
            "age": rng.integers(0, 100, n),
            "cost": np.where(rng.random(n) < 0.1, np.nan, rng.exponential(1000.0, n)),
            "stay": rng.choice(["day", "short", "long"], n),
            "smoker": pd.array(rng.random(n) < 0.3, "boolean"),
            "admitted": days,
            "patient": [f"P-{i:04}" for i in range(n)],
        }
    )


def table(folder: Path, ledger: dpsynth.Ledger) -> dict[str, Any]:
    """A fit of a table: model, certificate, and what both mean."""
    synth = dpsynth.Synthesizer(
        schema(), "independent", epsilon=2.0, delta=1e-8, ledger=ledger, purpose="research", approvals={"board": "17"}
    ).fit(records())
    keep_fit(synth, folder / "claims.dpsynth", folder)
    draw_rows_to(folder / "rows.csv", synth, 5, seed=1)
    (folder / "certificate.html").unlink()
    return {
        "claim": synth.certificate.record["claim"],
        "head": synth.certificate.record["ledger"]["head"],
        "rows": json.loads(synth.sample(5, seed=1).to_json(orient="records", date_format="iso")),
    }


def images(folder: Path) -> dict[str, Any]:
    """A fit of images, of an account that nothing remembers."""
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (200, 4, 4), dtype=np.uint8), rng.integers(0, 2, 200)
    synth = dpsynth.ImageSynthesizer(classes=2, shape=(4, 4), epsilon=3.0, delta=1e-5, frequencies=5, ledger=None).fit(
        pixels, labels
    )
    synth.save(folder / "images.dpsynth")
    drawn, classes = synth.sample(3, seed=1)
    return {"images": drawn.tolist(), "classes": classes.tolist()}


def trained_records() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({name: rng.integers(0, 3, 2000) for name in "abc"})


def training(folder: Path, ledger: dpsynth.Ledger) -> dpsynth.Synthesizer:
    """A synthesizer that is trained, and keeps its state in a checkpoint."""
    return dpsynth.Synthesizer(
        TRAINED, NETWORK, epsilon=8.0, delta=1e-7, ledger=ledger, checkpoint=folder / "claims.checkpoint"
    )


def dies(folder: Path, ledger: dpsynth.Ledger) -> None:
    """A fit that dies once its state after so many steps lies in the checkpoint."""
    honest = Checkpoint.save

    def save(checkpoint: Checkpoint, training: Any, state: Mapping[str, np.ndarray]) -> None:
        honest(checkpoint, training, state)
        if training.done >= KEPT:
            raise Died

    with mock.patch.object(Checkpoint, "save", save):
        try:
            training(folder, ledger).fit(trained_records())
        except Died:
            return
    raise RuntimeError("the fit ended before it kept a state to go on from: give it more steps")


if __name__ == "__main__":
    for name in ("claims.ledger", "claims.jsonl", "claims.checkpoint", "manifest.json"):
        (HERE / name).unlink(missing_ok=True)
    make(HERE)
