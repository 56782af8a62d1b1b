"""Samples of any size as a DataFrame of Spark: each block of rows is drawn by a task of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from dpsynth.data.engines.spark import frame_of
from dpsynth.data.tables.written import as_typed
from dpsynth.synthesizers.asking import Asked, check_draw, fresh_seed
from dpsynth.synthesizers.block_job import Piece, Sampler, pieces, refuse_in_blocks


def drawn_by_spark(
    synthesizer: Any, n: int, spark: Any, asked: Asked, seed: int | None = None
) -> Any:
    """A DataFrame of Spark whose rows are drawn when it is read, the same ones each time.

    ConditionError for what cannot be drawn in blocks; SchemaError where the workers lack this
    package.
    """
    check_draw(n, seed)
    recorded = asked.recorded()
    refuse_in_blocks(synthesizer.schema, recorded, int(n))
    todo, chosen = pieces(int(n)), fresh_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        synthesizer.save(Path(folder) / "model.dpsynth")
        model = (Path(folder) / "model.dpsynth").read_bytes()
    none = _drawn(synthesizer, Piece(0, todo[0].block), recorded, chosen)
    draw = partial(_block, type(synthesizer), model, todo, recorded, chosen)
    return frame_of(spark, len(todo), draw, none.schema)


def _block(
    kind: Any, model: bytes, todo: list[Piece], recorded: Mapping[str, Any], seed: int, number: int
) -> pa.Table:
    return _drawn(_loaded(kind, model), todo[number], recorded, seed)


def _drawn(synthesizer: Sampler, piece: Piece, recorded: Mapping[str, Any], seed: int) -> pa.Table:
    rows = synthesizer.drawn(piece.count, Asked.of(recorded), seed, piece.block)
    return as_typed(rows, synthesizer.schema, times=True)


@lru_cache(maxsize=1)
def _loaded(kind: Any, model: bytes) -> Sampler:
    """The synthesizer of a model file, which a worker reads once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.dpsynth"
        path.write_bytes(model)
        found: Sampler = kind.load(path)
    return found
