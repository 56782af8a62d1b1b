"""`dpsynth ledger`: the account of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpsynth.base.places import new_file
from dpsynth.base.text import written
from dpsynth.cli.common import (
    Json,
    SchemaFile,
    fail,
    from_project,
    load_schema,
    named,
    print_json,
    say,
)
from dpsynth.cli.exits import exit_code
from dpsynth.cli.pages import Page, write_page

if TYPE_CHECKING:
    from dpsynth.accounting.ledger_policy import Policy
    from dpsynth.kernel.budget import Budget
    from dpsynth.kernel.unit import PrivacyUnit
    from dpsynth.ledger.ledger import Ledger

ledger_app = typer.Typer(no_args_is_help=True, help="Keep and read the account of a data set.")

File = Annotated[Path, typer.Argument(metavar="LEDGER", help="The account's file.")]
FileOrProjects = Annotated[
    Path | None,
    typer.Argument(
        metavar="LEDGER", help="The account's file; by default the one named in dpsynth.toml."
    ),
]
Purposes = Annotated[
    list[str] | None,
    typer.Option(
        "--purpose", help="NAME or NAME=EPSILON: what the data may be used for, and its cap."
    ),
]
Approvals = Annotated[
    list[str] | None,
    typer.Option("--approval", help="Somebody whose approval every run must quote."),
]
Mechanisms = Annotated[
    list[str] | None, typer.Option("--mechanism", help="A mechanism that may be used.")
]
Persons = Annotated[
    bool, typer.Option("--persons", help="Runs must protect persons, by an id column.")
]


_PROGRAMS_EPSILON = "The part of epsilon that is kept for other programs, and for nothing else."
_PROGRAMS_DELTA = (
    "The part of delta that is kept for other programs, many trainings and categories that fits"
    " find; by default a tenth of it where the schema has an opencategorical column, else none."
)
_ONLY = (
    "Declare that nobody spends from the original or another copy: this one becomes the account."
)
_THERE = "an account is never replaced: show it with `dpsynth ledger show`, or give another path"


@ledger_app.command("create")
def create(
    ledger: Annotated[Path, typer.Argument(help="The file that the account is written to.")],
    epsilon: Annotated[float, typer.Option(help="What all fits together may spend.")],
    delta: Annotated[float, typer.Option(help="The delta at which epsilon is counted.")],
    schema: SchemaFile = None,
    programs_epsilon: Annotated[float, typer.Option(help=_PROGRAMS_EPSILON)] = 0.0,
    programs_delta: Annotated[float | None, typer.Option(help=_PROGRAMS_DELTA)] = None,
    name: Annotated[
        str | None, typer.Option(help="The data set's name; by default the file's.")
    ] = None,
    purpose: Purposes = None,
    approval: Approvals = None,
    mechanism: Mechanisms = None,
    persons: Persons = False,
    as_json: Json = False,
) -> None:
    """Open an account from which several fits may spend. The schema says what it protects."""
    from dpsynth.kernel.budget import Budget
    from dpsynth.ledger.ledger import Ledger
    from dpsynth.mechanisms.discovered import kept_of

    new_file(ledger, _THERE)
    facts = load_schema(from_project(schema=schema)["schema"])
    unit = facts.unit
    if programs_delta is None:
        programs_delta = kept_of(delta, facts)
    budget = Budget(epsilon, delta, programs_epsilon, programs_delta)
    policy = policy_of(budget, purpose, approval, mechanism, persons)
    refuse_unmeetable(policy, budget, unit)
    account = Ledger.create(ledger, budget, dataset=name or ledger.stem, unit=unit, policy=policy)
    sentence = (
        f"{ledger}: epsilon {epsilon:g} at delta {written(delta)} for {account.unit.describe()}"
    )
    if facts.open:
        sentence += f"; {written(programs_delta)} of delta is kept for categories that fits find"
    _tell(account, sentence, as_json)


@ledger_app.command("policy")
def policy(
    ledger: File,
    purpose: Purposes = None,
    approval: Approvals = None,
    mechanism: Mechanisms = None,
    persons: Persons = False,
    as_json: Json = False,
) -> None:
    """Replace what every run must meet from now on. The ledger records the change."""
    from dpsynth.ledger.ledger import Ledger

    account = Ledger.open(ledger)
    account.set_policy(policy_of(account.budget, purpose, approval, mechanism, persons))
    _tell(account, f"{ledger}: policy changed; head {account.head}", as_json)


@ledger_app.command("show")
def show(
    ledger: FileOrProjects = None,
    charges: Annotated[bool, typer.Option("--charges", help="Show every charge as well.")] = False,
    html: Page = None,
    as_json: Json = False,
) -> None:
    """Show who has spent what on a data set, and what is left."""
    from dpsynth.cli import ledger_tables
    from dpsynth.evidence.account import record
    from dpsynth.evidence.account_page import account_page
    from dpsynth.ledger.ledger import Ledger

    account = Ledger.open(_named(ledger))
    if html is not None:
        write_page(html, account_page(account))
    if as_json:
        print_json(record(account))
        return
    ledger_tables.show(account, charges=charges)
    if html is not None:
        say(f"{html}: the same as a page")


@ledger_app.command("verify")
def verify(
    ledger: FileOrProjects = None,
    head: Annotated[
        str | None, typer.Option(help="A head noted earlier, such as one on a certificate.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every line of the account. Exit code 1 if a line was changed or is missing."""
    from dpsynth.evidence import account as words
    from dpsynth.ledger.chain import LedgerCorruptError
    from dpsynth.ledger.ledger import Ledger

    ledger = _named(ledger)
    try:
        account = Ledger.open(ledger)
        account.verify(head)
    except LedgerCorruptError as error:
        fail(error, exit_code(error, "ledger verify"))
    sentence = f"{ledger}: whole; head {account.head}; {words.state(account)}"
    _tell(account, sentence, as_json)


