"""What was not read as the schema declares it, as far as a fit has paid to know.

Such values lie in the last cell of their column, which is counted with all others: the noisy count
is there already. Nothing is charged for it, and nothing here sees a row.
"""

from __future__ import annotations

from collections.abc import Iterable

from dpsynth.models.base import Model
from dpsynth.schema.columns import OTHER
from dpsynth.schema.table import Categorical, Schema


def other_shares(names: Iterable[str], schema: Schema, model: Model) -> dict[str, float]:
    """Which part of each of these columns lies in the category OTHER, as the model has it."""
    found = {}
    for name in names:
        column, held = schema.columns[name], model.project((name,))
        assert isinstance(column, Categorical)
        other = float(held[tuple(column.categories).index(OTHER)] / max(held.sum(), 1e-9))
        found[name] = round(min(1.0, max(0.0, other)), 4)
    return found


def undeclared_counts(schema: Schema, model: Model) -> dict[str, dict[str, object]]:
    """About how many values of each column lie in the cell of those that are no declared value.

    A nullable column has its missing values there too, beside what could not be read; a nullable
    column with an `other` category has nothing else there. A column that is not nullable and has
    an `other` category has no such cell, and is left out, as is one that was not measured by
    itself.

    Parameters
    ----------
    schema : Schema
        Of the table.
    model : Model
        What the fit made of its charges; a `RefinedModel` may say what was measured
        (`last_cells`).

    Returns
    -------
    dict of str to dict
        For each column "rows", the count as measured; "stddev", of its noise; "share", the part of
        all rows; and "holds": "missing", "unread" (missing or not readable, in a column that
        declares no missing values), or "either".
    """
    found: dict[str, dict[str, object]] = {}
    for name, (count, stddev) in getattr(model, "last_cells", {}).items():
        column = schema.columns[name]
        nullable = bool(getattr(column, "nullable", False))
        other = getattr(column, "other", None) is not None
        if nullable or not other:
            found[name] = {
                "rows": max(0, round(count)),
                "stddev": stddev,
                "share": min(1.0, max(0.0, count / model.total)),
                "holds": ("missing" if other else "either") if nullable else "unread",
            }
    return found
