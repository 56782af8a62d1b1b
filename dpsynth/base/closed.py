"""Closed: the base of what cannot be copied, as it holds private values, or a budget that a copy would spend again."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn


def closed(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """A method that refuses. A closed class gives it to every further operation that would show what it holds."""
    raise TypeError(self._closed_because)


class Closed:
    """Refuses copy, deepcopy and pickle by every protocol, and hands out no state.

    _closed_because: what a caller is told, one sentence.
    """

    __slots__ = ()
    _closed_because: ClassVar[str]

    __copy__ = closed
    __deepcopy__ = closed
    __getstate__ = closed
    __reduce__ = closed
    __reduce_ex__ = closed
