"""Tables of the packages that narwhals knows: lazy frames of polars, modin, Dask, Ibis.

What comes from pandas-like packages is read as pandas has it, so that no value decides the type of
a column; all others state types. narwhals (MIT licence) comes with pyreadstat, and by itself.
"""

from __future__ import annotations

import contextlib
from typing import Any

from dpsynth.data.engines.arrow import without_views
from dpsynth.data.engines.source import Rows, Source, refuse_real_records


def known_source(data: Any) -> Source | None:
    """A table whose rows are read later; None where narwhals is absent or does not know it."""
    source = None
    with contextlib.suppress(Exception):
        import narwhals

        frame = narwhals.from_native(data)
        names = frame.collect_schema().names()
        source = Source(names, lambda: _read(frame))
    if source is not None:
        refuse_real_records(source.names, {})
    return source


def _read(frame: Any) -> Rows:
    whole = frame.collect() if hasattr(frame, "collect") else frame
    if whole.implementation.is_pandas_like():
        rows: Rows = whole.to_pandas()
        return rows
    return without_views(whole.to_arrow())
