"""Balance: columns whose values have given shares in a sample, whatever shares the model has.

Each combination of classes is drawn by itself, from the model's distribution of the rows in it. Of
one column the shares say how many rows each class has. Of several, iterative proportional fitting
finds the joint shares that are nearest to the model's, in relative entropy (Csiszar 1975), and
whole numbers of rows are found that have every column's shares exactly.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize

from dpsynth.models.base import ConditionError
from dpsynth.schema.table import Boolean, Categorical, Column, Numeric, Schema
from dpsynth.synthesizers.cases import Case
from dpsynth.synthesizers.conditions import Term, Without, column_of, equal, read, term
from dpsynth.synthesizers.drawn_cases import Drawing
from dpsynth.synthesizers.sampled_rows import joined

_MOST = 4096
"""Combinations of classes: each is drawn by itself."""

_CELLS = 2**20
"""Of one table that the model is asked for: 8 megabytes."""

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_TRUTHS = {"true": True, "false": False}

_ROUNDS = 2000
_NEAR = 1e-9
"""Shares that differ by less are equal."""

_SNAP = 1e-7
"""A number of rows so near to a whole one is that."""


@dataclass(frozen=True)
class Class:
    """A class of a column's values: the terms that they meet, and its share of the rows."""

    name: str
    terms: tuple[Term, ...]
    share: float


@dataclass(frozen=True)
class Split:
    """A column's classes, of which every value is in one at most."""

    column: str
    classes: tuple[Class, ...]


def splits_of(balance: Mapping[str, Any], schema: Schema) -> list[Split]:
    """What `balance` says, checked against the schema: for each column its classes.

    ConditionError, in one sentence, for what cannot be read.
    """
    if not isinstance(balance, Mapping):
        raise ConditionError(
            f"balance must have shares for each of some columns, got {type(balance).__name__}:"
            ' write it as in {"fraud": 0.5}'
        )
    return [_split(name, asked, schema) for name, asked in balance.items()]


def class_term(name: str, value: Any, schema: Schema) -> Term:
    """A class of a column: one of its values, or a condition on it such as "age >= 65".

    Names in files are text: a category is found by its text, a number and a truth are read from it,
    and `null` is a missing value.
    """
    name, column = column_of(name, schema)
    if not isinstance(value, str):
        return equal(name, value, schema)
    if isinstance(column, Categorical):
        for category in column.categories:
            if str(category) == value:
                return equal(name, category, schema)
    elif isinstance(column, Numeric) and _NUMBER.fullmatch(value):
        return equal(name, float(value), schema)
    elif isinstance(column, Boolean) and value in _TRUTHS:
        return equal(name, _TRUTHS[value], schema)
    if value == "null":
        return equal(name, None, schema)
    try:
        written = read(value)
        about = [column_of(each, schema)[0] for each in written.columns(written.tree)]
    except ConditionError:
        about = []  # a date, or a word for a truth
    return term(name, written.tree, schema) if about == [name] else equal(name, value, schema)


def _split(name: str, asked: Any, schema: Schema) -> Split:
    name, column = column_of(name, schema)
    shares = dict(asked) if isinstance(asked, Mapping) else _two(name, column, asked)
    if not shares or not all(_is_share(share) for share in shares.values()):
        raise ConditionError(
            f"the shares of {name!r} must be numbers from 0 to 1, one for each of its classes:"
            ' write them as in {"F": 0.5, "M": 0.5}'
        )
    left = 1 - math.fsum(shares.values())
    if left < -_NEAR:
        raise ConditionError(f"the shares of {name!r} add up to more than 1: lower them")
    classes: list[Class] = []
    others: list[Term] = []
    for value, share in shares.items():
        own = class_term(name, value, schema)
        classes.append(Class(f"{name}: {value}", (*others, own), float(share)))
        others.append(Without.of(own))
    if left > _NEAR:
        classes.append(Class(f"{name}: all others", tuple(others), left))
    return Split(name, tuple(classes))


def _is_share(share: Any) -> bool:
    number = isinstance(share, int | float | np.number) and not isinstance(share, bool)
    return bool(number) and 0 <= share <= 1


def _two(name: str, column: Column, share: Any) -> dict[Any, float]:
    """The shares of true and false, or of 1 and the other value, where one share was given."""
    if _is_share(share):
        values: Sequence[Any] = ()
        if isinstance(column, Boolean):
            values = (True, False)
        elif isinstance(column, Categorical):
            values = column.categories
        elif isinstance(column, Numeric) and column.integer and (column.low, column.high) == (0, 1):
            values = (0, 1)
        positive = next((value for value in values if value in (1, "1")), None)
        if len(values) == 2 and positive is not None:
            (other,) = (value for value in values if value != positive)
            return {positive: share, other: 1 - share}
    raise ConditionError(
        f"one share does not say of which value of {name!r} it is: name the values, as in"
        ' {"F": 0.5, "M": 0.5}'
    )


