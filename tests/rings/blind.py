"""A blind accountant that goes on with the run of another one, as after a crash."""

from __future__ import annotations

from dpsynth.testing import BlindAccountant


class Resuming(BlindAccountant):
    """A seeded run is otherwise never resumed, since its noise would come again."""

    @classmethod
    def going_on(cls, died: BlindAccountant) -> Resuming:
        """What goes on with the run and the answers of one that died."""
        accountant = cls.__new__(cls)
        accountant._begin(died.ledger, died.run, died.budget, died._bits)
        accountant._events, accountant._reserved, accountant._protects = died._events, died._reserved, died._protects
        accountant._cost, accountant.answers = died._cost, died.answers
        return accountant
