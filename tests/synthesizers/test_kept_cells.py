"""Implications that cells tell of: rows drawn again as codes follow the same distribution as rows drawn again whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

import dpsynth as d
from dpsynth.synthesizers.kept_cells import CellRules
from dpsynth.synthesizers.sampled_rows import Origin
from tests.synthesizers.constraint_cases import broken, cases, random_rows

pytestmark = pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")

COLUMNS: dict[str, Any] = {
    "p": d.Categorical(["u", "v", "w"]),
    "q": d.Categorical(["r", "s"], nullable=True),
    "i": d.Numeric(0, 4, integer=True),
    "x": d.Numeric(0, 10),
    "country": d.Categorical(["DE", "FR"]),
    "city": d.Categorical(["Bonn", "Paris"]),
}
PLACES = d.FixedCombinations(["country", "city"], public=[["DE", "Bonn"], ["FR", "Paris"]])
RULES = [
    d.Implies("p == 'u'", "q == 'r'"),
    d.Implies("i >= 3 and p != 'w'", "q is None"),
    d.Implies("city == 'Bonn'", "i <= 3"),
]


def rows_of(n: int = 5000) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    p = rng.choice(["u", "v", "w"], n)
    q = np.where(rng.random(n) < np.where(p == "u", 0.7, 0.3), "r", "s").astype(object)
    i = np.where(p == "w", rng.integers(0, 5, n), rng.integers(0, 4, n))
    place = rng.random(n) < 0.5 + 0.1 * i
    q[rng.random(n) < 0.2] = None
    places = {"country": np.where(place, "FR", "DE"), "city": np.where(place, "Paris", "Bonn")}
    return pd.DataFrame({"p": p, "q": q, "i": i, "x": rng.random(n) * 10, **places})


def fitted(rules: list[Any], rows: pd.DataFrame | None = None, mechanism: str = "mst") -> d.Synthesizer:
    schema = d.Schema(COLUMNS, constraints=rules)
    synth = d.Synthesizer(schema, mechanism, epsilon=5, delta=1e-6, ledger=None, unsafe_seed=1)
    return synth.fit(rows_of() if rows is None else rows)


@pytest.fixture(scope="module")
def synth() -> d.Synthesizer:
    return fitted([*RULES, PLACES])


def p_value(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Of the hypothesis that two samples are from one distribution of p, q, i and city."""
    counts = [each.astype(str)[["p", "q", "i", "city"]].value_counts() for each in (one, other)]
    table = pd.concat(counts, axis=1).fillna(0).to_numpy()
    common = table.sum(axis=1) >= 25
    return float(chi2_contingency(np.vstack([table[common], table[~common].sum(axis=0) + 1]))[1])


@pytest.mark.parametrize("where", [None, "i >= 1 and p != 'v'"])
def test_rows_drawn_again_as_codes_and_as_values_have_one_distribution(
    synth: d.Synthesizer, where: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """15,000 rows each (seeds 1 and 2); rows without the first rule are refuted."""
    by_cells = synth.sample(15_000, where=where, seed=1)
    monkeypatch.setattr(CellRules, "of", lambda *_: None)
    by_values = synth.sample(15_000, where=where, seed=2)
    assert broken(synth.schema, by_cells) == broken(synth.schema, by_values) == []
    assert p_value(by_cells, by_values) > 1e-4
    other = fitted([*RULES[1:], PLACES]).sample(15_000, where=where, seed=1)
    assert p_value(by_cells, other) < 1e-6


def test_only_cells_that_no_condition_cuts_tell_of_a_rule(
    synth: d.Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    plain = CellRules.of

    def seen(*asked: Any) -> CellRules | None:
        told.append(plain(*asked))
        return told[-1]

    monkeypatch.setattr(CellRules, "of", seen)
    synth.sample(100, seed=1)
    assert told
    assert None not in told
    for rule in (d.Implies("x > 2.345", "p == 'u'"), d.Implies("p == 'u' or q == 'r'", "i > 2")):
        told.clear()
        fitted([rule]).sample(100, seed=1)
        assert told == [None], rule


def test_a_tilt_and_a_rule_about_one_column_hold_together(synth: d.Synthesizer) -> None:
    part = {"name": "a", "tilt": {"i": {"i >= 3": 8}}}
    rows = synth.sample(4000, scenario=d.Scenario.from_dict({"parts": [part]}), seed=1)
    assert broken(synth.schema, rows[list(COLUMNS)]) == []
    assert (rows["i"] >= 3).mean() > 1.5 * (synth.sample(4000, seed=1)["i"] >= 3).mean()


def test_undeclared_values_of_a_rules_column_are_settled_before_it_is_tested() -> None:
    frame = rows_of().assign(p=lambda r: r["p"].where(r.index % 3 > 0, "strange"))
    rows = fitted(RULES, frame).sample(4000, seed=1)
    assert broken(d.Schema(COLUMNS, constraints=RULES), rows) == []


@pytest.mark.slow
def test_random_schemas_are_kept_by_cells_as_by_values(monkeypatch: pytest.MonkeyPatch) -> None:
    for rng, schema in cases(21, 60):
        rules = [rule for rule in schema.constraints if isinstance(rule, d.Implies)]
        only = d.Schema(schema.columns, constraints=rules)
        try:
            synth = d.Synthesizer(only, "independent", epsilon=1, delta=1e-6, ledger=None).fit(random_rows(rng, 300))
        except d.SchemaError:
            continue
        assert broken(only, synth.sample(300, seed=1)) == []


# Broken doubles: rows have to break a rule


def unsettled(self: Any, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(codes)


def nothing_broken(self: Any, codes: Any) -> Any:
    premises = np.ones((len(self._rules), len(next(iter(codes.values())))), dtype=bool)
    return premises, ~premises


CUT = d.Implies("p == 'u'", "x > 2.345")
DOUBLES: dict[str, tuple[Any, str, Any, Any]] = {
    "no rule is tested": (CellRules, "_judged", nothing_broken, RULES[0]),
    "a cut cell counts as whole": (
        Origin,
        "told_by_cells",
        lambda self, term: self.weights(term.column, [term]) > 0,
        CUT,
    ),
    "the cells of a term are all": (
        Origin,
        "told_by_cells",
        lambda self, term: np.ones(self.codecs[term.column].size, dtype=bool),
        RULES[0],
    ),
}


@pytest.mark.parametrize(("owner", "name", "double", "rule"), DOUBLES.values(), ids=DOUBLES.keys())
def test_a_broken_drawing_is_found(
    owner: Any, name: str, double: Any, rule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    synth = fitted([rule], mechanism="independent")
    where = "x > 2.3 and x < 2.4" if rule is CUT else None  # of a thousand cells one is cut
    assert broken(synth.schema, synth.sample(2000, where=where, seed=1)) == []
    monkeypatch.setattr(owner, name, double)
    try:
        found = broken(synth.schema, synth.sample(2000, where=where, seed=1))
    except d.ConditionError:
        return
    assert found != []
