"""audit: what a release tells about the records that it was made from, beside records that it was not made from.

A holdout is what makes numbers out of suspicions: real records of the same population that the synthesizer never saw.
Whatever an attack achieves on these, the release does not give away; what it achieves beyond that on the training
records, it does. The test is exact (see `permutation`); the intervals are of the usual kinds (see `intervals`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy import stats

from dpsynth.auditing.attacks.membership import Scene
from dpsynth.auditing.attacks.records import Records, drafted_schema, read_tables
from dpsynth.auditing.attacks.shadow import FitSample, Shadows, shadow_releases
from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.release import trial
from dpsynth.auditing.release.plan import EFFORTS, Plan, classifiers, trials
from dpsynth.auditing.release.policy import AuditPolicy, PolicyViolationError
from dpsynth.auditing.release.preconditions import REMEDIES, check_preconditions, check_unused
from dpsynth.auditing.release.report import AuditReport, Finding, Precondition, worst_verdict
from dpsynth.auditing.release.trial import Trial
from dpsynth.auditing.statistics.intervals import rate_difference, wilson
from dpsynth.auditing.statistics.permutation import Linear, joint_test
from dpsynth.schema.table import Schema

__all__ = ["AuditPolicy", "AuditReport", "PolicyViolationError", "PrivacyClaim", "audit"]

Level = Literal["quick", "standard", "deep"]

NEARER = ("distance", "calibrated distance", "ensemble")
"""Attacks that a release cannot turn around without reason: see `preconditions.check_unused`."""

_BEYOND_CHANCE = 0.05
"""The adjusted p-value up to which a report that passes names what it found all the same."""

_SEED = 20240607


def audit(
    synthetic: Any,
    train: Any,
    holdout: Any = None,
    *,
    reference: Any = None,
    schema: Schema | None = None,
    claim: PrivacyClaim | None = None,
    level: Level = "quick",
    policy: AuditPolicy | str | Path | None = None,
    sensitive: Sequence[str] | None = None,
    keys: Sequence[str] = (),
    subgroups: Sequence[str] = (),
    focal: Sequence[Sequence[str]] = (),
    fit_sample: FitSample | None = None,
    shadows: int = 16,
    seed: int | None = None,
) -> AuditReport:
    """Attacks a release and says whether its training records are worse off than a holdout.

    synthetic, train, holdout: DataFrames, Arrow tables or paths of .csv or .parquet files. holdout: real records of the
        same population that were not used; without one nothing can be concluded. reference: more of them, disjoint from
        the others, which only help the attacker. schema: without one, types are drafted from the values.
    claim: what was promised; its ceilings stand beside what is found. policy: an AuditPolicy or the path of one.
    sensitive: columns whose values may be secret; by default all. keys: columns that an attacker may know, for CAP,
        which is left out without them. subgroups: columns whose groups are looked at one by one. focal: marginals
        that the synthesizer is known to keep.
    fit_sample: from a DataFrame of real records to a release of them, by the synthesizer in question; run `shadows`
        times for attacks by shadow models, which know how it treats members. Outside of any budget, as all here is.
    level: "quick"; "standard", which adds classifiers (extra `audit`) and more random deals; "deep", which takes more
        rows. seed: of row samples and random deals; None is a fixed one: the same tables give the same report.
    Raises SchemaError or ValueError when the tables or the names are not what they should be, never for a value.
    """
    if level not in EFFORTS:
        raise ValueError(f"level must be one of {list(EFFORTS)}, got {level!r}")
    learned = classifiers() if EFFORTS[level].classifier else None
    rules = AuditPolicy() if policy is None else policy if isinstance(policy, AuditPolicy) else AuditPolicy.load(policy)
    given = {"synthetic": synthetic, "train": train, "holdout": holdout, "reference": reference}
    given = {name: table for name, table in given.items() if table is not None}
    schema = drafted_schema(given) if schema is None else schema
    _check_names(tuple(schema.coded), sensitive or (), keys, subgroups, *focal)
    seed = _SEED if seed is None else seed
    if holdout is None:
        return _without_holdout(read_tables(given, schema), level, rules, claim)
    read, seen = read_tables(given, schema), None
    if fit_sample is not None:
        rng = np.random.default_rng([seed, shadows])
        made, coins = shadow_releases(fit_sample, train, holdout, shadows, rng)
        others = {f"shadow release {i}": table for i, table in enumerate(made)}
        read = read_tables(given | others, schema)
        seen = Shadows([read[name] for name in others], coins)
    tables = {name: read[name] for name in given}
    plan = Plan(EFFORTS[level], learned, sensitive, tuple(keys), tuple(subgroups), tuple(map(tuple, focal)), seen)
    return _audit(tables, plan, level, rules, claim, seed)


def _audit(
    tables: Mapping[str, Records],
    plan: Plan,
    level: Level,
    policy: AuditPolicy,
    claim: PrivacyClaim | None,
    seed: int,
) -> AuditReport:
    rng = np.random.default_rng(seed)
    kept = {name: _some(len(table), plan.effort.most_rows, rng) for name, table in tables.items()}
    few = {name: table.take(kept[name]) for name, table in tables.items()}
    # In random order: what rounding does to a record, and which of two equal neighbours is found, depends on its place,
    # and the place must tell nothing of the label.
    records, others = few["train"].joined(few["holdout"]), few.get("reference")
    order = rng.permutation(len(records))
    records, member = records.take(order), order < len(few["train"])
    preconditions = check_preconditions(records, member, others, policy.invalid_alpha, plan.effort.deals, rng)
    place = np.concatenate([kept["train"], len(tables["train"]) + kept["holdout"]])[order]
    shadows = None if plan.shadows is None else plan.shadows.of(place)
    scene = Scene(records, few["synthetic"], others, plan.focal, seed, shadows)
    made = trials(scene, plan, rng)
    alone, adjusted = joint_test([t.statistic for t in made], member, plan.effort.deals, rng)
    copied = _copied(tables)
    nearer = [
        t.statistic for t in made if isinstance(t.statistic, Linear) and t.measure == "auc" and t.attack in NEARER
    ]
    unused = check_unused(nearer, member, copied, policy.invalid_alpha, plan.effort.deals, rng)
    preconditions = (*preconditions, unused)
    findings = [_copies(copied, policy)]
    for each, p, q in zip(made, alone.tolist(), adjusted.tolist(), strict=True):
        findings.append(_finding(each, member, p, min(1.0, 2 * q), policy, claim))
    verdict, reasons = _verdict(findings, preconditions)
    if verdict == "PASS" and len(few["synthetic"]) < len(tables["synthetic"]):
        verdict, reasons = "INCONCLUSIVE", (_sampled(few["synthetic"], tables["synthetic"]),)
    rows = {name: len(table) for name, table in tables.items()}
    counts = _copy_counts(tables)
    return AuditReport(verdict, reasons, level, rows, counts, tuple(findings), preconditions, policy, claim)


def _copied(tables: Mapping[str, Records]) -> np.ndarray:
    """Training and holdout records that are in the release, exactly, and that are not: shape (2, 2)."""
    known = [np.isin(tables[name].same, tables["synthetic"].same) for name in ("train", "holdout")]
    return np.array([[k.sum(), (~k).sum()] for k in known])


def _copies(copied: np.ndarray, policy: AuditPolicy) -> Finding:
    """Training records that are in the release, against holdout records that are, exactly (hypergeometric).

    Of all real records with a copy, chance puts no more into the training table than into any sample of its size.
    """
    (inside, outside), (n, m) = copied[:, 0].tolist(), copied.sum(axis=1).tolist()
    p = float(stats.hypergeom.sf(inside - 1, n + m, inside + outside, n))
    gap = rate_difference(wilson(inside, n), wilson(outside, m))
    adjusted, limit = min(1.0, 2 * p), policy.copies
    details = {"rate on training records": inside / n, "rate on the holdout": outside / m}
    sizes = {"training records": n, "holdout records": m}
    failed = adjusted <= policy.alpha
    verdict = "FAIL" if failed else "PASS" if gap.high <= limit else "INCONCLUSIVE"
    return Finding(
        "copies",
        "exact copies",
        "gap",
        gap.value,
        gap.low,
        gap.high,
        p,
        adjusted,
        limit,
        None,
        verdict,
        details | sizes,
    )


def _finding(
    each: Trial, member: np.ndarray, p: float, adjusted: float, policy: AuditPolicy, claim: PrivacyClaim | None
) -> Finding:
    measured = each.measured(member)
    estimate, limit = measured.estimate, policy.limit(each.threat, each.measure)
    ceiling = _ceiling(claim, each)
    too_much = estimate.low > (limit if ceiling is None else min(limit, ceiling))
    verdict = "FAIL" if too_much and adjusted <= policy.alpha else "PASS" if estimate.high <= limit else "INCONCLUSIVE"
    value = None if math.isnan(estimate.value) else estimate.value
    low, high = max(estimate.low, -1.0), min(estimate.high, 1.0)
    return Finding(
        each.threat, each.attack, each.measure, value, low, high, p, adjusted, limit, ceiling, verdict, measured.details
    )


def _ceiling(claim: PrivacyClaim | None, each: Trial) -> float | None:
    """What the claim allows for one record, which bounds the mean over many. Of a gap, the largest advantage."""
    if claim is None or each.attack.startswith("ensemble, "):
        return None
    match each.measure:
        case "auc":
            return claim.auc_ceiling
        case "tpr":
            return claim.tpr_ceiling(trial.FPR)
    return claim.advantage_ceiling if each.threat in ("near-copies", "attribute", "linkability") else None


def _verdict(findings: Sequence[Finding], preconditions: Sequence[Precondition]) -> tuple[str, tuple[str, ...]]:
    if broken := [p for p in preconditions if not p.holds]:
        return "INVALID", tuple(f"not so: {p.name} (p = {p.p_value:.2g}): {REMEDIES[p.name]}" for p in broken)
    verdict = worst_verdict([f.verdict for f in findings])
    if verdict == "PASS":
        shown = [f for f in findings if f.p_adjusted <= _BEYOND_CHANCE]
        said = (f"more than chance, within the limit: {f.threat}: {f.sentence()}" for f in shown)
        return verdict, ("no attack does better on training records than the policy tolerates", *said)
    return verdict, tuple(f"{f.threat}: {f.sentence()}" for f in findings if f.verdict == verdict)


def _sampled(few: Records, all_rows: Records) -> str:
    """Why such an audit cannot pass: a leak is seen no more often than its synthetic rows are."""
    return (
        f"only {len(few):,} of the {len(all_rows):,} synthetic rows were compared, so copies that are not exact may lie"
        f" among the others: audit a release of at most {EFFORTS['deep'].most_rows:,} rows, at level deep if need be"
    )


def _without_holdout(
    tables: Mapping[str, Records], level: Level, policy: AuditPolicy, claim: PrivacyClaim | None
) -> AuditReport:
    reason = "without a holdout nothing can be compared: give real records that the release was not made from"
    rows = {name: len(table) for name, table in tables.items()}
    return AuditReport("INCONCLUSIVE", (reason,), level, rows, _copy_counts(tables), (), (), policy, claim)


def _copy_counts(tables: Mapping[str, Records]) -> dict[str, int]:
    """Synthetic rows that are equal to a record of each real table."""
    synthetic = tables["synthetic"].same
    return {name: int(np.isin(synthetic, table.same).sum()) for name, table in tables.items() if name != "synthetic"}


def _some(rows: int, most: int, rng: np.random.Generator) -> np.ndarray:
    return np.arange(rows) if rows <= most else np.sort(rng.permutation(rows)[:most])


def _check_names(columns: Sequence[str], *lists: Sequence[str]) -> None:
    if unknown := sorted({name for names in lists for name in names if name not in columns}):
        raise ValueError(
            f"the audit was asked about columns {unknown}, which the schema does not have: {list(columns)}"
        )
