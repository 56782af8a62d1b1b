"""`dpsynth evaluate`: how close a release is to real records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dpsynth.cli.common import (
    PageFolder,
    SchemaFile,
    Synthetic,
    from_project,
    load_schema,
    say,
)


def evaluate(
    synthetic: Synthetic,
    real: Annotated[Path, typer.Argument(help="Real rows, .csv or .parquet.")],
    schema: SchemaFile = None,
    output: PageFolder = Path("quality"),
) -> None:
    """Compare synthetic with real rows. INTERNAL: exact figures of private rows."""
    from dpsynth.data.engines.files import open_rows
    from dpsynth.evaluation.fidelity import evaluate as compare

    facts = load_schema(from_project(schema=schema)["schema"])
    quality = compare(open_rows(synthetic), open_rows(real), facts)
    quality.save(output)
    say(quality.summary())
    say(f"{output / 'quality.html'}: INTERNAL, compares with real records")
