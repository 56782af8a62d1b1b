"""A mechanism of another package: one class with `fit`, and a line of metadata, and every front door takes it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Schema, Synthesizer
from dpsynth.cli import main
from dpsynth.evidence.verify import check
from dpsynth.mechanisms import registry
from dpsynth.mechanisms.allocation import Allocation, first_parts
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.marginal.independent import independent_model
from dpsynth.mechanisms.oneway import allocated_oneways
from dpsynth.mechanisms.registry import GROUP, MECHANISMS, TABLES, mechanism_for, name_of
from tests.structure.source import ROOT

SCHEMA = Schema({"sex": dpsynth.Categorical(["f", "m"]), "age": dpsynth.Numeric(0, 99, integer=True)})
BUDGET = {"epsilon": 1.0, "delta": 1e-6}


@dataclass(frozen=True)
class Halves(Mechanism):
    """Half on the row count, half on the columns."""

    share: float = 0.5

    def allocation(self, cost, domain, settled=()):
        total = int(cost * self.share)
        return Allocation(first_parts(domain, total=total, oneway=cost - total))

    def fit(self, table, accountant):
        oneway = allocated_oneways(table, accountant, self.allocation(accountant.cost_left, table.domain))
        return independent_model(table.domain, oneway.masses(), oneway.rows)


class OnlyFits(Mechanism):
    """The smallest one there can be."""

    def fit(self, table, accountant):
        return Halves().fit(table, accountant)


@dataclass(frozen=True)
class Family(Halves):
    member: str = ""

    @classmethod
    def family_settings(cls, member):
        return {"member": member}

    @property
    def name(self):
        return f"family:{self.member}"


class NoFamily(OnlyFits):
    pass


@dataclass(frozen=True)
class Needs(OnlyFits):
    """Has a setting without a default."""

    target: str


class Bare:
    """No mechanism, though it has fit: a package has to derive its class."""

    def fit(self, table, accountant):
        raise AssertionError


class Lacks(Mechanism):
    pass


def no_class():
    raise AssertionError


@pytest.fixture
def declares(monkeypatch):
    """Makes it look as if an installed package declared these mechanisms, name and place in this file."""

    def declare(**places):
        found = [EntryPoint(n.replace("_", "-"), f"{__name__}:{place}", GROUP) for n, place in places.items()]
        return declare_all(found)

    monkeypatch.setattr(registry, "_installed", registry._installed.__wrapped__)

    def declare_all(found):
        monkeypatch.setattr(
            registry, "entry_points", lambda *, group: EntryPoints(e for e in found if e.group == group)
        )

    declare.all = declare_all
    return declare


def records(rows=400):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"sex": rng.choice(["f", "m"], rows), "age": rng.integers(0, 100, rows)})


def test_a_declared_mechanism_is_planned_fitted_certified_saved_and_sampled(declares, tmp_path):
    declares(halves="Halves")
    synthesizer = Synthesizer(SCHEMA, "halves", ledger=None, **BUDGET, share=0.25)
    plan = synthesizer.plan(400)
    assert plan.mechanism == "halves"
    assert [q.what for q in plan.queries] == ["the row count", "every column"]
    assert plan.record()["seconds"][1] is None
    assert "CPU seconds: not known;" in plan.summary()
    synthesizer.fit(records())
    record = synthesizer.certificate.record
    assert record["mechanism"] == {"name": "halves", "settings": {"share": 0.25}}
    assert record["released"]["rows"] == pytest.approx(400, abs=60)
    noise = [c["line"]["event"]["noise_multiplier"] for c in record["charges"]]
    assert noise == pytest.approx([q.stddev[1] for q in plan.queries for _ in range(q.charges[1])])
    synthesizer.certificate.verify()
    synthesizer.certificate.save(tmp_path / "release")
    assert check(tmp_path / "release") == []
    synthesizer.save(tmp_path / "m.dpsynth")
    again = Synthesizer.load(tmp_path / "m.dpsynth")
    assert "'halves'" in repr(again)
    pd.testing.assert_frame_equal(again.sample(50, seed=1), synthesizer.sample(50, seed=1))


def test_a_class_with_nothing_but_fit_is_fitted_and_its_plan_is_refused_in_a_sentence(declares, tmp_path):
    declares(small="OnlyFits")
    synthesizer = Synthesizer(SCHEMA, "small", ledger=None, **BUDGET)
    with pytest.raises(ValueError, match="no plan is known for the mechanism OnlyFits, which states no allocation"):
        synthesizer.plan(100)
    assert synthesizer.fit(records()).certificate.record["mechanism"] == {"name": "small", "settings": {}}
    for changes, words in (
        (
            {"known": [dpsynth.Marginal(records()["sex"].value_counts(), 1, "here")]},
            "only canopy and aim can use known marginals, not small",
        ),
        (
            {"checkpoint": tmp_path / "c", "ledger": tmp_path / "a"},
            "only dp-ctgan and hybrid can use a checkpoint, not small",
        ),
        ({"share": 0.5}, "has the settings"),
    ):
        with pytest.raises(ValueError, match=words):
            Synthesizer(SCHEMA, "small", **{**BUDGET, "ledger": None, **changes}).fit(records())


def test_a_setting_without_a_default_is_asked_for_in_one_sentence(declares):
    declares(needs="Needs")
    with pytest.raises(ValueError, match=r"'needs' cannot be made with the settings {}: .*'target'"):
        Synthesizer(SCHEMA, "needs", ledger=None, **BUDGET).fit(records())
    assert Synthesizer(SCHEMA, "needs", ledger=None, **BUDGET, target="sex").fit(records())


def test_an_object_that_is_not_derived_but_fits_is_taken_with_the_defaults():
    class Own:
        def fit(self, table, accountant):
            return Halves().fit(table, accountant)

    record = Synthesizer(SCHEMA, Own(), ledger=None, **BUDGET).fit(records()).certificate.record
    assert record["mechanism"] == {"name": "Own", "settings": {}}
    assert "'Own'" in repr(Synthesizer(SCHEMA, Own(), ledger=None, **BUDGET))


def documented():
    """The classes of the page on mechanisms, by name."""
    names = {"__name__": __name__}
    for code in re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "mechanisms.md").read_text("utf-8"), re.M | re.S):
        exec(code, names)
    return names


def test_the_mechanism_of_the_documentation_does_what_is_said_there():
    synthesizer = Synthesizer(SCHEMA, documented()["Halves"](share=0.25), ledger=None, **BUDGET)
    assert (
        synthesizer.plan(400).queries
        == Synthesizer(SCHEMA, Halves(share=0.25), ledger=None, **BUDGET).plan(400).queries
    )
    assert len(synthesizer.fit(records()).sample(10)) == 10


def test_the_star_of_the_documentation_is_planned_fitted_verified_and_saved(tmp_path):
    synthesizer = Synthesizer(SCHEMA, documented()["Star"]("age"), ledger=None, **BUDGET)
    asked = {query.what: query.charges for query in synthesizer.plan(400).queries}
    assert asked == {"the row count": (1, 1), "every column": (2, 2), "a pair of columns": (1, 1)}
    synthesizer.fit(records())
    record = synthesizer.certificate.record
    assert [c["line"]["purpose"] for c in record["charges"]][-1] == "measure sex x age"
    assert record["spent"]["epsilon"] == pytest.approx(1, rel=1e-6)
    synthesizer.certificate.save(tmp_path / "release")
    assert check(tmp_path / "release") == []
    synthesizer.save(tmp_path / "m.dpsynth")
    assert len(Synthesizer.load(tmp_path / "m.dpsynth").sample(10, where="age >= 40")) == 10
    with pytest.raises(ValueError, match="needs a target"):
        Synthesizer(SCHEMA, documented()["Star"]("job"), ledger=None, **BUDGET).plan(400)


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    SCHEMA.save(tmp_path / "s.yaml")
    records().to_parquet(tmp_path / "rows.parquet")

    def call(line):
        monkeypatch.setattr(sys, "argv", ["dpsynth", *line.split(" ")])
        with pytest.raises(SystemExit) as left:
            main()
        streams = capsys.readouterr()
        return left.value.code or 0, streams.out, streams.err

    return call


def test_the_commands_take_it_too(declares, command, tmp_path):
    declares(halves="Halves")
    code, said, _ = command("plan -s s.yaml --epsilon 1 --delta 1e-6 --rows 400 --mechanism halves --json")
    assert (code, json.loads(said)["mechanism"]) == (0, "halves")
    assert command("ledger create a.ledger --schema s.yaml --epsilon 1 --delta 1e-6 --mechanism halves")[0] == 0
    budget = "--epsilon 1 --delta 1e-6 --ledger a.ledger -o m.dpsynth --certificate release"
    assert command(f"fit rows.parquet --schema s.yaml {budget} --mechanism canopy")[0] == 2
    assert command(f"fit rows.parquet --schema s.yaml {budget} --mechanism halves")[0] == 0
    assert command("verify release")[0] == 0
    assert command("sample m.dpsynth -n 5 -o five.csv")[0] == 0
    assert len(pd.read_csv(tmp_path / "five.csv")) == 5


def test_a_family_says_what_its_members_are(declares):
    declares.all([EntryPoint("family:NAME", f"{__name__}:Family", GROUP)])
    assert mechanism_for("family:one", {"share": 0.2}) == Family(0.2, "one")
    assert name_of(Family(member="one")) == "family:one"
    assert TABLES.knows("family:any")
    for name in ("family", "family:", "other:one"):
        assert not TABLES.knows(name)
        with pytest.raises(ValueError, match="mechanism must be one of"):
            mechanism_for(name, {})
    declares.all([EntryPoint("family:NAME", f"{__name__}:NoFamily", GROUP)])
    with pytest.raises(ValueError, match="NoFamily is registered as a family but does not say what 'one' stands for"):
        mechanism_for("family:one", {})


@pytest.mark.parametrize("name", ["canopy", "auto", "smartnoise:mst", "smartnoise:NAME", "external:", "external:mine"])
def test_a_package_may_not_take_a_name_or_a_family_of_ours(declares, name):
    declares.all([EntryPoint(name, f"{__name__}:Halves", GROUP)])
    for asked in ("canopy", "mst"):
        with pytest.raises(ValueError, match=r"declares a mechanism '.*', a name that is taken: uninstall"):
            mechanism_for(asked, {})


def test_nor_may_two_packages_have_one_name(declares):
    declares.all([EntryPoint("twice", f"{__name__}:{place}", GROUP) for place in ("Halves", "OnlyFits")])
    with pytest.raises(ValueError, match="a name that is taken"):
        mechanism_for("twice", {})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (f"{__name__}:Lacks", "the class Lacks, which lacks fit: write it"),
        (f"{__name__}:Bare", r"the class Bare, which is not derived from dpsynth\.mechanisms\.base\.Mechanism"),
        (f"{__name__}:no_class", "no_class, which is no class"),
        (f"{__name__}:nothing", "cannot be loaded from .*:nothing"),
        ("no_such_package_at_all:Halves", "cannot be loaded from no_such_package_at_all:Halves"),
    ],
)
def test_what_a_declared_class_lacks_is_said_in_one_sentence(declares, value, words):
    declares.all([EntryPoint("odd", value, GROUP)])
    with pytest.raises(ValueError, match=words) as caught:
        Synthesizer(SCHEMA, "odd", ledger=None, **BUDGET).plan(100)
    assert "\n" not in str(caught.value)


class Vague(OnlyFits):
    def allocation(self, cost, domain, settled=()):
        return [cost]


def test_what_is_no_allocation_is_refused_in_one_sentence(declares):
    declares(vague="Vague")
    with pytest.raises(ValueError, match="the mechanism vague gave list for its allocation: return an Allocation"):
        Synthesizer(SCHEMA, "vague", ledger=None, **BUDGET).plan(100)


@pytest.mark.parametrize(
    ("promise", "words"),
    [("takes_known", "has no method with_known: write it"), ("resumable", r"derive it from .*Resum")],
)
def test_a_promise_that_a_class_does_not_keep_is_refused_where_it_is_written(promise, words):
    with pytest.raises(TypeError, match=words) as caught:
        type("Boasts", (OnlyFits,), {promise: True})
    assert "\n" not in str(caught.value)


def test_every_name_of_ours_leads_to_a_complete_class_that_bears_it():
    for name in MECHANISMS:
        assert name_of(mechanism_for(name, {})) == name
    assert name_of(mechanism_for("auto", {})) == TABLES.resolved("auto") == "canopy"
    assert name_of(mechanism_for("smartnoise:mst", {})) == "smartnoise:mst"
    assert name_of(mechanism_for("external:", {"command": ["cp", "{input}", "{output}"]})) == "external:"
    assert set(registry.IMAGES.names()) == {"auto", "image-embedding", "dp-gan"}


def test_the_registry_imports_no_mechanism():
    code = "import sys, dpsynth.mechanisms.registry as r; print(*(e.module for e in (*r.MECHANISMS.values(),"
    code += " *r.FAMILIES.values(), *r.IMAGE_MECHANISMS.values()) if e.module in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_a_name_is_looked_up_and_never_imported(declares):
    declares()
    for name in (f"{__name__}:Halves", "tests.mechanisms.test_registry:Halves", "dpsynth.mechanisms.marginal.mst:MST"):
        with pytest.raises(ValueError, match="mechanism must be one of"):
            mechanism_for(name, {})
