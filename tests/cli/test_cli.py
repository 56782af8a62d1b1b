"""The command line: what it prints, what it returns, and that a user's mistake is one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer

import dpsynth
from dpsynth import cli
from dpsynth.data.tables.unread import UNKNOWN

SCHEMA = dpsynth.Schema(
    {"age": dpsynth.Numeric(0, 120, integer=True), "sex": dpsynth.Categorical(["f", "m"], nullable=True)}
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a schema and a table."""
    monkeypatch.chdir(tmp_path)
    SCHEMA.save("schema.yaml")
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"age": rng.integers(20, 90, 400), "sex": rng.choice(["f", "m", None], 400)})
    rows.to_csv("rows.csv", index=False)
    rows.to_parquet("rows.parquet")
    return tmp_path


FIT = "fit rows.csv --schema schema.yaml --epsilon 1 --delta 1e-6"


def test_a_table_goes_from_draft_to_release(folder, run):
    assert run("schema draft rows.csv -o draft.yaml")[0] == 0
    assert "TODO" in (folder / "draft.yaml").read_text()
    code, out, _ = run(f"{FIT} --ledger a.ledger -o m.dpsynth")
    assert code == 0
    assert "(1, 0.000001)-differentially private" in out
    assert run("sample m.dpsynth -n 50 --seed 1 -o out.csv")[0] == 0
    assert run("sample m.dpsynth -n 50 --seed 1 -o out.parquet")[0] == 0
    release = pd.read_csv("out.csv")
    assert list(release.columns) == ["age", "sex"]
    assert len(release) == len(pd.read_parquet("out.parquet")) == 50
    code, out, _ = run("evaluate out.csv rows.csv --schema schema.yaml -o quality")
    assert code == 0
    assert "INTERNAL" in out
    assert (folder / "quality" / "quality.html").exists()
    code, out, _ = run("ledger show a.ledger --charges")
    assert code == 0
    assert "measure age" in out
    assert "committed" in out
    assert run("ledger verify a.ledger")[0] == 0


def test_a_column_that_cannot_be_read_is_cautioned_of_once(folder, run):
    pd.read_csv("rows.csv").assign(age="39 years").to_csv("rows.csv", index=False)
    code, out, err = run(f"{FIT} --ledger a.ledger -o m.dpsynth")
    assert code == 0
    assert out.count("CAUTION") == out.count("of the values of 'age' could not be read") == 1
    assert "Warning" not in err
    code, out, err = run(f"{FIT} --ledger b.ledger -o n.dpsynth --json")
    assert "of the values of 'age' could not be read" in json.loads(out)["cautions"][0]
    assert "Warning" not in err


def test_a_target_is_a_column_of_the_schema_for_a_mechanism_that_takes_one(folder, run):
    assert run(f"{FIT} --target sex -o m.dpsynth")[0] == 0
    code, _, err = run(f"{FIT} --target nobody -o n.dpsynth")
    assert (code, "nobody" in err) == (2, True)
    code, _, err = run(f"{FIT} --target sex --mechanism mst -o n.dpsynth")
    assert (code, "workload" in err) == (2, True)


def test_an_account_pays_for_several_fits_and_each_gets_its_certificate(folder, run):
    code, out, _ = run("ledger create a.ledger --schema schema.yaml --epsilon 3 --delta 1e-6")
    assert code == 0
    assert "any 1 record" in out
    for number in (1, 2):
        assert run(f"{FIT} --ledger a.ledger -o {number}.dpsynth --certificate c{number}")[0] == 0
    head = dpsynth.Certificate.load(folder / "c1").record["ledger"]["head"]
    assert run(f"ledger verify a.ledger --head {head}")[0] == 0
    assert run(f"ledger verify a.ledger --head {'0' * 64}")[0] == 1
    assert run(f"ledger verify a.ledger --head {head[:16]}")[0] == 0
    assert run(f"ledger verify a.ledger --head {head[:15]}")[0] == run("ledger verify a.ledger --head no-hash")[0] == 2
    assert json.loads(run("ledger show a.ledger --json")[1])["spent"]["epsilon"] < 2
    assert run("ledger create a.ledger --schema schema.yaml --epsilon 3 --delta 1e-6")[0] == 2
    kept = "--programs-epsilon 1 --programs-delta 5e-7"
    assert run(f"ledger create b.ledger --schema schema.yaml --epsilon 3 --delta 1e-6 {kept}")[0] == 0
    shown = " ".join(run("ledger show b.ledger")[1].split())
    assert "epsilon 1 and delta 5e-07 are kept for other programs" in shown
    assert "spent of it: epsilon 0, delta 0" in shown


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("--persons", "protects single rows"),
        ("--mechanism canopi", "'canopi', which is none of"),
        ("--purpose research=5", "above the 2 of all purposes"),
    ],
)
def test_a_policy_that_no_run_could_meet_is_refused(asked, sentence, folder, run):
    code, _, err = run(f"ledger create a.ledger --schema schema.yaml --epsilon 2 --delta 1e-6 {asked}")
    assert (code, sentence in " ".join(err.split())) == (2, True)
    assert not (folder / "a.ledger").exists()


