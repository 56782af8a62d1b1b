"""What was not read as the schema declares it, as far as a fit has paid to know.

The cell of such values is counted with the other cells of its column, so the model has its noisy
count already: nothing is charged, and nothing here sees a row.
"""

from __future__ import annotations

from dpsynth.models.base import Model
from dpsynth.schema.table import Schema


def undeclared_counts(schema: Schema, model: Model) -> dict[str, dict[str, object]]:
    """About how many values of each column lie in the cell of those that are no declared value.

    A nullable column has its missing values there too, beside what could not be read; a nullable
    column with an `other` category has nothing else there. A column that is not nullable and has
    an `other` category has no such cell, and is left out.

    Parameters
    ----------
    schema : Schema
        Of the table.
    model : Model
        What the fit made of its charges.

    Returns
    -------
    dict of str to dict
        For each column "rows", the noisy count; "share", the part of all rows; and "holds":
        "missing", "unread" (missing or not readable, in a column that declares no missing values),
        or "either".
    """
    found: dict[str, dict[str, object]] = {}
    for name, column in schema.coded.items():
        nullable = bool(getattr(column, "nullable", False))
        other = getattr(column, "other", None) is not None
        if nullable or not other:
            holds = ("missing" if other else "either") if nullable else "unread"
            counts = model.project((name,))
            share = float(counts[-1] / counts.sum()) if counts.sum() > 0 else 0.0
            found[name] = {"rows": round(float(counts[-1])), "share": share, "holds": holds}
    return found
