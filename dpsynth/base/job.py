"""Job: what a run says about itself. Public text, for the readers of a ledger and its policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Job:
    """What a run says about itself, for the ledger's readers and its policy; all of it is public.

    Parameters
    ----------
    mechanism : str
        The mechanism's name.
    purpose : str
        What the release is for, a label such as "research".
    approvals : mapping of str to str
        Who approved the run, and where that is written.
    schema : str
        `Schema.fingerprint()`, the SHA-256 (hex) of the public facts.
    max_records : int or None
        How many rows of a unit the run uses at most, where that is another number than the
        ledger was opened with; only for units with ids.
    reading : str or None
        `Schema.reading_of_units()`: what says whose a row is, beside its ids.

    Raises
    ------
    TypeError
        For anything that is not text.

    Examples
    --------
    >>> job = Job("canopy", "research", approvals={"ethics board": "case 2026/17"})
    >>> job.approvals["ethics board"]
    'case 2026/17'
    """

    mechanism: str = ""
    purpose: str = ""
    approvals: Mapping[str, str] = field(default_factory=dict)
    schema: str = ""
    max_records: int | None = None
    reading: str | None = None

    def __post_init__(self) -> None:
        for name in ("mechanism", "purpose", "schema"):
            text(f"the {name} of a job", getattr(self, name))
        object.__setattr__(self, "approvals", _texts("the approvals of a job", self.approvals))


def text(what: str, value: object) -> str:
    """`value`, where it is text; else TypeError. what: what the message calls it."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be text, got {type(value).__name__}")
    return value


def _texts(what: str, value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise TypeError(
            f'{what} must be texts by name, such as {{"ethics board": "case 17"}}, got {value!r}'
        )
    return {text(what, name): text(what, each) for name, each in value.items()}