def test_what_is_missing_is_said_in_a_sentence_that_names_it(folder, run):
    for command in ("sample nope.dpsynth -n 3 -o o.csv", f"{FIT} --ledger nowhere/a.ledger -o m.dpsynth"):
        code, _, err = run(command)
        assert (code, "Errno" in err, "give another path" in " ".join(err.split())) == (2, False, True)


POLICY = "--purpose research=0.8 --purpose teaching --approval board --mechanism mst"


def test_a_policy_is_asked_of_every_fit(folder, run):
    assert run(f"ledger create a.ledger --schema schema.yaml --epsilon 2 --delta 1e-6 {POLICY}")[0] == 0
    asked = f"{FIT} --ledger a.ledger -o m.dpsynth"
    good = "--mechanism mst --purpose teaching --approval board=case-17"
    for bad, word in ((good.replace("mst", "aim"), "mst"), ("--mechanism mst --purpose sale", "teaching"),
                      (good.replace("board", "nobody"), "board"), ("--approval board", "board=case-17")):  # fmt: skip
        code, out, err = run(f"{asked} {bad}")
        assert (code, out, word in err) == (2, "", True)
    code, _, err = run(f"{asked} {good.replace('teaching', 'research')}")
    assert (code, "the purpose 'research'" in err) == (4, True)
    assert run(f"{asked} {good}")[0] == 0
    record = json.loads(run("ledger show a.ledger --json")[1])
    (done,) = record["runs"]
    assert (done["purpose"], done["approvals"], done["state"]) == ("teaching", {"board": "case-17"}, "committed")
    assert run("ledger policy a.ledger --persons")[0] == 0
    code, _, err = run(f"{asked.replace('m.d', 'n.d')} {good}")
    assert (code, "protect persons" in err) == (2, True)
    for bad in ("--purpose =1", "--purpose research=lots", "--purpose research=-1"):
        assert run(f"ledger policy a.ledger {bad}")[0] == 2


def test_an_account_is_exported_imported_and_linked(folder, run):
    for name in "ab":
        run(f"ledger create {name}.ledger --schema schema.yaml --epsilon 3 --delta 1e-6")
        assert run(f"{FIT} --ledger {name}.ledger -o {name}.dpsynth")[0] == 0
    assert run("ledger export a.ledger a.jsonl")[0] == 0
    code, out, _ = run("ledger import a.jsonl c.ledger")
    assert (code, "a copy that is not spent from: import it with --only" in " ".join(out.split())) == (0, True)
    shown = [json.loads(run(f"ledger show {name}.ledger --json")[1]) for name in "ac"]
    assert [each["state"] for each in shown] == ["open", "copy"]
    assert run(f"ledger verify c.ledger --head {shown[0]['head']}")[0] == 0
    for command in ("show", "verify"):
        assert "a copy that is not spent from" in " ".join(run(f"ledger {command} c.ledger")[1].split())
    code, _, err = run(f"{FIT} --ledger c.ledger -o e.dpsynth")
    assert (code, "is an imported copy" in err, "--only" in err) == (4, True, True)
    assert (folder / "e.dpsynth").exists() is False
    assert run("ledger import a.jsonl f.ledger --by ann")[0] == 2
    assert run("ledger import a.jsonl f.ledger --only --by ann")[0] == 0
    assert "declared by ann to be the only copy that is spent from" in run("ledger show f.ledger")[1]
    assert "one further fit may spend" in run("ledger verify f.ledger")[1]
    assert run(f"{FIT} --ledger f.ledger -o e.dpsynth")[0] == 0
    assert run("ledger export a.ledger a.jsonl")[0] == 2
    assert run("ledger import rows.csv d.ledger")[0] == 2
    assert not (folder / "d.ledger").exists()
    code, out, _ = run("ledger link a.ledger b.ledger")
    assert (code, "pays for both" in out) == (0, True)
    assert run(f"{FIT} --ledger b.ledger -o d.dpsynth")[0] == 4
    for name, word in (("a", "pays for b too"), ("b", "closed: a pays now")):
        assert word in run(f"ledger show {name}.ledger")[1]
    assert "closed: a pays now" in run("ledger verify b.ledger")[1]
    assert "joined" not in run("ledger show c.ledger")[1]
    assert run("ledger link a.ledger a.ledger")[0] == 2


