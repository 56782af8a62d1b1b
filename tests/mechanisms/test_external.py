"""Generators that are not ours, from the front door to the certificate. The programs here are a few lines each."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import dpsynth
from dpsynth import (
    Budget,
    BudgetExceededError,
    Categorical,
    Ledger,
    Numeric,
    PrivacyUnit,
    Schema,
    SchemaError,
    Synthesizer,
)
from dpsynth.base.domain import Domain
from dpsynth.cli import main
from dpsynth.door.table import PrivateTable
from dpsynth.evidence import wording
from dpsynth.evidence.verify import check
from dpsynth.kernel.rows import _exact_codes
from dpsynth.mechanisms.external.base import even_groups, grouped
from dpsynth.mechanisms.external.command import External
from dpsynth.programs.external import ExternalProgram
from dpsynth.testing import BlindAccountant

SCHEMA = Schema(
    {
        "age": Numeric(0, 120, integer=True, nullable=True),
        "cost": Numeric(0, 1e6),
        "sex": Categorical(["f", "m"]),
    }
)
ROOM = {"epsilon": 8.0, "delta": 1e-4, "claim": ExternalProgram(1.0, 1e-13)}
GENERATOR = """
import json, sys
import numpy as np, pyarrow.parquet as pq
table, job = pq.read_table(sys.argv[1]), json.load(open(sys.argv[3]))
pq.write_table(table.take(np.random.default_rng().integers(0, table.num_rows, job["rows"])), sys.argv[2])
"""


def records(n=800, seed=0):
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n).astype(float)
    cost = np.exp(rng.normal(6, 1, n)) * np.where(age > 60, 50, 1)
    return pd.DataFrame(
        {"age": np.where(rng.random(n) < 0.1, np.nan, age), "cost": cost, "sex": rng.choice(["f", "m"], n)}
    )


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    """A program that copies rows: as far from private as can be, and a good release of what it was given."""
    path = tmp_path_factory.mktemp("programs") / "generator.py"
    path.write_text(GENERATOR)
    return [sys.executable, "-I", str(path), "{input}", "{output}", "{job}"]


@pytest.fixture(scope="module")
def fitted(generator):
    return Synthesizer(SCHEMA, "external:", command=generator, rows=3000, ledger=None, **ROOM).fit(records())


@pytest.fixture
def looks(tmp_path):
    """A command that leaves what it was given in a folder, and releases four rows of zeros."""
    pq.write_table(pa.table({a: [0] * 4 for a in SCHEMA.columns}), tmp_path / "zeros.parquet")
    return ["sh", "-c", f"cp {{input}} {{job}} {tmp_path}; cp {tmp_path}/zeros.parquet {{output}}"]


def test_a_release_has_the_schemas_columns_and_the_programs_rows(fitted):
    release = fitted.sample(seed=1)
    assert len(release) == 3000
    assert list(release.columns) == list(SCHEMA.columns)
    assert {c: str(t) for c, t in release.dtypes.items()} == {"age": "Int64", "cost": "float64", "sex": "category"}
    assert abs(release["age"].isna().mean() - 0.1) < 0.05
    old = release["age"] > 65
    assert release["cost"][old].median() > 10 * release["cost"][~old].median()
    assert len(fitted.sample(10_000, seed=2)) == 10_000
    given = fitted.sample(50, where="age >= 65 and sex == 'f'", seed=3)
    assert len(given) == 50
    assert (given["age"] >= 65).all()
    assert (given["sex"] == "f").all()


def test_a_saved_release_is_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "m.dpsynth")
    again = Synthesizer.load(tmp_path / "m.dpsynth")
    pd.testing.assert_frame_equal(again.sample(100, seed=4), fitted.sample(100, seed=4))
    assert "external:" in repr(again)


def test_the_certificate_says_whose_claim_it_is_and_can_be_verified(fitted, tmp_path):
    record = fitted.certificate.record
    assert [charge["line"]["event"] for charge in record["charges"]] == [
        {"event": "external_program", "epsilon": 1.0, "delta": 1e-13}
    ]
    assert wording.EXTERNAL_PROGRAM in record["cautions"]
    assert record["accounting"] == wording.PROGRAM_ACCOUNTING
    assert "operating system" not in fitted.certificate.summary()
    assert record["mechanism"]["settings"]["claim"] == {"epsilon": 1.0, "delta": 1e-13}
    assert record["schedule"]["fixed"]
    assert record["schedule"]["epsilon"] == pytest.approx(1.0, abs=0.01)
    fitted.certificate.save(tmp_path)
    assert check(tmp_path) == []
    dpsynth.Certificate.load(tmp_path)
    page = (tmp_path / "certificate.html").read_text()
    assert "another program made this release" in page
    assert "the other program\u2019s own" in page
    assert "Learned by charges" not in page
    record["charges"][0]["line"]["event"]["epsilon"] = 0.5
    (tmp_path / "certificate.json").write_text(json.dumps(record))
    assert any("was changed" in fault for fault in check(tmp_path))


def test_our_own_certificates_say_nothing_of_other_programs():
    certificate = Synthesizer(SCHEMA, "independent", epsilon=1, delta=1e-6, ledger=None).fit(records(50)).certificate
    assert wording.EXTERNAL_PROGRAM not in certificate.record["cautions"]
    assert "program\u2019s own" not in certificate.to_html()


def test_a_program_sees_bounded_rows_in_few_cells_and_no_ids(looks, tmp_path):
    unit = PrivacyUnit(id_column="who", max_records=2)
    rows = records(600).assign(who=np.arange(600) // 6)
    Synthesizer(
        Schema(SCHEMA.columns, unit=unit), "external:", command=looks, rows=4, max_cells=16, ledger=None, **ROOM
    ).fit(rows)
    seen, job = pd.read_parquet(tmp_path / "input.parquet"), json.loads((tmp_path / "job.json").read_text())
    assert list(seen.columns) == ["age", "cost", "sex"]
    assert len(seen) == 200
    assert [c["cells"] for c in job["columns"]] == [17, 17, 3]  # one is for values that are missing or none
    assert [c["ordered_cells"] for c in job["columns"]] == [16, 16, 0]
    for column in job["columns"]:
        assert seen[column["name"]].between(0, column["cells"] - 1).all()
    assert job["epsilon"] == pytest.approx(0.5)
    assert job["rows"] == 4


def test_cells_are_merged_in_even_runs_and_others_stay_alone():
    domain = Domain(
        (("a", 10), ("b", 4), ("c", 7), ("d", 3)), (("a", (1.0,) * 8), ("c", (1.0,) * 7), ("d", (2.0,) * 2))
    )
    groups = even_groups(domain, 3)
    assert groups["a"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 4]
    assert groups["b"].tolist() == [0, 1, 2, 3]
    assert groups["c"].tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert groups["d"].tolist() == [0, 1, 2]
    merged = grouped(domain, groups)
    assert dict(merged.sizes) == {"a": 5, "b": 4, "c": 3, "d": 3}
    assert dict(merged.widths) == {"a": (3.0, 3.0, 2.0), "c": (3.0, 2.0, 2.0), "d": (2.0, 2.0)}


def table(rows, seed):
    rng = np.random.default_rng(seed)
    domain = Domain((("a", 40), ("b", 3)), (("a", (1.0,) * 40),))
    return PrivateTable.from_codes({a: rng.integers(0, n, rows) for a, n in domain.sizes}, domain)


def interferes(mechanism):
    def run(private):
        accountant = BlindAccountant(Budget.for_programs(8.0, 1e-4), reserve=[ROOM["claim"]])
        model = mechanism.fit(private, accountant)
        rows = model.sample(50, np.random.default_rng(0))
        return repr({a: r.tolist() for a, r in rows.items()}), model.total, accountant.ledger.entries()

    return run(table(10, 1)) != run(table(2999, 2))


class Peeks(External):
    """A mutant: asks for as many rows as the table has."""

    def fit(self, private, accountant):
        object.__setattr__(self, "rows", len(_exact_codes(private.rows())))
        return super().fit(private, accountant)


def test_what_comes_out_depends_on_the_rows_through_the_program_only():
    assert not interferes(External(command=["cp", "{input}", "{output}"], claim=ROOM["claim"], rows=100))
    assert interferes(Peeks(command=["cp", "{input}", "{output}"], claim=ROOM["claim"], rows=100))


def test_a_failed_program_leaves_its_charge_spent_and_says_so(tmp_path):
    ledger = tmp_path / "a.ledger"
    failing = Synthesizer(
        SCHEMA, "external:", command=["sh", "-c", "cat {input} >&2; exit 5", "{output}"], ledger=ledger, **ROOM
    )
    with pytest.raises(ChildProcessError, match="external: failed; its charge stays spent"):
        failing.fit(records())
    (run,) = Ledger.open(ledger).runs()
    assert run.state == "drawing"
    spent = Ledger.open(ledger).spent().epsilon
    assert spent == 1
    with pytest.raises(ChildProcessError):
        failing.fit(records())
    assert Ledger.open(ledger).spent().epsilon == 2


SLEEPS = ["sh", "-c", "sleep 9", "{output}"]


def test_a_program_is_stopped_when_its_time_is_over():
    with pytest.raises(TimeoutError, match=r"did not end within 0\.2 seconds"):
        Synthesizer(SCHEMA, "external:", command=SLEEPS, time_limit=0.2, ledger=None, **ROOM).fit(records())


REPLACED = Schema(SCHEMA.columns, unit=PrivacyUnit(adjacency="replace"))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"command": None}, "needs the words of a command"),
        ({"command": "cp {input} {output}"}, "needs the words of a command"),
        ({"command": ["cp", 1, "{output}"]}, "needs the words of a command"),
        ({"command": ["cp", "{input}"]}, "neither {output} nor {job}"),
        ({"command": ["/no/such/program", "{output}"]}, "no program '/no/such/program'"),
        ({"schema": REPLACED}, "for one row added or removed"),
        ({"schema": Schema({"a": Numeric(0, None)})}, "cannot learn the bounds of \\['a'\\]"),
        ({"rows": 0}, "rows must be a whole number"),
        ({"rows": 1.5}, "rows must be a whole number"),
        ({"max_cells": 1}, "max_cells must be"),
        ({"time_limit": 0}, "time_limit must be"),
        ({"time_limit": True}, "time_limit must be"),
        ({"claim": (1.0, 1e-9)}, "claim must be what the program promises"),
        ({"clam": 3}, "has the settings"),
        ({"known": [1]}, "known must be a list"),
        ({"mechanism": "external"}, "mechanism must be one of"),
        ({"mechanism": "external:gen"}, "mechanism must be one of"),
        ({"mechanism": "smartnoise"}, "mechanism must be one of"),
        ({"claim": ExternalProgram(8.5)}, "keeps for them"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_charged(changes, word, tmp_path):
    stated = {"schema": SCHEMA, "mechanism": "external:", "command": ["cp", "{input}", "{output}"], **ROOM, **changes}
    settings = {name: value for name, value in stated.items() if value is not None}
    ledger = Ledger.create(None, Budget.for_programs(8.0, stated["delta"]), dataset="d", unit=stated["schema"].unit)
    columns = {name: [1.0, 2.0] for name in stated["schema"].columns}
    with pytest.raises((ValueError, SchemaError, BudgetExceededError), match=word):
        Synthesizer(ledger=ledger, **settings).fit(pd.DataFrame(columns))
    assert len(ledger.entries()) == 1


def test_a_claim_is_the_whole_budget_where_nothing_else_is_said():
    mechanism = External(command=["cp", "{input}", "{output}"])
    budget = Budget.for_programs(2.0, 1e-6)
    assert mechanism.reserve(budget) == [ExternalProgram(2.0, budget.programs_delta)]
    assert 0.999999e-6 < budget.programs_delta < 1e-6
    assert External(command=["cp", "{input}", "{output}"], claim=ExternalProgram(0.5)).reserve(budget) == [
        ExternalProgram(0.5)
    ]


def test_all_that_was_asked_for_is_the_programs(generator, tmp_path):
    account = Ledger.create(None, Budget(3.0, 1e-6, 1.5, 9.9e-7), dataset="d", unit=SCHEMA.unit)
    synth = Synthesizer(SCHEMA, "external:", command=generator, rows=50, epsilon=1.0, delta=9e-7, ledger=account)
    record = synth.fit(records()).certificate.record
    assert record["claim"]["epsilon"] == record["spent"]["epsilon"] == record["schedule"]["epsilon"] == 1.0
    assert record["charges"][0]["line"]["event"]["delta"] == pytest.approx(9e-7, rel=1e-5)
    synth.certificate.save(tmp_path / "release")
    assert check(tmp_path / "release") == []
    with pytest.raises(BudgetExceededError, match="keeps for them"):
        synth.fit(records())
    assert Synthesizer(SCHEMA, "independent", epsilon=1.0, delta=1e-6, ledger=account).fit(records()).certificate


def test_a_plan_says_what_would_be_spent_and_that_errors_are_unknown(generator):
    plan = Synthesizer(SCHEMA, "external:", command=generator, **ROOM).plan(1000)
    assert plan.columns_error is None
    assert "epsilon 1 at delta 1e-13" in plan.summary()
    assert "unknown" in plan.summary()
    json.dumps(plan.record(), allow_nan=False)
    with pytest.raises(BudgetExceededError):
        Synthesizer(SCHEMA, "external:", command=generator, **{**ROOM, "epsilon": 0.5}).plan(1000)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a command line in a folder with a schema and a table; the exit code, and what was printed."""
    monkeypatch.chdir(tmp_path)
    SCHEMA.save("schema.yaml")
    records(200).to_parquet("rows.parquet", index=False)

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["dpsynth", *words])
        with pytest.raises(SystemExit) as left:
            main()
        streams = capsys.readouterr()
        return left.value.code or 0, streams.out + streams.err

    return call


