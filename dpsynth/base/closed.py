"""Closed: the base of objects that cannot be copied or pickled.

They hold private values, or a budget that a copy would spend a second time.
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn


def closed(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """A method that refuses.

    A closed class gives it to every other operation that would show what the object holds.
    """
    raise TypeError(self._closed_because)


class Closed:
    """Refuses copy, deepcopy and pickle by every protocol, and hands out no state.

    _closed_because: the sentence that a caller is told.
    """

    __slots__ = ()
    _closed_because: ClassVar[str]

    __copy__ = closed
    __deepcopy__ = closed
    __getstate__ = closed
    __reduce__ = closed
    __reduce_ex__ = closed
