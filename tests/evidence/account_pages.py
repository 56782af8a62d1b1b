"""Accounts whose pages the tests look at: a year of runs, and one for each state that an account can be in."""

from __future__ import annotations

from unittest import mock

from dpsynth import Budget, Gaussian, Job, Ledger, Policy
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant

UNIT = PrivacyUnit("patient", 3)
NAME = "stays <&> of 2026"


def a_year(path):
    """Eight months of a year: the fifth run died before it drew noise."""
    noons = iter([f"2026-{month:02d}-{day:02d}T12:00:00+00:00" for month in range(1, 13) for day in (3, 9, 17)])
    caps = {f"2026-{month:02d}": Budget(0.775, 1e-6) for month in range(1, 13)}
    with mock.patch("dpsynth.ledger.ledger._now", side_effect=lambda: next(noons)):
        policy = Policy(caps, ("ethics board",))
        ledger = Ledger.create(path, Budget(3.0, 1e-6), dataset=NAME, unit=UNIT, policy=policy)
        for month in range(1, 9):
            job = Job("canopy", f"2026-{month:02d}", {"ethics board": "case 2026/17"}, "c0ffee")
            accountant = Accountant(Budget(0.775, 1e-6), ledger=ledger, job=job)
            if month != 5:
                for what in ("age", "ward", "age x ward"):
                    accountant.charge(Gaussian(12.0 + month), f"measure {what}")
                accountant.close("ab" * 32)
    return ledger


def account(epsilon=1.0, **facts):
    """In memory, without runs."""
    return Ledger.create(None, Budget(epsilon, 1e-6), dataset=NAME, unit=UNIT, **facts)


def spent(ledger, noise, **facts):
    """After one run that spent what this noise costs."""
    with Accountant(Budget(1.0, 1e-6), ledger=ledger, job=Job("canopy"), **facts) as accountant:
        accountant.charge(Gaussian(noise), "measure age")
    return ledger


def reserved(ledger):
    """After one run that reserved everything, and has not ended."""
    Accountant(ledger.budget, ledger=ledger, job=Job("canopy"))
    return ledger
