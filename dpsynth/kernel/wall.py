"""The wall round everything that touches private rows: what goes wrong behind it comes out as one sentence.

An exception is an output. Its text may quote a value ("can't decode byte 0xff"), count the rows ("Unable to allocate
array with shape (31561, 14)") or only tell by its type which kind of value was met. So whatever fails behind the
wall is replaced by one constant exception, warnings are not shown, and a failure is never free: a fit marks its run
as drawing (`Accountant.begin`) before it goes behind the wall. That a fit failed at all is seen; the wall makes it say
nothing else.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from dpsynth.base.errors import DPSynthError

T = TypeVar("T")


class RowsError(DPSynthError, RuntimeError):
    """Rows could not be read, bounded, encoded or counted. It says nothing of them, and what was reserved is spent."""

    def __init__(self) -> None:
        super().__init__(
            "the rows could not be read, for want of memory, by a faulty file, value or function, or as they changed;"
            " what was reserved stays spent: give it more memory, or look at the rows with `dpsynth schema check`"
        )


def behind_the_wall(work: Callable[[], T]) -> T:
    """What `work` returns. Raises RowsError, which remembers no other exception, whatever it raises.

    KeyboardInterrupt and SystemExit pass: they come from whoever runs the program. What they were raised on top of
    is forgotten.
    """
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return work()
    except (KeyboardInterrupt, SystemExit) as stop:
        stop.__context__ = stop.__cause__ = None
        raise
    except BaseException:
        pass
    raise RowsError from None
