"""The demo: from real records to a private release with its evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dpsynth.base.places import new_folder
from dpsynth.demo.data import load_randhie
from dpsynth.evaluation.fidelity import evaluate
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


def run_demo(out: Path, epsilon: float, say: Callable[[str], None]) -> None:
    """Fits, samples, compares, and writes the release folder.

    Parameters
    ----------
    out : Path
        A folder that does not exist, or is empty.
    epsilon : float
        The privacy budget's epsilon, above 0; its delta is 1e-6.
    say : callable
        Takes each line or paragraph of what there is to tell.

    Raises
    ------
    ValueError
        The folder holds something, or nothing can be written in it.
    ImportError
        The records are not installed.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(
            f"{out} exists and is not empty: remove it, or choose another folder with --out"
        )
    new_folder(out / "internal")
    records, schema = load_randhie()
    say(_RECORDS)
    synthesizer = Synthesizer(schema, epsilon=epsilon, delta=DELTA, ledger=None).fit(records)
    release = synthesizer.sample(seed=0)

    internal = out / "internal"  # apart, so that nobody publishes it with the rest by mistake
    internal.mkdir(parents=True, exist_ok=True)
    schema.save(out / "schema.yaml")
    release.to_csv(out / "synthetic.csv", index=False)
    synthesizer.save(out / "model.dpsynth")
    synthesizer.certificate.save(out)
    quality = evaluate(release, records, schema)
    quality.save(internal)

    say(synthesizer.certificate.summary() + "\n")
    say(quality.summary() + "\n")
    say(f"The release is in {out.resolve()}")
    for line in _FILES:
        say(line)
