"""Private records in, synthetic records out, with the evidence.

Results go to stdout, progress to stderr. A user's mistake is one sentence.

Exit codes: 0 done, 1 a check failed, 2 bad input or usage, 3 inconclusive,
4 budget exceeded.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dpsynth.base.credentials import without_credentials
from dpsynth.base.places import expanded
from dpsynth.cli import answers, audit, beside, evidence, release
from dpsynth.cli.certificate import certificate_app
from dpsynth.cli.common import fail, say
from dpsynth.cli.exits import CODES, exit_code
from dpsynth.cli.images import images_app
from dpsynth.cli.init import init
from dpsynth.cli.ledger import ledger_app
from dpsynth.cli.merge import merge
from dpsynth.cli.plan import plan
from dpsynth.cli.quality import quality
from dpsynth.cli.run import run
from dpsynth.cli.sample import sample
from dpsynth.cli.schema import schema_app
from dpsynth.cli.sign import keys_app, sign
from dpsynth.cli.split import split
from dpsynth.cli.unit import unit
from dpsynth.cli.verify import verify

_HELP = """Turn private records into synthetic ones under differential privacy, with evidence.

Results go to stdout, progress to stderr. Exit codes: 0 done, 1 a check failed, 2 bad input or
usage, 3 inconclusive, 4 budget exceeded.
"""


class _Commands(TyperGroup):
    """Commands whose words on a wrong use repeat no password of an address that was given."""

    def make_context(self, *args: Any, **settings: Any) -> Any:
        with _without_credentials():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: Any) -> Any:
        with _without_credentials():
            return super().invoke(ctx)


@contextmanager
def _without_credentials() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        shown: Any = error
        if hasattr(shown, "format_message") and isinstance(shown.message, str):
            shown.message = without_credentials(shown.message)
        raise


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},  # of every command below it, too
)


def _show_version(asked: bool) -> None:
    if asked:
        say(f"dpsynth {version('dpsynth')}")
        raise typer.Exit


@app.callback(help=_HELP)
def _options(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """What is given before a command."""


_COMMANDS = (
    init,
    split,
    unit,
    release.release,
    release.fit,
    sample,
    merge,
    beside.mix,
    beside.impute,
    answers.answer,
    answers.measured,
    evidence.evaluate,
    quality,
    answers.validate,
    audit.audit,
    release.demo,
    plan,
    run,
    sign,
    verify,
)
for command in _COMMANDS:
    app.command()(command)
app.add_typer(schema_app, name="schema")
app.add_typer(images_app, name="images")
app.add_typer(ledger_app, name="ledger")
app.add_typer(keys_app, name="keys")
app.add_typer(certificate_app, name="certificate")


def main() -> None:
    """The entry point: what a user can mend becomes a sentence and an exit code."""
    try:
        app(args=[_with_home(each) for each in sys.argv[1:]], prog_name="dpsynth")
    except tuple(CODES) as error:
        fail(error, exit_code(error))


def _with_home(argument: str) -> str:
    """The argument with its `~` expanded, which a shell leaves in `--output=~/release`."""
    found = re.fullmatch(r"(--[\w-]+=)?(~.*)", argument, re.DOTALL)
    return argument if found is None else f"{found[1] or ''}{expanded(found[2])}"
