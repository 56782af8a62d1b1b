"""Names that Faker makes up: by person, key and seed; refused where they cannot be made or would stand for ids."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dpsynth import Categorical, Identifier, PrivacyUnit, Schema, SchemaError, Synthesizer
from dpsynth.data.tables.identifiers import generate_identifiers, keyed_identifiers
from dpsynth.schema.identifier import FAKED

WARD = {"ward": Categorical(["a", "b"])}


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"faker": "credit_card"}, "faker must be one of"),
        ({"faker": "name", "locale": "german"}, "locale must be such as"),
        ({"faker": "name", "pattern": "A#"}, "exclude each other"),
        ({"faker": "name", "repeats": True}, "may come twice"),
        ({"faker": "name", "real": "A#"}, "may come twice"),
    ],
)
def test_facts_that_make_no_sense_are_refused(facts, message):
    with pytest.raises(SchemaError, match=message):
        Identifier(**facts)


def test_without_faker_a_fit_is_refused_before_anything_is_spent(monkeypatch):
    monkeypatch.setattr("dpsynth.data.tables.faked.find_spec", lambda name: None)
    schema = Schema({"first_name": Identifier(faker="first_name"), **WARD})
    with pytest.raises(SchemaError, match="needs Faker, which is not installed"):
        Synthesizer(schema, "independent", epsilon=1, delta=1e-6, ledger=None).plan(rows=10)


def test_a_schema_comes_back_from_its_file(tmp_path):
    schema = Schema({"first_name": Identifier(faker="first_name", locale="de_DE", key="patient"), **WARD})
    schema.save(tmp_path / "s.yaml")
    assert Schema.load(tmp_path / "s.yaml") == schema


@pytest.mark.parametrize("what", FAKED)
@pytest.mark.parametrize("locale", ["en_US", "de_DE"])
def test_a_person_has_one_name_for_one_key_and_seed(what, locale):
    pytest.importorskip("faker", reason="names are made up by Faker: pip install 'dpsynth[faker]'")
    column = Identifier(faker=what, locale=locale, key="patient")
    whole = keyed_identifiers(column, "x", np.arange(200), 7)
    some = np.array([5, 199, 5, 0])
    assert keyed_identifiers(column, "y", some, 7).tolist() == whole.iloc[some].tolist()
    assert keyed_identifiers(column, "x", np.arange(200), 8).tolist() != whole.tolist()
    assert whole.nunique() > 100
    assert not whole.str.contains("\n").any()
    if what == "email":
        assert whole.str.contains(r"@example\.(?:org|com|net)$").all()
    plain = generate_identifiers(Identifier(faker=what, locale=locale), 50, np.random.default_rng(1))
    again = generate_identifiers(Identifier(faker=what, locale=locale), 50, np.random.default_rng(1))
    assert plain.tolist() == again.tolist()
    assert len(plain) == 50


def test_an_unknown_locale_is_refused():
    pytest.importorskip("faker", reason="names are made up by Faker: pip install 'dpsynth[faker]'")
    with pytest.raises(SchemaError, match="Faker has no locale 'xx_YY'"):
        generate_identifiers(Identifier(faker="name", locale="xx_YY"), 1, np.random.default_rng(0))


def test_names_of_one_person_stand_beside_one_id_in_every_row_and_no_real_one_is_among_them():
    pytest.importorskip("faker", reason="names are made up by Faker: pip install 'dpsynth[faker]'")
    columns = {
        "patient": Identifier(pattern="SYN-####", repeats=True),
        "first_name": Identifier(faker="first_name", key="patient"),
        "email": Identifier(faker="email", key="patient"),
    }
    schema = Schema({**columns, **WARD}, unit=PrivacyUnit("patient", 4))
    who = np.repeat(np.arange(800), 3)
    data = pd.DataFrame({"patient": who, "first_name": "CANARY", "email": "canary@hospital", "ward": "a"})
    rows = Synthesizer(schema, "independent", epsilon=5, delta=1e-6, ledger=None).fit(data).sample(600, seed=2)
    assert rows["patient"].nunique() < 300
    assert (rows.groupby("patient")[["first_name", "email"]].nunique() == 1).all().all()
    assert "CANARY" not in set(rows["first_name"])
