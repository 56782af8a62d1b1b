"""Value labels of SPSS and Stata: a code is read as its label where the schema declares the label.

Which of the two is meant is told by the file's dictionary and the schema, never by a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dpsynth.schema.columns import (
    Boolean,
    Categorical,
    Column,
    SchemaError,
    folded,
    matches_any,
    plain_word,
)


def labelled(name: str, column: Column | None, labels: Mapping[Any, Any]) -> dict[Any, str]:
    """For each code that is read as its label, that label.

    SchemaError where a label is one declared value and its code is another: no rule could tell
    which of the two a person meant.
    """
    place = _places(column)
    if place is None:
        return {}
    says = {
        code: str(label).strip() for code, label in labels.items() if place(str(label)) is not None
    }
    if any(place(code) not in (None, place(label)) for code, label in says.items()):
        raise SchemaError(
            f"column {name!r} has value labels that are declared, and their codes are other"
            " declared values: declare the labels alone, or the codes alone"
        )
    return says


def _places(column: Column | None) -> Callable[[Any], Any] | None:
    """Tells which declared value a code or a label is, if any; None for columns without such."""
    if isinstance(column, Boolean):
        words = {plain_word(word): meant for word, meant in column.words.items()}
        return lambda value: words.get(plain_word(value))
    if not isinstance(column, Categorical):
        return None
    marker = () if column.missing_marker is None else (column.missing_marker,)
    declared = [*column.categories, *marker]
    fold = folded if column.ignore_case else str.strip

    def place(value: Any) -> int | None:
        same = (
            matches_any(value, [each]) or fold(str(value)) == fold(str(each)) for each in declared
        )
        return next((at for at, yes in enumerate(same) if yes), None)

    return place
