"""Conditions: which rows a sample should consist of, as tests of columns.

A condition is written as in Python, `age >= 65 and sex == "female"`; `cases` says what `and` and
`or` make of its parts. Column names that are not Python names stand in backticks, with a backtick
in a name written twice. A missing value meets `x is None` and nothing else.
"""

from __future__ import annotations

import ast
import copy
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.base.text import clip
from dpsynth.data.values import is_null, plain_number
from dpsynth.models.base import ConditionError
from dpsynth.schema.columns import number_of_text, plain_word, text_of_number
from dpsynth.schema.open_categorical import text_of
from dpsynth.schema.table import Boolean, Categorical, Column, Datetime, OpenCategorical, Schema

COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: lambda x, c: x == c,
    ast.NotEq: lambda x, c: x != c,
    ast.Lt: lambda x, c: x < c,
    ast.LtE: lambda x, c: x <= c,
    ast.Gt: lambda x, c: x > c,
    ast.GtE: lambda x, c: x >= c,
}
"""Comparisons by their place in Python's syntax."""
_MIRROR = {
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
}
"""The comparison that says the same with its sides exchanged: 65 <= age is age >= 65."""

_WORDS = frozenset({"and", "or", "not", "in", "is", "None", "True", "False"})
"""What is no column's name in a condition, unless backticks say so."""

_TOKEN = re.compile(
    r"(?P<text>(?:\b[rRuUbBfF]{1,2})?(?:(?P<triple>\'\'\'|\"\"\")(?:\\.|.)*?(?P=triple)"
    r"|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"))"
    r"|(?P<number>\d[\w.]*)"
    r"|(?P<name>`(?P<quoted>(?:[^`]|``)+)`|[^\W\d](?:\w|[\u0300-\u036f])*)",
    re.DOTALL,
)
"""Text in quotes, a number, or a name with or without backticks. Names may have loose accents."""

_LONGEST = 50_000
"""Characters of a condition: one of so many takes some seconds to test, whatever it says."""

_QUOTED = 200
"""Characters of a condition that a message repeats."""


@dataclass(frozen=True)
class Term:
    """One part of a condition: a test of one column, and the constants that it compares with."""

    column: str
    test: ast.expr
    constants: tuple[Any, ...]

    def holds(self, values: pd.Series[Any]) -> np.ndarray:
        """For each value whether it meets the term."""
        return _truth(self.test, values.rename(self.column))


@dataclass(frozen=True)
class Without(Term):
    """The values that do not meet another term, missing ones among them."""

    other: Term

    @classmethod
    def of(cls, term: Term) -> Without:
        return cls(term.column, term.test, term.constants, term)

    def holds(self, values: pd.Series[Any]) -> np.ndarray:
        return ~self.other.holds(values)


@dataclass(frozen=True)
class Written:
    """A condition as Python reads it, and the columns' names behind the names in it."""

    tree: ast.expr
    names: Mapping[str, str]

    def columns(self, part: ast.expr) -> list[str]:
        """The columns that a part names, each once."""
        found = (n.id for n in ast.walk(part) if isinstance(n, ast.Name))
        return list(dict.fromkeys(self.names.get(name, name) for name in found))


