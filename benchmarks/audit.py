"""How long does an audit take, what does it catch, and how tight is the audit of our own mechanisms?

    python benchmarks/audit.py release [--repetitions 20]
    python benchmarks/audit.py faults|gate
    python benchmarks/audit.py mechanisms --access white-box|black-box [--mechanisms mst aim] [--runs 5000]

`release`: invented people of 15 columns; CPU seconds of an audit of 10,000 + 10,000 + 10,000 rows at each level, and
for each planted leak in a release of 1,000 rows how often it was caught, and by which threats.
`mechanisms`: our own, on neighbouring tables that attain the sensitivity of every charge. white-box: the likelihood
ratio of all measurements and scores; 20 audits of 500 runs on each table, and their runs pooled, in halves and whole.
black-box: synthetic rows, and a rule that is learned from a fifth of the runs.
`faults`: which instrument sees the faults that are planted in small mechanisms. `gate`: what a pull request waits for.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, write

from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.mechanism.dp import DPAuditor
from dpsynth.auditing.mechanism.noise import Answer, audit_noise
from dpsynth.auditing.mechanism.pairs import worst_case_pairs
from dpsynth.auditing.release.audit import audit
from dpsynth.auditing.statistics.epsilon_bounds import Counts, mu_by_area, mu_lower, mu_point, spread_of_mu
from dpsynth.schema.table import Categorical, Numeric, Schema

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.auditing.faults import FAULTS, GAUSSIAN, NOISE, PAIRS, REPLACED, honest
from tests.auditing.noises import BATCHES, NOISES, seen
from tests.auditing.transcripts import CROWDED, FILLED, attained_mu, fit, log_likelihood_ratio, recorded, release
from tests.auditing.transcripts import SCHEMA as BITS

ROWS = 10_000
FEW = 1_000
BUDGET = (1.0, 1e-2)
FEW_RUNS = 500
GATE_RUNS = 400
GATE_ALPHA = 0.001
PROCESSES = 2
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


def white_box(mechanism: str, repetitions: int) -> dict[str, Any]:
    """Audits by the likelihood ratio of the whole transcript, and what their runs show when they are pooled."""
    claim = PrivacyClaim.gaussian(*BUDGET)
    ratio = log_likelihood_ratio(mechanism, CROWDED, BUDGET)
    found, ratios = [], []
    for seed in range(repetitions):
        kept = Kept()
        auditor = DPAuditor(
            ratio, claim, [CROWDED], "white-box", runs=FEW_RUNS, statistic=kept, threshold=0.0, alpha=0.001, seed=seed
        )
        found.append(auditor.run().pairs[0])
        ratios.append(np.reshape(kept.scores, (2, FEW_RUNS)))
    half = repetitions // 2
    pools = {"first half": slice(half), "second half": slice(half, None), "all": slice(None)}
    return {
        "repetitions": repetitions,
        "runs": FEW_RUNS,
        "mu": [pair.mu_point for pair in found],
        "refuted at .001": sum(pair.refuted for pair in found),
        "pooled": {
            name: bounds_of([p.counts for p in found[part]], claim) | by_area(np.concatenate(ratios[part], 1), claim)
            for name, part in pools.items()
        },
    }


class Kept:
    """A statistic that is the output itself, and keeps it: of the runs on the first table, then on the second."""

    def __init__(self) -> None:
        self.scores: list[float] = []

    def __call__(self, ratio: float) -> float:
        self.scores.append(ratio)
        return ratio


def black_box(mechanism: str, runs: int) -> dict[str, Any]:
    """One audit by synthetic rows alone; a fifth of the runs teach the rule."""
    claim = PrivacyClaim.gaussian(*BUDGET)
    (pair,) = DPAuditor(release(mechanism, BUDGET), claim, [FILLED], runs=runs).run().pairs
    return {"runs": runs, "refuted": pair.refuted, **bounds_of([pair.counts], claim)}


def bounds_of(parts: list[Counts], claim: PrivacyClaim) -> dict[str, Any]:
    """mu of the counts together, its standard error, and its lower bound at 95 %; also as parts of the claimed one."""
    total = Counts(*(sum(getattr(part, f.name) for part in parts) for f in fields(Counts)))
    mu, error, least = mu_point(total), spread_of_mu(total), mu_lower(total, 0.05)
    shares = {
        "mu / claimed": mu / claim.mu,
        "error / claimed": error / claim.mu,
        "mu at least / claimed": least / claim.mu,
    }
    return {"counts": asdict(total), "mu": mu, "mu at least": least, **shares}


def by_area(ratios: np.ndarray, claim: PrivacyClaim) -> dict[str, float]:
    """The same of the area under the curve: no count of guesses, but every ratio by where it lies among the others."""
    found = mu_by_area(ratios[0], ratios[1], 0.05)
    return {"by area, mu / claimed": found.value / claim.mu, "by area, mu at least / claimed": found.low / claim.mu}


def mechanism_audits(mechanisms: list[str], access: str, runs: int, repetitions: int) -> list[dict[str, Any]]:
    found = []
    for mechanism in mechanisms:
        start = time.process_time()
        audited = white_box(mechanism, repetitions) if access == "white-box" else black_box(mechanism, runs)
        seconds = round(time.process_time() - start)
        found.append({"mechanism": mechanism, "access": access, **mus(mechanism), **audited, "CPU s": seconds})
        print(found[-1], file=sys.stderr)
    return found


def mus(mechanism: str) -> dict[str, float]:
    """mu as the budget implies it, and as the charges of a fit add up to it."""
    charges = fit(mechanism, CROWDED.second, BUDGET).certificate.record["charges"]
    charged = math.sqrt(math.fsum(1 / c["line"]["event"]["noise_multiplier"] ** 2 for c in charges))
    attained = [attained_mu(mechanism, CROWDED, BUDGET) for _ in range(20)]
    claimed = PrivacyClaim.gaussian(*BUDGET).mu
    return {"mu claimed": claimed, "mu charged": charged, "mu attained, least": min(attained), "most": max(attained)}


def planted_faults() -> list[dict[str, Any]]:
    """Which instrument sees them: runs of the mechanism on neighbouring tables, answers beside exact ones, batches.

    None where an instrument has nothing to look at, or no runs were made.
    """
    found = []
    for fault, hunt in FAULTS.items():
        result = hunt.run(fault)
        row = {"runs": hunt.runs, "pairs": len(hunt.pairs), "alpha": hunt.alpha, "power": hunt.power}
        shown = {"DP": result.refuted, "epsilon at least": result.epsilon_lower, "epsilon": hunt.claim.epsilon}
        found.append({"fault": named(fault), **row, **shown, "mechanism": seen_by_answers(fault)})
    replaced = DPAuditor(honest, GAUSSIAN, REPLACED[:1], runs=735, alpha=0.001).run()
    found.append({"fault": "a record replaced where adding was claimed", "runs": 735, "DP": replaced.refuted})
    return found + [{"fault": named(fault), "DP": None, "mechanism": seen(fault)} for fault in (*NOISES, *BATCHES)]


def named(fault: Any) -> str:
    return str(fault.__name__).replace("_", " ")


def seen_by_answers(fault: Any) -> bool | None:
    """None where the answers cannot be put beside exact ones."""
    if fault not in NOISE:
        return None
    exact, stddev = NOISE[fault]
    rng, table = np.random.default_rng(0), PAIRS[0].second
    return audit_noise([Answer(fault(table, rng), exact(table), stddev, None) for _ in range(300)]).refuted


def gate() -> dict[str, Any]:
    """What a pull request may wait for: the noise of mst and aim, and mst on six pairs, 400 runs on each table.

    The pairs are shared between two processes, and alpha with them: the claim is refuted where one of them refutes it.
    """
    cpu, wall = time.process_time(), time.perf_counter()
    transcript: list[Any] = []
    with recorded(transcript):
        for mechanism in ("mst", "aim") * 6:
            fit(mechanism, CROWDED.second, BUDGET)
    noise = audit_noise([Answer(*answer) for answer in transcript])
    with ProcessPoolExecutor(PROCESSES) as pool:
        parts = list(pool.map(gate_part, range(PROCESSES)))
    spent = time.process_time() - cpu + sum(part["CPU s"] for part in parts)
    return {
        "pairs": sum(part["pairs"] for part in parts),
        "runs": GATE_RUNS,
        "noise": noise.verdict,
        "claim": next(v for v in ("FAIL", "INCONCLUSIVE", "PASS") if v in {part["claim"] for part in parts}),
        "processes": PROCESSES,
        "CPU s": round(spent, 1),
        "wall s": round(time.perf_counter() - wall, 1),
    }


def gate_part(part: int) -> dict[str, Any]:
    """Every other pair, from the first or from the second."""
    cpu, budget = time.process_time(), (4.0, 1e-5)
    pairs, claim = worst_case_pairs(BITS), PrivacyClaim.gaussian(*budget)
    mine = pairs[part::PROCESSES]
    alpha = GATE_ALPHA * len(mine) / len(pairs)
    result = DPAuditor(release("mst", budget, BITS), claim, mine, runs=GATE_RUNS, alpha=alpha, seed=part).run()
    return {"pairs": len(mine), "claim": result.verdict, "CPU s": time.process_time() - cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["release", "mechanisms", "faults", "gate"])
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--mechanisms", nargs="+", default=["mst", "aim"])
    parser.add_argument("--access", choices=["white-box", "black-box"], default="white-box")
    parser.add_argument("--runs", type=int, default=5000, help="of the black-box audit, on each table")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder")
    given = parser.parse_args()
    if given.what == "release":
        print(write(given.out / "audit_release.json", release_audits(given.repetitions)))
    elif given.what == "faults":
        print(write(given.out / "audit_faults.json", {"faults": planted_faults()}))
    elif given.what == "gate":
        print(write(given.out / "audit_gate.json", gate()))
    else:
        rows = mechanism_audits(given.mechanisms, given.access, given.runs, given.repetitions)
        name = f"audit_{given.access.replace('-', '_')}.json"
        print(write(given.out / name, {"budget": BUDGET, "audits": rows}))


if __name__ == "__main__":
    main()
