"""The name of a function in a ledger: the file that defines it, and a hash of that file."""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from types import CodeType
from typing import Any


def code_of(function: Callable[..., Any]) -> CodeType:
    """The code that a call of `function` runs first.

    `function` is a function, a method, a partial, or an object with `__call__`. TypeError where it
    is not written in Python, as nobody could look it up.
    """
    while isinstance(function, partial):
        function = function.func
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    if not isinstance(code, CodeType):
        raise TypeError(
            "what reads private rows must be written in Python, so that its code can be named in"
            f" the ledger, got {type(function).__name__}: wrap it in a function"
        )
    return code


def code_name(function: Callable[..., Any]) -> str:
    """`folder/file.py sha256:digest` of the file that defines the function.

    All functions of a file have the same name. In a notebook the file is the cell. Where the text
    is not kept, as in a console, the digest is of the function's bytecode, and is called
    `bytecode-sha256`. Of the path only the last folder is named, so that no home folder is.
    """
    return _named(code_of(function))


@lru_cache(maxsize=256)
def _named(code: CodeType) -> str:
    how = "sha256"
    content = _text(code.co_filename)
    if not content:
        how = "bytecode-sha256"
        content = "\n".join(_bytecode(code)).encode()
    where = "/".join(Path(code.co_filename).parts[-2:])
    return f"{where} {how}:{hashlib.sha256(content).hexdigest()}"


def _text(file: str) -> bytes:
    """The file's bytes, or the text that Python keeps of a notebook's cell; empty where neither."""
    path = Path(file)
    if path.is_file():
        return path.read_bytes()
    return "".join(linecache.getlines(file)).encode()


def _bytecode(code: CodeType) -> Iterator[str]:
    """What the code does, and what the functions in it do, in lines that no later run changes."""
    yield f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_freevars}"
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _bytecode(constant)
        elif isinstance(constant, frozenset):  # whose order differs from run to run
            yield repr(sorted(map(repr, constant)))
        else:
            yield repr(constant)
