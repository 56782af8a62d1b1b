"""What a column's name says of its role: keys, personal columns and codes, in drafts, schemas and fits."""

from __future__ import annotations

import pandas as pd
import pytest

import dpsynth
from dpsynth import Boolean, Categorical, Identifier, Numeric, Schema, SchemaError, Synthesizer
from dpsynth.schema.identifying import role_of

KEYS = ("patient_nbr", "PatientNbr", "encounter_id", "caseId", "UUID", "customer_id", "ID", "mrn", "ssn", "subject no")
PERSONAL = ("first_name", "LastName", "e-mail", "home_address", "phone_number", "iban", "Name")
CODES = ("admission_type_id", "AdmissionTypeID", "admission_source_id", "discharge_disposition_id", "country_code")
PLAIN = ("age", "paid", "valid", "drug_name", "amount", "idle", "ward", "time_in_hospital", "number_inpatient")


@pytest.mark.parametrize(("names", "kind"), [(KEYS, "key"), (PERSONAL, "personal"), (CODES, "code"), (PLAIN, None)])
def test_names_alone_tell_keys_personal_columns_and_codes_apart(names, kind):
    assert {name: getattr(role_of(name), "kind", None) for name in names} == dict.fromkeys(names, kind)


def test_the_key_of_a_record_points_to_nobody_and_that_of_a_person_does():
    assert not role_of("encounter_id").direct
    assert all(role_of(name).direct for name in ("patient_nbr", "ssn", *PERSONAL))


def test_a_draft_asks_about_a_name_and_takes_keys_and_codes_for_what_they_are():
    table = pd.DataFrame({"patient_nbr": [1], "first_name": ["x"], "admission_type_id": [3], "age": [4]})
    draft = Schema.draft(table)
    kinds = {name: column["type"] for name, column in draft.to_dict()["columns"].items()}
    assert kinds == {
        "patient_nbr": "identifier",
        "first_name": "TODO",
        "admission_type_id": "categorical",
        "age": "numeric",
    }
    assert draft.direct_identifiers() == {"first_name": "its name says a name of a person"}


@pytest.mark.parametrize("column", [Categorical(["Ann", "Bo"]), Numeric(0, 9), Boolean()])
def test_a_fit_and_a_plan_refuse_a_direct_identifier_before_anything_is_read_or_spent(column, tmp_path):
    schema = Schema({"first_name": column, "age": Numeric(0, 120)})
    synth = Synthesizer(schema, "independent", epsilon=1, delta=1e-6, ledger=tmp_path / "a.ledger")
    for call in (lambda: synth.plan(rows=10), lambda: synth.fit(tmp_path / "no-such-file.csv")):
        with pytest.raises(SchemaError, match="'first_name', as its name says a name of a person; declare"):
            call()
    assert not (tmp_path / "a.ledger").exists()


def test_what_is_declared_is_not_refused():
    names = Categorical(["Ann", "Bo"])
    for schema in (
        Schema({"first_name": Identifier(), "age": Numeric(0, 120)}),
        Schema({"first_name": names, "age": Numeric(0, 120)}, not_identifying=["first_name"]),
    ):
        Synthesizer(schema, "independent", epsilon=1, delta=1e-6, ledger=None).plan(rows=10)
        assert Schema.from_dict(schema.to_dict()) == schema
        schema.refuse_identifying()


@pytest.mark.parametrize("given", [["age", "no such"], "age!", [3], None])
def test_only_declared_columns_can_be_said_to_identify_nobody(given):
    with pytest.raises(SchemaError, match="not_identifying must be a list of the schema's columns"):
        Schema({"age": Numeric(0, 120)}, not_identifying=given)


def test_a_schema_file_without_the_list_has_the_fingerprint_that_it_had():
    schema = Schema({"age": Numeric(0, 120)}, unit=dpsynth.PrivacyUnit())
    assert "not_identifying" not in schema.to_dict()
