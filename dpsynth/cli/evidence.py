"""`dpsynth evaluate`: how close a release is to real records."""

from __future__ import annotations

from pathlib import Path

from dpsynth.cli.common import (
    Json,
    PageFolder,
    Real,
    SchemaFile,
    Synthetic,
    from_project,
    load_schema,
    print_json,
    say,
)
from dpsynth.cli.progress import Progress, following


def evaluate(
    synthetic: Synthetic,
    real: Real,
    schema: SchemaFile = None,
    output: PageFolder = Path("quality"),
    progress: Progress = None,
    as_json: Json = False,
) -> None:
    """Compare synthetic with real rows. INTERNAL: exact figures of private rows."""
    from dpsynth.evaluation.fidelity import evaluate as compare

    facts = load_schema(from_project(schema=schema)["schema"])
    with following(progress):
        quality = compare(synthetic, real, facts)
        quality.save(output)
    if as_json:
        print_json(quality.record)
        return
    say(quality.summary())
    say(f"{output / 'quality.html'}: INTERNAL, compares with real records")