def read(where: str) -> Written:
    """A condition as Python reads it; ConditionError where it cannot.

    Every name is replaced before Python reads it: Python would change some letters, µ among them.
    """
    if not isinstance(where, str):
        raise ConditionError(
            f"where must be text, got {type(where).__name__}: give values of columns with given="
        )
    if len(where) > _LONGEST:
        raise ConditionError(
            f"the condition {clip(where, _QUOTED)!r} has {len(where):,} characters, and one may"
            f" have {_LONGEST:,}: name ranges in place of single values, or draw several samples"
        )
    names: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        if match["name"] is None or match["name"] in _WORDS:
            return match[0]
        name = match["quoted"].replace("``", "`") if match["quoted"] else match["name"]
        return names.setdefault(name, f"_column_{len(names)}")

    try:
        tree = ast.parse(_TOKEN.sub(stand_in, where).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ConditionError(
            f"where={clip(where, _QUOTED)!r} cannot be read: write it as in"
            " 'age >= 65 and sex == \"female\"', with text in quotes and names that are not Python"
            " names in backticks"
        ) from None
    return Written(tree, {stand_in: name for name, stand_in in names.items()})


def equal(name: str, value: Any, schema: Schema) -> Term:
    """The term that a column has exactly this value; None is a missing one."""
    return term(name, ast.Compare(ast.Name("x"), [ast.Eq()], [ast.Constant(value)]), schema)


def term(name: str, test: ast.expr, schema: Schema) -> Term:
    """A test of one column, checked against the schema; ConditionError where it does not fit."""
    name, column = column_of(name, schema)
    if isinstance(column, Boolean):
        test = _with_bare_names(test)
    test = _Literals(column, name).visit(copy.deepcopy(test))  # it is changed in place
    values = [node.value for node in ast.walk(test) if isinstance(node, ast.Constant)]
    return Term(name, test, tuple(value for value in values if value is not None))


def _with_bare_names(test: ast.expr) -> ast.expr:
    """The test of a Boolean column with `smoker == True` where it says `smoker` alone."""
    match test:
        case ast.Name():
            return ast.Compare(test, [ast.Eq()], [ast.Constant(True)])
        case ast.BoolOp(op=op, values=values):
            return ast.BoolOp(op, [_with_bare_names(value) for value in values])
    return test


def column_of(name: str, schema: Schema) -> tuple[str, Column]:
    """The column of this name, or the only one whose name differs in the form of letters alone.

    ConditionError for a name that no column has which can be sampled.
    """
    if name not in schema.coded and isinstance(name, str):
        same = [each for each in schema.coded if _same_letters(each) == _same_letters(name)]
        name = same[0] if len(same) == 1 else name
    if name not in schema.coded:
        raise ConditionError(
            f"a condition is about {name!r}, which is not a column that can be sampled: use one of"
            f" {sorted(schema.coded)}"
        )
    return name, schema.coded[name]


def _same_letters(name: str) -> str:
    return unicodedata.normalize("NFKC", name)


class _Literals(ast.NodeTransformer):
    """Turns constants into values of the column's type, and refuses other code than tests."""

    def __init__(self, column: Column, name: str) -> None:
        self._column = column
        self._name = name

    def visit(self, node: ast.AST) -> Any:
        match node:
            case ast.BoolOp() | ast.And() | ast.Or() | ast.Compare() | ast.cmpop():
                return self.generic_visit(node)
            case ast.List() | ast.Tuple():
                return self.generic_visit(node)
            case ast.Name() | ast.Load():
                return node
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return ast.Constant(self._value(-number))
            case ast.Constant():
                return ast.Constant(self._value(node.value))
        raise ConditionError(
            f"a condition on {self._name!r} can only compare it with constants: write numbers, or"
            " text in quotes"
        )

    def _value(self, value: Any) -> Any:
        """A constant as a value of the column; ConditionError for one of another type."""
        if is_null(value):
            return None
        if isinstance(value, np.generic) and not isinstance(value, np.datetime64):
            value = value.item()
        match self._column:
            case Datetime():
                return self._timestamp(value)
            case Categorical(categories=categories):
                return self._category(value, categories)
            case OpenCategorical():
                return text_of(value)
            case Boolean():
                return self._truth(value, self._column)
        number = plain_number(value)  # which no truth value and no text is
        if np.isnan(number):
            raise ConditionError(
                f"{self._name!r} is a number and cannot be compared with {value!r}: write a number"
                " without quotes"
            )
        return value if isinstance(value, int) and abs(value) < 2**63 else number

    def _category(self, value: Any, categories: Sequence[str | float]) -> Any:
        """A category; 1 says "1" where they are text, and "1" says 1, as in a table."""
        said: list[Any] = [value] if isinstance(value, str | int | float) else []
        if isinstance(value, str):
            said.append(number_of_text(value))
        elif said and not isinstance(value, bool):
            said.append(text_of_number(float(value)))
        for each in said:
            if each in categories:
                return each
        raise ConditionError(
            f"{value!r} is not a category of {self._name!r}: use one that the schema lists, or that"
            " the fit found (Synthesizer.categories)"
        )

    def _truth(self, value: Any, column: Boolean) -> Any:
        """The word that a release has for a truth: of a bool, or of any word for it."""
        if isinstance(value, bool):
            return column.written[value]
        meanings = {plain_word(word): truth for word, truth in column.words.items()}
        word = plain_word(value) if isinstance(value, str | int | float) else ""
        if word not in meanings:
            raise ConditionError(
                f"{self._name!r} is true or false, not {value!r}: compare it with True or False"
            )
        return column.written[meanings[word]]

    def _timestamp(self, value: Any) -> pd.Timestamp:
        try:
            moment = pd.Timestamp(value)
            utc = moment if moment.tzinfo is None else moment.tz_convert(None)
            seconds: pd.Timestamp = utc.as_unit("s")
            if pd.isna(seconds):  # what pandas makes of "NaT" and of empty text
                raise ValueError
            return seconds
        except (ValueError, TypeError, OverflowError, AttributeError):
            raise ConditionError(
                f"{self._name!r} holds dates, and {value!r} is not a date: write one such as"
                " '2020-01-31'"
            ) from None


def _truth(test: ast.expr, x: pd.Series[Any]) -> np.ndarray:
    """For each value whether it meets the test."""
    match test:
        case ast.BoolOp(op=op, values=values):
            combine = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return combine.reduce([_truth(v, x) for v in values])
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [left, *comparators]
            steps = [_compare(a, op, b, x) for a, op, b in zip(sides, ops, sides[1:], strict=False)]
            return np.logical_and.reduce(steps)
    raise ConditionError(
        "a condition consists of comparisons, and this one has something else: write it as in"
        " 'age >= 65'"
    )


def _compare(left: ast.expr, op: ast.cmpop, right: ast.expr, x: pd.Series[Any]) -> np.ndarray:
    """For each value whether it meets one comparison."""
    if isinstance(right, ast.Name) and isinstance(left, ast.Constant) and type(op) in _MIRROR:
        left, op, right = right, _MIRROR[type(op)](), left
    known = np.asarray(x.notna(), dtype=bool)
    match left, op, right:
        case ast.Name(), ast.Is() | ast.Eq(), ast.Constant(value=None):
            return ~known
        case ast.Name(), ast.IsNot() | ast.NotEq(), ast.Constant(value=None):
            return known
        case ast.Name(), ast.In() | ast.NotIn(), ast.List(elts=elts) | ast.Tuple(elts=elts):
            values = [each.value for each in elts if isinstance(each, ast.Constant)]
            member = np.asarray(x.isin(values), dtype=bool)
            return known & (member if isinstance(op, ast.In) else ~member)
        case ast.Name(), _, ast.Constant(value=None):
            raise ConditionError(
                f"a missing value has no order, and a condition compares {x.name!r} with one: write"
                " `is None` or `is not None`"
            )
        case ast.Name(), _, ast.Constant(value=value) if type(op) in COMPARE:
            try:
                outcome = COMPARE[type(op)](x, value)
            except TypeError:
                raise ConditionError(
                    f"{x.name!r} has no order: compare it with ==, != or in"
                ) from None
            return known & np.asarray(outcome.fillna(False), dtype=bool)
    raise ConditionError(
        "a comparison is between a column and a constant, or a list of constants: write it as in"
        " 'age >= 65'"
    )
