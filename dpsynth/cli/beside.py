"""`dpsynth mix` and `dpsynth impute`: synthetic rows beside real ones. Both keep real rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dpsynth.base.real_records import STAMP
from dpsynth.cli.common import (
    Data,
    Json,
    Real,
    SchemaFile,
    Seed,
    Synthetic,
    from_project,
    load_schema,
    output_file,
    print_json,
    say,
)

Share = Annotated[float, typer.Option(help="The part of the result that is synthetic, below 1.")]
NewTable = Annotated[
    Path, typer.Option("--output", "-o", help="A new .csv or .parquet file, outside of a release.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="One that is filled in; by default every column is."),
]


def mix(
    real: Real,
    synthetic: Synthetic,
    share: Share,
    output: NewTable,
    schema: SchemaFile = None,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """Put real and synthetic rows into one table, to train on. PRIVATE: it has all real rows.

    It is stamped: its column contains_real_records says so, and no fit, release or audit takes it.
    """
    from dpsynth.data.tables.mixing import mix as mixed
    from dpsynth.data.tables.writing import write_rows

    _refuse_release(output)
    facts = load_schema(from_project(schema=schema)["schema"])
    rows = mixed(real, synthetic, share=share, schema=facts, seed=seed)
    write_rows(rows, output, facts)
    _say(output, {"share": share, "seed": seed}, as_json)


def impute(
    model: Annotated[Path, typer.Argument(help="A model that `fit` wrote.")],
    data: Data,
    output: NewTable,
    column: Columns = None,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """Fill in a real table's missing values, drawn given the others. PRIVATE: it has real rows.

    It is stamped: its column contains_real_records says so, and no fit, release or audit takes it.
    """
    from dpsynth.data.tables.writing import write_rows
    from dpsynth.synthesizers.merged import load_table

    _refuse_release(output)
    synthesizer = load_table(model)
    filled = synthesizer.impute(data, columns=column, seed=seed)
    write_rows(filled, output, synthesizer.schema)
    _say(output, {"columns": column, "seed": seed}, as_json)


def _refuse_release(output: Path) -> None:
    """ValueError for a place where real records must not lie."""
    output_file(output, ".csv", ".parquet")
    if (output.parent / "manifest.json").exists():
        raise ValueError(
            f"{output.parent} holds files of a release, and {output.name} would contain real"
            " records: choose another folder"
        )


def _say(output: Path, facts: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json({"output": str(output), "stamp": STAMP, **facts})
        return
    say(f"{output}: contains real records, as its column {STAMP} says. PRIVATE")
