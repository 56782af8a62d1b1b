"""Real and synthetic rows as one table, for training. PRIVATE: its real rows are as they were."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.base.real_records import STAMP
from dpsynth.data.engines.files import open_rows
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.table import Schema


def mix(
    real: Any,
    synthetic: Any,
    *,
    share: float,
    schema: Schema | None = None,
    seed: int | None = None,
) -> pd.DataFrame:
    """All real rows, and so many synthetic ones that they are this share of the result.

    The result is stamped: its column `contains_real_records` is true in every row, and fits,
    releases, comparisons and audits refuse a table that has it. PRIVATE: keep it where the real
    rows are kept. Drop the column to train, and not to publish.

    Parameters
    ----------
    real, synthetic : DataFrame, Arrow table, str or Path
        Tables with the same columns, or their files.
    share : float
        The part of the result that is synthetic: 0 or more, and below 1.
    schema : Schema or None
        Says how a CSV file is written, and which columns are kept: those that it declares.
    seed : int or None
        For a table that can be made again.

    Returns
    -------
    DataFrame
        In random order, with the columns of `real` and the stamp.

    Raises
    ------
    SchemaError
        For tables of different columns, for one that is stamped already, and where there are too
        few synthetic rows.
    ValueError
        For another share.

    Examples
    --------
    >>> import pandas as pd
    >>> real, synthetic = pd.DataFrame({"age": [34, 61]}), pd.DataFrame({"age": [40, 52, 70]})
    >>> mixed = mix(real, synthetic, share=0.5, seed=1)
    >>> len(mixed), list(mixed)
    (4, ['age', 'contains_real_records'])
    """
    if isinstance(share, bool) or not 0 <= share < 1:
        raise ValueError(
            f"share must be 0 or more and below 1, got {share}: give the part of the rows that is"
            " synthetic"
        )
    owned, drawn = (as_frame(table, schema) for table in (real, synthetic))
    if schema is not None:
        owned, drawn = (
            table[[name for name in table if name in schema.columns]] for table in (owned, drawn)
        )
    if set(owned) != set(drawn):
        apart = len(set(owned) ^ set(drawn))
        raise SchemaError(
            f"the real and the synthetic table differ in {apart} columns: give both the same ones"
        )
    wanted = math.floor(len(owned) * share / (1 - share) + 0.5)
    if wanted > len(drawn):
        raise SchemaError(
            f"the {len(drawn)} synthetic rows are too few for a share of {share}: draw more of"
            " them, or lower the share"
        )
    rng = np.random.default_rng(seed)
    chosen = drawn[list(owned)].take(rng.permutation(len(drawn))[:wanted])
    rows = pd.concat([owned, chosen], ignore_index=True)
    return stamped(rows.take(rng.permutation(len(rows))).reset_index(drop=True))


def stamped(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the stamp of real records."""
    found = rows.assign(**{STAMP: True})
    found.attrs[STAMP] = True
    return found


def as_frame(data: Any, schema: Schema | None) -> pd.DataFrame:
    """The rows of a table, or of its file, as a DataFrame."""
    rows = open_rows(data, schema)
    return rows.to_pandas() if isinstance(rows, pa.Table) else rows
