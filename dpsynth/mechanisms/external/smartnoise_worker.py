"""smartnoise-synth on one table of codes: `python smartnoise_worker.py SYNTHESIZER INPUT OUTPUT
JOB`.

It is run by an interpreter that has smartnoise-synth and nothing of ours. The domain is public:
every column's transformer is fitted to a table that holds each code and no row, so preprocessing
reads nothing and costs nothing. Columns with a single cell say nothing and are left out, as some of
the synthesizers cannot bear them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from snsynth import Synthesizer
from snsynth.transform import ChainTransformer, LabelTransformer, OneHotEncoder, TableTransformer

ONE_HOT = ("dpctgan", "dpgan", "patectgan", "pategan")
WITHOUT_DELTA = ("mwem",)


def main(name: str, source: str, target: str, job: str) -> None:
    asked = json.loads(Path(job).read_text(encoding="utf-8"))
    sizes = {column["name"]: int(column["cells"]) for column in asked["columns"]}
    told = [column for column, cells in sizes.items() if cells > 1]
    rows = pd.read_parquet(source)[told].astype("int64")
    released = (
        released_rows(name, rows, {column: sizes[column] for column in told}, asked) if told else {}
    )
    every = {
        column: released.get(column, np.zeros(asked["rows"], dtype=np.int64)) for column in sizes
    }
    pd.DataFrame(every).astype("int64").to_parquet(target, index=False)


def released_rows(
    name: str, rows: pd.DataFrame, sizes: dict[str, int], asked: dict[str, Any]
) -> dict[str, np.ndarray]:
    """As many synthetic rows as are asked for, column by column."""
    delta = {} if name in WITHOUT_DELTA else {"delta": asked["delta"]}
    synthesizer = Synthesizer.create(name, epsilon=asked["epsilon"], **delta)
    synthesizer.fit(rows, transformer=public_transformer(name, sizes), preprocessor_eps=0.0)
    released = pd.DataFrame(synthesizer.sample(asked["rows"]), columns=list(sizes))
    return {column: released[column].to_numpy() for column in sizes}


def public_transformer(name: str, sizes: dict[str, int]) -> TableTransformer:
    """A transformer that knows the domain and has seen no row."""
    longest = max(sizes.values())
    domain = pd.DataFrame({column: np.arange(longest) % cells for column, cells in sizes.items()})
    transformer = TableTransformer([_column(name) for _ in sizes])
    transformer.fit(domain)
    return transformer


def _column(name: str) -> LabelTransformer | ChainTransformer:
    label = LabelTransformer(nullable=False)
    return ChainTransformer([label, OneHotEncoder()]) if name in ONE_HOT else label


if __name__ == "__main__":
    main(*sys.argv[1:])
