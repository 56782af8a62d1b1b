"""A Croissant 1.0 card of a release (JSON-LD, mlcommons.org/croissant): its files and its columns.

It states public facts only: what the manifest lists and what the certificate says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dpsynth.evidence import verify
from dpsynth.evidence.bundle.checks import read_manifest
from dpsynth.evidence.manifest import add_lines, line_of

NAME = "croissant.json"
_MEDIA = {
    ".csv": "text/csv",
    ".parquet": "application/x-parquet",
    ".jsonl": "application/jsonlines",
}
_OTHER = "application/octet-stream"
_TYPES = {"boolean": "sc:Boolean", "datetime": "sc:Date"}
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def save_card(folder: Path) -> Path:
    """Writes croissant.json into a release, and lists it in the manifest; returns its path.

    ValueError where the folder has no certificate, or no manifest that was left as written.
    """
    path = folder / NAME
    text = json.dumps(card(folder), indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
    add_lines(folder, line_of(path, "card"))
    return path


def card(folder: Path) -> dict[str, Any]:
    """The card of a release's folder."""
    record = verify.read(folder)
    listed = {line["name"]: line for line in read_manifest(folder) if line["name"] != NAME}
    tables = [name for name, line in listed.items() if line["kind"] == "rows"]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"synthetic-{record['ledger']['dataset']}",
        "description": f"Synthetic records. {record['claim']['sentence']}",
        "datePublished": record["created"][:10],
        "version": "1.0.0",
        "isLiveDataset": False,
        "rai:dataLimitations": [*record["cautions"], *record["not_promised"]],
        "rai:personalSensitiveInformation": record["claim"]["meaning"] or "Nothing is claimed.",
        "distribution": [_file(line) for line in listed.values()],
        "recordSet": [_records(name, record["schema"]["columns"]) for name in tables],
    }


def _file(line: Mapping[str, Any]) -> dict[str, Any]:
    name = line["name"]
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "encodingFormat": _MEDIA.get(Path(name).suffix, _OTHER),
        "sha256": line["sha256"],
    }


def _records(name: str, columns: list[Mapping[str, Any]]) -> dict[str, Any]:
    stem = Path(name).stem
    return {
        "@type": "cr:RecordSet",
        "@id": f"{stem}-rows",
        "name": f"{stem}-rows",
        "field": [_field(name, f"{stem}-rows", column) for column in columns],
    }


def _field(file: str, records: str, column: Mapping[str, Any]) -> dict[str, Any]:
    whole = column["domain"].startswith("whole numbers")
    number = "sc:Integer" if whole else "sc:Float"
    kind = number if column["type"] == "numeric" else _TYPES.get(column["type"], "sc:Text")
    return {
        "@type": "cr:Field",
        "@id": f"{records}/{column['name']}",
        "name": column["name"],
        "description": f"{column['domain']}; {column['origin']}",
        "dataType": kind,
        "source": {"fileObject": {"@id": file}, "extract": {"column": column["name"]}},
    }