def test_what_a_ledger_shows_fits_a_terminal_and_runs_no_markup(folder, run):
    ledger = dpsynth.Ledger.create(
        folder / "a.ledger", dpsynth.Budget(3, 1e-6), dataset="[red]\x1b[31m claims", unit=dpsynth.PrivacyUnit()
    )
    for purpose in ("research", "[bold]two\nlines[/bold]"):
        dpsynth.Synthesizer(SCHEMA, epsilon=1, delta=1e-6, ledger=ledger, purpose=purpose).fit("rows.csv")
    out = run("ledger show a.ledger --charges")[1]
    assert "\x1b" not in out
    assert "[bold]" in out
    assert "[red]" in out


def test_the_words_of_the_table_of_runs_are_whole_at_eighty_columns(folder, run):
    ledger = dpsynth.Ledger.create(
        folder / "a.ledger", dpsynth.Budget(3, 1e-6), dataset="a", unit=dpsynth.PrivacyUnit()
    )
    dpsynth.Synthesizer(SCHEMA, "independent", epsilon=1, delta=1e-6, ledger=ledger).fit("rows.csv")
    purpose = "quarterly reporting for the ministry of health"
    dpsynth.Synthesizer(SCHEMA, "mst", epsilon=1, delta=1e-7, ledger=ledger, purpose=purpose).fit("rows.csv")
    lines = run("ledger show a.ledger")[1].splitlines()
    words = [line.split() for line in lines]
    assert ["run", "began", "mechanism", "state", "charges", "epsilon", "of", "at", "delta"] in words
    assert max(map(len, lines)) <= 80
    names = [each.name[:8] for each in ledger.runs()]
    rows = {row[0]: row[2:] for row in words if len(row) == 8 and row[0] in names}
    assert rows == {
        names[0]: ["independent", "committed", "3", "1", "1", "0.000001"],
        names[1]: ["mst", "committed", rows[names[1]][2], "1", "1", "0.0000001"],
    }
    assert f"  {names[1]} is for: {purpose}" in lines


def test_a_certificate_is_kept_where_the_model_cannot_be(folder, run, monkeypatch):
    def full(self, path):
        raise OSError("no space left")

    monkeypatch.setattr(dpsynth.Synthesizer, "save", full)
    assert run(f"{FIT} --ledger a.ledger -o m.dpsynth --certificate c")[0] == 2
    assert dpsynth.Certificate.load(folder / "c").record["spent"]["epsilon"] == pytest.approx(1)


def test_a_setting_of_the_mechanism_is_given_by_name(folder, run):
    line = f"{FIT} --mechanism mst --set oneway_share=0.5 --set total_share=0.02 -o m.dpsynth --json"
    found = json.loads(run(line)[1])["mechanism"]
    assert found == {"name": "mst", "settings": {"total_share": 0.02, "oneway_share": 0.5, "select_share": 0.05}}
    plan = "plan -s schema.yaml --epsilon 1 --delta 1e-6 --rows 400 --mechanism mst --json"
    by_option = run(f"{plan} --set oneway_share=0.5")
    (folder / "job.yaml").write_text("settings: {oneway_share: 0.5}\n")
    by_file = run(plan.replace("plan ", "plan job.yaml "))
    assert by_option[0] == by_file[0] == 0
    assert by_option[1] == by_file[1] != run(plan)[1]
    (folder / "job.yaml").write_text("settings: 5\n")
    for mistake, word in (
        (f"{plan} --set share=0.5", "has the settings"),
        (f"{plan} --set share", "share=0.5, got 'share'"),
        (f"{plan} --set oneway_share=much", "cannot be made with the settings"),
        (f"{plan} --set epsilon=2", "use the options of those names"),
        (plan.replace("plan ", "plan job.yaml "), "NAME: VALUE pairs"),
    ):
        code, _, err = run(mistake)
        assert (code, word in " ".join(err.split())) == (2, True), mistake


def test_a_file_that_is_no_ledger_is_left_alone(folder, run):
    (folder / "one-line.csv").write_text("no line end")
    for name in ("one-line.csv", "rows.csv", "rows.parquet"):
        code, _, err = run(f"ledger show {name}")
        assert code == 2
        assert "truncate" not in err


def test_results_come_as_json_when_asked(folder, run):
    record = json.loads(run(f"{FIT} -o m.dpsynth --json")[1])
    assert record["budget"] == {"epsilon": 1.0, "delta": 1e-06, "programs_epsilon": 0.0, "programs_delta": 0.0}
    checks = json.loads(run("schema check schema.yaml rows.csv --json")[1])
    assert checks["PRIVATE"] is True
    assert [c["name"] for c in checks["columns"]] == ["age", "sex"]


