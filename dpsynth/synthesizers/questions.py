"""Questions: what an analyst asks of a table, in one line of text.

    count where age >= 65 and diabetes == True
    share(diabetes == True) where age >= 65 by sex
    mean(age), median(age), quantile(age, 0.9)
    logistic(diabetes == True ~ age >= 65, sex == "female")
    auc(diabetes == True ~ risk)

Conditions are written as for a sample (`conditions`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpsynth.models.base import ConditionError

KINDS = ("count", "share", "mean", "median", "quantile", "logistic", "auc")

MAX_PREDICTORS = 12
"""Of a regression: rows of all patterns are counted, which are twice as many for one more."""

_HEAD = re.compile(r"\s*([a-z]+)\s*")
_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`(?:[^`]|``)+`")
EXAMPLE = "write it as in 'count where age >= 65' or 'mean(age) where diabetes == True by sex'"


@dataclass(frozen=True)
class Question:
    """A question, taken apart.

    Parameters
    ----------
    text : str
        As it was asked, in one line.
    kind : str
        One of `KINDS`; a median is a quantile of one half.
    of : tuple of str
        What the kind is of: a column's name, a condition, the outcome of a regression and its
        predictors, or an outcome and the column of its scores.
    at : float
        Of a quantile, the share of rows below it.
    where : str or None
        The condition of the rows that count.
    by : tuple of str
        Columns, each of whose values gets an answer of its own.

    Examples
    --------
    >>> asked = Question.read('mean(age) where diabetes == True by sex')
    >>> asked.kind, asked.of, asked.where, asked.by
    ('mean', ('age',), 'diabetes == True', ('sex',))
    """

    text: str
    kind: str
    of: tuple[str, ...] = ()
    at: float = 0.5
    where: str | None = None
    by: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> Question:
        """A question in words.

        Raises
        ------
        ConditionError
            For one that cannot be read.
        """
        if not isinstance(text, str):
            raise ConditionError(f"a question is text, got {type(text).__name__}: {EXAMPLE}")
        blank = _QUOTED.sub(lambda m: "_" * len(m[0]), text)  # what is quoted holds no word of ours
        text = "".join(" " if b.isspace() else t for t, b in zip(text, blank, strict=True))
        head = _HEAD.match(blank)
        if head is None or head[1] not in KINDS:
            raise ConditionError(
                f"the question {text!r} does not begin with one of {', '.join(KINDS)}: {EXAMPLE}"
            )
        kind, start = head[1], head.end()
        stop = _closing(blank, start) if blank[start : start + 1] == "(" else start
        inner, mask = text[start + 1 : stop - 1], blank[start + 1 : stop - 1]
        rest, blank_rest = text[stop:], blank[stop:]
        clauses = re.fullmatch(r"\s*(?:where\b(.*?))?(?:\bby\b(.*))?\s*", blank_rest, re.DOTALL)
        if clauses is None or (kind == "count") != (stop == start):
            raise ConditionError(f"the question {text!r} cannot be read: {EXAMPLE}")
        where = None if clauses[1] is None else rest[slice(*clauses.span(1))].strip()
        by = () if clauses[2] is None else _split(rest, blank_rest, clauses.span(2), ",")
        of, at = _of(text, kind, inner, mask)
        named = tuple(_name(each) for each in by)
        if len(set(named)) < len(named) or (kind == "logistic" and named):
            raise ConditionError(f"the question {text!r} has a `by` that it cannot have: {EXAMPLE}")
        return cls(text, "quantile" if kind == "median" else kind, of, at, where, named)


def _of(text: str, kind: str, inner: str, mask: str) -> tuple[tuple[str, ...], float]:
    """What stands in the brackets."""
    if kind == "count":
        return (), 0.5
    parts = _split(inner, mask, (0, len(inner)), "~" if kind in ("logistic", "auc") else ",")
    if kind == "quantile" and len(parts) == 2:
        try:
            at = float(parts[1])
        except ValueError:
            at = -1.0
        if 0 < at < 1:
            return (_name(parts[0]),), at
    elif kind == "logistic" and len(parts) == 2:
        after = mask.index("~") + 1
        predictors = _split(inner, mask, (after, len(inner)), ",")
        if len(predictors) > MAX_PREDICTORS:
            raise ConditionError(
                f"a regression has at most {MAX_PREDICTORS} predictors, as it counts rows of each"
                f" pattern of them, got {len(predictors)}: leave some out"
            )
        return (parts[0], *predictors), 0.5
    elif kind == "auc" and len(parts) == 2:
        return (parts[0], _name(parts[1])), 0.5
    elif kind in ("mean", "median") and len(parts) == 1:
        return (_name(parts[0]),), 0.5
    elif kind == "share" and inner.strip():
        return (inner.strip(),), 0.5
    raise ConditionError(
        f"the brackets of the question {text!r} cannot be read: write share(CONDITION),"
        " mean(COLUMN), median(COLUMN), quantile(COLUMN, 0.9), logistic(CONDITION ~ CONDITION) or"
        " auc(CONDITION ~ COLUMN)"
    )


def _closing(blank: str, start: int) -> int:
    """The place behind the bracket that closes the one at `start`; the end where none does."""
    depth = 0
    for place in range(start, len(blank)):
        depth += {"(": 1, ")": -1}.get(blank[place], 0)
        if depth == 0:
            return place + 1
    raise ConditionError(f"a bracket is not closed in the question: {EXAMPLE}")


def _split(text: str, mask: str, span: tuple[int, int], mark: str) -> tuple[str, ...]:
    """Parts of the text between marks that stand outside of quotes and brackets."""
    found, depth, begin = [], 0, span[0]
    for place in range(*span):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(mask[place], 0)
        if mask[place] == mark and depth == 0:
            found.append(text[begin:place].strip())
            begin = place + 1
    found.append(text[begin : span[1]].strip())
    if not all(found):
        raise ConditionError(f"a part of the question is empty: {EXAMPLE}")
    return tuple(found)


def _name(text: str) -> str:
    """A column's name, with or without backticks."""
    name = text.strip()
    return name[1:-1].replace("``", "`") if name.startswith("`") and len(name) > 2 else name
