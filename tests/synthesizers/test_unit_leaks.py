"""Replays of known leaks about whose record a row is: on neighbouring tables nothing differs but what charges answer.

Charges are blind here: they answer both tables alike, so that any other difference is a leak. For each leak there is a
double that has it, and the replay must refute it.
"""

from __future__ import annotations

import json
import logging
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dpsynth import (
    Budget,
    Categorical,
    Datetime,
    Identifier,
    Ledger,
    PrivacyUnit,
    RowsError,
    Schema,
    SchemaError,
    Synthesizer,
    rows_per_unit,
)
from dpsynth.cli import main
from dpsynth.data.tables import identifiers
from dpsynth.door import keeping as keeping_module
from dpsynth.synthesizers import asking, paid_look, sampled_rows, table
from dpsynth.synthesizers.release import make_release
from dpsynth.testing import BlindAccountant

WARD = {"ward": Categorical(["a", "b"])}
VISIT = {"visit": Datetime("2020-01-01", "2020-12-31", nullable=True)}
PEOPLE = Schema(
    {"patient": Identifier(pattern="SYN-#####", repeats=True), **WARD, **VISIT}, unit=PrivacyUnit("patient", 5)
)
MONTHS = Schema({**WARD, **VISIT}, unit=PrivacyUnit(["patient", "month(visit)"], 2))
HOUSES = Schema({**WARD, **VISIT}, unit=PrivacyUnit(["patient", "street"], 4))
SCHEMAS = {"people": PEOPLE, "months": MONTHS, "houses": HOUSES}


def rows(n: int = 300, **facts: object) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    made = {
        "patient": [f"CANARY-{i:03d}" for i in rng.integers(0, 90, n)],
        "street": rng.choice(["High", "Low"], n),
        "ward": rng.choice(["a", "b"], n),
        "visit": rng.choice(["2020-01-05", "2020-03-09"], n),
    }
    return pd.DataFrame({**made, **facts}).astype(object)


def more(*records: tuple[object, object, object, object]) -> pd.DataFrame:
    """The table with further records at its end, all of one unit."""
    return pd.concat([rows(), pd.DataFrame(records, columns=list(rows()))], ignore_index=True).astype(object)


NEIGHBOURS = {
    "one row more": more(("NEW", "High", "a", "2020-05-01")),
    "a person with 10,000 rows": more(*[("NEW", "High", "b", "2020-05-01")] * 10_000),
    "a missing id at the end": more((None, None, "a", None)),
    "an id of another type at the end": more((7.5, b"\xff", "a", 3)),
    "a list as an id": more(([1], {"a": 1}, "a", "2020-05-01")),
    "a date that is none": more(("NEW", "High", "a", "soon")),
    "an id as new ones are": more(("SYN-00000", "High", "a", "2020-05-01")),
}


