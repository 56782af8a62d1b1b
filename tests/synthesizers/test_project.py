"""The project file: which one is read, what it may say, and that a fit takes its ledger from it as if it were given."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import dpsynth
from dpsynth.base.project import KEYS, find_project, place_of
from dpsynth.synthesizers import base
from dpsynth.synthesizers.base import NoLedger
from tests.synthesizers.test_base import DOORS

SCHEMA = dpsynth.Schema({"sex": dpsynth.Categorical(["f", "m"])})


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project in a folder of the home folder, with a folder inside, which is the working folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "study"
    (folder / "notebooks").mkdir(parents=True)
    monkeypatch.chdir(folder / "notebooks")
    (folder / "dpsynth.toml").write_text(
        'ledger = "claims.ledger"\nschema = "schema.yaml"\npolicy = "/etc/policy.yaml"\n'
    )
    SCHEMA.save(folder / "schema.yaml")
    pd.DataFrame({"sex": ["f", "m"] * 200}).to_csv(folder / "rows.csv", index=False)
    return folder


# Which file is read, and what it may say.


def test_paths_are_relative_to_the_file_and_not_to_the_working_folder(project):
    assert find_project().file == project / "dpsynth.toml"
    assert place_of("ledger") == project / "claims.ledger"
    assert place_of("policy") == Path("/etc/policy.yaml")


def test_the_nearest_file_is_read_and_alone(project):
    (project / "notebooks" / "dpsynth.toml").write_text('schema = "other.yaml"')
    assert (place_of("schema"), place_of("ledger")) == (project / "notebooks" / "other.yaml", None)


def test_the_home_folder_is_the_last_that_is_looked_in(project, tmp_path, monkeypatch):
    (project / "dpsynth.toml").rename(tmp_path / "dpsynth.toml")
    assert find_project().file == tmp_path / "dpsynth.toml"
    monkeypatch.setenv("HOME", str(project))
    assert find_project() is None
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    assert find_project().file == tmp_path / "dpsynth.toml"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            'leger = "a"',
            r"has the keys \['leger'\], and may have only ledger, schema, policy, trust: remove the others",
        ),
        ("ledger = 3", 'must name a path as text, as in ledger = "claims.ledger", got 3'),
        ('schema = ""', "must name a path as text"),
        ('[ledger]\npath = "a"', "must name a path as text"),
        ("ledger = a.ledger", "must be a TOML file"),
        ('ledger = "a"\nledger = "b"', "must be a TOML file"),
        ('ledger = "\udcff"', "must be a TOML file"),
    ],
)
@DOORS
def test_a_file_that_is_none_is_refused_in_one_sentence_before_anything_is_spent(make, fit, text, sentence, project):
    (project / "dpsynth.toml").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=sentence) as caught:
        fit(make(ledger=NoLedger.UNSTATED))
    assert str(caught.value).startswith(str(project / "dpsynth.toml"))
    assert fit(make()).certificate.private  # whoever says ledger=None asks no file


def test_a_file_that_cannot_be_read_is_refused_and_not_passed_over(project):
    for make in (lambda path: path.mkdir(), lambda path: path.symlink_to("nowhere")):
        file = project / "notebooks" / "dpsynth.toml"
        make(file)
        with pytest.raises(ValueError, match=r"dpsynth\.toml cannot be read .*: correct it, or remove it"):
            find_project()
        file.rmdir() if file.is_dir() else file.unlink()


# A fit's ledger.


@DOORS
def test_a_fit_without_a_named_ledger_is_paid_from_that_of_the_project(make, fit, project, monkeypatch, tmp_path):
    monkeypatch.setattr(base, "_warned", False)
    fitted = fit(make(ledger=NoLedger.UNSTATED))
    assert not base._warned
    ledger = dpsynth.Ledger.open(project / "claims.ledger")
    named = fit(make(ledger=tmp_path / "l")).certificate.record["ledger"]
    said = fitted.certificate.record["ledger"]
    assert (said["head"], said["kept"]) == (ledger.head, named["kept"])
    assert said["budget"] == named["budget"]
    assert len(ledger.runs()) == 1
    monkeypatch.chdir(project)
    with pytest.raises(dpsynth.BudgetExceededError):
        fit(make(ledger=NoLedger.UNSTATED))
    assert fitted.ledger is NoLedger.UNSTATED


@DOORS
def test_what_is_stated_wins_over_the_project(make, fit, project, tmp_path):
    assert fit(make(ledger=None)).certificate.record["ledger"]["kept"] == "in memory"
    fit(make(ledger=tmp_path / "l"))
    assert not (project / "claims.ledger").exists()


@DOORS
def test_a_project_that_names_no_ledger_leaves_the_warning(make, fit, project, monkeypatch):
    monkeypatch.setattr(base, "_warned", False)
    (project / "dpsynth.toml").write_text("")
    with pytest.raises(dpsynth.NoLedgerWarning):
        fit(make(ledger=NoLedger.UNSTATED))


@DOORS
def test_a_loaded_model_is_not_fitted_again_on_the_word_of_a_project(make, fit, project, tmp_path):
    fitted = fit(make())
    fitted.save(tmp_path / "m")
    with pytest.raises(ValueError, match=r"name the ledger by set_params\(ledger=\.\.\.\)"):
        fit(type(fitted).load(tmp_path / "m"))
    assert not (project / "claims.ledger").exists()


# The command line.


def test_commands_take_what_is_not_given_from_the_project_and_say_so_in_one_line(project, run):
    told = f"from {project / 'dpsynth.toml'}:"
    both = f"{told} schema {project / 'schema.yaml'}, ledger {project / 'claims.ledger'}\n"
    code, _, err = run("ledger create ../claims.ledger --epsilon 3 --delta 1e-6")
    assert (code, err) == (0, f"{told} schema {project / 'schema.yaml'}\n")
    code, _, err = run("fit ../rows.csv --epsilon 1 --delta 1e-6 -o m.dpsynth --mechanism independent")
    assert (code, both in err, err.count(told)) == (0, True, 1)
    code, out, err = run("ledger show --json")
    assert (code, len(json.loads(out)["runs"])) == (0, 1)
    assert run("ledger verify")[0] == run("plan --epsilon 1 --delta 1e-6 --rows 400")[0] == 0
    run("sample m.dpsynth -n 100 -o out.csv")
    code, _, err = run("evaluate out.csv ../rows.csv")
    assert (code, err) == (0, f"{told} schema {project / 'schema.yaml'}\n")
    code, _, err = run("audit out.csv --train ../rows.csv --policy gone.yaml")
    assert (code, "gone.yaml" in err, "/etc/policy.yaml" in err, told in err) == (2, True, False, True)
    assert (run("audit out.csv --train ../rows.csv")[2].count("/etc/policy.yaml")) == 2  # named, and not there


def test_options_win_over_the_project(project, run):
    stated = "--schema ../schema.yaml --ledger other.ledger"
    code, _, err = run(f"fit ../rows.csv --epsilon 1 --delta 1e-6 -o m.dpsynth --mechanism independent {stated}")
    assert (code, "dpsynth.toml" in err) == (0, False)
    assert (project / "notebooks" / "other.ledger").exists()
    assert not (project / "claims.ledger").exists()


def test_without_a_project_what_is_needed_is_named(project, run):
    (project / "dpsynth.toml").unlink()
    code, _, err = run("fit ../rows.csv --epsilon 1 --delta 1e-6 -o m.dpsynth")
    assert (code, "name one with --schema, or in dpsynth.toml" in " ".join(err.split())) == (2, True)
    code, _, err = run("ledger show")
    assert (code, "give its path, or name one in dpsynth.toml" in " ".join(err.split())) == (2, True)


def test_the_page_on_ledgers_names_every_key():
    page = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text()
    assert all(f"`{key}`" in page for key in KEYS)