@ledger_app.command("export")
def export(
    ledger: File,
    lines: Annotated[Path, typer.Argument(help="A new text file, one JSON line each.")],
    as_json: Json = False,
) -> None:
    """Write the account's lines as text, to read, to compare, or to keep elsewhere."""
    from dpsynth.ledger.ledger import Ledger

    account = Ledger.open(ledger)
    account.export(lines)
    sentence = f"{lines}: {len(account.entries()):,} lines; head {account.head}"
    _tell(account, sentence, as_json)


@ledger_app.command("import")
def import_lines(
    lines: Annotated[Path, typer.Argument(help="What `export` wrote.")],
    ledger: Annotated[Path, typer.Argument(help="The file that the account is written to.")],
    only: Annotated[bool, typer.Option("--only", help=_ONLY)] = False,
    by: Annotated[str, typer.Option(help="Who declares it: the ledger records the name.")] = "",
    as_json: Json = False,
) -> None:
    """Make an account of exported lines: a copy to read, or with --only the one to spend from."""
    from dpsynth.evidence import account as words
    from dpsynth.ledger.ledger import Ledger

    new_file(ledger, _THERE)
    account = Ledger.import_lines(lines, ledger, only=only, by=by)
    count = len(account.entries())
    sentence = f"{ledger}: {count:,} lines; head {account.head}; {words.state(account)}"
    _tell(account, sentence, as_json)


@ledger_app.command("link")
def link(
    ledger: File,
    other: Annotated[Path, typer.Argument(help="An account of overlapping people; it is closed.")],
    as_json: Json = False,
) -> None:
    """Let one account pay for two data sets with overlapping people.

    What was spent on either counts from now on.
    """
    from dpsynth.ledger.ledger import Ledger

    account = Ledger.open(ledger)
    closed = Ledger.open(other)
    account.link(closed)
    spent = account.spent().epsilon
    left = account.remaining().epsilon
    _tell(
        account,
        f"{other}: closed; {ledger} pays for both: spent epsilon {spent:.6g}, one further fit may"
        f" spend {left:.6g}",
        as_json,
    )


def _tell(account: Ledger, sentence: str, as_json: bool) -> None:
    """The sentence; or the account as `ledger show --json` has it."""
    from dpsynth.evidence import account as words

    if as_json:
        print_json(words.record(account))
    else:
        say(sentence)


def _named(ledger: Path | None) -> Path:
    """The ledger that was given, or else the project's."""
    found = from_project(ledger=ledger)["ledger"]
    if found is None:
        raise ValueError("no ledger was given: give its path, or name one in dpsynth.toml")
    return found


def refuse_unmeetable(policy: Policy, budget: Budget, unit: PrivacyUnit) -> None:
    """ValueError for a policy that no run could ever meet, or a cap above the whole budget."""
    from dpsynth.mechanisms.registry import AUTO, IMAGES, TABLES
    from dpsynth.mechanisms.rows_per_unit import NAME as LOOK

    if policy.persons and (unit.id_column is None or unit.periods):
        what = "single rows" if unit.id_column is None else "periods of a person"
        raise ValueError(
            "--persons needs a schema whose unit is all rows of an id_column, and this one protects"
            f" {what}: leave out --persons, or name that column alone"
        )
    for name in policy.mechanisms:
        if name != LOOK and not TABLES.knows(name) and not IMAGES.knows(name):
            known = sorted({LOOK, *TABLES.names(), *IMAGES.names()} - {AUTO})
            raise ValueError(
                f"--mechanism allows {name!r}, which is none of {', '.join(known)}: choose one"
            )
    for name, cap in policy.purposes.items():
        if cap.epsilon > budget.epsilon:
            raise ValueError(
                f"--purpose {name}={cap.epsilon:g} is above the {budget.epsilon:g} of all purposes"
                " together: give it at most that"
            )


def policy_of(
    budget: Budget,
    purposes: list[str] | None,
    approvals: list[str] | None,
    mechanisms: list[str] | None,
    persons: bool,
) -> Policy:
    from dpsynth.accounting.ledger_policy import Policy
    from dpsynth.kernel.budget import Budget

    caps = named("--purpose", purposes, "research=0.5", default=f"{budget.epsilon!r}")
    each: dict[str, Budget] = {}
    try:
        for name, epsilon in caps.items():
            each[name] = Budget(float(epsilon), budget.delta, 0.0, budget.programs_delta)
    except ValueError as error:
        raise ValueError(f"--purpose needs an epsilon, as in research=0.5: {error}") from None
    return Policy(each, tuple(approvals or ()), tuple(mechanisms or ()), persons)
