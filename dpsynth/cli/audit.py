"""`dpsynth audit`: what a release tells about the people in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpsynth.cli.common import (
    Json,
    SchemaFile,
    Synthetic,
    from_project,
    load_schema,
    print_json,
    say,
)
from dpsynth.cli.exits import VERDICT_CODES
from dpsynth.cli.progress import Progress, following

if TYPE_CHECKING:
    from dpsynth.auditing.claim import PrivacyClaim

Train = Annotated[Path, typer.Option(help="The real rows that the release was made from.")]
Holdout = Annotated[
    Path | None,
    typer.Option(help="Real rows of the same population that the release was not made from."),
]
Reference = Annotated[
    Path | None, typer.Option(help="More real rows, in neither table, which help the attacker.")
]
PolicyFile = Annotated[
    Path | None,
    typer.Option(
        help="What is tolerated, .yaml or .json; by default the file named in dpsynth.toml."
    ),
]
Level = Annotated[str, typer.Option(help="How hard to try: quick, standard or deep.")]
ClaimedEpsilon = Annotated[
    float | None,
    typer.Option(
        help="The epsilon that was promised; by default that of the certificate.json beside the"
        " release, in its folder or in a folder of its name."
    ),
]
ClaimedDelta = Annotated[float | None, typer.Option(help="The delta that was promised.")]
Sensitive = Annotated[
    list[str] | None,
    typer.Option(help="A column whose values may be secret; repeat for more. By default all."),
]
Seed = Annotated[
    int | None, typer.Option(help="Repeats the same samples of rows and random splits.")
]
Folder = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="A folder for the page, the JSON and the JUnit XML."),
]


def audit(
    synthetic: Synthetic,
    train: Train,
    holdout: Holdout = None,
    reference: Reference = None,
    schema: SchemaFile = None,
    policy: PolicyFile = None,
    level: Level = "quick",
    epsilon: ClaimedEpsilon = None,
    delta: ClaimedDelta = None,
    sensitive: Sensitive = None,
    seed: Seed = None,
    output: Folder = None,
    progress: Progress = None,
    as_json: Json = False,
) -> None:
    """Attack a release. INTERNAL: exact statistics of private rows, not for release.

    Exit codes: 0 pass, 1 fail, 2 bad input or an invalid comparison, 3 inconclusive.
    """
    from dpsynth.auditing.release.audit import audit as attack

    claim = _claim(epsilon, delta)
    given = from_project(schema=schema, policy=policy)
    with following(progress):
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
    raise typer.Exit(VERDICT_CODES[report.verdict])


def _claim(epsilon: float | None, delta: float | None) -> PrivacyClaim | None:
    from dpsynth.auditing.claim import PrivacyClaim

    if (epsilon is None) != (delta is None):
        raise ValueError("a claim needs both --epsilon and --delta: give both, or neither")
    if epsilon is None or delta is None:
        return None
    return PrivacyClaim(epsilon, delta)
