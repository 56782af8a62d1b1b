"""Ledgers for the tests: one whose every byte is known, and a forger's hand."""

from __future__ import annotations

import json
from pathlib import Path

from dpsynth.privacy.accountant import Accountant
from dpsynth.privacy.budget import Budget
from dpsynth.privacy.events import Gaussian
from dpsynth.privacy.ledger import Ledger
from dpsynth.privacy.unit import PrivacyUnit
from tests.privacy.laws import rehashed

BUDGET = Budget(1.0, 1e-6)
GOLDEN = Path(__file__).parents[1] / "golden" / "ledger-1.jsonl"


def golden(path: Path | None) -> Ledger:
    """What the golden file holds, done anew."""
    ledger = Ledger.create(path, BUDGET, dataset="claims", unit=PrivacyUnit("person", 3, "replace"))
    accountant = Accountant(Budget(0.5, 1e-7), ledger=ledger, unsafe_seed=7)
    accountant.charge(Gaussian(40.0), "measure age")
    accountant.charge(Gaussian(1 / 0.03), "measure age x düsseldorf")
    return ledger


def edited(path: Path, line: int, **fields) -> None:
    """Changes a line and computes every hash from there on anew: what a forger would do."""
    records = [json.loads(raw) for raw in path.read_text().splitlines()]
    records[line] = {k: v for k, v in {**records[line], **fields}.items() if v is not ...}
    forged, prev = [], "0" * 64
    for record in records:
        forged.append(rehashed({**record, "prev": prev}))
        prev = json.loads(forged[-1])["hash"]
    path.write_text("".join(f"{raw}\n" for raw in forged))
