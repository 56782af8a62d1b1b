"""Value labels of SPSS and Stata: the schema alone says whether a labelled code is its label.

Which labels a file has, and which codes they stand for, can hang on every row: Stata's `encode` and
pandas number the values that occur. What stays is the label of each row. So neither the codes nor
the other labels decide what a cell says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from dpsynth.schema.columns import Datetime, text_of_number
from dpsynth.schema.texts import moment_reader

Decode = Callable[[str | None], str | None]
Codes = Mapping[Any, str]
"""For each code that has a label, that label."""


def labels_of(found: Mapping[Any, Any], decode: Decode) -> dict[Any, str]:
    """The labels of a column's codes, whose bytes are signs."""
    return {_code(code, decode): decode(str(label)) or "" for code, label in found.items()}


def _code(code: Any, decode: Decode) -> Any:
    return decode(code) if isinstance(code, str) else code


def texts(values: Iterable[Any], labels: Codes, write: Callable[[Any], str | None]) -> pa.Array:
    """Labels in the place of codes, and other values as they are written; an empty text is null."""
    found = (labels[value] if value in labels else write(value) for value in values)
    return pa.array([text if text and text.strip() else None for text in found], pa.string())


def moments(raw: Any, times: pa.Array, labels: Codes, column: Datetime) -> pa.Array:
    """Times, but what the label says for a code that has one, or nothing."""
    if not labels:
        return times
    read = moment_reader(column)
    says = {code: _moment(read(label)) for code, label in labels.items()}
    pairs = zip(raw, times.to_numpy(zero_copy_only=False), strict=True)
    found = [says.get(code, time) for code, time in pairs]
    return pa.array(np.array(found, dtype="datetime64[s]"))


def _moment(seconds: float) -> np.datetime64:
    return np.datetime64("NaT" if np.isnan(seconds) else int(seconds), "s")


def number_text(code: Any) -> str | None:
    """A number as the text that a category of text matches."""
    if code is None or isinstance(code, str) or code != code:
        return code if isinstance(code, str) else None
    return text_of_number(float(code)) or repr(code)
