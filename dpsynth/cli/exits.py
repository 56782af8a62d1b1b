"""Exit codes: how a command ended, for a shell or a build server; docs/errors.md explains them."""

from __future__ import annotations

from enum import IntEnum

from dpsynth.auditing.release.audit_policy import PolicyViolationError
from dpsynth.base.errors import DPSynthError
from dpsynth.kernel.budget import BudgetExceededError
from dpsynth.ledger.chain import LedgerCorruptError


class Exit(IntEnum):
    DONE = 0
    GATE_FAILED = 1
    BAD_INPUT = 2
    INCONCLUSIVE = 3
    BUDGET_EXCEEDED = 4


CODES: dict[type[Exception], Exit] = {
    BudgetExceededError: Exit.BUDGET_EXCEEDED,
    PolicyViolationError: Exit.GATE_FAILED,
    DPSynthError: Exit.BAD_INPUT,
    OSError: Exit.BAD_INPUT,
    ValueError: Exit.BAD_INPUT,
    ImportError: Exit.BAD_INPUT,
    MemoryError: Exit.BAD_INPUT,
}
"""What a user can mend, the narrower class first.

Any other exception is a fault of dpsynth and ends in a traceback.
"""

VERDICTS: dict[tuple[str, type[Exception]], Exit] = {
    ("ledger verify", LedgerCorruptError): Exit.GATE_FAILED
}
"""Where an exception is the command's answer, rather than bad input."""


VERDICT_CODES = {
    "PASS": Exit.DONE,
    "FAIL": Exit.GATE_FAILED,
    "INVALID": Exit.BAD_INPUT,
    "INCONCLUSIVE": Exit.INCONCLUSIVE,
}
"""How a command ends that gives a verdict: an audit, or the gate of a job."""


def exit_code(error: Exception, command: str = "") -> Exit:
    """The exit code of a command that ends with this exception, of a class in CODES."""
    for (asked, kind), code in VERDICTS.items():
        if asked == command and isinstance(error, kind):
            return code
    return next(code for kind, code in CODES.items() if isinstance(error, kind))
