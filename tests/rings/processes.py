"""Other processes, as cheaply as the system allows: forks of this one."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def start(work: Callable[[Callable[[bytes], None]], None]) -> tuple[int, int]:
    """A child that does `work(tell)`; returns its process id, and a descriptor on which its words arrive.

    What escapes from `work` is told as the name of its type.
    """
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # "multi-threaded": numerical libraries keep idle threads
        child = os.fork()
    if child:
        os.close(write)
        return child, read
    try:
        work(lambda word: os.write(write, word) and None)
    except BaseException as error:
        os.write(write, type(error).__name__.encode())
    finally:
        os._exit(0)


def finish(child: int, read: int) -> bytes:
    """All that the child said, after it ended."""
    words = b""
    while word := os.read(read, 1 << 16):
        words += word
    os.close(read)
    os.waitpid(child, 0)
    return words


def in_children(works: Iterable[Callable[[Callable[[bytes], None]], None]]) -> list[bytes]:
    """What each of these said, all run at the same time."""
    return [finish(*started) for started in [start(work) for work in works]]