def let_out(data: pd.DataFrame, schema: Schema, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """All that a look and a fit let out, exceptions and warnings included."""
    ledgers = []

    def blind(budget, *, ledger, job, reserve, unsafe_seed):
        ledgers.append(ledger)
        return BlindAccountant(budget, ledger=ledger, reserve=reserve)

    monkeypatch.setattr("dpsynth.synthesizers.account.Accountant", blind)
    columns = [*dict.fromkeys([*schema.columns, *schema.unit.columns])]
    budget = {"epsilon": 1.0, "delta": 1e-6, "ledger": None}
    found = {}
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            look = rows_per_unit(data[columns], schema, **budget, ceiling=50)
            synth = Synthesizer(schema, "independent", **budget).fit(data[columns])
            found["look"], found["released"] = repr(look.record()), repr(synth.certificate.record["released"])
            found["cautions"] = repr(synth.certificate.record["cautions"])
            found["rows"] = synth.sample(80, seed=1).to_csv() + synth.sample(seed=2).to_csv()
        except Exception as error:
            found["exception"] = repr(error)
    found["warnings"] = repr([str(each.message) for each in heard])
    found["ledger"] = repr(
        [(e["kind"], e.get("purpose"), e.get("event")) for ledger in ledgers for e in ledger.entries()]
    )
    return found


def differences(data: pd.DataFrame, schema: Schema, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    one, other = (let_out(each, schema, monkeypatch) for each in (rows(), data))
    return [what for what in {**one, **other} if one.get(what) != other.get(what)]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_nothing_differs_between_neighbours_but_what_charges_answer(neighbour, schema, monkeypatch):
    assert differences(NEIGHBOURS[neighbour], SCHEMAS[schema], monkeypatch) == []
    assert "rows" in let_out(rows(), SCHEMAS[schema], monkeypatch)


# Doubles: each has a leak that is known from somewhere, and the replay named with it must see it.


def exact_row_count(monkeypatch):
    """As many rows come out as went in: smartnoise-synth 1.0.8 takes len(df)."""
    real = Synthesizer.fit

    def fit(self, data):
        monkeypatch.setattr(asking, "_rows", lambda model, n: len(data) if n is None else n)
        return real(self, data)

    monkeypatch.setattr(Synthesizer, "fit", fit)


def ceiling_from_the_rows(monkeypatch):
    """The look ends at the most rows that anybody has."""
    real = paid_look.bound_table

    def read(source, unit, dates, records):
        (frame,) = source([])
        return real(source, unit.using(int(frame["patient"].value_counts().max())), dates, records)

    monkeypatch.setattr(paid_look, "bound_table", read)


def ids_as_one_type(monkeypatch):
    """Ids are sorted, as np.unique does: one id of another type ends the fit."""
    real = keeping_module.ids_of
    monkeypatch.setattr(
        keeping_module, "ids_of", lambda t, *given: np.unique(t["patient"].to_numpy()) is None or real(t, *given)
    )


def dates_as_one_column(monkeypatch):
    """Dates are parsed as a column: one that is none ends the fit."""

    def ids_of(t, unit, dates):
        pd.to_datetime(t["visit"])
        return IDS_OF(t, unit, dates)

    monkeypatch.setattr(keeping_module, "ids_of", ids_of)


IDS_OF = keeping_module.ids_of


def missing_ids_refused(monkeypatch):
    """A missing id is said to be a mistake in the table."""

    def ids_of(t, unit, dates):
        if t["patient"].isna().any():
            raise SchemaError("ids are missing: fill them in")
        return IDS_OF(t, unit, dates)

    monkeypatch.setattr(keeping_module, "ids_of", ids_of)


def real_ids_avoided(monkeypatch):
    """New ids are compared with real ones, and those that coincide are left out."""
    real_fit, real_names = Synthesizer.fit, sampled_rows.keyed_identifiers

    def fit(self, data):
        def names(column, name, owners, *rest):
            found = real_names(column, name, owners, *rest)
            return found.where(~found.isin(set(data["patient"].map(str))), "SYN-other")

        monkeypatch.setattr(sampled_rows, "keyed_identifiers", names)
        return real_fit(self, data)

    monkeypatch.setattr(Synthesizer, "fit", fit)


COINCIDES = more(
    (identifiers.keyed_identifiers(PEOPLE.columns["patient"], "patient", np.arange(1), 1)[0], "High", "a", None)
)
DOUBLES = {
    exact_row_count: (NEIGHBOURS["one row more"], "people"),
    ceiling_from_the_rows: (NEIGHBOURS["a person with 10,000 rows"], "people"),
    ids_as_one_type: (NEIGHBOURS["an id of another type at the end"], "houses"),
    missing_ids_refused: (NEIGHBOURS["a missing id at the end"], "people"),
    dates_as_one_column: (NEIGHBOURS["a date that is none"], "months"),
    real_ids_avoided: (COINCIDES, "people"),
}


@pytest.mark.parametrize("double", DOUBLES, ids=lambda double: double.__name__)
def test_each_double_is_refuted_by_its_replay(double, monkeypatch):
    neighbour, schema = DOUBLES[double]
    assert differences(neighbour, SCHEMAS[schema], monkeypatch) == []
    double(monkeypatch)
    assert differences(neighbour, SCHEMAS[schema], monkeypatch) != []


# Canaries: real ids are in no file, no log line, no exception.


def texts_in(folder: Path) -> bytes:
    """All that files hold, archives unpacked."""
    found = b""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found += path.name.encode() + path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    found += b"".join(archive.read(name) for name in archive.namelist())
    return found


@pytest.fixture
def study(tmp_path: Path) -> Path:
    PEOPLE.save(tmp_path / "schema.yaml")
    rows()[list(PEOPLE.columns)].to_csv(tmp_path / "stays.csv", index=False)
    Ledger.create(tmp_path / "a.ledger", Budget(3, 1e-6), dataset="a", unit=PEOPLE.unit)
    return tmp_path


def test_no_real_id_is_in_any_file_log_line_or_word_on_the_screen(study, caplog, capsys, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.chdir(study)
    for line in (
        "unit stays.csv -s schema.yaml --epsilon 0.5 --ledger a.ledger --json",
        "release stays.csv -s schema.yaml --epsilon 1 --ledger a.ledger --mechanism independent -o release",
    ):
        monkeypatch.setattr("sys.argv", ["dpsynth", *line.split()])
        with pytest.raises(SystemExit) as left:
            main()
        assert not left.value.code
    (study / "stays.csv").unlink()
    shown = capsys.readouterr()
    everything = texts_in(study) + (caplog.text + shown.out + shown.err).encode()
    assert b"SYN-" in everything
    assert b"CANARY" not in everything


def test_a_certificate_that_names_an_example_of_an_id_is_found_by_its_canary(study, monkeypatch):
    real = table.Certificate.issue

    def issue(**facts):
        example = pd.read_csv(study / "stays.csv")["patient"][0]
        return real(**{**facts, "released": {**facts["released"], "for example": example}})

    monkeypatch.setattr(table.Certificate, "issue", issue)
    synth = Synthesizer(PEOPLE, "independent", epsilon=1, delta=1e-6, ledger=None)
    make_release(synth, study / "stays.csv", study / "release")
    assert b"CANARY" in texts_in(study / "release")


@pytest.mark.parametrize("schema", SCHEMAS)
def test_no_exception_names_a_real_id(schema, study, monkeypatch):
    facts = SCHEMAS[schema]
    path = study / "broken.csv"
    columns = [*dict.fromkeys([*facts.columns, *facts.unit.columns])]
    path.write_text(rows(3)[columns].to_csv(index=False) + "CANARY,CANARY,CANARY,CANARY,CANARY,CANARY\n")
    for act in (
        lambda: rows_per_unit(path, facts, epsilon=1, delta=1e-6, ledger=None),
        lambda: Synthesizer(facts, "independent", epsilon=1, delta=1e-6, ledger=None).fit(path),
    ):
        with pytest.raises(RowsError) as caught:
            act()
        chain = [caught.value, caught.value.__cause__, caught.value.__context__]
        assert "CANARY" not in json.dumps([repr(each) for each in chain])
