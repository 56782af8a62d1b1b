"""`dpsynth quality`: how close a release is to the real rows, by charges, to be published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dpsynth.cli.common import (
    Approvals,
    ExistingLedger,
    Json,
    Purpose,
    Real,
    account_of_look,
    from_project,
    named,
    path_or_address,
    print_json,
    say,
)

MaybeEpsilon = Annotated[
    float | None,
    typer.Option(help="What it spends; by default a twentieth of what the fit cost."),
]
MaybeDelta = Annotated[float | None, typer.Option(help="By default that of the fit.")]


def quality(
    model: Annotated[Path, typer.Argument(help="A model that `fit` or `release` wrote.")],
    real: Real,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A folder, such as that of the release.")
    ] = Path("releasable"),
    rows: Annotated[
        Any,
        typer.Option(
            help="The synthetic rows; by default 50,000 drawn from the model.",
            metavar="DATA",
            parser=path_or_address,
        ),
    ] = None,
    epsilon: MaybeEpsilon = None,
    delta: MaybeDelta = None,
    ledger: ExistingLedger = None,
    group: Annotated[
        list[str] | None,
        typer.Option(help="A column of groups to compare in; repeat it for more."),
    ] = None,
    number: Annotated[
        list[str] | None,
        typer.Option(help="A column of numbers to correlate; by default the first six."),
    ] = None,
    level: Annotated[float, typer.Option(help="How often an interval holds the truth.")] = 0.9,
    purpose: Purpose = "",
    approval: Approvals = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what it would charge for, and spend nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare synthetic with real rows by charges. SPENDS; the report may be published.

    In the folder of a release its manifest lists the report, and `dpsynth verify` checks it.
    """
    from dpsynth.evidence.manifest import refuse_other_release
    from dpsynth.synthesizers.paid_quality import evaluate_releasable, plan_releasable
    from dpsynth.synthesizers.table import Synthesizer

    asked = {"epsilon": epsilon, "delta": delta, "rows": rows, "level": level}
    asked |= {"groups": group or (), "numbers": number}
    if plan:
        planned = plan_releasable(model, **asked)
        if as_json:
            print_json({"parts": planned.reset_index().to_dict("records")})
        else:
            say(planned.to_string(float_format=lambda value: f"{value:.4g}"))
            say("stddev: of the noise, in rows; reach: of an interval to both sides, as a share of")
            say("the rows of the release")
        return
    made = Synthesizer.load(model)
    refuse_other_release(output, made.certificate.model)
    account = account_of_look(from_project(ledger=ledger)["ledger"])
    approvals = named("--approval", approval, "board=case-17")
    found = evaluate_releasable(
        made, real, ledger=account, purpose=purpose, approvals=approvals, **asked
    )
    found.save(output)
    if as_json:
        print_json(found.record)
        return
    say(found.summary())
    say(f"{output / 'releasable.html'}: may be published")