BUDGET = ("--schema", "schema.yaml", "--epsilon", "8", "--delta", "1e-4", "--mechanism", "external:")
FIT = ("fit", "rows.parquet", *BUDGET, "--claim", "1,1e-13", "-o")


def test_the_command_line_runs_a_program(run, looks):
    command = f"sh -c '{looks[2]}'"
    code, said = run(
        *FIT, "m.dpsynth", "--command", command, "--ask-rows", "4", "--time-limit", "20", "--certificate", "c"
    )
    assert code == 0
    assert "another program made this release" in said
    assert run("verify", "c")[0] == 0
    assert run("sample", "m.dpsynth", "-n", "7", "-o", "out.csv")[0] == 0
    assert len(pd.read_csv("out.csv")) == 7
    code, said = run("plan", *BUDGET, "--rows", "200", "--claim", "1,1e-13", "--command", command)
    assert (code, "unknown" in said) == (0, True)


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        (("--command", "sh -c 'exit 3' {output}"), 2, "failed; its charge stays spent"),
        (("--command", "sh -c 'sleep 9' {output}", "--time-limit", "0.2"), 2, "did not end within"),
        (("--command", "cp {input} {output}", "--claim", "9"), 4, "nothing was spent"),
        (("--command", "cp {input} {output}", "--claim", "much"), 2, "--claim is written"),
        (("--command", "cp {input} 'output}"), 2, "a quote that does not end"),
        ((), 2, "needs the words of a command"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(run, changes, code, word):
    found, said = run(*FIT, "m.dpsynth", *changes)
    assert (found, said.count("dpsynth: ")) == (code, 1)
    assert word in said
