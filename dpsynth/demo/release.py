"""The demo: the whole road, from real records to a private release with its evidence, on data inside a package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dpsynth.base.places import new_folder
from dpsynth.demo.data import load_randhie
from dpsynth.evaluation.fidelity import evaluate
from dpsynth.synthesizers.table import Synthesizer

DELTA = 1e-6


def run_demo(out: Path, epsilon: float, say: Callable[[str], None]) -> None:
    """Fits, samples, compares, and writes the release folder `out`, which must not exist or be empty."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} exists and is not empty: remove it, or choose another folder with --out")
    new_folder(out / "internal")
    records, schema = load_randhie()
    say(
        "The records: the RAND Health Insurance Experiment, 20,190 person-years without a person id, so what is\n"
        "protected is one row. More than half of the rows have exact duplicates: distances to the nearest real\n"
        "record mean nothing here.\n"
    )
    synthesizer = Synthesizer(schema, epsilon=epsilon, delta=DELTA, ledger=None).fit(records)
    release = synthesizer.sample(seed=0)

    internal = out / "internal"
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
    say("  synthetic.csv       the synthetic rows")
    say("  certificate.html    what is promised, what it cost, and what is not promised")
    say("  model.dpsynth       draws any number of further rows: dpsynth sample")
    say("  internal/quality.html   INTERNAL: compares with the real records; not for release")
