"""What a DP audit found for each pair of neighbouring tables and together, and pages made of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dpsynth.auditing.claim import PrivacyClaim, epsilon_of_mu
from dpsynth.auditing.junit import Case, junit
from dpsynth.auditing.statistics.epsilon_bounds import Counts
from dpsynth.base.text import printable
from dpsynth.evidence.pages import render

VERSION = 1
DELTA = 1e-5
"""At which epsilon is bounded where the claim names no delta."""

ENOUGH = 0.8
"""The power from which on an audit that refutes nothing has passed."""

NO_RELEASE = (
    "Bounds from many runs of a mechanism, for internal use. They are not differentially private"
    " where a pair holds real records. An audit can refute a claim of privacy; it can never certify"
    " one."
)


@dataclass(frozen=True)
class PairResult:
    """What one pair of neighbouring tables showed.

    Parameters
    ----------
    pair : str
        Its name.
    counts : Counts
        Of the runs that were not used for learning.
    mu_point, mu_lower : float or None
        The estimate of mu and the bound below it; None without a Gaussian claim.
    epsilon_lower : float
        At the claim's delta (1e-5 where it has none), by Clopper-Pearson.
    max_epsilon : float
        What it would be if every guess were right.
    power : float
        About how likely so many runs refute a mechanism that spends twice the claimed mu, or
        epsilon, by the best rule. One that is learned, and does not see the leak, has less.
    verdict : {"FAIL", "PASS", "INCONCLUSIVE"}
        FAIL where the claim is refuted; PASS where it is not, and the power is ENOUGH.

    Examples
    --------
    >>> counts = Counts(false=40, n0=100, true=60, n1=100)
    >>> shown = PairResult("one more", counts, None, None, 0.1, 3.2, 0.9, "PASS")
    >>> shown.sentence()[:56]
    'epsilon at least 0.1 (so many runs could show at most 3.'
    """

    pair: str
    counts: Counts
    mu_point: float | None
    mu_lower: float | None
    epsilon_lower: float
    max_epsilon: float
    power: float
    verdict: str

    @property
    def refuted(self) -> bool:
        return self.verdict == "FAIL"

    def sentence(self) -> str:
        """The result in words."""
        if self.mu_lower is None:
            least = f"epsilon at least {self.epsilon_lower:.3g}"
            found = f"{least} (so many runs could show at most {self.max_epsilon:.3g})"
            return f"{found}; twice the epsilon would be found with probability {self.power:.0%}"
        found = f"mu about {self.mu_point:.3g}, at least {self.mu_lower:.3g}"
        return f"{found}; twice the mu would be found with probability {self.power:.0%}"


@dataclass(frozen=True, repr=False)
class DPAuditResult:
    """What the pairs showed together.

    Parameters
    ----------
    claim : PrivacyClaim
        What was to be refuted.
    access : {"black-box", "white-box"}
        Whether releases or noisy measurements were seen.
    runs : int
        On each table of a pair.
    alpha : float
        The chance that a true claim is refuted.
    pairs : tuple of PairResult
        What each showed.

    Examples
    --------
    >>> counts = Counts(false=40, n0=100, true=60, n1=100)
    >>> shown = PairResult("one more", counts, None, None, 0.1, 3.2, 0.9, "PASS")
    >>> result = DPAuditResult(PrivacyClaim(1.0, 1e-6), "black-box", 125, 0.05, (shown,))
    >>> result.verdict, result.epsilon_lower
    ('PASS', 0.1)
    """

    claim: PrivacyClaim
    access: str
    runs: int
    alpha: float
    pairs: tuple[PairResult, ...]

    @property
    def refuted(self) -> bool:
        return any(p.refuted for p in self.pairs)

    @property
    def verdict(self) -> str:
        """FAIL where a pair refutes the claim; PASS where none does and each had the power to.

        Else INCONCLUSIVE.
        """
        found = {p.verdict for p in self.pairs}
        return next(v for v in ("FAIL", "INCONCLUSIVE", "PASS") if v in found)

    @property
    def mu_lower(self) -> float | None:
        """The largest bound on mu; None without a Gaussian claim."""
        return max((p.mu_lower for p in self.pairs if p.mu_lower is not None), default=None)

    @property
    def epsilon_lower(self) -> float:
        """The largest bound on epsilon: of a Gaussian claim by way of mu, where delta is above 0.

        At delta 0 no Gaussian noise has an epsilon, so a bound on mu bounds none.
        """
        delta = delta_of(self.claim)
        if self.mu_lower is not None and delta > 0:
            return epsilon_of_mu(self.mu_lower, delta)
        return max(p.epsilon_lower for p in self.pairs)

    @property
    def record(self) -> dict[str, Any]:
        """All of it as plain data, with the version `dpsynth_dp_audit: 1`."""
        pairs = [
            {**asdict(pair), "refuted": pair.refuted, "sentence": pair.sentence()}
            for pair in self.pairs
        ]
        return {
            "dpsynth_dp_audit": VERSION,
            "refuted": self.refuted,
            "internal": NO_RELEASE,
            "delta": delta_of(self.claim),
            "verdict": self.verdict,
            "mu_lower": self.mu_lower,
            "epsilon_lower": self.epsilon_lower,
            **asdict(self),
            "pairs": pairs,
        }

    def to_frame(self) -> pd.DataFrame:
        """One row for each pair."""
        rows = []
        for pair in self.pairs:
            facts = asdict(pair)
            rows.append({**facts.pop("counts"), **facts})
        return pd.DataFrame(rows).set_index("pair")

    def to_json(self) -> str:
        return render.to_json(self.record)

    def to_html(self) -> str:
        """One self-contained page, stamped INTERNAL."""
        return render.page("audit_dp", self.record)

    def to_junit(self) -> str:
        """JUnit XML: a test case for each pair."""
        cases = [Case("audit.dp", p.pair, p.verdict, p.sentence()) for p in self.pairs]
        return junit("dpsynth DP audit", cases)

    def save(self, directory: str | Path) -> Path:
        """Writes audit_dp.json, audit_dp.html and audit_dp.xml into a directory, and returns it.

        The directory is made if it is not there.
        """
        files = {
            "audit_dp.json": self.to_json(),
            "audit_dp.html": self.to_html(),
            "audit_dp.xml": self.to_junit(),
        }
        return render.save(directory, files)

    def summary(self) -> str:
        """A few lines for a terminal."""
        said = "REFUTED" if self.refuted else "not refuted"
        lines = [
            f"claim {said} ({self.verdict}): {claim_in_words(self.claim)}; {self.access},"
            f" {self.runs} runs on each table of a pair, alpha {self.alpha:g}",
            f"  epsilon is at least {self.epsilon_lower:.3g} at delta {delta_of(self.claim):g}",
            *(f"  {'REFUTED ' if p.refuted else ''}{p.pair}: {p.sentence()}" for p in self.pairs),
        ]
        return str(printable("\n".join(lines)))

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return render.fragment("audit_dp", self.record)


def delta_of(claim: PrivacyClaim) -> float:
    """The delta at which epsilon is bounded."""
    return DELTA if claim.delta is None else claim.delta


def claim_in_words(claim: PrivacyClaim) -> str:
    """As in "epsilon 1 at delta 1e-06, mu 0.2681"."""
    said = [] if claim.epsilon is None else [f"epsilon {claim.epsilon:g} at delta {claim.delta:g}"]
    said += [] if claim.mu is None else [f"mu {claim.mu:.4g}"]
    return ", ".join(said)
