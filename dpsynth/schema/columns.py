"""Column types: the public facts about one column, stated by a person and checked at once.

A column says which values are possible, never which values occur. All column types are frozen and
hashable, and two columns are equal where they mean the same: `Numeric(0, 10.0) == Numeric(0, 10)`.
"""

from __future__ import annotations

from dataclasses import dataclass

from dpsynth.schema.boolean import TRUTHS, Boolean
from dpsynth.schema.categorical import MAX_CATEGORIES, Categorical
from dpsynth.schema.datetimes import EPOCH, SECONDS, Datetime, Resolution
from dpsynth.schema.declared import (
    EXACT,
    LARGEST,
    Facts,
    Scalar,
    SchemaError,
    folded,
    matches_any,
    number_of_text,
    plain_word,
    text_of_number,
)
from dpsynth.schema.identifier import Identifier
from dpsynth.schema.numeric import LATTICE, MAX_DECIMALS, Numeric
from dpsynth.schema.open_categorical import OTHER, OpenCategorical

__all__ = [
    "COLUMN_TYPES",
    "EPOCH",
    "EXACT",
    "LARGEST",
    "LATTICE",
    "MAX_CATEGORIES",
    "MAX_DECIMALS",
    "OTHER",
    "SECONDS",
    "TRUTHS",
    "Boolean",
    "Categorical",
    "Column",
    "Datetime",
    "Identifier",
    "Numeric",
    "OpenCategorical",
    "Resolution",
    "Scalar",
    "SchemaError",
    "Text",
    "folded",
    "matches_any",
    "number_of_text",
    "plain_word",
    "text_of_number",
]


@dataclass(frozen=True, repr=False)
class Text(Facts):
    """A column of free text, which can be declared but not synthesized.

    A schema may have such a column, so that it describes the whole table. A fit refuses it: text
    is neither modelled nor copied.
    """


Column = Categorical | OpenCategorical | Numeric | Datetime | Boolean | Identifier | Text

COLUMN_TYPES: dict[str, type[Column]] = {
    kind.__name__.lower(): kind
    for kind in (Categorical, OpenCategorical, Numeric, Datetime, Boolean, Identifier, Text)
}
"""The column types by the names that stand in schema files."""
