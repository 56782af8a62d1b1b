"""Synthetic rows as the kind of table that is asked for."""

from __future__ import annotations

from typing import Any, Literal, get_args

import pandas as pd
import pyarrow as pa

Container = Literal["pandas", "arrow", "polars"]


def check_container(output: str) -> None:
    """ValueError for a kind of table that is not made, or whose package is not installed."""
    if output not in get_args(Container):
        raise ValueError(
            f"output must be one of {list(get_args(Container))}, got {output!r}: choose one"
        )
    if output == "polars":
        _polars()


def as_container(rows: pd.DataFrame, output: Container) -> Any:
    """The rows as a pandas or polars DataFrame, or as an Arrow table."""
    if output == "pandas":
        return rows
    table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()
    return _polars().from_arrow(table) if output == "polars" else table


def _polars() -> Any:
    try:
        import polars
    except ImportError:
        raise ValueError(
            'output="polars" needs polars, which is not installed: pip install polars, or take'
            ' output="arrow"'
        ) from None
    return polars
