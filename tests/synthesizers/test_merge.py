"""Merges: counts of several releases become one table's, and what disagrees is named. Nothing is spent."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.models.distances import total_variation
from dpsynth.models.merging import Merging, Part
from dpsynth.models.span import rounded_variance
from tests.synthesizers.test_answers import SCHEMA, draw

ROWS = 8000
TURNED = {"a": "b", "b": "c", "c": "a"}
"""A source's ward codes, read in another order."""


def fitted(rows, seed=None, schema=SCHEMA, mechanism="mst", epsilon=1.0, **more) -> dpsynth.Synthesizer:
    synth = dpsynth.Synthesizer(schema, mechanism, epsilon=epsilon, delta=1e-6, ledger=None, unsafe_seed=seed, **more)
    return synth.fit(rows)


def halves(seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    rows = draw(ROWS, seed)
    return rows, rows.iloc[: ROWS // 2], rows.iloc[ROWS // 2 :]


def distance(synth, rows: pd.DataFrame) -> float:
    """The mean distance of pairs, between the model and the rows."""
    model, codecs = synth.fitted_.model, synth.origin.codecs
    found = []
    for a, b in itertools.combinations(model.domain.attributes, 2):
        shape = model.domain.shape((a, b))
        places = np.ravel_multi_index([codecs[name].encode(rows[name]) for name in (a, b)], shape)
        real = np.bincount(places, minlength=np.prod(shape)) / len(rows)
        found.append(total_variation(real, (model.project((a, b)) / model.total).ravel()))
    return float(np.mean(found))


@pytest.fixture(scope="module")
def sources() -> list[dpsynth.Synthesizer]:
    _, one, other = halves(3)
    return [fitted(one), fitted(other)]


@pytest.fixture(scope="module")
def added(sources) -> dpsynth.Merged:
    return dpsynth.merge(sources, counts="add", disjoint=True)


@pytest.mark.parametrize("mechanism", ["mst", "canopy"])
def test_two_halves_of_a_table_make_nearly_what_the_whole_table_makes(mechanism):
    """Means of 4 tables; noise on the halves' shares is twice the whole table's, and sqrt(2) times merged."""
    found = []
    for seed in range(4):
        rows, one, other = halves(seed)
        fits = [fitted(part, 10 * seed + i, mechanism=mechanism) for i, part in enumerate((one, other, rows))]
        merged = dpsynth.merge(fits[:2], counts="add", disjoint=True)
        found.append([distance(each, rows) for each in (merged, *fits)])
    merged_, one_, other_, whole = np.mean(found, axis=0)
    assert merged_ < 0.85 * min(one_, other_)
    assert merged_ < 1.45 * whole


def test_an_average_is_nearer_to_the_population_than_either_source():
    """Means of 6 pairs of samples, one of which was released with twice the noise of the other."""
    population, found = draw(200_000, 999), []
    for seed in range(6):
        fits = [fitted(draw(4000, 2 * seed + i), 10 * seed + i, epsilon=e) for i, e in enumerate((1.0, 0.5))]
        found.append([distance(each, population) for each in (dpsynth.merge(fits, counts="average"), *fits)])
    average, better, worse = np.mean(found, axis=0)
    assert average < 0.95 * better
    assert better < worse


def test_the_weights_of_an_average_are_by_inverse_variance(sources):
    """Sources of the same rows: of a share with noise alone, four times the variance has a quarter of the weight."""
    model = sources[0].fitted_.model
    noisy = replace(model, charged=tuple(replace(m, stddev=2 * m.stddev) for m in model.charged))
    many = [Part(each, model.domain, alike=0) for each in (model, noisy)]
    bins = {a: np.arange(n) for a, n in model.domain.sizes}
    merging = Merging(model.domain, many, add=False)
    weights = merging._weights(("ward",), bins, many)
    assert [weights[part] for part in many] == pytest.approx([0.8, 0.2], rel=0.01)


def test_counts_that_add_have_the_sum_of_their_noise(sources, added):
    for m in added.fitted_.model.charged:
        each = [
            next(
                k
                for k in Part(s.fitted_.model, added.fitted_.model.domain).charged[m.clique]
                if all(map(np.array_equal, k.groups, m.groups))
            )
            for s in sources
        ]
        assert m.values == pytest.approx(each[0].values + each[1].values)
        assert m.stddev**2 == pytest.approx(sum(rounded_variance(k.stddev) for k in each))
    assert {("age",), ("ill",), ("ward",), ()} <= {m.clique for m in added.fitted_.model.charged}
    question = "count where ward == 'a'"
    parts = [each.answer(question).estimate for each in sources]
    answer = added.answer(question)
    assert answer.basis == "measured"
    low, high = answer.privacy_interval
    assert answer.estimate == pytest.approx(sum(parts), abs=(high - low) / 2)  # each weighs its own counts
    assert "added" in answer.notes[-1]


def test_answers_of_a_merge_hold_the_truth_as_often_as_they_say():
    """40 merges at 90%: less than 30 are seen once in 1,500."""
    held = 0
    for seed in range(40):
        rows, one, other = halves(100 + seed)
        fits = [fitted(part, 2 * seed + i, mechanism="independent") for i, part in enumerate((one, other))]
        low, high = dpsynth.merge(fits, counts="add").answer("count where age >= 12").privacy_interval
        held += low <= (rows.age >= 12).sum() <= high
    assert held >= 30


def test_in_twenty_clean_pairs_no_conflict_is_named_and_a_planted_one_is():
    """At a rate of false discoveries of 0.001, one of twenty pairs is named with a chance of 2%."""
    clean = []
    for seed in range(20):
        one, other = draw(2000, 2 * seed + 500), draw(3000, 2 * seed + 501)
        fits = [fitted(one, 2 * seed), fitted(other, 2 * seed + 1)]
        clean += dpsynth.merge(fits, counts="add").certificate.conflicts
    assert clean == []
    for seed in range(3):
        one, other = draw(2000, 2 * seed + 700), draw(3000, 2 * seed + 701)
        other["ward"] = other["ward"].map(TURNED)
        found = dpsynth.merge([fitted(one, seed), fitted(other, seed + 50)], counts="average").certificate.conflicts
        assert "ward" in {column for each in found for column in each["columns"]}
        assert {column for each in found for column in each["columns"]} - {"ward", "ill", "age"} == set()
        single = next(each for each in found if each["columns"] == ["ward"])
        assert single["sources"] == [1, 2]
        assert single["most"][0]["where"].startswith("ward ")
        assert abs(single["most"][0]["errors"]) > 5


def test_a_conflict_is_told_in_the_summary_on_the_page_and_in_the_table():
    other = draw(4000, 1)
    other["ward"] = other["ward"].map(TURNED)
    merged = dpsynth.merge([fitted(draw(4000, 0)), fitted(other)], counts="add")
    assert "ward of sources 1 and 2" in merged.certificate.summary()
    assert "Where two sources disagree" in merged.certificate.to_html()
    table = merged.conflicts
    assert table["conflict"].iloc[0]
    assert table["chance"].is_monotonic_increasing
    assert set(table[table.conflict]["columns"]) == {" x ".join(c["columns"]) for c in merged.certificate.conflicts}


def test_claims_add_up_unless_nobody_is_said_to_be_in_two_sources(sources, added):
    both = dpsynth.merge(sources, counts="add")
    assert (added.epsilon, added.delta) == (1.0, 1e-6)
    assert (both.epsilon, both.delta) == (2.0, 2e-6)
    assert "nobody is in more than one source" in added.certificate.summary()
    assert "added up" in both.certificate.summary()
    uneven = dpsynth.merge([sources[0], fitted(draw(500), epsilon=0.1)], counts="add")
    assert uneven.epsilon == pytest.approx(1.1)
    assert uneven.epsilon >= 1.1


def test_a_record_that_is_replaced_stays_in_its_source_where_nothing_adds_up():
    """One that moves to another source changes both tables, by a record less and one more: no claim covers that."""
    schema = dpsynth.Schema({"a": dpsynth.Boolean()}, unit=dpsynth.PrivacyUnit(adjacency="replace"))
    rows = pd.DataFrame({"a": [True, False] * 300})
    fits = [fitted(rows, schema=schema, epsilon=0.5) for _ in range(2)]
    said = [dpsynth.merge(fits, counts="add", disjoint=each).certificate.record["claim"] for each in (True, False)]
    assert "replaced by others in the same source: " in said[0]["sentence"]
    assert "in the same source" not in said[1]["sentence"]
    assert [each["epsilon"] for each in said] == [0.5, 1.0]


def test_a_source_whose_noise_came_from_a_seed_makes_a_merge_that_claims_nothing(sources):
    merged = dpsynth.merge([sources[0], fitted(draw(), 3)], counts="add", disjoint=True)
    assert not merged.certificate.private
    assert merged.epsilon is None
    assert "NOT PRIVATE" in merged.certificate.summary()


def test_no_ledger_changes_and_files_of_the_sources_give_the_same_merge(tmp_path, added, sources):
    ledger = dpsynth.Ledger.create(tmp_path / "a.ledger", dpsynth.Budget(2, 1e-5), dataset="a", unit=SCHEMA.unit)
    paid = dpsynth.Synthesizer(SCHEMA, "mst", epsilon=1.0, delta=1e-6, ledger=ledger).fit(draw())
    before = [line["hash"] for line in ledger.entries()]
    paths = [tmp_path / f"{i}.dpsynth" for i in range(2)]
    for path, each in zip(paths, (paid, sources[1]), strict=True):
        each.save(path)
    merged = dpsynth.merge(paths, counts="add")
    assert [line["hash"] for line in ledger.entries()] == before
    again = dpsynth.merge([paid, sources[1]], counts="add")
    assert merged.certificate.record == again.certificate.record
    assert merged.sample(200, seed=5).equals(again.sample(200, seed=5))


def test_columns_of_one_source_are_kept_with_what_they_go_with():
    """A column that one source alone has follows a shared one in the merged rows as it does in the source's."""
    schema = dpsynth.Schema({**SCHEMA.columns, "dose": dpsynth.Categorical(["low", "high"])})
    one, other = draw(6000, 0), draw(6000, 1)
    one["dose"] = np.where(one["ill"] ^ (np.random.default_rng(2).random(6000) < 0.1), "high", "low")
    merged = dpsynth.merge([fitted(one, schema=schema), fitted(other)], counts="add", disjoint=True)
    rows = merged.sample(8000, seed=1)
    assert list(rows) == ["age", "ill", "ward", "dose"]
    assert rows["dose"].eq("high")[rows["ill"].astype(bool)].mean() > 0.8
    assert rows["dose"].eq("high")[~rows["ill"].astype(bool)].mean() < 0.2
    assert merged.certificate.record["one_source"] == ["dose"]
    assert "only some sources have dose" in merged.certificate.summary()
    assert dpsynth.merge([fitted(other), fitted(one, schema=schema)], counts="average").schema.columns.keys() == {*rows}


def test_wide_columns_and_three_sources_are_merged(tmp_path):
    schema = dpsynth.Schema({"cost": dpsynth.Numeric(0, 5000, integer=True), "ill": dpsynth.Boolean()})
    tables = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        ill = rng.random(3000) < 0.4
        tables.append(pd.DataFrame({"cost": rng.gamma(2 + 3 * ill, 200).astype(int), "ill": ill}))
    for counts in ("add", "average"):
        merged = dpsynth.merge([fitted(t, schema=schema, mechanism="canopy") for t in tables], counts=counts)
        mean = merged.sample(9000, seed=1)["cost"].mean()
        assert mean == pytest.approx(pd.concat(tables)["cost"].mean(), rel=0.06)
        assert merged.fitted_.model.total == pytest.approx(9000 if counts == "add" else 3000, rel=0.02)
        assert {each["sources"][1] for each in merged.certificate.record["comparisons"]} == {2, 3}


def test_a_sample_with_support_uses_the_merged_noise(added):
    rows = added.sample(300, seed=1, support=True)
    assert rows["support"].notna().all()
    noise = {(*each["columns"],): each["stddev_rows"] for each in added.certificate.record["noise"]}
    charged = [m for s in added.sources for m in s.fitted_.model.charged if m.clique == ("ward",)]
    assert noise[("ward",)] == pytest.approx(np.sqrt(sum(rounded_variance(m.stddev) for m in charged)), rel=0.01)


SECOND = {**SCHEMA.columns, "ill": dpsynth.Categorical(["no", "yes"])}
OTHERS = {
    "differently": dpsynth.Schema(SECOND),
    "one unit": dpsynth.Schema(SCHEMA.columns, unit=dpsynth.PrivacyUnit("pid", 2)),
    "in common": dpsynth.Schema({"dose": dpsynth.Boolean()}),
    "different constraints": dpsynth.Schema(SCHEMA.columns, constraints=[dpsynth.Implies("ill == True", "age >= 1")]),
}


@pytest.mark.parametrize("why", OTHERS)
def test_sources_that_do_not_fit_together_are_refused_in_one_sentence(why, sources):
    rows = draw(300).assign(pid=range(300), dose=True)
    if why == "differently":
        rows["ill"] = np.where(rows["ill"], "yes", "no")
    schema = OTHERS[why]
    other = fitted(rows[[*schema.columns, *schema.unit.columns]], schema=schema, mechanism="independent")
    with pytest.raises(dpsynth.SchemaError, match=why):
        dpsynth.merge([sources[0], other], counts="add")


@pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")
def test_bounds_that_each_fit_has_learned_are_refused(sources):
    schema = dpsynth.Schema({"cost": dpsynth.Numeric(0, None, integer=True)})
    fits = [fitted(pd.DataFrame({"cost": np.arange(2000) * by}), schema=schema) for by in (1, 50)]
    with pytest.raises(dpsynth.SchemaError, match="learned different bounds of 'cost'"):
        dpsynth.merge(fits, counts="add")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"counts": "sum"}, "counts must be"),
        ({"disjoint": 1}, "disjoint must be"),
        ({"false_discovery_rate": 1.0}, "false_discovery_rate must be"),
        ({"sources": 1}, "two sources"),
        ({"sources": "one"}, "no model|cannot|not a model|No such file"),
        ({"bare": True}, "keeps no noisy counts"),
        ({"kind": True}, "is a int"),
        ({"new": True}, "not fitted"),
    ],
)
def test_what_cannot_be_merged_is_refused_before_anything_is_made(more, why, sources):
    given = list(sources)
    if more.pop("bare", False):
        given[1] = fitted(draw())
        given[1].fitted_ = replace(given[1].fitted_, model=replace(given[1].fitted_.model, charged=()))
    if more.pop("kind", False):
        given[1] = 3
    if more.pop("new", False):
        given[1] = dpsynth.Synthesizer(SCHEMA, "mst", epsilon=1.0, delta=1e-6, ledger=None)
    asked = more.pop("sources", None)
    given = given[:1] if asked == 1 else "nothing.dpsynth" if asked else given
    with pytest.raises((ValueError, OSError), match=why):
        dpsynth.merge(given, **{"counts": "add", **more})


def test_a_release_is_not_merged_with_itself(sources):
    with pytest.raises(ValueError, match="sources 1 and 3 are one release"):
        dpsynth.merge([*sources, sources[0]], counts="average")


def test_releases_of_one_account_are_not_of_different_people(tmp_path):
    """An account is of one data set: whoever is in one of its releases is in the others, and the claims add up."""
    schema, rows = dpsynth.Schema({"a": dpsynth.Boolean()}), pd.DataFrame({"a": [True, False] * 300})
    budget = dpsynth.Budget(epsilon=2.0, delta=1e-5)
    ledger = dpsynth.Ledger.create(tmp_path / "one.ledger", budget, dataset="one", unit=schema.unit)
    fits = [dpsynth.Synthesizer(schema, "mst", epsilon=0.5, delta=1e-6, ledger=ledger).fit(rows) for _ in range(2)]
    with pytest.raises(ValueError, match="paid from one account"):
        dpsynth.merge(fits, counts="average", disjoint=True)
    assert dpsynth.merge(fits, counts="average").certificate.record["claim"]["epsilon"] == 1.0
