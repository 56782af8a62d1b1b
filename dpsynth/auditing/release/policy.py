"""AuditPolicy: what an organisation tolerates. Numbers of a policy, not of science; kept in a file that people sign."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from dpsynth.base.errors import DPSynthError
from dpsynth.base.mappings import read_mapping, write_mapping

VERSION = 1


class PolicyViolationError(DPSynthError, RuntimeError):
    """The audit did not pass: the message has the reasons."""


@dataclass(frozen=True)
class AuditPolicy:
    """A finding fails when chance does not explain it (adjusted p-value up to alpha) and its whole 95 % interval lies
    above the limit; it passes when its whole interval lies at or below; in between it is inconclusive.

    alpha: the false-alarm rate of the whole report, half of it for exact copies. auc, tpr: limits for membership
    inference, the area under the curve and the true-positive rate at 1 % false positives. attribute, singling_out,
    linkability, copies, near_copies: limits for the rate on training records less the rate on the holdout.
    invalid_alpha: the p-value up to which training records and holdout are taken to differ without the release.
    """

    alpha: float = 0.01
    auc: float = 0.55
    tpr: float = 0.03
    attribute: float = 0.05
    singling_out: float = 0.05
    linkability: float = 0.05
    copies: float = 0.005
    near_copies: float = 0.02
    invalid_alpha: float = 0.005

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least, most = (0.5, 1.0) if field.name == "auc" else (0.0, 1.0)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and least <= value <= most):
                raise ValueError(f"{field.name} of a policy must be between {least:g} and {most:g}, got {value!r}")
        if not self.alpha > 0 or not self.invalid_alpha > 0:
            raise ValueError("alpha and invalid_alpha of a policy must be above 0: no finding could ever be made")

    def limit(self, threat: str, measure: str) -> float:
        """What is tolerated of this threat, in this measure."""
        return float(getattr(self, measure if threat == "membership" else re.sub(r"[ -]", "_", threat)))

    def to_dict(self) -> dict[str, Any]:
        return {"dpsynth_policy": VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, spec: Mapping[str, Any]) -> AuditPolicy:
        """The inverse of `to_dict`; what is left out keeps its default, and what is not known is refused."""
        if type(spec.get("dpsynth_policy")) is not int or spec["dpsynth_policy"] != VERSION:
            raise ValueError(f"dpsynth_policy must be {VERSION}, got {spec.get('dpsynth_policy')!r}")
        known = [field.name for field in fields(cls)]
        given = {name: value for name, value in spec.items() if name != "dpsynth_policy"}
        if unknown := [name for name in given if name not in known]:
            raise ValueError(f"the policy has unknown fields {unknown}: known are {known}")
        return cls(**given)

    @classmethod
    def load(cls, path: str | Path) -> AuditPolicy:
        """Read a .yaml, .yml or .json file."""
        try:
            return cls.from_dict(read_mapping(path))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def save(self, path: str | Path) -> None:
        """Write a .yaml, .yml or .json file, chosen by the suffix."""
        write_mapping(path, self.to_dict())
