"""What an audit of a mechanism's noise found, check by check, and pages made of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from dpsynth.auditing.junit import Case, junit
from dpsynth.auditing.mechanism.refutation import ENOUGH
from dpsynth.evidence.pages import render

VERSION = 1
INTERNAL = (
    "Exact answers went into these numbers. They are for internal use, not differentially private,"
    " and no budget was charged for them."
)


@dataclass(frozen=True)
class Check:
    """One check of a mechanism's noise.

    Parameters
    ----------
    name : str
        Such as "scale" or "budget".
    holds : bool
        Whether nothing was found against the claim.
    p_value : float or None
        The chance that sound noise looks like this; None where nothing is left to chance.
    detail : str
        What was measured, in words.

    Examples
    --------
    >>> Check("budget", True, None, "epsilon 0.98 of 1 at delta 1e-06").holds
    True
    """

    name: str
    holds: bool
    p_value: float | None
    detail: str


@dataclass(frozen=True, repr=False)
class MechanismAudit:
    """What the checks of a mechanism's noise found.

    Parameters
    ----------
    checks : tuple of Check
        One after the other, as they were made.
    alpha : float
        The chance that sound noise fails any check.
    power : float
        The chance that noise of half the claimed deviation is found.

    Examples
    --------
    >>> scale = Check("scale", True, 0.4, "1.02 times the claimed deviation, in 500 numbers")
    >>> MechanismAudit((scale,), alpha=1e-6, power=1.0).verdict
    'PASS'
    >>> MechanismAudit((scale,), alpha=1e-6, power=0.2).verdict
    'INCONCLUSIVE'
    """

    checks: tuple[Check, ...]
    alpha: float
    power: float

    @property
    def refuted(self) -> bool:
        return not all(check.holds for check in self.checks)

    @property
    def verdict(self) -> str:
        """FAIL where a check fails; PASS where none does and the power is ENOUGH.

        Else INCONCLUSIVE.
        """
        if self.refuted:
            return "FAIL"
        return "PASS" if self.power >= ENOUGH else "INCONCLUSIVE"

    def beside(self, *checks: Check) -> MechanismAudit:
        """These checks too: of a sensitivity, or of the budget."""
        return replace(self, checks=(*self.checks, *checks))

    @property
    def record(self) -> dict[str, Any]:
        """All of it as plain data, with the version `dpsynth_mechanism_audit: 1`."""
        found = {"internal": INTERNAL, "refuted": self.refuted, "verdict": self.verdict}
        return {"dpsynth_mechanism_audit": VERSION, **found, **asdict(self)}

    def to_frame(self) -> pd.DataFrame:
        """One row for each check."""
        return pd.DataFrame([asdict(check) for check in self.checks]).set_index("name")

    def to_json(self) -> str:
        return render.to_json(self.record)

    def to_html(self) -> str:
        """One self-contained page, stamped INTERNAL."""
        return render.page("audit_mechanism", self.record)

    def to_junit(self) -> str:
        """JUnit XML: a test case for each check, and one for the power."""
        group = "audit.mechanism"
        cases = []
        for check in self.checks:
            cases.append(Case(group, check.name, "PASS" if check.holds else "FAIL", check.detail))
        power = "PASS" if self.power >= ENOUGH else "INCONCLUSIVE"
        detail = f"noise of half the claimed size would be found with probability {self.power:.0%}"
        cases.append(Case(group, "power", power, detail))
        return junit("dpsynth mechanism audit", cases)

    def save(self, directory: str | Path) -> Path:
        """Writes audit_mechanism.json, .html and .xml.

        Parameters
        ----------
        directory : str or Path
            Made if need be.

        Returns
        -------
        Path
            The directory.

        Raises
        ------
        OSError
            It cannot be written.
        """
        files = {
            "audit_mechanism.json": self.to_json(),
            "audit_mechanism.html": self.to_html(),
            "audit_mechanism.xml": self.to_junit(),
        }
        return render.save(directory, files)

    def summary(self) -> str:
        """A few lines for a terminal."""
        said = "REFUTED" if self.refuted else "not refuted"
        lines = []
        for check in self.checks:
            lines.append(f"  {'holds ' if check.holds else 'BROKEN'} {check.name}: {check.detail}")
        return "\n".join([f"noise {said} ({self.verdict}), alpha {self.alpha:g}", *lines])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return render.fragment("audit_mechanism", self.record)
