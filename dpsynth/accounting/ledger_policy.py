"""Policy: what the owner of a data set asks of every run; it is part of the ledger.

A run that the policy does not allow is refused before it reserves anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dpsynth.base.errors import DPSynthError
from dpsynth.base.job import Job, text
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.unit import PrivacyUnit


class PolicyRefusedError(DPSynthError, ValueError):
    """The data set's policy does not allow this run: nothing was spent, and nothing was read."""


@dataclass(frozen=True)
class Policy:
    """What every run on a data set must meet; a field that is left empty asks for nothing.

    Parameters
    ----------
    purposes : mapping of str to Budget
        The purposes for which the data may be used, each with a cap of its own, beside the
        ledger's cap for all.
    approvals : tuple of str
        The people or boards whose approval every run must quote.
    mechanisms : tuple of str
        The names of the mechanisms that are allowed.
    persons : bool
        Whether runs must protect persons, by an id column, and not single rows.

    Raises
    ------
    TypeError
        For a purpose without a Budget, and for names that are not a list of texts.

    Examples
    --------
    >>> from dpsynth import Budget, Job, PrivacyUnit
    >>> policy = Policy({"research": Budget(1.0, 1e-6)}, approvals=("ethics board",))
    >>> policy.refuse(Job(purpose="research"), PrivacyUnit())
    Traceback (most recent call last):
    ...
    dpsynth.accounting.ledger_policy.PolicyRefusedError: the policy asks for the approval of 'ethics
    board': say where each approval is written
    """

    purposes: Mapping[str, Budget] = field(default_factory=dict)
    approvals: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    persons: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "purposes", _capped(self.purposes))
        if not isinstance(self.persons, bool):
            raise TypeError(f"persons must be True or False, got {self.persons!r}: write one")
        object.__setattr__(self, "approvals", _listed("approvals", self.approvals))
        object.__setattr__(self, "mechanisms", _listed("mechanisms", self.mechanisms))

    def refuse(self, job: Job, unit: PrivacyUnit) -> None:
        """PolicyRefusedError, in one sentence, for a run that is not allowed.

        The ledger checks the caps itself.
        """
        missing = [name for name in self.approvals if not job.approvals.get(name, "").strip()]
        if self.persons and (unit.id_column is None or unit.periods):
            raise PolicyRefusedError(
                "the policy asks for runs that protect persons, and this one protects"
                f" {unit.describe()}: use a schema whose unit is all rows of an id column"
            )
        if self.purposes and job.purpose not in self.purposes:
            raise PolicyRefusedError(
                f"the policy allows the purposes {_list(self.purposes)}, got {job.purpose!r}: give"
                " one of them as purpose (--purpose)"
            )
        if self.mechanisms and job.mechanism not in self.mechanisms:
            raise PolicyRefusedError(
                f"the policy allows the mechanisms {_list(self.mechanisms)}, got {job.mechanism!r}:"
                " choose one of them"
            )
        if missing:
            raise PolicyRefusedError(
                f"the policy asks for the approval of {_list(missing)}: say where each approval is"
                " written"
            )

    def to_dict(self) -> dict[str, Any]:
        """The policy as a ledger line states it."""
        return {
            "purposes": {purpose: asdict(budget) for purpose, budget in self.purposes.items()},
            "approvals": list(self.approvals),
            "mechanisms": list(self.mechanisms),
            "persons": self.persons,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Policy:
        """The policy that a ledger line states; TypeError or ValueError for an unknown form."""
        fields = dict(record)
        known = cls().to_dict()
        if fields.keys() != known.keys():
            raise ValueError(
                f"a policy has the fields {_list(fields)}, and this version of dpsynth knows"
                f" {_list(known)}: use the version that wrote it"
            )
        capped = dict(fields.pop("purposes"))
        purposes = {name: Budget(**budget) for name, budget in capped.items()}
        return cls(purposes=purposes, **fields)


def policy_record(policy: Policy) -> dict[str, Any]:
    """A policy as a ledger line states it; TypeError for anything else."""
    if not isinstance(policy, Policy):
        raise TypeError(
            f"a ledger's policy must be a Policy, got {type(policy).__name__}: write Policy(...)"
        )
    return policy.to_dict()


def _capped(purposes: Any) -> dict[str, Budget]:
    """The caps by purpose; TypeError where they are not Budgets by name."""
    mapped = isinstance(purposes, Mapping)
    if not mapped or not all(isinstance(cap, Budget) for cap in purposes.values()):
        raise TypeError(
            "purposes must be a Budget for each name, such as"
            f' {{"research": Budget(1, 1e-6)}}, got {purposes!r}'
        )
    return {text("a purpose", name): cap for name, cap in purposes.items()}


def _listed(what: str, names: Any) -> tuple[str, ...]:
    """The names as a tuple; TypeError where they are not a list of texts."""
    if isinstance(names, str):
        raise TypeError(f"the {what} of a policy must be a list of texts, got one: put it in one")
    return tuple(text(f"the {what} of a policy", name) for name in names)


def _list(names: Mapping[str, Any] | list[str] | tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)
