"""Functions are named by the file that defines them, and a change of the file is a change of the name."""

from __future__ import annotations

import hashlib
import linecache
import re
from functools import partial
from pathlib import Path

import pytest

from dpsynth.base.code_name import code_name, code_of

HERE = f"rings/test_code_name.py sha256:{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}"


class Caller:
    def __call__(self, rows):
        return rows

    def method(self, rows):
        return rows


@pytest.mark.parametrize(
    "function",
    [lambda rows: rows, partial(partial(lambda a, rows: rows, 1)), Caller(), Caller().method, Caller.method],
    ids=["lambda", "partial", "callable", "bound", "method"],
)
def test_every_kind_of_function_is_named_by_its_file(function):
    assert code_name(function) == HERE


@pytest.mark.parametrize("function", [len, "text".join, int], ids=["builtin", "method of a builtin", "type"])
def test_what_is_not_written_in_python_is_refused(function):
    with pytest.raises(TypeError, match="written in Python"):
        code_of(function)


def compiled(text, name):
    space = {}
    exec(compile(text, name, "exec"), space)
    return space["f"]


def test_a_cell_of_a_notebook_is_named_by_its_text(monkeypatch):
    text = "def f(rows):\n    return rows\n"
    monkeypatch.setitem(linecache.cache, "/home/somebody/cell 1", (len(text), None, text.splitlines(True), "cell"))
    name = code_name(compiled(text, "/home/somebody/cell 1"))
    assert name == f"somebody/cell 1 sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_without_a_text_the_bytecode_names_it():
    one, same, other, within = (
        code_name(compiled(text, "<nowhere>"))
        for text in (
            "def f(x):\n    return x in {1, 2}",
            "def f(x):\n    return x in {1, 2}",
            "def f(x):\n    return x in {1, 3}",
            "def f(x):\n    return (lambda y: y + 1)(x)",
        )
    )
    assert re.fullmatch(r"<nowhere> bytecode-sha256:[0-9a-f]{64}", one)
    assert one == same
    assert len({one, other, within}) == 3
    assert within != code_name(compiled("def f(x):\n    return (lambda y: y + 2)(x)", "<nowhere>"))
