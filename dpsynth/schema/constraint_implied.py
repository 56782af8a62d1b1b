"""A constraint of two conditions."""

from __future__ import annotations

from dataclasses import dataclass

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.constraint_base import Rule


@dataclass(frozen=True)
class Implies(Rule):
    """Where one condition holds, another one holds too.

    Conditions are written as for `Synthesizer.sample`: parts joined by `and`, each about one
    column. A missing value meets `x is None` and nothing else.

    Parameters
    ----------
    when : str
        Such as "sex == 'M'".
    then : str
        Such as "pregnancies is None".

    Raises
    ------
    SchemaError
        For a condition that is not text.

    Examples
    --------
    >>> Implies("sex == 'M'", "pregnancies is None").describe()
    "where sex == 'M': pregnancies is None"
    """

    when: str
    then: str

    def __post_init__(self) -> None:
        for name in ("when", "then"):
            text = getattr(self, name)
            if not isinstance(text, str) or not text.strip():
                raise SchemaError(
                    f"{name} must be a condition such as \"sex == 'M'\", got {text!r}: write one"
                )

    @property
    def columns_of(self) -> tuple[str, ...]:
        return ()

    def describe(self) -> str:
        return f"where {self.when}: {self.then}"
