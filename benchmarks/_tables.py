"""The tables that benchmarks run on, and the distance they are judged by.

Each folder of `../shared/data` has a schema.json: for each column its type and, marked by `domain_source`, whether its
bounds or categories are public ("documented", "public_prior") or not known ("none"). What is not public is left open,
to be learned by a charge. No rule here knows such a table by name, so any folder of this form can be taken.
"""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

import dpsynth
from dpsynth.base.mappings import read_mapping

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DISCRETE = (
    "adult_discretised",
    "adult",
    "bank_marketing",
    "nist_acs_national2019",
    "credit_default",
    "german_credit",
    "brfss2015_diabetes",
    "support2",
)
PUBLIC = ("documented", "public_prior")
RULES = Path(__file__).parent / "public_rules.yaml"
"""What the publishers' documentation states of several columns, in the words of a schema's file, by table."""


def require_data() -> Path:
    """The folder of real tables; ends the benchmark with a sentence where there is none."""
    if not DATA.is_dir():
        sys.exit(f"this benchmark needs the real tables in {DATA}, which are not part of the project; nothing was run")
    return DATA


def discrete_table(name: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """A table of integer codes, and the size of each column's domain."""
    data = require_data()
    if name == "adult_discretised":
        rows, domain = data / name / "data.parquet", data / name / "domain.json"
    else:
        rows = data / "benchmark_discretised" / f"{name}.parquet"
        domain = data / "benchmark_discretised" / f"{name}.domain.json"
    sizes = json.loads(domain.read_text())
    return pd.read_parquet(rows)[list(sizes)].astype("int64"), sizes


def discrete_schema(sizes: dict[str, int]) -> dpsynth.Schema:
    """The schema of a table of codes. All are categories: german_credit's "telephone" says whether somebody has one."""
    columns = {name: dpsynth.Categorical(range(size)) for name, size in sizes.items()}
    return dpsynth.Schema(columns, not_identifying=[*sizes])


def fixed_triples(columns: list[str]) -> list[tuple[str, ...]]:
    """200 fixed random triples of columns, or all where there are fewer."""
    triples = list(itertools.combinations(sorted(columns), 3))
    if len(triples) <= 200:
        return triples
    chosen = np.random.default_rng(20240607).choice(len(triples), 200, replace=False)
    return [triples[i] for i in sorted(chosen)]


def distances(real: pd.DataFrame, synthetic: pd.DataFrame, sizes: dict[str, int]) -> dict[str, float]:
    """Mean total-variation distance over all 1-way, all 2-way, and 200 fixed 3-way marginals."""
    columns = list(sizes)
    kinds = {
        "1-way": [(c,) for c in columns],
        "2-way": list(itertools.combinations(columns, 2)),
        "3-way": fixed_triples(columns),
    }
    return {k: float(np.mean([_distance(real, synthetic, sizes, c) for c in cs])) for k, cs in kinds.items()}


def _distance(real: pd.DataFrame, synthetic: pd.DataFrame, sizes: dict[str, int], clique: tuple[str, ...]) -> float:
    return 0.5 * float(np.abs(_shares(real, sizes, clique) - _shares(synthetic, sizes, clique)).sum())


def _shares(rows: pd.DataFrame, sizes: dict[str, int], clique: tuple[str, ...]) -> np.ndarray:
    shape = [sizes[c] for c in clique]
    cells = np.ravel_multi_index([rows[c].to_numpy() for c in clique], shape)
    return np.bincount(cells, minlength=int(np.prod(shape))) / len(rows)


@dataclass(frozen=True)
class Published:
    """A table, and the public facts about it.

    left_out: columns that no schema can hold, such as free text, each with the reason. whose: the column that says
    whose record a row is, where a person or a stay has several.
    """

    name: str
    rows: pd.DataFrame
    schema: dpsynth.Schema
    left_out: dict[str, str]
    whose: str | None

    def bounded(self, max_records: int) -> dpsynth.Schema:
        """The schema with this unit."""
        return with_unit(self.schema, dpsynth.PrivacyUnit(self.whose, max_records))


def with_unit(schema: dpsynth.Schema, unit: dpsynth.PrivacyUnit) -> dpsynth.Schema:
    kept = schema.not_identifying
    return dpsynth.Schema(schema.columns, unit=unit, not_identifying=kept, constraints=schema.constraints)


def published_tables() -> list[str]:
    """Every table of rows and columns there is: "folder", or "folder/file" where a folder has several."""
    found = []
    for path in sorted(require_data().glob("*/schema.json")):
        tables = json.loads(path.read_text()).get("tables", {})
        flat = [file for file, facts in tables.items() if file.endswith(".parquet") and facts.get("columns")]
        found += [path.parent.name if len(flat) == 1 else f"{path.parent.name}/{Path(file).stem}" for file in flat]
    return found


def published(name: str) -> Published:
    """The table of that name, see `published_tables`."""
    folder, _, stem = name.partition("/")
    path = require_data() / folder
    tables = json.loads((path / "schema.json").read_text())["tables"]
    file = f"{stem}.parquet" if stem else next(f for f in tables if f.endswith(".parquet"))
    facts = tables[file]
    types = dict(zip(pq.read_schema(path / file).names, pq.read_schema(path / file).types, strict=True))
    columns, left_out = {}, {}
    for spec in facts["columns"]:
        made = _column(spec, types[spec["name"]])
        if isinstance(made, str):
            left_out[spec["name"]] = made
        else:
            columns[spec["name"]] = made
    whose = facts.get("privacy_unit") or next((key["column"] for key in facts.get("foreign_keys", [])), None)
    wanted = [*columns, *([whose] if whose and whose not in columns else [])]
    schema = _with_rules(columns, **read_mapping(RULES).get(name, {}))
    return Published(name, pd.read_parquet(path / file, columns=wanted), schema, left_out, whose)


def _with_rules(
    made: dict[str, Any], columns: dict[str, Any] | None = None, constraints: list[Any] | None = None
) -> dpsynth.Schema:
    """The schema of these columns, with further facts of some of them and constraints, as a schema's file has them."""
    modelled = [name for name, column in made.items() if not isinstance(column, dpsynth.Identifier)]
    spec = dpsynth.Schema(made, not_identifying=modelled).to_dict()
    for name, facts in (columns or {}).items():
        spec["columns"][name] |= facts
    return dpsynth.Schema.from_dict({**spec, "constraints": constraints or []})


def raw_table(name: str) -> tuple[pd.DataFrame, dpsynth.Schema]:
    """The rows and the schema of a published table, see `published`, without constraints."""
    found = published(name)
    return found.rows, dpsynth.Schema(found.schema.columns, not_identifying=found.schema.not_identifying)


def _column(spec: dict[str, Any], stored: Any) -> Any:
    """The column that a line of schema.json makes; text, the reason, where there is none.

    All columns are nullable, as the facts do not say otherwise. A marker of missing values is a category of its own
    where there are categories, and read as missing where there are numbers. Only the file's type, which is no row, says
    how finely dates are kept.
    """
    kind, marker = spec["type"], spec.get("missing_marker")
    public = spec if spec.get("domain_source") in PUBLIC else {}
    if kind == "id":
        return dpsynth.Identifier()
    if kind == "text":
        return "free text"
    if kind == "datetime":
        if public.get("min") is None or public.get("max") is None:
            return "dates without public bounds"
        resolution = "D" if str(stored).startswith("date") else "s"
        return dpsynth.Datetime(public["min"], public["max"], resolution=resolution, nullable=True)
    if kind in ("integer", "continuous"):
        whole, ends = kind == "integer", (public.get("min"), public.get("max"))
        return dpsynth.Numeric(*ends, integer=whole, nullable=True, missing_marker=marker)
    if "size" in public:
        return dpsynth.Categorical(range(public["size"]), nullable=True)
    if "categories" not in public:
        return dpsynth.OpenCategorical(nullable=True)
    listed = list(public["categories"])
    if marker is not None and marker not in listed:
        listed.append(marker)
    return dpsynth.Categorical(listed, ordered=kind == "ordinal", nullable=True)
