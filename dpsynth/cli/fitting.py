"""What `fit`, `images fit` and `release` share: who pays, and what is left behind."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpsynth.base.places import keep_apart, new_file, new_folder, old_file
from dpsynth.cli.common import err, named, print_json, say
from dpsynth.cli.progress import following

if TYPE_CHECKING:
    from dpsynth.synthesizers.base import BaseSynthesizer


def job_of(ledger: Path | None, purpose: str, approval: list[str] | None) -> dict[str, Any]:
    """A synthesizer's arguments: who pays for a fit, what it is for, and who approved it."""
    if ledger is None:
        err.print(
            "no --ledger: nothing remembers what this fit spends, or adds it to what other fits of"
            " the same data spent",
            highlight=False,
        )
    else:
        ledger = ledger.absolute()  # a new one is announced on stderr, with its whole path
    return {
        "ledger": ledger,
        "purpose": purpose,
        "approvals": named("--approval", approval, "board=case-17"),
    }


@contextlib.contextmanager
def cautions_told_later() -> Iterator[None]:
    """Keeps a fit from warning of columns: the certificate, which is shown next, says the same."""
    from dpsynth.synthesizers.base import CautionWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CautionWarning)
        yield


def fit_and_keep(
    synthesizer: BaseSynthesizer[Any],
    fit: Callable[[], object],
    *,
    output: Path,
    certificate: Path | None,
    progress: bool | None,
    as_json: bool,
    checkpoint: Path | None = None,
) -> None:
    """Fits, writes the model and the certificate, and says what was promised.

    First it refuses places that cannot be written: after a fit the budget is spent, whether or not
    the model can be saved.
    """
    from dpsynth.synthesizers.release import keep_fit, saying_what_was_spent

    _refuse_places(output, certificate, checkpoint, synthesizer.ledger)
    start = time.perf_counter()
    with following(progress), cautions_told_later(), saying_what_was_spent(synthesizer):
        fit()
    keep_fit(synthesizer, output, certificate)
    if as_json:
        print_json(synthesizer.certificate.record)
        return
    say(synthesizer.certificate.summary())
    say(f"{output}: fitted in {time.perf_counter() - start:.1f} s")


def _refuse_places(
    output: Path, certificate: Path | None, checkpoint: Path | None, ledger: Any
) -> None:
    """ValueError, in one sentence, for a place that could not be written after the fit."""
    new_file(output)
    files = {"the model": output, "the ledger": ledger, "the checkpoint": checkpoint}
    if checkpoint is not None:
        new_folder(checkpoint.parent)
    if certificate is not None:
        from dpsynth.evidence.manifest import refuse_other_release

        new_folder(certificate)
        refuse_other_release(certificate, None)
        for name in ("certificate.json", "certificate.html"):
            old_file(certificate / name)
            files[name] = certificate / name
    keep_apart(files)
