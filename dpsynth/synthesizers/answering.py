"""Answering: a question to a fitted synthesizer, by what was measured, or else by the model.

Nothing is read and nothing is charged: all of it follows from the model file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from dpsynth.models.refined import RefinedModel
from dpsynth.models.span import Span
from dpsynth.schema.table import Numeric, Schema
from dpsynth.synthesizers.answers import Answer
from dpsynth.synthesizers.asked_cells import AskedCells, NotMeasuredError
from dpsynth.synthesizers.asking import Asked
from dpsynth.synthesizers.measured_answers import MeasuredAnswers
from dpsynth.synthesizers.model_answers import ROWS, RowAnswers
from dpsynth.synthesizers.questions import Question
from dpsynth.synthesizers.sampled_rows import Origin


def check_level(level: float) -> None:
    """ValueError for a share of intervals that is none."""
    number = isinstance(level, int | float) and not isinstance(level, bool)
    if not number or not (level >= 0.5 and (1 + level) / 2 < 1):
        raise ValueError(f"level must be from 0.5 to below 1, such as 0.9, got {level!r}")


def answered(origin: Origin, record: Mapping[str, Any], question: str, level: float) -> Answer:
    """The answer to a question; ConditionError for one that cannot be read, or lies outside."""
    check_level(level)
    asked = Question.read(question)
    schema = origin.schema
    cells = AskedCells(schema, origin.bounds)
    charged = origin.model.charged if isinstance(origin.model, RefinedModel) else ()
    domain = origin.model.domain
    assumed: list[tuple[dict[str, np.ndarray], tuple[str, ...]]] = [({}, ())]
    assumed.append((cells.unread(), (_ALL_READ,)))
    for empty, notes in assumed:
        span = Span(domain, charged, empty)
        with contextlib.suppress(NotMeasuredError):
            parts = MeasuredAnswers(span, cells, schema.unit, level).estimates(asked)
            return Answer(asked.text, "measured", level, (*parts,), (*_notes(schema), *notes))
    by_rows = rows_of_model(origin, record)
    return Answer(asked.text, "model", level, (*by_rows.estimates(asked),), (_BY_MODEL,))


def rows_of_model(origin: Origin, record: Mapping[str, Any]) -> RowAnswers:
    """What rows drawn from the model say, the same ones each time."""
    rows = Asked().rows(origin, record, ROWS, np.random.default_rng(0))
    cells = AskedCells(origin.schema, origin.bounds)
    return RowAnswers(rows, cells, origin.model.total / ROWS)


_BY_MODEL = (
    "No measured counts cover this question: the estimate is the model's, from"
    f" {ROWS:,} rows drawn from it, and nothing says how far it is off."
)


_ALL_READ = (
    "The counts do not tell unread values apart, and all values of columns that are not nullable"
    " are taken as read: the certificate cautions where many were not."
)


def _notes(schema: Schema) -> tuple[str, ...]:
    """What an answer by measured counts assumes."""
    notes = [
        "The interval for the private rows takes the noise of each count as independent of the"
        " choice of what was counted, which was made by charged looks with noise of their own."
    ]
    unit = schema.unit
    if unit.id_column is None:
        notes.append("The interval for the population takes the rows as independent draws from it.")
    else:
        rows = "one row" if unit.max_records == 1 else f"at most {unit.max_records} rows"
        notes.append(
            f"Every {unit.name} has {rows} in the table that was counted: what the fit left out is"
            " in no answer."
        )
        notes.append(
            f"The interval for the population takes every {unit.name} as an independent draw, and"
            " allows for all rows of one being alike."
            if unit.max_records > 1
            else f"The interval for the population takes every {unit.name} as an independent draw."
        )
    if any(isinstance(column, Numeric) for column in schema.columns.values()):
        notes.append("Numbers beyond their bounds count as the bounds.")
    return tuple(notes)
