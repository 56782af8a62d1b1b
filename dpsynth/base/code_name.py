"""What a function is called in a ledger: the file that defines it, and a hash of what stands there."""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from types import CodeType
from typing import Any


def code_of(function: Callable[..., Any]) -> CodeType:
    """The code that a call of `function` runs first: of a function, a method, a partial, or an object's `__call__`.

    Raises TypeError for what Python code does not define, since nobody could look it up.
    """
    while isinstance(function, partial):
        function = function.func
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    if not isinstance(code, CodeType):
        raise TypeError(
            f"what reads private rows must be written in Python, so that its code can be named in the ledger,"
            f" got {type(function).__name__}: wrap it in a function"
        )
    return code


def code_name(function: Callable[..., Any]) -> str:
    """`folder/file.py sha256:digest` of the file that defines the function; all functions of a file share it.

    In a notebook the file is the cell. Where nothing has the text (a console), the digest is of the function's bytecode
    and is called `bytecode-sha256`. Of the path, only the last folder is told: not whose home it is in.
    """
    return _named(code_of(function))


@lru_cache(maxsize=256)
def _named(code: CodeType) -> str:
    path = Path(code.co_filename)
    how = "sha256"
    content = path.read_bytes() if path.is_file() else "".join(linecache.getlines(code.co_filename)).encode()
    if not content:
        how, content = "bytecode-sha256", "\n".join(_bytecode(code)).encode()
    return f"{'/'.join(path.parts[-2:])} {how}:{hashlib.sha256(content).hexdigest()}"


def _bytecode(code: CodeType) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_freevars}"
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _bytecode(constant)
        else:
            yield repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant)