def test_schema_check_counts_what_a_fit_would_clip_or_map(folder, run):
    pd.DataFrame({"age": ["7", "500", "x", None], "sex": ["f", "f", "other", None]}).to_csv("odd.csv", index=False)
    checks = json.loads(run("schema check schema.yaml odd.csv --json")[1])["columns"]
    assert checks == [
        {"name": "age", "missing": 0, "undeclared": 2, "clipped": 1, "reason": UNKNOWN, "never": [],
         "becomes": "drawn anew", "refused": None},
        {"name": "sex", "missing": 1, "undeclared": 1, "clipped": 0, "reason": UNKNOWN, "never": ["m"],
         "becomes": "missing", "refused": None},
    ]  # fmt: skip
    code, out, _ = run("schema check schema.yaml odd.csv")
    assert code == 1
    assert "PRIVATE" in out
    assert "Of 4 rows; a dot means none." in out
    assert "No column has more than a fifth" not in out
    code, out, _ = run("schema check schema.yaml rows.csv")
    assert code == 0
    assert "No column has more than a fifth of its values undeclared." in out


def test_over_budget_is_exit_code_4_and_leaves_no_model(folder, run):
    assert run(f"{FIT} --ledger a.ledger -o one.dpsynth")[0] == 0
    code, out, err = run(f"{FIT} --ledger a.ledger -o two.dpsynth")
    assert (code, out) == (4, "")
    assert "nothing was spent" in err
    assert not (folder / "two.dpsynth").exists()


def test_a_changed_ledger_is_exit_code_1(folder, run):
    run(f"{FIT} --ledger a.ledger -o one.dpsynth")
    whole = (folder / "a.ledger").read_bytes()
    (folder / "a.ledger").write_bytes(whole.replace(b"measure age", b"measure abc", 1))
    code, _, err = run("ledger verify a.ledger")
    assert code == 1
    assert "changed" in err


MISTAKES = {
    "no such data": FIT.replace("rows.csv", "gone.csv") + " -o m.dpsynth",
    "no such schema": FIT.replace("schema.yaml", "gone.yaml") + " -o m.dpsynth",
    "a directory as data": FIT.replace("rows.csv", ".") + " -o m.dpsynth",
    "delta 0": FIT.replace("1e-6", "0") + " -o m.dpsynth",
    "epsilon NaN": FIT.replace("--epsilon 1", "--epsilon nan") + " -o m.dpsynth",
    "epsilon is a word": FIT.replace("--epsilon 1", "--epsilon lots") + " -o m.dpsynth",
    "unknown mechanism": FIT + " --mechanism magic -o m.dpsynth",
    "no folder for the model": FIT + " -o nowhere/m.dpsynth",
    "the model exists": FIT + " -o rows.csv",
    "a schema as model": "sample schema.yaml -o out.csv",
    "no such model": "sample gone.dpsynth -o out.csv",
    "no such ledger": "ledger show gone.ledger",
    "a table as ledger": "ledger show rows.csv",
    "unknown command": "frobnicate",
}


@pytest.mark.parametrize("line", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_a_sentence_on_stderr_and_exit_code_2(folder, run, line):
    code, out, err = run(line)
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert err.strip()
    assert not (folder / "m.dpsynth").exists()


@pytest.mark.parametrize("n", ["-5", "2.5", "many"])
def test_a_bad_number_of_rows_writes_nothing(folder, run, n):
    run(f"{FIT} -o m.dpsynth")
    assert run(f"sample m.dpsynth -n {n} -o out.csv")[0] == 2
    assert not (folder / "out.csv").exists()


def test_the_demo_writes_a_release_folder(folder, run):
    code, out, _ = run("demo --out release")
    assert code == 0
    assert str(folder / "release") in out
    for name in ("synthetic.csv", "certificate.html", "certificate.json", "model.dpsynth", "internal/quality.html"):
        assert (folder / "release" / name).stat().st_size > 0
    assert run("demo --out release")[0] == 2


def helps(command: Any) -> Iterator[str]:
    """The help texts of a command, of its options, and of the commands below it."""
    yield command.help or ""
    for parameter in command.params:
        yield getattr(parameter, "help", None) or ""
    for below in getattr(command, "commands", {}).values():
        yield from helps(below)


def test_no_help_text_has_square_brackets_which_a_terminal_takes_for_markup_and_leaves_out():
    found = list(helps(typer.main.get_command(cli.app)))
    assert len(found) > 50
    assert [text for text in found if "[" in text] == []
