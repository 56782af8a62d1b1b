"""Teachers: private rows parted among teachers, who vote. One row moves one teacher, and so each count by one at most.

**Whose row it is** (Papernot et al., arXiv 1802.08908; Jordon et al., PATE-GAN, ICLR 2019). Every row is given a
teacher by random bits of its own, once for as long as these teachers live: neither its place nor the other rows have a
say in it. Let two tables differ in one row. Give the rows that they share the same teachers in both: each table's
teachers then have the law that they should have, and all teachers but one hold the same rows. For every such draw what
follows is a mechanism on data of which one teacher's part has changed; its hockey-stick divergence is convex, so the
mixture over all draws is bounded as each of them is. A row that is *replaced* keeps its teacher: again, one teacher
changes. A teacher's rows are sorted, so that the order of the table does not reach it.

**Sensitivity.** A unit of k rows is in the hands of k teachers at most, added, removed or replaced. A teacher answers
each of L questions with no or yes, whatever it holds, so each count of yeses moves by k at most: k L in the 1-norm and
k sqrt(L) in the 2-norm. Nothing depends on how far teachers agree: the price is the same for all data. What is asked
may depend on former answers; every set of questions is paid for by a charge of its own, which adds the noise.

**What is trusted.** A teacher is a function of its own rows: nothing passes from one to another, or from one set of
questions to the next, unless the function keeps what it sees. Python has no walls (see `clipping.py`); made-up rows
show whether an answer depends on chance or on whom the function saw before, and such a function is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from dpsynth.base.closed import Closed
from dpsynth.base.code_name import code_name
from dpsynth.base.numbers import whole
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.noise import Bits
from dpsynth.kernel.rows import SensitiveRows, _exact_codes
from dpsynth.kernel.sensitive import Sensitive, _up
from dpsynth.kernel.wall import behind_the_wall
from dpsynth.training.clipping import checked

Teacher = Callable[[np.ndarray], np.ndarray]
"""The codes of one teacher's rows, shape (rows, columns), to its answers: booleans, shape (questions,)."""

MAX_TEACHERS = 100_000
MAX_QUESTIONS = 10_000_000
_MADE_UP = 16


class Teachers(Closed):
    """`number` teachers, each with rows of its own, the same for as long as this object lives."""

    _closed_because = "teachers cannot be copied or read: ask for their votes"
    __slots__ = ("__parts", "__protects", "__sizes", "number")
    number: int

    def __init__(self, rows: SensitiveRows, number: int, bits: Bits) -> None:
        codes = _exact_codes(rows)
        self.number = whole("teachers", number, MAX_TEACHERS)
        self.__parts = behind_the_wall(partial(parted, codes, number, bits))
        self.__protects = rows.protects
        self.__sizes = rows.sizes

    def vote(self, teacher: Teacher, questions: int) -> Sensitive:
        """How many teachers say yes to each question; shape (questions,).

        Raises ValueError when made-up rows show that `teacher` is no function of one teacher's rows, or that its
        answers have another shape; RowsError, which says nothing of any row, when it fails on real ones.
        """
        whole("questions", questions, MAX_QUESTIONS)
        _refuse_memory(teacher, self.__sizes, questions)
        counts = behind_the_wall(partial(_counted, teacher, self.__parts, questions))
        reach = self.__protects.max_records
        l1, l2 = float(reach * questions), _up(reach * math.sqrt(questions))
        return Sensitive(counts, l1=max(l1, l2), l2=l2, protects=self.__protects, code=code_name(teacher))


def part(accountant: Accountant, rows: SensitiveRows, number: int) -> Teachers:
    """The rows parted among this many teachers, by the run's randomness. What they vote is for charges to read."""
    return Teachers(rows, number, accountant.bits)


def parted(codes: np.ndarray, number: int, bits: Bits) -> list[np.ndarray]:
    """The rows of each teacher, sorted: every row's teacher is drawn for itself, from 64 bits of its own."""
    teacher = np.frombuffer(bits(8 * len(codes)), dtype="<u8") % np.uint64(number)
    order = np.lexsort((*codes.T[::-1], teacher))
    ends = np.searchsorted(teacher[order], np.arange(1, number, dtype=np.uint64))
    return np.split(codes[order].astype(np.int64), ends)


def _answers(teacher: Teacher, rows: np.ndarray, questions: int) -> np.ndarray:
    """What a teacher says of a copy of its rows, which it may keep or change; the answers are copied too."""
    what = "a teacher's answers must be booleans"
    return checked(what, teacher(rows.copy()), (questions,), (np.dtype(np.bool_),)).copy()


def _counted(teacher: Teacher, parts: list[np.ndarray], questions: int) -> np.ndarray:
    counts = np.zeros(questions, dtype=np.int64)
    for rows in parts:
        counts += _answers(teacher, rows, questions)
    return counts


def _refuse_memory(teacher: Teacher, sizes: tuple[int, ...], questions: int) -> None:
    """ValueError if made-up rows show that an answer depends on chance, or on the rows of other teachers."""
    one, two = np.random.default_rng(0).integers(0, sizes, size=(2, _MADE_UP, len(sizes)))
    first, _, again = (_answers(teacher, rows, questions) for rows in (one, two, one))
    if not np.array_equal(first, again):
        raise ValueError(
            "a teacher's answers change by chance or with the rows of other teachers, so one row could change them all:"
            " compute them from its own rows and public settings only"
        )
