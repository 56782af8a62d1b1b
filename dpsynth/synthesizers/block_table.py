"""Samples of any size into a table of a database: the same rows as in files, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from dpsynth.base import progress
from dpsynth.base.versions import versions
from dpsynth.data.engines.databases import Database
from dpsynth.data.engines.into_databases import writing_to
from dpsynth.data.tables.written import as_typed
from dpsynth.synthesizers.asking import Asked, check_draw, fresh_seed
from dpsynth.synthesizers.block_job import (
    Piece,
    Sampler,
    beside,
    check_workers,
    cost_of,
    parity_changes,
    pieces,
    refuse_in_blocks,
)


@dataclass(frozen=True)
class WrittenTable:
    """A table of a database that rows were written to, how many, and their seed.

    parity: what it changed.
    """

    table: Database
    count: int
    seed: int
    parity: pd.DataFrame | None = None


def write_table(
    table: Database,
    synthesizer: Sampler,
    n: int,
    asked: Asked,
    *,
    seed: int | None = None,
    workers: int = 1,
    append: bool = False,
) -> WrittenTable:
    """Draws rows into a table of a database, and lists them in the manifest table beside it.

    ValueError where the table may not take them; ConditionError for what cannot be drawn in blocks;
    OSError where the database takes no rows: then nothing of them is kept.
    """
    check_draw(n, seed)
    check_workers(workers)
    n = int(n)
    recorded = asked.recorded()
    refuse_in_blocks(synthesizer.schema, recorded, n)
    chosen = fresh_seed(seed)
    facts: dict[str, Any] = {"model": synthesizer.certificate.model, "rows": n, "seed": chosen}
    changes = parity_changes(synthesizer, recorded)
    facts |= {"asked": {**recorded, **cost_of(changes)}, "versions": versions()}
    with writing_to(table) as destination:

        def drawn(piece: Piece) -> pa.Table:
            rows = synthesizer.drawn(piece.count, Asked.of(recorded), chosen, piece.block)
            return as_typed(rows, synthesizer.schema, times=destination.times)

        todo = pieces(n)
        progress.stage(f"writing {n:,} rows to {table!r}")
        none = drawn(Piece(0, todo[0].block))
        destination.prepare(none.schema, facts, append=append)
        done = 0
        progress.rows(done, n)
        for rows in beside(drawn, todo, workers):
            destination.add(rows)
            done += len(rows)
            progress.rows(done, n)
    return WrittenTable(table, n, chosen, changes)
