"""Samples as files: drawn with a seed that the manifest of their folder records, and drawn again.

Whoever has the model can draw the same rows again, with the same seed and the same versions: so a
file of rows is tied to the model, and the model, by the ledger's line, to the certificate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from dpsynth.base.places import whole_or_gone
from dpsynth.base.progress import stage, steps
from dpsynth.base.versions import versions
from dpsynth.data.tables.writing import write_rows
from dpsynth.evidence.bundle.checks import read_manifest
from dpsynth.evidence.bundle.model import content_of
from dpsynth.evidence.manifest import add_lines, line_of, refuse_other_release
from dpsynth.evidence.verify import Outcome
from dpsynth.synthesizers.asking import Asked, check_draw, fresh_seed
from dpsynth.synthesizers.block_job import cost_of, parity_changes
from dpsynth.synthesizers.fitted_table import FittedTable
from dpsynth.synthesizers.image import ImageSynthesizer
from dpsynth.synthesizers.merged import load_table
from dpsynth.synthesizers.sampled_rows import Block
from dpsynth.synthesizers.scenario import Scenario


@dataclass(frozen=True)
class Drawn:
    """A file of samples: how many rows or images, the seed, and its folder's new head.

    coverage: of a scenario's parts. parity: what it changed.
    """

    path: Path
    count: int
    seed: int
    head: str
    coverage: pd.DataFrame | None = None
    parity: pd.DataFrame | None = None


def draw_rows_to(
    path: Path,
    synthesizer: FittedTable,
    n: int | None = None,
    *,
    where: str | None = None,
    balance: Mapping[str, Any] | None = None,
    parity: Mapping[str, Any] | None = None,
    scenario: Scenario | None = None,
    support: bool = False,
    seed: int | None = None,
) -> Drawn:
    """Draws rows into a new file of a kind in WRITTEN, and lists it in its folder's manifest.

    seed: None takes a fresh one. ValueError where the folder is the release of another model.
    """
    check_draw(n, seed)
    model = synthesizer.certificate.model
    refuse_other_release(path.parent, model)
    seed = fresh_seed(seed)
    recorded = Asked(where, None, balance, scenario, support, parity).recorded()
    stage("drawing rows")
    with whole_or_gone(path):
        rows = _write_rows(path, synthesizer, n, Asked.of(recorded), seed)
    facts = {"model": model, "rows": len(rows) if n is None else n, "seed": seed, **recorded}
    changes = parity_changes(synthesizer, recorded)
    facts |= {**cost_of(changes), "versions": versions()}
    head = add_lines(path.parent, line_of(path, "rows", **facts))
    covered = None if scenario is None else scenario.coverage(rows, n)
    return Drawn(path, len(rows), seed, head, covered, changes)


def draw_images_to(
    path: Path,
    synthesizer: ImageSynthesizer,
    n: int | None = None,
    *,
    label: int | None = None,
    seed: int | None = None,
) -> Drawn:
    """Draws images into a new .npz file, and lists it, as `draw_rows_to` does."""
    check_draw(n, seed)
    model = synthesizer.certificate.model
    refuse_other_release(path.parent, model)
    seed = fresh_seed(seed)
    stage("drawing images")
    with whole_or_gone(path):
        count = _write_images(path, synthesizer, n, label, seed)
    facts = {"model": model, "images": count, "seed": seed, "label": label, "versions": versions()}
    return Drawn(path, count, seed, add_lines(path.parent, line_of(path, "images", **facts)))


def drawn_again(folder: Path, model: Path | None = None, some: int | None = None) -> list[Outcome]:
    """For each file of samples in a folder: is it what its model gives?

    model: one beside those that the folder has. some: so many of the files, chosen by the operating
    system's randomness, so that nobody could know which; None takes all. Undecided where no model
    is there, or other versions of a package give other bytes.
    """
    listed = {line["name"]: line for line in read_manifest(folder)}.values()
    models = {line["model"]: folder / line["name"] for line in listed if line["kind"] == "model"}
    if model is not None:
        models[content_of(model)[0]] = model
    samples = [line for line in listed if line["kind"] in ("rows", "images")]
    if some is not None and some < len(samples):
        chosen = np.random.default_rng(fresh_seed(None)).choice(len(samples), some, replace=False)
        samples = [samples[place] for place in sorted(chosen.tolist())]
    return list(_compared(samples, models))


def _compared(
    samples: Sequence[Mapping[str, Any]], models: Mapping[str, Path]
) -> Iterator[Outcome]:
    opened = lru_cache(maxsize=1)(load_table)
    for line in steps("drawing samples again", samples):
        name = f"again: {line['name']}"
        if line["model"] not in models:
            yield Outcome(name, undecided="its model is not in the folder, so it cannot be redrawn")
            continue
        try:
            then = dict(line["versions"])
            same = _redrawn(line, models[line["model"]], opened) == line["sha256"]
            cost = _cost(line, models[line["model"]], opened)
        except (LookupError, TypeError, ValueError) as error:
            yield Outcome(name, f"{line['name']} cannot be drawn as its line says ({error})")
            continue
        if same and cost != line.get("parity_cost"):
            yield Outcome(
                name,
                f"parity costs {cost} in the model, and the line of {line['name']} says"
                f" {line.get('parity_cost')}",
            )
        elif same:
            yield Outcome(name)
        elif then == versions():
            yield Outcome(name, f"the model gives another file than {line['name']} for its seed")
        else:
            yield Outcome(name, undecided=_other_versions(then))


_Opened: TypeAlias = Callable[[Path], FittedTable]


def _redrawn(line: Mapping[str, Any], model: Path, opened: _Opened) -> str:
    """The hash of the file that the model gives. opened: loads a model of rows."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch, line["name"])
        if line["kind"] == "rows":
            rows = opened(model)
            block = None if line.get("block") is None else Block(**line["block"])
            _write_rows(path, rows, line["rows"], Asked.of(line), line["seed"], block)
        else:
            images = ImageSynthesizer.load(model)
            _write_images(path, images, line["images"], line["label"], line["seed"])
        return str(line_of(path, line["kind"])["sha256"])


def _cost(line: Mapping[str, Any], model: Path, opened: _Opened) -> Any:
    """What parity costs in the model, as the manifest is to say; None for what has no parity."""
    if line.get("parity") is None:
        return None
    return cost_of(parity_changes(opened(model), line))["parity_cost"]


def _other_versions(then: Mapping[str, str]) -> str:
    now = versions()
    odd = [f"{name} {then.get(name)}" for name in now if then.get(name) != now[name]]
    return f"it was drawn with {', '.join(odd)}, and these versions give another file: use those"


def _write_rows(
    path: Path,
    synthesizer: FittedTable,
    n: int | None,
    asked: Asked,
    seed: int,
    block: Block | None = None,
) -> pd.DataFrame:
    rows = synthesizer.drawn(n, asked, seed, block)
    write_rows(rows, path, synthesizer.schema)
    return rows


def _write_images(
    path: Path, synthesizer: ImageSynthesizer, n: int | None, label: int | None, seed: int
) -> int:
    images, labels = synthesizer.sample(n, labels=label, seed=seed)
    np.savez_compressed(path, images=images, labels=labels)
    return len(images)
