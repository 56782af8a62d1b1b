"""The certificate says what the ledger says, claims nothing for a seeded run, and contradicts no edit of itself."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.evidence.certificate import Certificate
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.schema.table import Boolean, Categorical, Datetime, Identifier, Numeric, Schema

BUDGET = Budget(1.0, 1e-6)
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e'\"&"
COLUMNS = {
    "patient": Identifier(pattern="P-####"),
    "age": Numeric(0, 120, integer=True),
    "charge": Numeric(None, None),
    "stay": Numeric(0, None, nullable=True),
    "sex": Categorical(["female", "male"], nullable=True),
    "admitted": Datetime("2020-01-01", "2024-12-31"),
    "died": Boolean(),
}
BOUNDS = {"charge": (-4.0, 65536.0), "stay": (0.0, 128.0)}


def issue(multipliers=(20.0, 30.0), *, ledger=None, seed=None, unit=None, columns=COLUMNS, **released):
    schema = Schema(columns, unit=unit)
    ledger = ledger or Ledger.create(None, BUDGET, dataset="claims", unit=schema.unit)
    accountant = Accountant(BUDGET, ledger=ledger, unsafe_seed=seed)
    for i, multiplier in enumerate(multipliers):
        accountant.charge(Gaussian(multiplier), f"measure {list(columns)[i % len(columns)]}")
    certificate = Certificate.issue(
        schema=schema,
        ledger=ledger,
        run=accountant.run,
        mechanism="mst",
        settings={"rounds": 3, "shape": (1, 2)},
        bounds=BOUNDS,
        released=released,
    )
    return certificate, accountant


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(15, 1e6), max_size=6))
def test_what_was_spent_is_recomputed_from_the_charges(multipliers):
    certificate, accountant = issue(multipliers)
    record = certificate.record
    assert record["spent"]["epsilon"] == accountant.spent().epsilon
    assert [c["line"]["event"]["noise_multiplier"] for c in record["charges"]] == multipliers
    assert math.fsum(c["share_percent"] for c in record["charges"]) == pytest.approx(100 if multipliers else 0)
    assert record["views"]["spent"]["mu"] == pytest.approx(math.sqrt(math.fsum(m**-2 for m in multipliers)))
    certificate.verify()


def test_the_claim_is_the_budget_and_not_what_was_spent():
    claim = issue()[0].record["claim"]
    assert (claim["epsilon"], claim["delta"]) == (1.0, 1e-6)
    assert claim["sentence"] == (
        "This release is (1, 1e-06)-differentially private for any 1 record, added or removed. This holds for all"
        " charges of its run together, even where later ones depend on earlier answers; other releases of the same data"
        " add to it."
    )


def test_the_guess_that_the_page_speaks_of_is_the_best_one():
    certificate, _ = issue()
    mu = certificate.record["views"]["budget"]["mu"]
    x = np.linspace(-12, 12, 200_001)
    larger = np.maximum(np.exp(-(x**2) / 2), np.exp(-((x - mu) ** 2) / 2)) / math.sqrt(2 * math.pi)
    best = 100 * larger.sum() * (x[1] - x[0]) / 2
    said = float(re.search(r"at most ([\d.]+) times in 100", certificate.record["claim"]["meaning"]).group(1))
    assert best <= said < best + 0.1


@pytest.mark.parametrize(
    ("unit", "rows"),
    [
        (PrivacyUnit(), 20.0),
        (PrivacyUnit("patient", 5), 100.0),
        (PrivacyUnit("patient", 5, "replace"), 20 * 5 * math.sqrt(2)),
    ],
)
def test_noise_in_rows_follows_from_the_unit(unit, rows):
    record = issue((20.0,), unit=unit)[0].record
    assert record["charges"][0]["noise_stddev_rows"] == pytest.approx(rows)
    assert record["unit"]["description"] == unit.describe()


@pytest.mark.parametrize("seed", [None, 7], ids=["private", "seeded"])
def test_rows_without_an_id_are_said_to_be_one_unit_together(seed):
    rows = "All rows without a value in 'patient' together count as one unit, and at most"
    for most, words in ((1, "1 of them is used"), (5, "5 of them are used")):
        certificate, _ = issue(unit=PrivacyUnit("patient", most), seed=seed)
        assert certificate.record["accounting"][0].startswith(f"{rows} {words}")
        assert f"{words}: the people" in certificate.to_html()
        assert "Rows without a value there</th><td>all such rows together are one unit" in certificate.to_html()
        assert "without id all such rows together are one unit" in certificate.summary()
    of_rows, _ = issue(seed=seed)
    for text in (of_rows.to_json(), of_rows.to_html(), of_rows.summary()):
        assert "together count" not in text
        assert "such rows together" not in text


def test_other_runs_of_a_shared_ledger_count_in_its_total_only(tmp_path):
    ledger = Ledger.create(tmp_path / "a.ledger", Budget(3, 1e-6), dataset="claims", unit=PrivacyUnit())
    issue((25.0,), ledger=ledger)
    issue((40.0,), ledger=ledger, seed=1)
    record = issue((20.0, 30.0), ledger=ledger)[0].record
    account = record["ledger"]
    assert len(record["charges"]) == 2
    assert (account["other_runs"], account["other_charges"], account["other_runs_seeded"]) == (2, 2, 1)
    assert account["spent"]["epsilon"] == ledger.spent().epsilon > record["spent"]["epsilon"]
    assert account["head"] == ledger.head
    assert account["kept"] == "in a file"


def test_what_a_joined_account_spent_is_in_every_total(tmp_path):
    first, second = (
        Ledger.create(tmp_path / name, Budget(3, 1e-6), dataset=name, unit=PrivacyUnit()) for name in ("a", "b")
    )
    issue((25.0,), ledger=second)[1].close()
    certificate, run = issue((20.0,), ledger=first)
    run.close()
    alone = certificate.record["ledger"]
    first.link(second)
    both = issue((1e9,), ledger=first)[0].record["ledger"]
    together = math.hypot(1 / 20, 1 / 25)
    assert both["if_fixed"] == pytest.approx(issue((1 / together,))[0].record["ledger"]["if_fixed"], rel=1e-6)
    assert alone["if_fixed"] < both["if_fixed"] <= both["spent"]["epsilon"]


def test_a_seeded_run_is_not_private_and_claims_nothing():
    certificate, _ = issue(seed=7)
    certificate.verify()
    assert not certificate.private
    assert certificate.record["claim"]["epsilon"] is certificate.record["claim"]["delta"] is None
    page = certificate.to_html()
    assert re.search(r"<title>NOT PRIVATE", page)
    assert re.search(r"<h1>NOT PRIVATE", page)
    for text in (page, certificate.to_json(), certificate.summary(), certificate._repr_html_()):
        assert "NOT PRIVATE: the noise of this run came from a seed" in text
        assert not re.search(r"-differentially private for|nearly the same releases|at no further loss", text)


def test_a_run_that_read_nothing_has_a_page_too():
    certificate, _ = issue(())
    assert certificate.record["spent"]["epsilon"] == 0
    assert "read nothing" in certificate.to_html()


def test_a_certificate_comes_back_from_its_file(tmp_path):
    certificate, _ = issue(rows=1012)
    folder = certificate.save(tmp_path / "new" / "release")
    assert sorted(p.name for p in folder.iterdir()) == ["certificate.html", "certificate.json", "manifest.json"]
    assert Certificate.load(folder) == Certificate.load(folder / "certificate.json") == certificate
    assert json.loads(certificate.to_json())["dpsynth_certificate"] == 1


EDITS = {
    "less spent": lambda r: r["spent"].update(epsilon=0.01),
    "a smaller epsilon": lambda r: r["claim"].update(epsilon=0.1),
    "another budget": lambda r: r["budget"].update(epsilon=0.1),
    "another sentence": lambda r: r["claim"].update(sentence="This release is perfectly private."),
    "another meaning": lambda r: r["claim"].update(meaning="Nobody can guess anything."),
    "another unit": lambda r: r["unit"].update(max_records=50),
    "a dropped charge": lambda r: r["charges"].__setitem__(0, {**r["charges"][0], "line": {}}),
    "more noise": lambda r: r["charges"][0]["line"]["event"].update(noise_multiplier=99.0),
    "another purpose": lambda r: r["charges"][0]["line"].update(purpose="nothing"),
    "the run line": lambda r: r["run"]["line"].update(noise="operating system", budget={"epsilon": 9, "delta": 0.5}),
    "the ledger line": lambda r: r["ledger"]["line"]["unit"].update(max_records=50),
    "another run": lambda r: r["run"].update(id="0"),
    "an unknown event": lambda r: r["charges"][0]["line"]["event"].update(event="magic"),
    "no charges field": lambda r: r.pop("charges"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edit_is_found(edit, tmp_path):
    record = json.loads(issue()[0].to_json())
    edit(record)
    (tmp_path / "c.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="the certificate"):
        Certificate.load(tmp_path / "c.json")


def test_a_seeded_certificate_cannot_be_made_private_by_hand():
    record = json.loads(issue(seed=7)[0].to_json())
    record["claim"] = issue()[0].record["claim"]
    record["run"]["noise"] = record["run"]["line"]["noise"] = "operating system"
    with pytest.raises(ValueError, match="a ledger line was changed"):
        Certificate(record).verify()


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"dpsynth_certificate": 2}'])
def test_a_file_of_another_kind_is_refused_in_a_sentence(text, tmp_path):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(ValueError, match=r"not a certificate of format 1|JSON is faulty"):
        Certificate.load(tmp_path / "c.json")


def test_a_ledger_of_another_unit_or_without_the_run_is_refused():
    _, accountant = issue()
    facts = {"mechanism": "mst", "settings": {}, "bounds": {}, "released": {}, "ledger": accountant.ledger}
    with pytest.raises(ValueError, match="the ledger protects any 1 record"):
        Certificate.issue(schema=Schema(COLUMNS, unit=PrivacyUnit("patient")), run=accountant.run, **facts)
    with pytest.raises(ValueError, match="no run 'x'"):
        Certificate.issue(schema=Schema(COLUMNS), run="x", **facts)


def test_every_public_fact_says_where_it_came_from():
    columns = {c["name"]: (c["domain"], c["origin"]) for c in issue()[0].record["schema"]["columns"]}
    assert columns == {
        "patient": ("made afresh as P-####", "never read"),
        "age": ("whole numbers from 0 to 120", "declared in the schema"),
        "charge": ("numbers from -4 to 65,536", "both bounds learned by a charge"),
        "stay": (
            "numbers from 0 to 128; may be missing",
            "high learned by a charge, the other bound declared in the schema",
        ),
        "sex": ("2 categories: female, male; may be missing", "declared in the schema"),
        "admitted": ("2020-01-01 to 2024-12-31, to the day", "declared in the schema"),
        "died": ("true or false", "declared in the schema"),
    }


def test_many_categories_are_counted_and_not_all_listed():
    columns = {"c": Categorical([f"v{i}" for i in range(5000)], other="v1")}
    (column,) = issue(columns=columns)[0].record["schema"]["columns"]
    assert column["domain"].startswith("5000 categories: v0, v1, ")
    assert column["domain"].endswith("and 4988 more; all others count as v1")


def test_hostile_names_are_shown_and_never_run():
    columns = {HOSTILE: Categorical([HOSTILE, "b"])}
    certificate, _ = issue(columns=columns, **{HOSTILE: HOSTILE})
    for page in (certificate.to_html(), certificate._repr_html_()):
        assert "<script" not in page
        assert "\x1b" not in page
        assert "\u202e" not in page
    assert "&lt;script&gt;alert(1)" in certificate.to_html()


def test_the_summary_carries_no_escape_sequence():
    ledger = Ledger.create(None, BUDGET, dataset=HOSTILE, unit=PrivacyUnit())
    certificate, _ = issue(ledger=ledger)
    assert "\x1b" not in repr(certificate)
    assert "<script>" in repr(certificate)


def test_settings_that_are_no_plain_data_become_text():
    record = issue(odd=object, none=None, array=np.arange(2), inf=math.inf)[0].record
    assert record["released"] == {"odd": str(object), "none": None, "array": [0, 1], "inf": "inf"}
    assert record["mechanism"]["settings"]["shape"] == [1, 2]


def test_settings_and_what_was_learned_are_on_the_page_in_a_readers_notation():
    page = issue(rows=12062, odd={"target": None, "weights": [[["age", "sex"], 10.0]]})[0].to_html()
    assert "12,062" in page
    assert "target = none; weights = ((age, sex), 10)" in page
    assert not re.search(r"<td>[^<]*(\{&#39;|\[&#39;|None|\(1, 2\))", page)


def test_a_directory_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write certificate\.json and certificate\.html to .*choose a directory"):
        issue()[0].save(tmp_path / "file")


def test_a_large_delta_and_an_identifier_that_is_no_unit_are_cautioned():
    from dpsynth import Synthesizer

    rows = pd.DataFrame({"a": ["x", "y"] * 500})
    plain, odd = Schema({"a": Categorical(["x", "y"])}), Schema({"who": Identifier(), "a": Categorical(["x", "y"])})
    assert Synthesizer(plain, epsilon=1, delta=1e-6, ledger=None).fit(rows).certificate.record["cautions"] == []
    large = Synthesizer(odd, epsilon=1, delta=0.1, ledger=None).fit(rows).certificate
    assert len(large.record["cautions"]) == 2
    for text in (large.summary(), large.to_html()):
        assert text.count("CAUTION") == 2


@pytest.mark.parametrize(
    "forge",
    [
        *[lambda r, part=part: r.pop(part) for part in ("views", "accounting", "not_promised", "released", "versions")],
        lambda r: r.update(note="trust me"),
        lambda r: r.update(not_promised=[]),
        lambda r: r.update(accounting=[]),
        lambda r: r["ledger"]["spent"].update(epsilon=1e-9),
        lambda r: r["views"]["spent"].update(mu=1e-9),
        lambda r: r["spent"].update(epsilon=float("inf")),
    ],
)
def test_missing_empty_and_false_parts_are_refused(forge, tmp_path):
    path = issue()[0].save(tmp_path)
    record = json.loads((path / "certificate.json").read_text())
    Certificate.load(path)
    forge(record)
    (path / "certificate.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="certificate"):
        Certificate.load(path)


def test_what_the_same_charges_cost_chosen_beforehand_is_told_as_what_is_not_claimed():
    certificate, _ = issue((30.0, 30.0))
    cost = certificate.record["schedule"]["epsilon"]
    (line,) = (line for line in certificate.summary().splitlines() if line.startswith("  charges "))
    assert "may depend on earlier answers, so the budget is the claim" in line
    assert line.endswith(f"chosen before any row was read, would cost epsilon {cost:.4g}")
    page = " ".join(certificate.to_html().split())
    assert f"The same charges, all chosen before any row was read, would cost epsilon {cost:.4g} at delta" in page
