"""What to do about an audit that is inconclusive: how many records would decide it, and what else.

Nothing here changes a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dpsynth.auditing.release import sizes
from dpsynth.auditing.release.audit_policy import AuditPolicy
from dpsynth.auditing.release.report import MEASURES, Finding, shown
from dpsynth.auditing.statistics.intervals import Estimate

SAME_SPELLING = (
    "Write the columns named above in the same way and unit in all tables, or give a schema that"
    " reads them, and audit again."
)


def rows_needed(
    measure: str,
    found: Estimate,
    limit: float,
    details: Mapping[str, float],
    *,
    by_chance: bool,
    share: float = 1.0,
    widest: float = 1.0,
) -> int | None:
    """How many training records, and as many holdout records, would decide an inconclusive finding.

    If chance explains what was found: so many that a release which gives nothing away passes;
    where there are as many already twice as many, these among them, as chance halves then. Else so
    many that the interval around this estimate no longer holds the limit. None where not even ten
    million records would.

    by_chance: whether chance explains what was found. share: the part of all records that the
    finding is about. widest: the part that it would be about where so many records need it.
    """
    train, holdout = details["training records"], details["holdout records"]
    now = sizes.each(train, holdout) if train and holdout else 0.0
    if measure == "gap" and math.isnan(found.value):
        return None  # it depends on how often the attack is right
    if math.isnan(found.value) or by_chance:
        calm = sizes.fewest(lambda n: _decided(round(n * widest), measure, limit, details))
        return calm if calm is None or calm * widest > now else math.ceil(2 * now / share)
    above = found.value > limit
    width = found.value - found.low if above else found.high - found.value
    factor = sizes.WIDER * width / max(abs(limit - found.value), 1e-12)
    needed = now / share * factor**2
    return math.ceil(needed) if needed <= sizes.MAX_NEEDED else None


def _decided(n: int, measure: str, limit: float, details: Mapping[str, float]) -> bool:
    """Whether n training and n holdout records decide a finding of a release that leaks nothing."""
    if n < 1:
        return False
    if measure == "auc":
        return sizes.area_decided(n, n, limit)
    if measure == "tpr":
        return sizes.beginning_decided(n, n, limit)
    train, holdout = details["training records"], details["holdout records"]
    # Rules are tried in place of records, and there are more of them with more records.
    each = details.get("rules", 0.0) / max(1.0, min(train, holdout)) or 1.0
    return sizes.gap_decided(n * each, _rate(details), limit)


def _rate(details: Mapping[str, float]) -> float:
    """How often the attack is right, on both tables together."""
    train, holdout = details["training records"], details["holdout records"]
    right = train * details["rate on training records"] + holdout * details["rate on the holdout"]
    return right / (train + holdout)


def joined(steps: Sequence[str | None]) -> str | None:
    """All steps, one after the other; None where there is none."""
    return " ".join(step for step in steps if step is not None) or None


def of_sample(synthetic: int, most: int) -> str:
    """What to do where only a part of the synthetic rows was compared. most: at level deep."""
    if synthetic <= most:
        return "Audit again at level deep, which compares all rows of this release."
    return f"Audit a release of at most {most:,} rows, drawn from the same model, at level deep."


def of_findings(
    findings: Sequence[Finding],
    policy: AuditPolicy,
    compared: tuple[int, int],
    most: tuple[int, int],
) -> str | None:
    """What would decide the findings that are inconclusive, as a sentence or two; None for none.

    compared: training and holdout records. most: of each, at this level and at level deep.
    """
    open_ones = [f for f in findings if f.verdict == "INCONCLUSIVE"]
    if not open_ones:
        return None
    counts = [f.rows_needed for f in open_ones if f.rows_needed is not None]
    if any(f.estimate is None for f in open_ones):
        counts.append(needed_by(policy) or sizes.MAX_NEEDED)
    needed = [n for n in counts if n <= most[1]]
    said = []
    if needed:
        said.append(_more_rows(max(needed), *compared, most))
    measured = [f for f in open_ones if f.estimate is not None]
    if near := sum(f.rows_needed is None or f.rows_needed > most[1] for f in measured):
        which = "finding lies" if near == 1 else "findings lie"
        said.append(
            f"{near} {which} so near the limit that no number of records that an audit takes would"
            " decide: a person has to judge whether that is tolerable"
        )
    if any(f.high < 1 for f in measured):
        said.append(_ruled_out([f for f in measured if f.high < 1]))
    return f"{'. '.join(said)}." if said else None


def _more_rows(needed: int, train: int, holdout: int, most: tuple[int, int]) -> str:
    here, deep = most
    wanted = about(needed)
    said = (
        f"Audit again with about {wanted:,} training records and as many holdout records"
        f"{_at_level(wanted, here)} (now {train:,} and {holdout:,} were compared)"
    )
    beside = sizes.holdout_beside(train, needed)
    if beside is None or not holdout < about(beside) <= deep:
        return said
    alone = about(beside)
    return (
        f"{said}, or beside the same training records with a holdout of about"
        f" {alone:,}{_at_level(alone, here)}"
    )


def _at_level(wanted: int, most: int) -> str:
    return " at level deep" if wanted > most else ""


def _ruled_out(findings: Sequence[Finding]) -> str:
    """Up to which limits the same records would pass."""
    highest: dict[str, Finding] = {}
    for f in findings:
        name = MEASURES[f.measure] if f.threat == "membership" else f.threat
        if name not in highest or f.high > highest[name].high:
            highest[name] = f
    limits = [f"{name} {shown(f.measure, f.high)}" for name, f in highest.items()]
    return f"These records already rule out more than: {', '.join(limits)}"


def of_holdout(train: int, policy: AuditPolicy) -> str:
    """How large a holdout to give, where there was none."""
    needed = needed_by(policy)
    if needed is None:
        return "Give a holdout: real records that were set aside before the fit."
    beside = sizes.holdout_beside(train, needed)
    wanted = about(needed if beside is None else beside)
    more = "" if beside is not None else f", and about {wanted:,} training records (now {train:,})"
    return (
        f"Give a holdout of about {wanted:,} real records that were set aside before the fit{more}:"
        " so many decide whether a release that gives nothing away passes."
    )


def needed_by(policy: AuditPolicy) -> int | None:
    """Records of each kind that decide every finding about all records, by the policy alone."""
    found = [
        sizes.fewest(lambda n: sizes.area_decided(n, n, policy.auc)),
        sizes.fewest(lambda n: sizes.beginning_decided(n, n, policy.tpr)),
        sizes.fewest(lambda n: sizes.gap_decided(n, 0.5, policy.attribute)),
    ]
    counts = [n for n in found if n is not None]
    return max(counts) if len(counts) == len(found) else None


def about(n: int) -> int:
    """Rounded up to two digits."""
    step = 10 ** max(0, len(str(n)) - 2)
    return -(-n // step) * step
