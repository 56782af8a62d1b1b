"""What all kinds of constraints have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Rule(ABC):
    """What every constraint can say of itself."""

    @property
    @abstractmethod
    def columns_of(self) -> tuple[str, ...]:
        """The columns that it is about, as far as its fields name them."""

    @abstractmethod
    def describe(self) -> str:
        """The rule in words, for a certificate and for messages."""
