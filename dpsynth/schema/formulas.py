"""Formulas of columns, such as `weight / height ** 2`: read once, computed for many rows."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from dpsynth.schema.columns import SchemaError

Interval = tuple[float, float]

EVERYTHING: Interval = (-np.inf, np.inf)

_BINARY: dict[type[ast.operator], Any] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_RISING: dict[str, Any] = {
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "floor": np.floor,
    "ceil": np.ceil,
}
"""Functions of one number that never fall, so that ends of intervals go to ends."""

_SEVERAL: dict[str, Any] = {"min": np.minimum, "max": np.maximum}

_QUOTED = re.compile(r"`((?:[^`]|``)+)`")


@dataclass(frozen=True)
class Formula:
    """A formula of columns, numbers, + - * / **, and a few functions.

    tree: as Python reads it. names: the columns behind its Python names.
    """

    tree: ast.expr
    names: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is of, each once."""
        return tuple(dict.fromkeys(self.names.values()))

    def __call__(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The result for each row; NaN where a value is missing or there is no finite result."""
        with np.errstate(all="ignore"):
            found = np.asarray(self._value(self.tree, values), dtype=np.float64)
        rows = len(next(iter(values.values())))
        known = np.logical_and.reduce([~np.isnan(each) for each in values.values()])
        return np.where(known & np.isfinite(found), np.broadcast_to(found, (rows,)), np.nan)

    def interval(self, bounds: Mapping[str, Interval]) -> Interval:
        """Ends between which the result lies where the columns lie between theirs."""
        with np.errstate(all="ignore"):
            return self._interval(self.tree, bounds)

    def _value(self, node: ast.expr, values: Mapping[str, np.ndarray]) -> Any:
        match node:
            case ast.Name(id=name):
                return values[self.names[name]]
            case ast.Constant(value=int() | float() as number):
                return np.float64(number)
            case ast.UnaryOp(operand=operand):
                return -self._value(operand, values)
            case ast.BinOp(left=left, op=op, right=right):
                return _BINARY[type(op)](self._value(left, values), self._value(right, values))
            case ast.Call(func=ast.Name(id=name), args=args):
                return _called(name, [self._value(each, values) for each in args])
        raise AssertionError(node)

    def _interval(self, node: ast.expr, bounds: Mapping[str, Interval]) -> Interval:
        match node:
            case ast.Name(id=name):
                return bounds[self.names[name]]
            case ast.Constant(value=int() | float() as number):
                return (float(number), float(number))
            case ast.UnaryOp(operand=operand):
                low, high = self._interval(operand, bounds)
                return (-high, -low)
            case ast.BinOp(left=left, op=op, right=right):
                return _combined(op, self._interval(left, bounds), self._interval(right, bounds))
            case ast.Call(func=ast.Name(id=name), args=args):
                return _called_on(name, [self._interval(each, bounds) for each in args])
        raise AssertionError(node)


def _called(name: str, args: list[Any]) -> Any:
    if name in _SEVERAL:
        found = args[0]
        for each in args[1:]:
            found = _SEVERAL[name](found, each)
        return found
    if name == "abs":
        return np.abs(args[0])
    if name == "round":
        return np.round(args[0], int(args[1]) if len(args) > 1 else 0)
    return _RISING[name](args[0])


def _called_on(name: str, args: list[Interval]) -> Interval:
    if name == "abs":
        low, high = args[0]
        return (0.0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high)))
    lows = [np.float64(low) for low, _ in args]
    highs = [np.float64(high) for _, high in args]
    low, high = float(_called(name, lows)), float(_called(name, highs))
    return (-np.inf if np.isnan(low) else low, np.inf if np.isnan(high) else high)


def _combined(op: ast.operator, left: Interval, right: Interval) -> Interval:
    """The interval of a result. Where it may jump, at a divisor of zero, it is everything."""
    if isinstance(op, ast.Div) and right[0] <= 0 <= right[1]:
        return EVERYTHING
    if isinstance(op, ast.Pow):
        return _power(left, right)
    corners = [float(_BINARY[type(op)](*map(np.float64, pair))) for pair in product(left, right)]
    return EVERYTHING if np.isnan(corners).any() else (min(corners), max(corners))


def _power(base: Interval, exponent: Interval) -> Interval:
    power = exponent[0]
    if exponent[0] != exponent[1] or power < 0 or (base[0] < 0 and power != int(power)):
        return EVERYTHING
    ends = [float(np.power(np.float64(end), power)) for end in base]
    low = 0.0 if base[0] < 0 < base[1] and power % 2 == 0 else min(ends)
    return (low, max(ends))


@lru_cache(maxsize=256)
def formula_of(text: str) -> Formula:
    """The formula that a text writes; SchemaError, in one sentence, for one that cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> bmi = formula_of("weight / height ** 2")
    >>> bmi({"weight": np.array([80.0, np.nan]), "height": np.array([2.0, 1.5])})
    array([20., nan])
    >>> bmi.interval({"weight": (40.0, 100.0), "height": (1.0, 2.0)})
    (10.0, 100.0)
    """
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        return quoted.setdefault(match[1].replace("``", "`"), f"_column_{len(quoted)}")

    try:
        tree = ast.parse(_QUOTED.sub(stand_in, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _unreadable(text) from None
    names = {stand_in: name for name, stand_in in quoted.items()}
    found: dict[str, str] = {}
    _check(tree, text, lambda name: found.setdefault(name, names.get(name, name)))
    if not found:
        raise SchemaError(f"formula={text!r} names no column: write one, as in 'net + tax'")
    return Formula(tree, found)


def _check(node: ast.AST, text: str, named: Callable[[str], str]) -> None:
    """SchemaError where a formula has anything but numbers, columns, operators and functions."""
    match node:
        case ast.Name(id=name):
            named(name)
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            pass
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand, text, named)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            _check(left, text, named)
            _check(right, text, named)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if _fits(name, args):
            for each in args:
                _check(each, text, named)
        case _:
            raise _unreadable(text)


def _fits(name: str, args: list[ast.expr]) -> bool:
    """Whether a function of this name takes these arguments."""
    if name == "round":
        digits = args[1:]
        whole = all(isinstance(d, ast.Constant) and isinstance(d.value, int) for d in digits)
        return 1 <= len(args) <= 2 and whole
    return len(args) > 1 if name in _SEVERAL else len(args) == 1 and name in {*_RISING, "abs"}


def _unreadable(text: str) -> SchemaError:
    functions = ", ".join(sorted({*_RISING, *_SEVERAL, "abs", "round"}))
    return SchemaError(
        f"formula={text!r} cannot be read: write columns and numbers with + - * / ** and"
        f" {functions}, as in 'weight / height ** 2', and names that are not Python names in"
        " backticks"
    )
