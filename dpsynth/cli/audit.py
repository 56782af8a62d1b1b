"""`dpsynth audit`: what a release tells about the people in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dpsynth.cli.common import SchemaFile, err, from_project, load_schema, print_json, say
from dpsynth.cli.exits import Exit

_CODES = {"PASS": Exit.DONE, "FAIL": Exit.GATE_FAILED, "INVALID": Exit.BAD_INPUT, "INCONCLUSIVE": Exit.INCONCLUSIVE}


def audit(
    synthetic: Annotated[Path, typer.Argument(help="Synthetic rows, .csv or .parquet.")],
    train: Annotated[Path, typer.Option(help="The real rows that the release was made from.")],
    holdout: Annotated[Path | None, typer.Option(help="Real rows that it was not made from.")] = None,
    reference: Annotated[Path | None, typer.Option(help="More real rows, which help the attacker.")] = None,
    schema: SchemaFile = None,
    policy: Annotated[
        Path | None, typer.Option(help="What is tolerated, .yaml or .json; by default that of dpsynth.toml.")
    ] = None,
    level: Annotated[str, typer.Option(help="quick, standard or deep.")] = "quick",
    epsilon: Annotated[float | None, typer.Option(help="The claimed epsilon.")] = None,
    delta: Annotated[float | None, typer.Option(help="The claimed delta.")] = None,
    sensitive: Annotated[list[str] | None, typer.Option(help="A column that may be secret; repeat for more.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of row samples and random deals.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A folder for the page, JSON and JUnit XML.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Attack a release. INTERNAL: exact statistics of private rows, not for release.

    Exit codes: 0 pass, 1 a gate failed, 2 bad input or an invalid comparison, 3 inconclusive.
    """
    from dpsynth.auditing.claim import PrivacyClaim
    from dpsynth.auditing.release.audit import audit as attack

    if (epsilon is None) != (delta is None):
        raise ValueError("a claim needs both --epsilon and --delta")
    claim = None if epsilon is None or delta is None else PrivacyClaim(epsilon, delta)
    given = from_project(schema=schema, policy=policy)
    with err.status("attacking"):
        report = attack(
            synthetic,
            train,
            holdout,
            reference=reference,
            schema=None if given["schema"] is None else load_schema(given["schema"]),
            claim=claim,
            level=level,  # type: ignore[arg-type]  # checked by the function, in one sentence
            policy=given["policy"],
            sensitive=sensitive,
            seed=seed,
        )
    if output is not None:
        report.save(output)
    if as_json:
        print_json(report.record)
    else:
        say(report.summary())
        if output is not None:
            say(f"{output / 'audit.html'}: INTERNAL, compares with real records")
    raise typer.Exit(_CODES[report.verdict])
