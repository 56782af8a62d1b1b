"""A pipeline with a gate: a release is published only when its certificate verifies and its audit passes.

python examples/gate.py FOLDER

Exit code 0: published. 1: held back, and a person has to read the report. A gate holds a release back; it never fits
again to get a better verdict, since that would choose releases by exact statistics of private rows.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import dpsynth
from dpsynth.evidence.release import check_release
from dpsynth.synthesizers.release import make_release

SCHEMA = dpsynth.Schema(
    {
        "age": dpsynth.Numeric(18, 100, integer=True),
        "region": dpsynth.Categorical([f"region {number}" for number in range(8)]),
        "income": dpsynth.Numeric(0, 200_000),
        "owner": dpsynth.Boolean(),
    }
)
POLICY = dpsynth.AuditPolicy(  # in life, a file that people sign: AuditPolicy.load("audit-policy.yaml")
    auc=0.65, tpr=0.05, attribute=0.1, singling_out=0.1, linkability=0.1, copies=0.01, near_copies=0.05
)


def households(rows: int, seed: int) -> pd.DataFrame:
    """Made-up households."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 95, rows)
    income = (rng.lognormal(10.3, 0.5, rows) * (1 + age / 100)).clip(0, 200_000)
    return pd.DataFrame(
        {
            "age": age,
            "region": [f"region {number}" for number in rng.integers(0, 8, rows)],
            "income": income.round(),
            "owner": rng.random(rows) < income / 120_000,
        }
    )


def gate(release: Path, train: pd.DataFrame, holdout: pd.DataFrame, internal: Path) -> bool:
    """Whether a release's folder may be published; the report of the audit stays internal."""
    if faults := check_release(release):
        print(f"held back: {'; '.join(faults)}", file=sys.stderr)
        return False
    promised = dpsynth.Certificate.load(release / "certificate.json").record["claim"]
    claim = dpsynth.PrivacyClaim(promised["epsilon"], promised["delta"])
    rows = pd.read_csv(release / "synthetic.csv")
    report = dpsynth.audit(rows, train, holdout, schema=SCHEMA, claim=claim, policy=POLICY, seed=1)
    report.save(internal)  # audit.html to read, audit.xml for a build server
    try:
        report.raise_for_policy()
    except dpsynth.PolicyViolationError as reasons:
        print(f"held back: {reasons}", file=sys.stderr)
        return False
    return True


def main(folder: Path) -> int:
    draft, public = folder / "draft", folder / "public"
    folder.mkdir(parents=True, exist_ok=True)
    train, holdout = households(5000, seed=1), households(5000, seed=2)  # no fit ever sees the holdout

    budget = dpsynth.Budget(1.0, 1e-6)
    ledger = dpsynth.Ledger.create(folder / "households.ledger", budget, dataset="made-up households", unit=SCHEMA.unit)
    synthesizer = dpsynth.Synthesizer(SCHEMA, epsilon=1.0, delta=1e-6, ledger=ledger)
    make_release(synthesizer, train, draft, n=5000, seed=7)
    if not gate(draft, train, holdout, folder / "internal"):
        return 1
    shutil.copytree(draft, public)
    print(f"published: {public}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
