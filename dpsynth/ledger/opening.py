"""The accountant of a run: on the ledger that it is given, or on one in memory."""

from __future__ import annotations

from typing import Any

from dpsynth.kernel import accountant
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger


class Accountant(accountant.Accountant):
    """One run on an account: it reserves a budget, charges events against it, and gives back what is left.

    Parameters
    ----------
    budget : Budget
        What the run may spend.
    ledger : Ledger, optional
        The account of the data set. Without one an account in memory holds this budget, is forgotten with the process,
        and is about no unit in particular.
    **facts
        `job`, `reserve` and `unsafe_seed`, as `dpsynth.kernel.accountant.Accountant` has them.
    """

    ledger: Ledger

    def __init__(self, budget: Budget, *, ledger: Ledger | None = None, **facts: Any) -> None:
        if ledger is not None and not isinstance(ledger, Ledger):
            raise TypeError(f"a ledger must be a Ledger, got {type(ledger).__name__}: Ledger.open(path)")
        own = ledger
        if own is None:
            own = Ledger.create(None, budget, dataset="no data set stated", unit=PrivacyUnit())
        super().__init__(budget, ledger=own, **facts)
        if ledger is None:
            self._protects = None
