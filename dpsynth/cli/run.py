"""`dpsynth run`: a release by one file, step by step, with a gate at the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpsynth.cli.common import Json, load_schema, named, print_json, say
from dpsynth.cli.exits import VERDICT_CODES
from dpsynth.cli.fitting import cautions_told_later
from dpsynth.cli.progress import Progress, following

if TYPE_CHECKING:
    from dpsynth.jobs.file import JobFile
    from dpsynth.jobs.run import Done


def run(
    job: Annotated[Path, typer.Argument(help="The job, .yaml or .json: docs/pipelines.md.")],
    values: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE: what stands for ${NAME} in the job."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what it would do and spend, or why it would be refused; read no rows.",
        ),
    ] = False,
    progress: Progress = None,
    as_json: Json = False,
) -> None:
    """Run a job: fit, sample, quality, evaluate, audit, certify, gate, sign.

    Given again after an interruption, it goes on where it ended.

    Exit codes: 0 the gate passed, 1 it did not, 2 bad input, 3 inconclusive, 4 budget exceeded.
    """
    from dpsynth.jobs.file import read_job
    from dpsynth.jobs.run import run_job

    stated = read_job(job, named("--set", values, "month=2026-11"))
    if dry_run:
        _plan(stated, as_json)
        return
    with following(progress), cautions_told_later():
        done = run_job(stated)
    _tell(stated, done, as_json)
    raise typer.Exit(VERDICT_CODES[done.verdict])


def _tell(job: JobFile, done: Done, as_json: bool) -> None:
    from dpsynth.jobs.gate import STAMP

    if as_json:
        asked = [
            {"check": f"{case.group}: {case.name}", "verdict": case.verdict, "text": case.text}
            for case in done.asked
        ]
        facts = {"output": str(job.output), "verdict": done.verdict, "done": done.steps}
        print_json({**facts, "internal": STAMP, "asked": asked})
        return
    steps = ", ".join(done.steps) or "nothing was left to do"
    say(f"{job.output}: {steps}")
    for case in done.asked:
        if case.verdict != "PASS":
            say(f"{case.verdict:<5}  {case.group}: {case.text}")
    told = "may leave" if done.verdict == "PASS" else "is held back: a person must read why"
    say(f"{done.verdict}: {job.output / 'release'} {told}")
    say(f"{job.output / 'internal'}: INTERNAL, compares with real records")


def _plan(job: JobFile, as_json: bool) -> None:
    from dpsynth.jobs.run import plan_of, synthesizer_of

    steps = plan_of(job)
    rows = job.of("sample").get("rows")
    made = None
    if rows is not None and steps["fit"] == "to do":
        made = synthesizer_of(job, load_schema(job.schema)).plan(rows)
    if as_json:
        print_json({"steps": steps, "plan": None if made is None else made.record()})
        return
    for step, state in steps.items():
        say(f"{step:<9} {state}")
    say("no plan of the fit: it is done, or sample.rows is missing" if made is None else "")
    if made is not None:
        say(made.summary())
