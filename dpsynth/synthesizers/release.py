"""A release in one step: fit, certificate, model, rows and manifest, in a folder made at the end.

Everything is written into a folder beside it, which takes its name when all is there. What is paid
for is not lost: where rows cannot be drawn after a fit, model and certificate stay as a release of
their own, and where a fit ends early, the log says what it cost.
"""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dpsynth.base.places import keep_apart, new_folder, whole_or_gone
from dpsynth.base.text import at_most, exact
from dpsynth.data.tables.writing import refuse_unwritable
from dpsynth.evidence.manifest import add_lines, line_of
from dpsynth.kernel.wall import RowsError
from dpsynth.ledger.ledger import Ledger
from dpsynth.synthesizers.asking import check_draw
from dpsynth.synthesizers.base import BaseSynthesizer
from dpsynth.synthesizers.drawing import Drawn, draw_rows_to
from dpsynth.synthesizers.table import Synthesizer

MODEL = "model.dpsynth"
ROWS = "synthetic"
"""The name of the file of rows, before its ending."""

_log = logging.getLogger("dpsynth")

_AFTER_THE_FIRST_ROW = (
    RowsError, TimeoutError, ChildProcessError, MemoryError, KeyboardInterrupt
)  # fmt: skip
"""What ends a fit once it has begun to read."""


def check_release_folder(folder: Path, ledger: Any) -> None:
    """ValueError where no release can be made; nothing is left behind."""
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise ValueError(
            f"{folder} exists and is not an empty folder: remove it, or choose another with"
            " --output"
        )
    new_folder(folder)
    if (made := _unfinished(folder)).exists():
        raise ValueError(
            f"{made} was left by a release that ended early: keep the model in it, if there is one,"
            " as it was paid for, and remove the folder"
        )
    keep_apart({"the release": folder, "the ledger": ledger})


def make_release(
    synthesizer: Synthesizer,
    data: Any,
    folder: Path,
    *,
    n: int | None = None,
    seed: int | None = None,
    ending: str = ".csv",
) -> Drawn:
    """Fits, and writes a release: certificate, page, model, schema, rows and their manifest.

    n: rows; None for the noisy row count. ending: of the file of rows, such as .parquet.
    """
    check_draw(n, seed)
    refuse_unwritable(ending, synthesizer.schema)
    check_release_folder(folder, synthesizer.named_ledger)
    made = _unfinished(folder)
    made.mkdir(parents=True)
    try:
        with saying_what_was_spent(synthesizer):
            fit_into(synthesizer, data, made)
        drawn = draw_rows_to(made / f"{ROWS}{ending}", synthesizer, n, seed=seed)
    except BaseException:
        _keep_what_was_paid_for(made, folder)
        raise
    _rename(made, folder)
    return Drawn(folder / drawn.path.name, drawn.count, drawn.seed, drawn.head)


def fit_into(synthesizer: Synthesizer, data: Any, made: Path) -> None:
    """Fits, and writes certificate, page, model and schema into a folder, with its manifest."""
    synthesizer.fit(data)
    keep_fit(synthesizer, made / MODEL, made)
    synthesizer.schema.settled(synthesizer.categories).save(made / "schema.yaml")
    add_lines(made, line_of(made / "schema.yaml", "schema"))


def keep_fit(synthesizer: BaseSynthesizer[Any], model: Path, certificate: Path | None) -> None:
    """Writes the certificate and the model; a model in the certificate's folder is listed there.

    The certificate comes first: it answers for a budget that is spent, even if no model is kept.
    """
    if certificate is not None:
        synthesizer.certificate.save(certificate)
    with whole_or_gone(model):
        synthesizer.save(model)
    if certificate is not None and model.parent.resolve() == certificate.resolve():
        add_lines(certificate, line_of(model, "model", model=synthesizer.certificate.model))


@contextlib.contextmanager
def saying_what_was_spent(synthesizer: BaseSynthesizer[Any]) -> Iterator[None]:
    """Where a fit in this block ends early, the log says what it cost, and what is left."""
    before = runs_of(synthesizer.named_ledger)
    try:
        yield
    except BaseException as error:
        if sentence := _spent(synthesizer, before, error):
            _log.warning("%s", sentence)
        raise


def _spent(synthesizer: BaseSynthesizer[Any], before: set[str], error: BaseException) -> str:
    """What a fit that ended early has cost; nothing where it cost nothing."""
    named = synthesizer.named_ledger
    if named is None:
        if not isinstance(error, _AFTER_THE_FIRST_ROW):
            return ""
        asked = f"epsilon {exact(synthesizer.epsilon)} at delta {exact(synthesizer.delta)}"
        return f"the fit ended early and no ledger records it: count {asked} as spent"
    if not runs_of(named) - before:
        return ""
    ledger = _opened(named)
    of = f"{exact(ledger.budget.epsilon)} at delta {exact(ledger.budget.delta)}"
    return (
        f"the fit ended early and stays paid for: {ledger.path or 'the ledger'} counts epsilon"
        f" {at_most(ledger.spent().epsilon)} of {of} as spent, and one further fit may spend"
        f" epsilon {math.floor(1e4 * ledger.remaining().epsilon) / 1e4:g}"
    )


def runs_of(named: Any) -> set[str]:
    """The runs of a ledger that have spent or hold anything; none where it does not exist yet."""
    if named is None or (not isinstance(named, Ledger) and not Path(named).is_file()):
        return set()
    return {run.name for run in _opened(named).runs() if run.state != "void"}


def spent_of(named: Any) -> float:
    """The epsilon that all runs of a ledger have spent together."""
    return _opened(named).spent().epsilon


def _opened(named: Any) -> Ledger:
    return named if isinstance(named, Ledger) else Ledger.open(named)


def _unfinished(folder: Path) -> Path:
    return folder.absolute().parent / f".{folder.name}.unfinished"


def _keep_what_was_paid_for(made: Path, folder: Path) -> None:
    """A release without rows, where there is a model; else nothing at all."""
    kept = sorted(path.name for path in made.iterdir() if path.name in (MODEL, "certificate.json"))
    if not kept:
        shutil.rmtree(made)
        return
    _rename(made, folder)
    _log.warning(
        "the fit is done and paid for, and no rows were written: %s has %s", folder, _words(kept)
    )


def _words(kept: list[str]) -> str:
    if MODEL not in kept:
        return "its certificate, and the model could not be written"
    return "the model and its certificate, so draw rows from it by dpsynth sample"


def _rename(made: Path, folder: Path) -> None:
    if folder.exists():
        folder.rmdir()  # it is empty
    made.rename(folder)
