"""A ledger as tables in a terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from dpsynth.base.text import at_most, clip, exact, written
from dpsynth.cli.common import out, say
from dpsynth.evidence.account import asked, event, notes, state, taken, text
from dpsynth.kernel.account import SECURE, Run
from dpsynth.ledger.ledger import Ledger


def show(account: Ledger, *, charges: bool) -> None:
    """Prints whose account it is, what a run must meet, who spent what, and what is left."""
    say(f"{text(account.dataset)}: protects {text(account.unit.describe())}")
    for line in asked(account.policy):
        say(f"  policy: {line}")
    for name, cap in account.policy.purposes.items():
        used = at_most(account.spent(name).epsilon)
        say(
            f"  {text(name)}: spent epsilon {used} of {exact(cap.epsilon)} at delta"
            f" {written(account.budget.delta)}"
        )
    runs = account.runs()
    if runs:
        out.print(table_of(runs))
    for run in runs:
        if run.job.purpose:
            say(f"  {text(run.name)[:8]} is for: {clip(text(run.job.purpose), 60)}")
    if charges:
        out.print(charges_of(account))
    for note in notes(account, runs):
        say(f"  {note}")
    spent = account.spent()
    budget = account.budget
    of = f"{exact(budget.epsilon)} at delta {written(budget.delta)}"
    say(f"spent epsilon {at_most(spent.epsilon)} of {of}; {state(account)}")


def table_of(runs: list[Run]) -> Table:
    """A row for each run, of 80 characters where the mechanism has a name of ours."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("run", "began", "mechanism", "state"):
        wraps = name == "mechanism"  # which may have the name of a program that is not ours
        table.add_column(name, no_wrap=not wraps, min_width=len(name), overflow="fold")
    for name in ("charges", "epsilon", "of", "at delta"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        mark = "" if run.noise == SECURE else "*"
        began = (run.began or "")[:10]
        words = (text(run.name)[:8] + mark, began, text(run.job.mechanism), run.state)
        numbers = (at_most(run.spent.epsilon), exact(run.budget.epsilon), written(run.budget.delta))
        table.add_row(*map(Text, (*words, f"{run.charges:,}", *numbers)))
    return table


def charges_of(account: Ledger) -> Table:
    table = Table(
        "line", "run", "what", "event", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    trainings = {number: steps for run in account.runs() for number, steps in run.trainings.items()}
    for line in account.entries():
        if line["kind"] == "charge":
            what = event(line["event"]) + taken(trainings.get(line["seq"]))
            cells = (str(line["seq"]), text(line["run"])[:8], text(line["purpose"]), what)
            table.add_row(*map(Text, cells))
    return table
