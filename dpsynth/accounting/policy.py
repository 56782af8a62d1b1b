"""Policy: what the owner of a data set asks of every run, which stands in the ledger.

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

    purposes: the purposes for which the data may be used, each with a cap of its own, under the ledger's cap.
    approvals: names of those whose approval every run must quote. mechanisms: the names of those allowed.
    persons: runs must protect persons (an id column), not rows.
    """

    purposes: Mapping[str, Budget] = field(default_factory=dict)
    approvals: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    persons: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.purposes, Mapping) or not all(isinstance(b, Budget) for b in self.purposes.values()):
            raise TypeError(
                f'purposes must give each a Budget, {{"research": Budget(1, 1e-6)}} say, got {self.purposes!r}'
            )
        if not isinstance(self.persons, bool):
            raise TypeError(f"persons must be True or False, got {self.persons!r}")
        for name in ("approvals", "mechanisms"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"the {name} of a policy must be several texts, got one: put it in a list")
            object.__setattr__(self, name, tuple(text(f"the {name} of a policy", t) for t in getattr(self, name)))
        object.__setattr__(self, "purposes", {text("a purpose", p): b for p, b in self.purposes.items()})

    def refuse(self, job: Job, unit: PrivacyUnit) -> None:
        """Raises PolicyRefusedError, in one sentence, for a run that may not be; caps are the ledger's to check."""
        missing = [name for name in self.approvals if not job.approvals.get(name, "").strip()]
        if self.persons and unit.id_column is None:
            raise PolicyRefusedError(
                f"the policy asks for runs that protect persons, and this one protects {unit.describe()}:"
                " use a schema whose unit has an id column"
            )
        if self.purposes and job.purpose not in self.purposes:
            raise PolicyRefusedError(
                f"the policy allows the purposes {_list(self.purposes)}, got {job.purpose!r}: name one of them"
            )
        if self.mechanisms and job.mechanism not in self.mechanisms:
            raise PolicyRefusedError(
                f"the policy allows the mechanisms {_list(self.mechanisms)}, got {job.mechanism!r}: choose one of them"
            )
        if missing:
            raise PolicyRefusedError(f"the policy asks for the approval of {_list(missing)}: say where each is written")

    def to_dict(self) -> dict[str, Any]:
        return {
            "purposes": {purpose: asdict(budget) for purpose, budget in self.purposes.items()},
            "approvals": list(self.approvals),
            "mechanisms": list(self.mechanisms),
            "persons": self.persons,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Policy:
        """The policy that a ledger line states; TypeError or ValueError when this version does not know it."""
        fields = dict(record)
        if fields.keys() != cls().to_dict().keys():
            raise ValueError(f"a policy with the fields {_list(fields)}, which this version does not know")
        purposes = {name: Budget(**budget) for name, budget in dict(fields.pop("purposes")).items()}
        return cls(purposes=purposes, **fields)


def policy_record(policy: Policy) -> dict[str, Any]:
    """A policy as a ledger line states it; TypeError for anything else."""
    if not isinstance(policy, Policy):
        raise TypeError(f"a ledger's policy must be a Policy, got {type(policy).__name__}")
    return policy.to_dict()


def _list(names: Mapping[str, Any] | list[str] | tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)