def balanced(
    drawing: Drawing, splits: Sequence[Split], n: int, rng: np.random.Generator
) -> pd.DataFrame:
    """n rows that meet the drawing's condition and have these shares, without identifiers.

    ConditionError where no rows can have them.
    """
    return of_counts(drawing, splits, _counts(drawing, splits, n, rng), rng)


def of_counts(
    drawing: Drawing, splits: Sequence[Split], counts: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """So many rows of each combination of classes, in random order, without identifiers."""
    frames = [
        of_classes(drawing, splits, at).values(int(count), rng)
        for at, count in np.ndenumerate(counts)
        if count
    ]
    return joined(frames, rng) if frames else drawing.values(0, rng)


def of_classes(drawing: Drawing, splits: Sequence[Split], at: tuple[int, ...]) -> Drawing:
    """The rows of one combination of classes."""
    terms = [term for split, i in zip(splits, at, strict=True) for term in split.classes[i].terms]
    return replace(drawing, cases=[case.and_(terms) for case in drawing.cases])


def _counts(
    drawing: Drawing, splits: Sequence[Split], n: int, rng: np.random.Generator
) -> np.ndarray:
    """How many rows each combination of classes has."""
    combinations(splits)
    if len(splits) > 1:
        refuse_relations(drawing)
    return counts_of(masses_of(drawing, splits), splits, n, rng)


def refuse_relations(drawing: Drawing) -> None:
    """ConditionError where the condition compares columns with each other."""
    if any(case.relations for case in drawing.cases):
        raise ConditionError(
            "shares of several columns cannot be set among rows in which columns are compared with"
            " each other: name one column, or leave the comparison out"
        )


def combinations(splits: Sequence[Split], what: str = "balance") -> tuple[int, ...]:
    """How many classes each column has; ConditionError for too many combinations of them."""
    shape = tuple(len(split.classes) for split in splits)
    if math.prod(shape) > _MOST:
        raise ConditionError(
            f"{what} has {math.prod(shape)} combinations of classes, more than {_MOST}: name fewer"
            " columns at once"
        )
    return shape


def counts_of(
    masses: np.ndarray, splits: Sequence[Split], n: int, rng: np.random.Generator
) -> np.ndarray:
    """Of n rows those of each combination of classes: every column's shares are exact, and columns
    are joined as near to the masses as that allows.
    """
    shares = [[each.share for each in split.classes] for split in splits]
    _refuse_empty(masses, splits)
    if n == 0:
        return np.zeros(masses.shape, dtype=np.int64)
    return _whole(n * _nearest(masses, [shared_out(n, each) / n for each in shares], splits), rng)


def shared_out(n: int, shares: Sequence[float]) -> np.ndarray:
    """n rows by shares: whole numbers that add up, the largest remainders rounded up."""
    exact = n * np.array(shares, dtype=float)
    counts = np.floor(exact + _NEAR).astype(np.int64)
    most = np.argsort(counts - exact, kind="stable")[: n - int(counts.sum())]
    counts[most] += 1
    return counts


def masses_of(drawing: Drawing, splits: Sequence[Split]) -> np.ndarray:
    """How many rows the model expects in each combination of classes.

    It is asked for one table of the cells of some columns, for each combination of the others'.
    """
    names = [split.column for split in splits]
    total = np.zeros([len(split.classes) for split in splits])
    inner = _in_one_table(drawing, splits)
    outer = [axis for axis in range(len(splits)) if axis not in inner]
    for case in drawing.cases:
        weights = [_weights(drawing, case, split) for split in splits]
        terms = tuple(each for each in case.terms if each.column not in names)
        cells = {name: w for name, w in case.cells.items() if name not in names}
        for at in np.ndindex(*(total.shape[axis] for axis in outer)):
            chosen = dict(zip(outer, at, strict=True))
            own = {names[axis]: weights[axis][number] for axis, number in chosen.items()}
            beside = replace(case, terms=terms, cells={**cells, **own})
            clique = tuple(names[axis] for axis in inner)
            table = drawing.origin.counts(clique, beside, drawing.tilts)
            for place, axis in enumerate(inner):
                table = np.moveaxis(np.tensordot(weights[axis], table, (1, place)), 0, place)
            total[tuple(chosen.get(axis, slice(None)) for axis in range(len(splits)))] += table
    return total


def _in_one_table(drawing: Drawing, splits: Sequence[Split]) -> list[int]:
    """The columns whose cells stand in one table of the model: small ones first, while it fits."""
    sizes = [drawing.origin.codecs[split.column].size for split in splits]
    found: list[int] = []
    for axis in sorted(range(len(splits)), key=sizes.__getitem__):
        if math.prod(sizes[each] for each in found) * sizes[axis] <= _CELLS:
            found.append(axis)
    return sorted(found)


def _weights(drawing: Drawing, case: Case, split: Split) -> np.ndarray:
    """For each class, and each cell of its column, how much of the cell is in it."""
    own = [term for term in case.terms if term.column == split.column]
    cells = case.cells.get(split.column, 1.0)
    return np.array(
        [drawing.origin.weights(split.column, [*own, *it.terms]) * cells for it in split.classes]
    )


def _refuse_empty(masses: np.ndarray, splits: Sequence[Split]) -> None:
    """ConditionError for a class that is to have rows, and has none in the model."""
    for axis, split in enumerate(splits):
        held = masses.sum(axis=tuple(i for i in range(masses.ndim) if i != axis))
        for mass, each in zip(held, split.classes, strict=True):
            if each.share > 0 and mass <= 0:
                raise ConditionError(
                    f"the model has no row of {each.name!r} that meets the condition: leave it out"
                    " of balance, or widen the condition"
                )


def _nearest(
    masses: np.ndarray, targets: Sequence[np.ndarray], splits: Sequence[Split]
) -> np.ndarray:
    """The joint shares nearest to the masses that have these shares of each column's classes."""
    joint = masses / masses.sum() if masses.any() else masses
    for _ in range(_ROUNDS):
        far = 0.0
        for axis, target in enumerate(targets):
            others = tuple(i for i in range(joint.ndim) if i != axis)
            held = joint.sum(axis=others)
            far = max(far, float(np.abs(held - target).max()))
            factor = np.divide(target, held, out=np.zeros(len(target)), where=held > 0)
            joint = joint * factor.reshape([-1 if i == axis else 1 for i in range(joint.ndim)])
        if far < _NEAR:
            return joint
    raise ConditionError(
        f"the model has no rows with these shares of"
        f" {' and '.join(f'`{split.column}`' for split in splits)} at once, as some of their"
        " classes exclude each other: balance fewer columns, or change the shares"
    )


def _whole(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whole numbers with the margins of these, which are whole; each is rounded up or down.

    What is left above whole numbers moves at random, in directions that keep the margins and the
    expectation, until a cell is whole (Gandhi, Khuller, Parthasarathy, Srinivasan 2006). Of three
    and more columns a few cells may remain, which a linear program settles.
    """
    least = np.floor(expected + _NEAR)
    part = np.clip(expected - least, 0, 1).ravel()
    margins = _margins(expected.shape)
    while len(open_ := np.flatnonzero((part > _NEAR) & (part < 1 - _NEAR))):
        chosen = rng.permutation(open_)[: len(margins) + 1]
        _, sizes, directions = np.linalg.svd(margins[:, chosen])
        if len(chosen) <= len(sizes) and sizes[len(chosen) - 1] > _NEAR:
            break
        _move(part, chosen, directions[-1], rng)
    if len(open_):
        part = _settled(part, margins, expected.ravel(), rng)
    return np.asarray(least + np.rint(part).reshape(expected.shape), dtype=np.int64)


def _margins(shape: tuple[int, ...]) -> np.ndarray:
    """For each class of each column, and each cell, whether it is in the class."""
    places = np.indices(shape).reshape(len(shape), -1)
    return np.concatenate(
        [place == np.arange(size)[:, None] for place, size in zip(places, shape, strict=True)]
    ).astype(float)


def _move(
    part: np.ndarray, chosen: np.ndarray, direction: np.ndarray, rng: np.random.Generator
) -> None:
    """Moves these cells one way or the other until one is 0 or 1, in place; the mean stays."""
    own = part[chosen]
    direction = np.where(np.abs(direction) < _NEAR, 0.0, direction)
    with np.errstate(divide="ignore"):
        up = np.where(direction > 0, 1 - own, own) / np.abs(direction)
        down = np.where(direction > 0, own, 1 - own) / np.abs(direction)
    forth, back = float(up.min()), float(down.min())
    step = forth if rng.random() * (forth + back) < back else -back
    moved = own + step * direction
    part[chosen] = np.where(np.abs(moved - np.rint(moved)) < _SNAP, np.rint(moved), moved)


def _settled(
    part: np.ndarray, margins: np.ndarray, expected: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Whole numbers with the same margins, where no direction keeps them."""
    price = np.log((part + _SNAP) / (1 - part + _SNAP)) + rng.gumbel(size=part.shape)
    wanted = np.rint(margins @ part)
    for most in (1.0, float(wanted.sum())):
        found = optimize.milp(
            -price,
            integrality=np.ones(part.size, dtype=np.int64),
            bounds=optimize.Bounds(np.zeros(part.size), np.where(expected > 0, most, 0.0)),
            constraints=optimize.LinearConstraint(margins, wanted, wanted),
        )
        if found.success:
            return np.asarray(found.x)
    raise ConditionError(
        "so few rows cannot have all of these shares at once: ask for more rows, or balance fewer"
        " columns"
    )
