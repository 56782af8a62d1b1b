"""How long does an audit take, what does it catch, and how tight is the audit of our own mechanisms?

    python benchmarks/audit.py release [--repetitions 20]
    python benchmarks/audit.py mechanisms [--mechanisms mst aim] [--runs 5000]

`release`: invented people of 15 columns; CPU seconds of an audit of 10,000 + 10,000 + 10,000 rows at each level, and
for each planted leak in a release of 1,000 rows how often it was caught, and by which threats. `mechanisms`: mu of the
whole transcript (white-box, known likelihood ratio; ten records of zeros and one of ones more) and of 2,000 synthetic
rows (black-box, learned rule; fifty of zeros, ten of ones and one of ones more), against the mu that is claimed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, write

from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.dp import DPAuditor
from dpsynth.auditing.release import audit
from dpsynth.schema import Categorical, Numeric, Schema

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.auditing.transcripts import CROWDED, PLAIN, log_likelihood_ratio, release

ROWS = 10_000
FEW = 1_000
BUDGET = (1.0, 1e-2)
NUMBERS, COUNTS = 8, 6
TOWNS = list(range(10))
SCHEMA = Schema(
    {
        **{f"x{i}": Numeric(-20, 20) for i in range(NUMBERS)},
        **{f"c{i}": Categorical(list(range(8))) for i in range(COUNTS)},
        "town": Categorical(TOWNS),
    }
)


def people(n: int, seed: int) -> pd.DataFrame:
    """Numbers and counts that hang together by one hidden trait, and a town that depends on nothing."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    numbers = {f"x{i}": (z + rng.normal(size=n)).round(4) for i in range(NUMBERS)}
    counts = {f"c{i}": np.clip(rng.poisson(np.exp(0.3 * z + 0.2 * i)), 0, 7) for i in range(COUNTS)}
    return pd.DataFrame({**numbers, **counts, "town": rng.choice(TOWNS, n)})


def strangers(train: pd.DataFrame, seed: int) -> pd.DataFrame:
    return people(len(train), seed)


def ten_copies(train: pd.DataFrame, seed: int) -> pd.DataFrame:
    return pd.concat([train.iloc[:10], people(len(train) - 10, seed)], ignore_index=True)


def bootstrap(train: pd.DataFrame, seed: int) -> pd.DataFrame:
    return train.sample(len(train), replace=True, random_state=seed)


def jitter(train: pd.DataFrame, seed: int) -> pd.DataFrame:
    noise = np.random.default_rng(seed).normal(scale=0.05, size=(len(train), NUMBERS))
    return train.assign(**{f"x{i}": train[f"x{i}"] + noise[:, i] for i in range(NUMBERS)})


def one_column_moved(train: pd.DataFrame, seed: int) -> pd.DataFrame:
    return train.assign(town=(train["town"] + 3) % len(TOWNS))


def tenth_with_secrets(train: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Every tenth training record, its numbers moved a little, its town its own; the others strangers."""
    tenth = jitter(train, seed).iloc[: len(train) // 10]
    return pd.concat([tenth, people(len(train) - len(tenth), seed)], ignore_index=True)


RELEASES = (strangers, ten_copies, bootstrap, jitter, one_column_moved, tenth_with_secrets)


def release_audits(repetitions: int) -> dict[str, Any]:
    return {
        "times": [timed(level) for level in ("quick", "standard")],
        "caught": [caught(r, repetitions) for r in RELEASES],
    }


def timed(level: str) -> dict[str, Any]:
    tables = [people(ROWS, seed) for seed in (1, 2, 3)]
    cpu, wall = time.process_time(), time.perf_counter()
    report = audit(*tables, schema=SCHEMA, level=level)
    return {
        "level": level,
        "rows": ROWS,
        "columns": len(SCHEMA.columns),
        "CPU s": round(time.process_time() - cpu, 1),
        "wall s": round(time.perf_counter() - wall, 1),
        "findings": len(report.findings),
        "verdict": report.verdict,
    }


def caught(make: Any, repetitions: int) -> dict[str, Any]:
    """For each threat in how many repetitions it failed; and at all."""
    threats: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    for seed in range(repetitions):
        train, holdout = people(FEW, 10 * seed), people(FEW, 10 * seed + 1)
        report = audit(make(train, 10 * seed + 2), train, holdout, schema=SCHEMA, seed=seed)
        threats.update({f.threat for f in report.findings if f.verdict == "FAIL"})
        verdicts[report.verdict] += 1
    return {"release": make.__name__, "repetitions": repetitions, "verdicts": dict(verdicts), "threats": dict(threats)}


def mechanism_audits(mechanisms: list[str], runs: int) -> list[dict[str, Any]]:
    found = []
    claim = PrivacyClaim.gaussian(*BUDGET)
    for mechanism in mechanisms:
        white = log_likelihood_ratio(mechanism, PLAIN, BUDGET)
        auditors = {
            "white-box": DPAuditor(white, claim, [PLAIN], "white-box", runs=runs, statistic=float),
            "black-box": DPAuditor(release(mechanism, BUDGET), claim, [CROWDED], runs=runs),
        }
        for access, auditor in auditors.items():
            start = time.process_time()
            result = auditor.run().pairs[0]
            row = {"mechanism": mechanism, "access": access, "runs": runs, "mu claimed": claim.mu}
            row |= {"mu": result.mu_point, "mu at least": result.mu_lower, "refuted": result.refuted}
            found.append({**row, "CPU s": round(time.process_time() - start)})
            print(found[-1], file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["release", "mechanisms"])
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--mechanisms", nargs="+", default=["mst", "aim"])
    parser.add_argument("--runs", type=int, default=5000)
    given = parser.parse_args()
    if given.what == "release":
        print(write(RESULTS / "audit_release.json", release_audits(given.repetitions)))
    else:
        rows = mechanism_audits(given.mechanisms, given.runs)
        print(write(RESULTS / "audit_mechanisms.json", {"budget": BUDGET, "audits": rows}))


if __name__ == "__main__":
    main()
