"""Hospital stays: a CSV file with several stays of each patient becomes a release with a verified certificate.

python examples/hospital_stays.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import dpsynth
from dpsynth.evidence.release import check_release
from dpsynth.synthesizers.release import make_release

# Public facts: known from the form on which stays are recorded, and not from the rows.
SCHEMA = dpsynth.Schema(
    {
        "patient": dpsynth.Identifier(pattern="P-######"),
        "age": dpsynth.Numeric(0, 120, integer=True),
        "ward": dpsynth.Categorical(["medicine", "surgery", "oncology"]),
        "days": dpsynth.Numeric(0, 60, integer=True),
        "smoker": dpsynth.Boolean(nullable=True),
        "admitted": dpsynth.Datetime("2023-01-01", "2024-12-31"),
    },
    unit=dpsynth.PrivacyUnit("patient", max_records=3),
)


def stays(patients: int, seed: int) -> pd.DataFrame:
    """Made-up stays, one to three of each patient."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(patients), rng.choice([1, 2, 3], patients, p=[0.7, 0.2, 0.1]))
    age = np.clip(rng.normal(58, 19, patients), 0, 99).astype(int)[who]
    ward = rng.choice(["medicine", "surgery", "oncology"], len(who), p=[0.5, 0.35, 0.15])
    days = np.minimum(rng.geometric(0.2, len(who)) + 4 * (ward == "oncology") + age // 30, 60)
    smoker = rng.choice(["true", "false", ""], len(who), p=[0.25, 0.65, 0.1])
    admitted = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 730, len(who)), unit="D")
    names = [f"P-{number:06d}" for number in who]
    columns = {"patient": names, "age": age, "ward": ward, "days": days, "smoker": smoker}
    return pd.DataFrame({**columns, "admitted": admitted.strftime("%Y-%m-%d")})


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stays(6000, seed=1).to_csv(folder / "stays.csv", index=False)  # in life, this file is there already

    # The account comes first: what all releases of these stays together may cost.
    budget = dpsynth.Budget(3.0, 1e-6)
    ledger = dpsynth.Ledger.create(folder / "stays.ledger", budget, dataset="made-up stays", unit=SCHEMA.unit)
    synthesizer = dpsynth.Synthesizer(SCHEMA, epsilon=1.0, delta=1e-6, ledger=ledger)
    print(synthesizer.plan(rows=8000).summary())  # opens no data

    # Fit, certificate, model, rows, and a manifest that lists them all by their hashes.
    make_release(synthesizer, folder / "stays.csv", folder / "release", n=8000, seed=7)
    print(synthesizer.certificate.summary())
    faults = check_release(folder / "release")  # what `dpsynth verify` finds: nothing, if all is as it was written
    print(faults or "It verifies.")
    old = synthesizer.sample(5, where='age >= 80 and ward == "surgery"', seed=7)
    print(f"Five stays of old people in surgery, at no further cost:\n{old}")
    print(f"The account has epsilon {ledger.remaining().epsilon:.2f} left.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
