"""AuditReport: findings, verdicts, and pages made of them.

Internal, never to be published nor acted on by a loop.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.junit import Case, junit
from dpsynth.auditing.release.audit_policy import AuditPolicy, PolicyViolationError
from dpsynth.base.text import difference, percent, printable, said
from dpsynth.evidence.pages import render

VERSION = 1
INTERNAL = (
    "These are exact comparisons with real records, for internal use. They are not differentially"
    " private, and no budget was charged for them. Do not publish them, and do not send them where"
    " the real records may not go. Never let a program choose, filter or regenerate releases by"
    " these numbers: whoever may ask often enough rebuilds the training records from the answers"
    " (arXiv 2312.05114)."
)
CRITERIA = {
    "singling out": ("singling out", "copies", "near-copies"),
    "linkability": ("linkability", "membership"),
    "inference": ("attribute",),
}
"""The three criteria of Opinion 05/2014 (WP 216), and the threats that speak to each."""


@dataclass(frozen=True)
class Finding:
    """What one attack achieved, and what that means under the policy.

    Parameters
    ----------
    threat, attack : str
        What is at stake, and how it was tried.
    measure : {"auc", "tpr", "gap"}
        "auc" is the share of pairs told apart (the area under the attack's curve), "tpr" that of
        the training records named with 1 % wrong (the true-positive rate at 1 % false positives),
        "gap" the rate on training records
        less the rate on the holdout.
    estimate : float or None
        In that measure; None where it cannot be measured.
    low, high : float
        The 95 % interval.
    p_value, p_adjusted : float
        The chance that nothing but chance does as much: for this finding, and for all together.
    limit : float
        What the policy tolerates.
    ceiling : float or None
        What the claim allows; None without a claim, or where it allows nothing that can be
        compared.
    verdict : {"PASS", "FAIL", "INCONCLUSIVE"}
        Under the policy.
    details : mapping of str to float
        Further numbers, by name.
    rows_needed : int or None
        How many training records, and as many holdout records, would decide an inconclusive
        finding; None where it is decided, or where no number of records would.

    Examples
    --------
    >>> found = Finding(
    ...     "membership", "ensemble", "auc", 0.51, 0.48, 0.54, 0.3, 0.9, 0.55, None, "PASS"
    ... )
    >>> found.sentence()
    'ensemble: pairs told apart 51.0 % (48.0 % to 54.0 %), limit 55.0 %'
    """

    threat: str
    attack: str
    measure: str
    estimate: float | None
    low: float
    high: float
    p_value: float
    p_adjusted: float
    limit: float
    ceiling: float | None
    verdict: str
    details: Mapping[str, float] = field(default_factory=dict)
    rows_needed: int | None = None

    @property
    def id(self) -> str:
        return f"{self.threat}/{self.attack}/{self.measure}"

    def sentence(self) -> str:
        """The finding in words."""
        written = partial(shown, self.measure)
        value = "not measurable" if self.estimate is None else written(self.estimate)
        interval = f"{written(self.low)} to {written(self.high)}"
        found = f"{MEASURES[self.measure]} {value} ({interval})"
        just = self.high > self.limit and written(self.high) == written(self.limit)
        exceeds = ", which the interval just exceeds" if just else ""
        return f"{self.attack}: {found}, limit {written(self.limit)}{exceeds}"


@dataclass(frozen=True)
class Precondition:
    """Whether training records and holdout can be compared, in one respect.

    Parameters
    ----------
    name : str
        What must hold, as a sentence.
    p_value : float
        The chance that random splits of one table are as unlike as these two.
    holds : bool
        Whether that is above the policy's `invalid_alpha`.

    Examples
    --------
    >>> Precondition("no records stand in both tables", p_value=0.4, holds=True).holds
    True
    """

    name: str
    p_value: float
    holds: bool


@dataclass(frozen=True, repr=False)
class AuditReport:
    """What attacks on a release achieved against its training records, beside a holdout.

    Exact, hence internal.

    Parameters
    ----------
    verdict : {"PASS", "FAIL", "INCONCLUSIVE", "INVALID"}
        INCONCLUSIVE: too few records to say. INVALID: training records and holdout differ without
        the release, so that nothing can be said.
    reasons : tuple of str
        Why the verdict is what it is, a sentence each.
    level : {"quick", "standard", "deep"}
        How hard the attacks tried.
    rows : mapping of str to int
        The number of rows of each table.
    copies : mapping of str to int
        Synthetic rows equal to a record of each real table.
    findings : tuple of Finding
        What each attack achieved.
    preconditions : tuple of Precondition
        Whether the tables could be compared at all.
    policy : AuditPolicy
        What was tolerated.
    claim : PrivacyClaim or None
        What was promised, if anything.
    next_step : str or None
        What to do about an inconclusive verdict: how many records would decide it, and up to which
        limits these already do.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from dpsynth import audit
    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame(rng.normal(size=(400, 3)).round(3), columns=["a", "b", "c"])
    >>> report = audit(people[:200], people[:200], people[200:])
    >>> report.passed, report.copies
    (False, {'train': 200, 'holdout': 0})
    >>> {finding.threat for finding in report.findings if finding.verdict == "FAIL"} >= {"copies"}
    True
    """

    verdict: str
    reasons: tuple[str, ...]
    level: str
    rows: Mapping[str, int]
    copies: Mapping[str, int]
    findings: tuple[Finding, ...]
    preconditions: tuple[Precondition, ...]
    policy: AuditPolicy
    claim: PrivacyClaim | None
    next_step: str | None = None

    @property
    def passed(self) -> bool:
        return self.verdict == "PASS"

    @property
    def criteria(self) -> list[dict[str, Any]]:
        """The findings under the three criteria of WP 216, each with the worst verdict under it."""
        found = []
        for criterion, threats in CRITERIA.items():
            under = [f for f in self.findings if f.threat in threats]
            worst = worst_verdict([f.verdict for f in under])
            found.append(
                {
                    "criterion": criterion,
                    "verdict": "INVALID" if self.verdict == "INVALID" else worst,
                    "findings": [f.id for f in under],
                }
            )
        return found

    @property
    def record(self) -> dict[str, Any]:
        """All of it as plain data, with the version `dpsynth_audit: 1`."""
        return {
            "dpsynth_audit": VERSION,
            "internal": INTERNAL,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "next_step": self.next_step,
            "level": self.level,
            "rows": dict(self.rows),
            "copies": dict(self.copies),
            "criteria": self.criteria,
            "findings": [
                {"id": f.id, **asdict(f), "sentence": f.sentence()} for f in self.findings
            ],
            "preconditions": [asdict(p) for p in self.preconditions],
            "policy": self.policy.to_dict(),
            "claim": None if self.claim is None else _claim(self.claim),
        }

    def raise_for_policy(self) -> None:
        """Raises PolicyViolationError, with the reasons, unless the verdict is PASS."""
        if not self.passed:
            then = "" if self.next_step is None else f". {self.next_step.removesuffix('.')}"
            raise PolicyViolationError(
                f"the audit says {self.verdict}: {'; '.join(self.reasons)}; hold the release back"
                f" until a person has read the report (save(folder) writes its pages){then}"
            )

    def to_frame(self) -> pd.DataFrame:
        """One row for each finding."""
        names = [field.name for field in fields(Finding) if field.name != "details"]
        rows = [{name: getattr(finding, name) for name in names} for finding in self.findings]
        return pd.DataFrame(rows, columns=names)

    def to_json(self) -> str:
        return render.to_json(self.record)

    def to_html(self) -> str:
        """One self-contained page, stamped INTERNAL."""
        return render.page("audit", self.record)

    def to_junit(self) -> str:
        """JUnit XML with a test case for each finding and precondition.

        So a pipeline shows which check failed.
        """
        cases = [Case(f"audit.{f.threat}", f.id, f.verdict, f.sentence()) for f in self.findings]
        for precondition in self.preconditions:
            verdict = "PASS" if precondition.holds else "INVALID"
            detail = f"p = {precondition.p_value:.2g}"
            cases.append(Case("audit.precondition", precondition.name, verdict, detail))
        if not self.findings:
            cases.append(Case("audit.audit", "verdict", self.verdict, "; ".join(self.reasons)))
        return junit("dpsynth audit", cases)

    def save(self, directory: str | Path) -> Path:
        """Writes audit.json, audit.html and audit.xml into a directory, and returns it.

        The directory is made if it is not there.
        """
        files = {
            "audit.json": self.to_json(),
            "audit.html": self.to_html(),
            "audit.xml": self.to_junit(),
        }
        return render.save(directory, files)

    def summary(self) -> str:
        """A few lines for a terminal."""
        lines = [f"INTERNAL, not differentially private: {self.verdict}"]
        lines += [f"  {reason}" for reason in self.reasons]
        if self.next_step is not None:
            lines.append(f"  Next step: {self.next_step}")
        if self.claim is not None:
            lines.append(f"  Claim: {said(self.claim.describe())}")
        for criterion in self.criteria:
            under = [f for f in self.findings if f.id in criterion["findings"]]
            worst = min(under, key=_rank, default=None)
            shown = "nothing measured" if worst is None else worst.sentence()
            lines.append(f"  {criterion['criterion']:<13} {criterion['verdict']:<13} {shown}")
        return str(printable("\n".join(lines)))

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return render.fragment("audit", self.record)


_ORDER = ["FAIL", "INCONCLUSIVE", "PASS"]
MEASURES = {
    "auc": "pairs told apart",
    "tpr": "training records named with 1 % wrong",
    "gap": "training less holdout",
}
"""The measures of findings in words; docs/glossary.md says what they mean."""


def worst_verdict(verdicts: list[str]) -> str:
    """FAIL before INCONCLUSIVE before PASS; where nothing was measured nothing can be concluded."""
    return next((v for v in _ORDER if v in verdicts), "INCONCLUSIVE")


def _rank(finding: Finding) -> tuple[int, float, float]:
    """By which the worst finding comes first."""
    return _ORDER.index(finding.verdict), finding.p_adjusted, finding.p_value


def shown(measure: str, value: float) -> str:
    """A number in a measure, as people read it."""
    if measure == "auc":
        return f"{100 * value:.1f} %"
    return difference(value) if measure == "gap" else percent(value)


def _claim(claim: PrivacyClaim) -> dict[str, Any]:
    ceilings = {
        "auc": claim.auc_ceiling,
        "tpr": claim.tpr_ceiling(0.01),
        "advantage": claim.advantage_ceiling,
    }
    return {**asdict(claim), "ceilings": {k: v for k, v in ceilings.items() if not math.isnan(v)}}
