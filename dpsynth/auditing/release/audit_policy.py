"""AuditPolicy: what an organisation tolerates.

Numbers of a policy, not of science; kept in a file that people sign.
"""

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
    """What an organisation tolerates of a release.

    A finding fails when chance does not explain it (adjusted p-value up to alpha) and its whole
    95 % interval lies above the limit; it passes when its whole interval lies at or below; in
    between it is inconclusive.

    Parameters
    ----------
    alpha : float
        The false-alarm rate of the whole report, half of it for exact copies.
    auc, tpr : float
        Limits for membership inference: the share of pairs told apart, 0.5 or more, and that of
        training records named with 1 % wrong.
    attribute, singling_out, linkability, copies, near_copies : float
        Limits for the rate on training records less the rate on the holdout.
    invalid_alpha : float
        The p-value up to which training records and holdout are taken to differ without the
        release.

    Raises
    ------
    ValueError
        A number is out of its range.

    Examples
    --------
    >>> strict = AuditPolicy(auc=0.52)
    >>> strict.limit("membership", "auc"), strict.limit("singling out", "gap")
    (0.52, 0.05)
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
            least = 0.5 if field.name == "auc" else 0.0  # 0.5 is the area of a guess
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and least <= value <= 1):
                allowed = f"between {least:g} and 1"
                raise ValueError(f"{field.name} of a policy must be {allowed}, got {value!r}")
        if not self.alpha > 0 or not self.invalid_alpha > 0:
            raise ValueError(
                "alpha and invalid_alpha of a policy must be above 0: at 0 nothing could ever fail"
            )

    def limit(self, threat: str, measure: str) -> float:
        """What is tolerated of this threat, in this measure."""
        field = measure if threat == "membership" else re.sub(r"[ -]", "_", threat)
        return float(getattr(self, field))

    def to_dict(self) -> dict[str, Any]:
        return {"dpsynth_policy": VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, spec: Mapping[str, Any]) -> AuditPolicy:
        """The inverse of `to_dict`.

        What is left out keeps its default, and a name that is not known is refused.
        """
        version = spec.get("dpsynth_policy")
        if type(version) is not int or version != VERSION:  # True and 1.0 equal 1
            raise ValueError(f"dpsynth_policy must be {VERSION}, got {version!r}")
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
