"""A fitted synthesizer as a zip of one JSON document and plain arrays.

It holds no code and no private value.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from dpsynth.base.archive import UNREADABLE, read_archive, split, write_archive
from dpsynth.base.errors import DPSynthError
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.data.tables.codec import schema_domain
from dpsynth.data.tables.inside import Inside
from dpsynth.data.tables.rows_of_units import RowsOfUnits
from dpsynth.evidence.verifier import lines, words
from dpsynth.evidence.verify import examine
from dpsynth.models.base import Model
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.hidden import HiddenModel
from dpsynth.models.mixture import MixtureModel
from dpsynth.models.refined import RefinedModel
from dpsynth.schema.table import Schema

VERSION = 1
Bounds = dict[str, tuple[float, float]]
Found = Mapping[str, tuple[str, ...]]
"""The categories that were found of each column for which the schema leaves them open."""

Stored = tuple[Schema, Model, Bounds, dict[str, Inside], RowsOfUnits | None, Found, dict[str, Any]]
"""Schema, model, bounds, what is known of the values inside of cells, how many rows units have
where their names repeat, the categories that were found, the certificate's record.
"""

T = TypeVar("T")
Build = Callable[[dict[str, Any], dict[str, np.ndarray]], T]
"""Makes an object of a file's document and arrays."""

TABLE = "dpsynth_model"
MERGED = "dpsynth_merged"
RELATIONAL = "dpsynth_relational"
IMAGE_FILE = "dpsynth_images"
_KINDS = {
    TABLE: "a table: use `dpsynth sample`, or Synthesizer.load",
    MERGED: "a merge: use `dpsynth sample`, or Merged.load",
    RELATIONAL: "several tables: use RelationalSynthesizer.load",
    IMAGE_FILE: "images: use `dpsynth images sample`, or ImageSynthesizer.load",
}


class ModelFileError(DPSynthError, ValueError):
    """The file is not a model that this version wrote."""


