"""`dpsynth answer` and `validate`: questions to a release, and to the real rows by a charge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dpsynth.cli.common import (
    USUAL_DELTA,
    Approvals,
    Delta,
    Epsilon,
    ExistingLedger,
    Json,
    Purpose,
    Real,
    account_of_look,
    from_project,
    named,
    print_json,
    say,
)
from dpsynth.cli.exits import Exit

Model = Annotated[Path, typer.Argument(help="A model that `fit` or `release` wrote.")]
Level = Annotated[float, typer.Option(help="How often an interval holds the truth.")]


_CODES = {"disagrees": Exit.GATE_FAILED, "undecided": Exit.INCONCLUSIVE}


def answer(
    model: Model,
    questions: Annotated[
        list[str],
        typer.Argument(
            help="Such as 'count where age >= 65', 'share(smoker == True) by sex', 'mean(age)',"
            " 'quantile(age, 0.9)' or 'logistic(smoker == True ~ age >= 65)'."
        ),
    ],
    level: Level = 0.9,
    as_json: Json = False,
) -> None:
    """Answer questions by what a release has measured, with intervals. Spends nothing.

    Where nothing that was measured covers a question, the answer is the model's, and is marked so.
    """
    from dpsynth.synthesizers.merged import load_table

    synth = load_table(model)
    found = [synth.answer(question, level=level) for question in questions]
    if as_json:
        print_json({"answers": [each.record() for each in found]})
        return
    for each in found:
        for line in each.summary().splitlines():
            say(line)


def validate(
    model: Model,
    real: Real,
    questions: Annotated[
        list[str],
        typer.Option("--question", "-q", help="As for `dpsynth answer`. Repeat it for more."),
    ],
    within: Annotated[float, typer.Option(help="How far answers may be apart, in their own unit.")],
    epsilon: Epsilon,
    delta: Delta = USUAL_DELTA,
    ledger: ExistingLedger = None,
    level: Level = 0.9,
    purpose: Purpose = "",
    approval: Approvals = None,
    as_json: Json = False,
) -> None:
    """Say with noise whether a release's answers agree with the real rows. SPENDS the epsilon.

    Exit code 0 where all agree, 1 where one disagrees, 3 where the noise leaves it open.
    """
    from dpsynth.synthesizers.validation import validate as validated

    account = account_of_look(from_project(ledger=ledger)["ledger"])
    found = validated(
        questions,
        model,
        real,
        within=within,
        epsilon=epsilon,
        delta=delta,
        ledger=account,
        level=level,
        purpose=purpose,
        approvals=named("--approval", approval, "board=case-17"),
    )
    if as_json:
        print_json(found.record())
    else:
        for line in found.summary().splitlines():
            say(line)
    if found.verdict in _CODES:
        raise typer.Exit(_CODES[found.verdict])


def measured(
    model: Model,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A folder for measured.json and .html.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say how well a release says again what was measured. Releasable, and spends nothing.

    In the folder of a release its manifest lists the report.
    """
    from dpsynth.synthesizers.merged import load_table

    report = load_table(model).measured_report()
    if output is not None:
        report.save(output)
    if as_json:
        print_json(report.record())
        return
    for line in report.summary().splitlines():
        say(line)
