"""What was measured, judged under a policy: a finding for each attack, and the report's verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.release import trial
from dpsynth.auditing.release.audit_policy import AuditPolicy
from dpsynth.auditing.release.next_step import rows_needed
from dpsynth.auditing.release.preconditions import REMEDIES
from dpsynth.auditing.release.report import Finding, Precondition, worst_verdict
from dpsynth.auditing.release.trial import Trial
from dpsynth.auditing.statistics.intervals import rate_difference, wilson

_BEYOND_CHANCE = 0.05
"""The adjusted p-value up to which chance does not explain what was found."""


def copies_finding(copied: np.ndarray, policy: AuditPolicy) -> Finding:
    """Training records that are in the release, against holdout records that are.

    The test is exact (hypergeometric).

    Of all real records with a copy, chance puts no more into the training table than into any
    sample of its size.
    """
    inside, outside = copied[:, 0].tolist()
    n, m = copied.sum(axis=1).tolist()
    p = float(stats.hypergeom.sf(inside - 1, n + m, inside + outside, n))
    few = min(n, m) < trial.MIN_KIND
    gap = trial.NO_GAP if few else rate_difference(wilson(inside, n), wilson(outside, m))
    adjusted = min(1.0, 2 * p)
    failed = adjusted <= policy.alpha
    details = {
        "rate on training records": inside / n,
        "rate on the holdout": outside / m,
        "training records": n,
        "holdout records": m,
    }
    verdict = _judged(failed, gap.high <= policy.copies)
    return Finding(
        threat="copies",
        attack="exact copies",
        measure="gap",
        estimate=None if few else gap.value,
        low=max(gap.low, -1.0),
        high=min(gap.high, 1.0),
        p_value=p,
        p_adjusted=adjusted,
        limit=policy.copies,
        ceiling=None,
        verdict=verdict,
        details=details,
        rows_needed=(
            rows_needed("gap", gap, policy.copies, details, by_chance=adjusted > _BEYOND_CHANCE)
            if verdict == "INCONCLUSIVE"
            else None
        ),
    )


def attack_finding(
    each: Trial,
    member: np.ndarray,
    p: float,
    adjusted: float,
    policy: AuditPolicy,
    claim: PrivacyClaim | None,
) -> Finding:
    measured = each.measured(member)
    estimate = measured.estimate
    limit = policy.limit(each.threat, each.measure)
    ceiling = _ceiling(claim, each)
    bar = limit if ceiling is None else min(limit, ceiling)
    failed = estimate.low > bar and adjusted <= policy.alpha
    verdict = _judged(failed, estimate.high <= limit)
    return Finding(
        threat=each.threat,
        attack=each.attack,
        measure=each.measure,
        estimate=None if math.isnan(estimate.value) else estimate.value,
        low=max(estimate.low, -1.0),
        high=min(estimate.high, 1.0),
        p_value=p,
        p_adjusted=adjusted,
        limit=limit,
        ceiling=ceiling,
        verdict=verdict,
        details=measured.details,
        rows_needed=(
            rows_needed(
                each.measure,
                estimate,
                limit,
                measured.details,
                by_chance=adjusted > _BEYOND_CHANCE,
                share=each.share,
                widest=each.widest,
            )
            if verdict == "INCONCLUSIVE"
            else None
        ),
    )


def verdict_of(
    findings: Sequence[Finding],
    preconditions: Sequence[Precondition],
) -> tuple[str, tuple[str, ...]]:
    """The verdict of the whole report, and its reasons."""
    broken = [p for p in preconditions if not p.holds]
    if broken:
        remedies = (
            f"this does not hold: {p.name} (p = {p.p_value:.2g}): {REMEDIES[p.name]}"
            for p in broken
        )
        return "INVALID", tuple(remedies)
    verdict = worst_verdict([f.verdict for f in findings])
    if verdict == "PASS":
        shown = [f for f in findings if f.p_adjusted <= _BEYOND_CHANCE]
        beyond = (f"more than chance, within the limit: {f.threat}: {f.sentence()}" for f in shown)
        passed = "no attack does better on training records than the policy tolerates"
        return verdict, (passed, *beyond)
    worst = [f for f in findings if f.verdict == verdict]
    unmeasured = [f for f in worst if _unmeasured(f)]
    said = [f"{f.threat}: {f.sentence()}" for f in worst if not _unmeasured(f)]
    if unmeasured:
        said.append(
            f"{len(unmeasured)} of {len(findings)} findings are about fewer than"
            f" {trial.MIN_KIND} training or holdout records, which measure nothing"
        )
    return verdict, tuple(said)


def _unmeasured(found: Finding) -> bool:
    sizes = (found.details["training records"], found.details["holdout records"])
    return found.estimate is None and min(sizes) < trial.MIN_KIND


def _judged(failed: bool, within: bool) -> str:
    if failed:
        return "FAIL"
    return "PASS" if within else "INCONCLUSIVE"


def _ceiling(claim: PrivacyClaim | None, each: Trial) -> float | None:
    """What the claim allows for one record, which bounds the mean over many.

    Of a gap, the largest advantage.
    """
    if claim is None or each.attack.startswith("ensemble, "):
        return None
    match each.measure:
        case "auc":
            return claim.auc_ceiling
        case "tpr":
            return claim.tpr_ceiling(trial.FPR)
    if each.threat in ("near-copies", "attribute", "linkability"):
        return claim.advantage_ceiling
    return None
