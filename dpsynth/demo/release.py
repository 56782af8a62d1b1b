"""The demo: from real records to a private release with its evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dpsynth.demo.data import load_randhie
from dpsynth.evaluation.fidelity import evaluate
from dpsynth.evidence.bundle.checks import INTERNAL
from dpsynth.synthesizers.drawing import Drawn
from dpsynth.synthesizers.release import check_release_folder, make_release
from dpsynth.synthesizers.table import Synthesizer

DELTA = 1e-6
"""Far below 1 / 20,190, one in the number of rows."""

_RECORDS = (
    "The records: the RAND Health Insurance Experiment, 20,190 person-years. No column says\n"
    "which person a row belongs to, so the release protects single rows. More than half of the\n"
    "rows have exact duplicates: distances to the nearest real record mean nothing here.\n"
)
_FILES = (
    "  synthetic.csv           the synthetic rows",
    "  certificate.html        what is promised, what it cost, and what is not promised",
    "  model.dpsynth           draws any number of further rows: dpsynth sample",
    "  internal/quality.html   INTERNAL: compares with the real records; not for release",
)


def run_demo(out: Path, epsilon: float, say: Callable[[str], None]) -> Drawn:
    """Fits, samples, compares, and writes the release folder.

    Parameters
    ----------
    out : Path
        A folder that does not exist, or is empty.
    epsilon : float
        The privacy budget's epsilon, above 0; its delta is 1e-6.
    say : callable
        Takes each line or paragraph of what there is to tell.

    Returns
    -------
    Drawn
        The file of synthetic rows.

    Raises
    ------
    ValueError
        The folder holds something, or nothing can be written in it.
    ImportError
        The records are not installed.
    """
    check_release_folder(out, None)
    records, schema = load_randhie()
    say(_RECORDS)
    synthesizer = Synthesizer(schema, epsilon=epsilon, delta=DELTA, ledger=None)
    release = make_release(synthesizer, records, out, seed=0)
    quality = evaluate(release.path, records, schema)
    quality.save(out / INTERNAL)  # apart, so that nobody publishes it with the rest by mistake

    say(synthesizer.certificate.summary() + "\n")
    say(quality.summary() + "\n")
    say(f"The release is in {out.resolve()}")
    for line in _FILES:
        say(line)
    return release
