"""Steps: how many steps of a training are claimed, in the ledger's words; and claims, by the process that takes them.

A DpSgd event pays for `steps` noisy answers, wherever in between each is asked, and whatever is asked next: composition
is adaptive. So a training that died may go on under the charge it began with, as long as all that ever took steps under
it, together, take no more than were paid for. Files can be copied, put back and resumed twice; the ledger cannot, so it
keeps the count: a line claims the next few steps *before* the first of them draws a random bit, in a transaction that
sees every earlier claim. Steps that were claimed and not finished are lost, and count as taken.

A resumed step draws its batch and its noise anew, from the operating system, as every step does: none hangs on earlier
draws, of which nothing is kept. It also reads the rows anew. Each step's guarantee holds for whatever rows it reads, so
the whole holds for a unit whose records are all that two histories of the table differ by. When the process died is
taken to say nothing of the rows, as nothing else does that a machine shows of itself.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, replace

from dpsynth.base.closed import Closed
from dpsynth.kernel.events import Grant, Progress


@dataclass(frozen=True)
class Steps:
    """What the ledger says of one training.

    paid: steps of its event. upto: how many are claimed. resumed: how often it was. lost: steps claimed by now that
    nobody goes on from, because what they led to died with a process.
    """

    paid: int
    upto: int = 0
    resumed: int = 0
    lost: int = 0

    @property
    def left(self) -> int:
        return self.paid - self.upto

    def after(self, *, resumed: object, lost: object, upto: object) -> Steps:
        """After a line with these figures; ValueError for one that may not stand here.

        Either whoever took the last steps claims more of them, or somebody resumes the training and claims none yet.
        From then on whoever had it before is refused.
        """
        if not type(resumed) is type(lost) is type(upto) is int:
            raise ValueError(f"steps are counted in whole numbers, got {resumed!r}, {lost!r}, {upto!r}")
        if upto > self.paid:
            raise ValueError(f"{upto} steps of a training are claimed, which paid for {self.paid}")
        more = resumed == self.resumed and lost == self.lost and upto > self.upto
        again = resumed == self.resumed + 1 and 0 <= lost <= upto == self.upto
        if not more and not again:
            raise ValueError("a training's steps are claimed out of turn: it was resumed elsewhere, or none is left")
        return replace(self, upto=upto, resumed=resumed, lost=lost)


class Claims(Closed):
    """The steps that one process may take of a training, in blocks that it claims as it comes to them."""

    _closed_because = "a training cannot be copied: its steps would be taken twice"

    __slots__ = ("__grant", "__granted", "__lock", "__process", "__steps")

    def __init__(self, grant: Grant) -> None:
        self.__grant = grant
        self.__granted = 0
        self.__lock = threading.Lock()
        self.__process = os.getpid()
        self.__steps: Progress = grant.progress

    @property
    def steps(self) -> Progress:
        """What the ledger said of them last: how many are paid for, claimed, lost."""
        return self.__steps

    @property
    def steps_left(self) -> int:
        return self.__steps.left + self.__granted

    @property
    def done(self) -> int:
        """Steps taken, by this process and by those that it goes on from."""
        return self.__steps.upto - self.__steps.lost - self.__granted

    @property
    def between_blocks(self) -> bool:
        """Whether all steps that are claimed were taken or lost, so that a process that ends here loses none."""
        return self.__granted == 0

    @property
    def charge(self) -> int:
        """The number of the ledger line that pays."""
        return self.__grant.line

    def _take(self, block: int) -> None:
        """Counts one step, before it draws anything, and claims the next `block` first where none is granted.

        Raises RuntimeError when all that were paid for are taken, ValueError when the ledger refuses the claim.
        """
        if self.__process != os.getpid():
            raise RuntimeError("this training belongs to another process: a fork cannot spend it a second time")
        with self.__lock:
            if not self.__granted:
                before = self.__steps
                if not before.left:
                    raise RuntimeError(f"all {before.paid} steps that were paid for are taken: there is no further one")
                grant = self.__grant
                self.__steps = grant.ledger.claim(grant.run, grant.line, before.resumed, block)
                self.__granted = self.__steps.upto - before.upto
            self.__granted -= 1
