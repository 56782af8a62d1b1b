"""The tables of an audit, read together, and why some of their columns cannot be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dpsynth.auditing.attacks.records import Records, open_table, read_tables
from dpsynth.auditing.attacks.spelling import drafted, open_alike
from dpsynth.auditing.release.likeness import unlike_columns
from dpsynth.data.engines.files import Rows
from dpsynth.schema.table import Schema


def open_all(tables: Mapping[str, Any], schema: Schema | None) -> dict[str, Rows]:
    """The rows of all tables, whose columns are the schema's, or else the same in each."""
    if schema is None:
        return open_alike(tables)
    return {title: open_table(title, table, schema) for title, table in tables.items()}


@dataclass(frozen=True, eq=False)
class Compared:
    """All tables, read together: a rank or a bin must mean the same in each.

    releases: those by shadow models. unlike: why columns cannot be compared, a sentence for each.
    """

    tables: dict[str, Records]
    releases: list[Records]
    unlike: tuple[str, ...]

    @classmethod
    def of(cls, opened: Mapping[str, Rows], made: Sequence[Any], schema: Schema | None) -> Compared:
        """opened: what `open_all` gives. made: the releases by shadow models."""
        shadows = {f"shadow release {i}": table for i, table in enumerate(made)}
        every = open_all({**opened, **shadows}, schema)
        mixed: tuple[str, ...] | None = None
        if schema is None:
            draft = drafted(every)
            schema, every, mixed = draft.schema, draft.tables, draft.mixed
        unlike = unlike_columns({title: every[title] for title in opened}, schema, mixed)
        read = read_tables(every, schema, real=opened.keys() - {"synthetic"})
        releases = [read[title] for title in shadows]
        return cls({title: read[title] for title in opened}, releases, unlike)
