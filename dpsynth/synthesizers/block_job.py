"""Blocks of a sample: a block of rows hangs on the model, the seed, the number of all rows and its
own number alone. So rows are the same wherever they are written, and whatever is drawn beside them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd

from dpsynth.data.tables.identifiers import keyed_identifiers
from dpsynth.evidence.certificate import Certificate
from dpsynth.models.base import ConditionError
from dpsynth.schema.columns import Identifier
from dpsynth.schema.constraints import Unique
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.asking import Asked
from dpsynth.synthesizers.sampled_rows import Block

ROWS_OF_A_BLOCK = 1_000_000

T = TypeVar("T")


class Sampler(Protocol):
    """A fitted synthesizer."""

    schema: Schema

    @property
    def certificate(self) -> Certificate: ...

    def drawn(
        self, n: int | None, asked: Asked, seed: int | None, block: Block | None
    ) -> pd.DataFrame:
        """The rows of a block."""
        ...

    def parity(self, parity: Mapping[str, Any], *, where: str | None = None) -> pd.DataFrame:
        """What parity changes."""
        ...


@dataclass(frozen=True)
class Piece:
    """A block, and how many rows it has."""

    count: int
    block: Block


def pieces(rows: int) -> list[Piece]:
    """The blocks of so many rows; one without rows where there are none."""
    size = ROWS_OF_A_BLOCK
    starts = enumerate(range(0, max(1, rows), size))
    return [Piece(min(size, rows - first), Block(k, first, rows)) for k, first in starts]


def beside(do: Callable[[Piece], T], todo: Sequence[Piece], workers: int) -> Iterator[T]:
    """What is done with each block, in their order; so many are under way beside each other."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        more = iter(todo)
        running = deque(pool.submit(do, each) for each in islice(more, workers))
        while running:
            done = running.popleft().result()
            running.extend(pool.submit(do, each) for each in islice(more, 1))
            yield done


def check_workers(workers: int) -> None:
    """ValueError for what is no number of workers."""
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers must be a whole number, 1 or more, got {workers!r}")


def parity_changes(synthesizer: Sampler, recorded: Mapping[str, Any]) -> pd.DataFrame | None:
    """What parity changes, of what was asked as a manifest has it; None where it was not asked for.

    The same for every sample of the model: it hangs on no seed and no number of rows.
    """
    if recorded.get("parity") is None:
        return None
    return synthesizer.parity(recorded["parity"], where=recorded["where"])


def cost_of(changes: pd.DataFrame | None) -> dict[str, Any]:
    """The cost of parity as a manifest has it; nothing where it was not asked for."""
    return {} if changes is None else {"parity_cost": dict(changes.attrs)}


def refuse_in_blocks(schema: Schema, recorded: Mapping[str, Any], n: int) -> None:
    """ConditionError for what one block cannot know of the others; SchemaError where a form has too
    few identifiers for all rows.
    """
    for name, column in schema.columns.items():
        if isinstance(column, Identifier):
            keyed_identifiers(column, name, np.zeros(0, dtype=np.int64), 0, n)
    if recorded.get("scenario") is not None:
        raise ConditionError(
            "a scenario has parts of all rows, and these are drawn in blocks: draw it into one file"
        )
    for rule in schema.constraints:
        if isinstance(rule, Unique) and not isinstance(schema.columns[rule.column], Identifier):
            raise ConditionError(
                f"{rule.column!r} has to be unique among all rows, and these are drawn in blocks:"
                " declare it an Identifier, or draw the rows into one file"
            )
