"""Each file that a release and a ledger consist of is as its JSON Schema says, and what is spoilt is not."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path

import jsonschema
import pytest

from dpsynth.evidence.schemas import KINDS, schema_of
from dpsynth.ledger.ledger import Ledger
from tests.evidence.test_verify import FOUND, MIXED, TRAINING, issue
from tests.evidence.test_verify_checks import with_a_job, with_steps, without_charges
from tests.structure.source import ROOT

GOLDEN = ROOT / "tests" / "golden"
VALID = {kind: jsonschema.Draft202012Validator(schema_of(kind)) for kind in KINDS}
RECORDS = {
    "plain": lambda: issue().record,
    "mixed": lambda: issue(MIXED).record,
    "found": lambda: issue((FOUND, *MIXED[:1])).record,
    "seeded": lambda: issue(seed=1).record,
    "trained": lambda: issue([TRAINING]).record,
    "resumed": with_steps,
    "with a job": with_a_job,
    "without charges": without_charges,
    "golden": lambda: json.loads((GOLDEN / "formats" / "certificate.json").read_text()),
    "signed": lambda: json.loads((GOLDEN / "signed" / "release" / "certificate.json").read_text()),
}


def faults(kind, document):
    return [error.message for error in VALID[kind].iter_errors(document)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one_and_is_of_format_1(kind):
    jsonschema.Draft202012Validator.check_schema(schema_of(kind))
    assert schema_of(kind)["$id"] == f"urn:dpsynth:schema:{kind}:1"


@pytest.mark.parametrize("name", RECORDS)
def test_a_certificate_is_as_its_schema_says(name):
    assert faults("certificate", json.loads(json.dumps(RECORDS[name]()))) == []


def paths(value, place=()):
    """The place of every value within a document."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*place, key)
            yield from paths(inner, (*place, key))


def spoilt(document, place, change):
    found = copy.deepcopy(document)
    inner = found
    for key in place[:-1]:
        inner = inner[key]
    change(inner, place[-1])
    return found


FREE = {"settings", "released", "versions", "rdp", "approvals", "cautions", "accounting", "not_promised"}
"""Parts whose names or lengths are free."""
MAY_LACK = {"code", "max_records", "reading", "constraints"}


def test_a_certificate_without_one_of_its_parts_is_none():
    record = with_a_job()
    within = [p for p in paths(record) if isinstance(p[-1], str) and not FREE & set(p[:-1]) and p[-1] not in MAY_LACK]
    assert len(within) > 80
    lacking = {p: spoilt(record, p, lambda inner, key: inner.pop(key)) for p in within}
    assert [p for p, document in lacking.items() if not faults("certificate", document)] == []


def test_a_certificate_with_a_value_of_another_kind_is_none():
    record = issue(MIXED).record
    within = [p for p in paths(record) if not FREE & set(p)]
    odd = {p: spoilt(record, p, lambda inner, key: inner.__setitem__(key, {"odd": [None]})) for p in within}
    assert [p for p, document in odd.items() if not faults("certificate", document)] == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("claim", "epsilon"), -1),
        (("claim", "private"), False),
        (("claim", "sentence"), None),
        (("budget", "delta"), 1.5),
        (("ledger", "head"), "abc"),
        (("unit", "adjacency"), "both"),
        (("unit", "max_records"), 0),
        (("dpsynth_certificate",), 2),
        (("charges", 0, "line", "event", "event"), "laplace"),
        (("anonymous",), True),
    ],
)
def test_a_certificate_with_such_a_value_is_none(place, value):
    record = spoilt(issue().record, place, lambda inner, key: inner.__setitem__(key, value))
    assert faults("certificate", record)


@pytest.mark.parametrize("folder", ["formats", "signed/release"])
def test_a_manifest_is_as_its_schema_says(folder):
    document = json.loads((GOLDEN / folder / "manifest.json").read_text())
    assert faults("manifest", document) == []
    for name in ("name", "kind", "sha256", "prev", "hash"):
        assert faults("manifest", spoilt(document, ("files", 0, name), lambda inner, key: inner.pop(key)))
    for value in ("../x", "", 3):
        assert faults("manifest", spoilt(document, ("files", 0, "name"), lambda i, k, v=value: i.__setitem__(k, v)))


def test_every_line_of_a_ledger_is_as_its_schema_says(tmp_path):
    lines = [json.loads(line) for line in (GOLDEN / "formats" / "claims.jsonl").read_text().splitlines()]
    lines += [json.loads(line) for line in (GOLDEN / "formats" / "ledger.jsonl").read_text().splitlines()]
    copied = Ledger.import_lines(GOLDEN / "formats" / "claims.jsonl", tmp_path / "a.ledger", only=True, by="office")
    lines += copied.entries()
    assert {line["kind"] for line in lines} >= {"open", "run", "drawing", "charge", "steps", "commit", "copy", "only"}
    assert [fault for line in lines for fault in faults("ledger-line", line)] == []
    for line in lines[:40]:
        for name in set(line) - MAY_LACK:
            assert faults("ledger-line", {key: value for key, value in line.items() if key != name}), (line, name)
        assert faults("ledger-line", {**line, "forgotten": 1})


def test_every_kind_of_line_that_a_ledger_knows_has_a_schema_with_its_fields():
    from dpsynth.ledger import chain

    found = schema_of("ledger-line")
    assert {part["$ref"].rpartition("/")[2] for part in found["oneOf"]} == set(chain._FIELDS)
    for kind, fields in chain._FIELDS.items():
        stated = found["$defs"][kind]
        assert set(stated["required"]) == fields | chain._CHAIN
        assert set(stated["properties"]) == fields | chain._CHAIN | chain._OPTIONAL.get(kind, set())


def test_lines_of_linked_accounts_and_policies_are_as_their_schema_says(tmp_path):
    from dpsynth.accounting.ledger_policy import Policy
    from dpsynth.kernel.budget import Budget
    from dpsynth.kernel.unit import PrivacyUnit

    accounts = [
        Ledger.create(tmp_path / name, Budget(3.0, 1e-6), dataset=name, unit=PrivacyUnit("pid", 2)) for name in "ab"
    ]
    accounts[0].set_policy(Policy({"2026-11": Budget(1.0, 1e-6)}, ("board",), ("canopy",), True))
    accounts[0].link(accounts[1])
    lines = [line for account in accounts for line in account.entries()]
    assert {"policy", "link", "forward"} <= {line["kind"] for line in lines}
    assert [fault for line in lines for fault in faults("ledger-line", line)] == []


def test_a_signature_states_what_its_schema_says():
    (file,) = (GOLDEN / "signed" / "release" / "signatures").iterdir()
    statement = json.loads(base64.b64decode(json.loads(file.read_text())["payload"]))
    assert faults("signature", statement) == []
    for place in paths(statement):
        if isinstance(place[-1], str):
            assert faults("signature", spoilt(statement, place, lambda inner, key: inner.pop(key))), place


def test_the_schemas_are_files_of_the_package():
    folder = Path(__import__("dpsynth.evidence.schemas", fromlist=["x"]).__file__).parent
    assert {file.stem for file in folder.glob("*.json")} == set(KINDS)
