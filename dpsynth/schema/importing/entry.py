"""Schema with the reader behind `Schema.from_file`: readers make schemas, and so lie above it."""

from __future__ import annotations

from typing import Any

from dpsynth.schema.table import Schema, SchemaError, read_dictionaries_with

__all__ = ["Schema"]


def _whole(
    path: str,
    kind: str | None,
    table: str | None,
    dialect: str | None,
    labels_public: bool,
    open_unknown: bool,
) -> dict[str, Any]:
    """What a data dictionary states; SchemaError, which names the columns, where facts lack."""
    # Here, as a schema that somebody wrote needs no reader of a dictionary.
    from dpsynth.schema.importing.forms import import_facts

    imported = import_facts(path, kind, table, dialect, labels_public)[1]
    draft = imported.draft().opened() if open_unknown else imported.draft()
    if lacking := draft.todo():
        said = "; ".join(f"{facts} of {_few(names)}" for facts, names in lacking.items())
        if imported.labelled:
            said += (
                f" (value labels of {_few([*imported.labelled])} may have been made from the rows:"
                " pass labels_public=True if you know that they were not)"
            )
        raise SchemaError(
            f"{path} does not say {said}: write a draft with `dpsynth schema import`, and replace"
            " each TODO in it, or pass open_unknown=True, so that a charge finds bounds of numbers"
            " and categories"
        )
    return draft.to_dict()


def _few(names: list[str]) -> str:
    """The first ten names, and how many others there are."""
    others = f" and {len(names) - 10} others" if len(names) > 10 else ""
    return ", ".join(map(repr, names[:10])) + others


read_dictionaries_with(_whole)