def write_model_file(
    path: str | Path, content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Writes a zip of model.json and the arrays."""
    write_archive(path, "model.json", content, arrays)


def in_stored_form(model: Model) -> Model:
    """What a mechanism returned, as a model that has a file.

    What an engine found, over cells, becomes one over bins. A model of any other class stays as it
    is: it can be sampled, and not be saved.
    """
    if isinstance(model, MixtureModel):
        model = HiddenModel.mixture(model.domain, model.total, model.shares)
    return (
        RefinedModel.of_cells(model) if isinstance(model, GraphicalModel | HiddenModel) else model
    )


def model_digest(
    schema: Schema,
    model: Model,
    bounds: Bounds,
    inside: Mapping[str, Inside] = {},
    people: RowsOfUnits | None = None,
    found: Mapping[str, tuple[str, ...]] = {},
) -> str | None:
    """The SHA-256 of all that sampling depends on; None for a model that cannot be stored.

    It is the same for the model that was saved and for the one that is loaded.
    """
    try:
        return digest_of(*table_content(schema, model, bounds, inside, people, found))
    except TypeError:
        return None


def digest_of(content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """The SHA-256 of the plain fields in canonical JSON, followed by the arrays.

    For each array: its name, dtype and shape in canonical JSON, then its bytes in C order.
    """
    digest = hashlib.sha256(_canonical(content))
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(_canonical([name, array.dtype.str, list(arrays[name].shape)]))
        digest.update(array.tobytes())
    return digest.hexdigest()


def load_model(path: str | Path) -> Stored:
    """What a table's file holds, with its certificate's record; ModelFileError for other files."""
    return read_model_file(path, TABLE, built_table)


def read_model_file(path: str | Path, kind: str, build: Build[T]) -> T:
    """What `build` makes of a file of this kind; ModelFileError where that cannot be done.

    Nothing in a file is ever executed. Its certificate must be of the model in it, and whole.
    Of a merge `build` sees to that, as each source has a certificate of its own.
    """
    try:
        document, arrays = read_archive(path, "model.json")
        _check_kind(path, document, kind)
        built = build(document, arrays)
        if kind != MERGED:
            refuse_forged(path, document, arrays)
        return built
    except ModelFileError:
        raise
    except UNREADABLE:
        raise ModelFileError(
            f"{path} is not a model file, or is damaged: fit again, or fetch another copy"
        ) from None


def is_merge(path: str | Path) -> bool:
    """Whether a file is a merge of models; False for what cannot be read."""
    try:
        with zipfile.ZipFile(path) as file:
            return MERGED in json.loads(file.read("model.json"))
    except (OSError, *UNREADABLE):
        return False


def _check_kind(path: str | Path, document: Mapping[str, Any], kind: str) -> None:
    others = [other for other in _KINDS if other != kind and other in document]
    if others:
        raise ModelFileError(f"{path} is a model of {_KINDS[others[0]]}")
    found = document[kind]
    if type(found) is not int or found != VERSION:  # True and 1.0 equal 1, and are no version
        raise ModelFileError(
            f"{path} has format {found!r}, and this version of dpsynth reads format {VERSION}:"
            " update dpsynth"
        )


def refuse_forged(
    path: str | Path, document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """ModelFileError unless the certificate agrees with its ledger lines, the last of which names
    this very model.

    Its figures are not computed again, which takes seconds where networks were trained:
    `dpsynth verify` does that.
    """
    record = document["certificate"]
    checked = examine(record, checks=(*lines.CHECKS, *words.CHECKS))
    if found := [each.fault for each in checked if each.fault]:
        raise ModelFileError(
            f"the certificate in {path} does not hold ({'; '.join(found)}): fetch another copy"
        )
    content = {n: value for n, value in document.items() if n not in ("certificate", "arrays")}
    ended = record["run"]["ended"]
    if ended is None or ended["kind"] != "commit" or ended["release"] != digest_of(content, arrays):
        raise ModelFileError(
            f"{path} holds another model than its certificate is of: fetch another copy, or fit"
            " again"
        )


def table_content(
    schema: Schema,
    model: Model,
    bounds: Bounds,
    inside: Mapping[str, Inside] = {},
    people: RowsOfUnits | None = None,
    found: Mapping[str, tuple[str, ...]] = {},
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Plain fields and arrays of a model file, without its certificate.

    TypeError for a model of a kind that has no such form.
    """
    if not isinstance(model, RefinedModel):
        raise TypeError(
            f"a model of type {type(model).__name__} has no file: its rows can be sampled in this"
            " process only; let the mechanism's fit return what dpsynth.models.engines.estimate"
            " gives, or a RefinedModel"
        )
    plain, arrays = split(model.to_arrays())
    ends = {name: (float(low), float(high)) for name, (low, high) in bounds.items()}
    content = {TABLE: VERSION, "schema": schema.to_dict(), "bounds": ends, "model": plain}
    if inside:
        content["inside"] = {name: each.stored() for name, each in inside.items()}
    if people is not None:
        content["rows_of_units"] = people.stored()
    if found:
        content["categories"] = {name: list(each) for name, each in found.items()}
    return content, arrays


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def built_table(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Stored:
    """What a file's parts hold."""
    schema = Schema.from_dict(document["schema"])
    stored = document["bounds"]
    bounds: Bounds = {name: (float(low), float(high)) for name, (low, high) in stored.items()}
    inside = {name: Inside.of(each) for name, each in document.get("inside", {}).items()}
    people = RowsOfUnits.of(document["rows_of_units"]) if "rows_of_units" in document else None
    found = {name: tuple(map(str, each)) for name, each in document.get("categories", {}).items()}
    domain = schema_domain(recoding_of(schema.settled(found)).modelled, bounds)
    model = RefinedModel.from_arrays(domain, {**document["model"], **arrays})
    return schema, model, bounds, inside, people, found, document["certificate"]
