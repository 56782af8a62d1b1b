"""What to do about an audit that is inconclusive: how many records would decide it, and what else.

Nothing here changes a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dpsynth.auditing.release import sizes
from dpsynth.auditing.release.policy import AuditPolicy
from dpsynth.auditing.release.report import Finding, shown
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
    share: float = 1.0,
    widest: float = 1.0,
) -> int | None:
    """How many training records, and as many holdout records, would decide an inconclusive finding.

    If chance explains what was found: so many that a release which gives nothing away passes. Else,
    or where there are as many already: so many that the interval around this estimate no longer
    holds the limit. None where not even ten million records would.

    share: the part of all records that the finding is about. widest: the part that it would be
    about where so many records need it.
    """
    train, holdout = details["training records"], details["holdout records"]
    now = sizes.each(train, holdout) if train and holdout else 0.0
    if math.isnan(found.value) or found.low <= sizes.CHANCE[measure]:
        calm = sizes.fewest(lambda n: _decided(round(n * widest), measure, limit, details))
        if calm is None or calm * widest > now:
            return calm
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
    """How often the attack is right, on both tables together; a half, the worst, if unknown."""
    train, holdout = details["training records"], details["holdout records"]
    if "rate on the holdout" not in details or not train + holdout:
        return 0.5
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
    findings: Sequence[Finding], rows: Mapping[str, int], compared: Mapping[str, int], most: int
) -> str | None:
    """What would decide the findings that are inconclusive, as a sentence or two; None for none.

    rows: of the tables. compared: of those the ones that were compared. most: at level deep.
    """
    open_ones = [f for f in findings if f.verdict == "INCONCLUSIVE"]
    if not open_ones:
        return None
    counts = [f.rows_needed for f in open_ones if f.rows_needed is not None]
    needed = [n for n in counts if n <= most]
    said = []
    if needed:
        said.append(_more_rows(max(needed), rows, compared))
    if near := len(open_ones) - len(needed):
        which = "finding lies" if near == 1 else "findings lie"
        said.append(
            f"{near} {which} so near the limit that no number of records that an audit takes would"
            " decide: a person has to judge whether that is tolerable"
        )
    return f"{'. '.join(said)}. {_ruled_out(open_ones)}."


def _more_rows(needed: int, rows: Mapping[str, int], compared: Mapping[str, int]) -> str:
    train, holdout = compared["train"], compared["holdout"]
    wanted = about(needed)
    deep = ", at level deep" if wanted > min(train, holdout) and _cut(rows, compared) else ""
    beside = sizes.holdout_beside(train, needed)
    if beside is not None and about(beside) <= sizes.MAX_NEEDED and holdout < train * 10:
        alone = f", or beside the same training records a holdout of about {about(beside):,}"
    else:
        alone = ""
    return (
        f"Audit again with about {wanted:,} training records and as many holdout records (now"
        f" {train:,} and {holdout:,}){alone}{deep}"
    )


def _cut(rows: Mapping[str, int], compared: Mapping[str, int]) -> bool:
    return any(rows[name] > compared[name] for name in ("train", "holdout"))


def _ruled_out(findings: Sequence[Finding]) -> str:
    """Up to which limits the same records would pass."""
    highest: dict[str, Finding] = {}
    for f in findings:
        name = f.measure if f.threat == "membership" else f.threat
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
