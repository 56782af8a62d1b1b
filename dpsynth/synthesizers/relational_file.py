"""The file of a fitted RelationalSynthesizer: the schema, and what each table was fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dpsynth.base.archive import split
from dpsynth.data.tables.codec import schema_domain
from dpsynth.data.tables.inside import Inside
from dpsynth.models.refined import RefinedModel
from dpsynth.schema.relations import RelationalSchema
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.model_file import RELATIONAL, VERSION, Bounds, digest_of
from dpsynth.synthesizers.windows import FittedWindow, context_of, window_of

_OF = "/"
"""Between a table and an array of it: no table has it in its name."""


def relational_content(
    schema: RelationalSchema, fitted: Mapping[str, FittedWindow]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Plain fields and arrays of the file, without its certificate.

    TypeError for a model of a kind that has no such form.
    """
    tables: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, each in fitted.items():
        if not isinstance(each.model, RefinedModel):
            raise TypeError(
                f"a model of type {type(each.model).__name__} has no file: its rows can be sampled"
                " in this process only"
            )
        plain, own = split(each.model.to_arrays())
        bounds = {a: (float(low), float(high)) for a, (low, high) in each.bounds.items()}
        inside = {a: known.stored() for a, known in each.inside.items()}
        tables[name] = {"bounds": bounds, "inside": inside, "model": plain}
        arrays |= {f"{name}{_OF}{array}": values for array, values in own.items()}
    return {RELATIONAL: VERSION, "schema": schema.to_dict(), "tables": tables}, arrays


def relational_digest(schema: RelationalSchema, fitted: Mapping[str, FittedWindow]) -> str | None:
    """The SHA-256 of all that sampling depends on; None for models that cannot be stored."""
    try:
        return digest_of(*relational_content(schema, fitted))
    except TypeError:
        return None


def built_tables(
    document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> tuple[RelationalSchema, dict[str, FittedWindow]]:
    """What a file's parts hold."""
    schema = RelationalSchema.from_dict(document["schema"])
    windows = {name: window_of(schema, name) for name in schema.tables}
    fitted = {}
    for name, window in windows.items():
        stored = document["tables"][name]
        ends = stored["bounds"].items()
        bounds: Bounds = {a: (float(low), float(high)) for a, (low, high) in ends}
        context = context_of(windows, schema, name)
        domain = schema_domain(Schema({**window.columns, **context.columns}), bounds)
        start = f"{name}{_OF}"
        own = {a.removeprefix(start): v for a, v in arrays.items() if a.startswith(start)}
        model = RefinedModel.from_arrays(domain, {**stored["model"], **own})
        inside = {a: Inside.of(each) for a, each in stored["inside"].items()}
        fitted[name] = FittedWindow(window, context, model, bounds, inside)
    return schema, fitted
