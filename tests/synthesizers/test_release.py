"""A release folder: whatever is changed, lost, added or exchanged in it is found."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dpsynth
from dpsynth.base.archive import read_archive, write_archive
from dpsynth.base.real_records import STAMP
from dpsynth.data.tables.mixing import stamped
from dpsynth.evidence import verify
from dpsynth.evidence.bundle import checks
from dpsynth.evidence.bundle.model import content_of
from dpsynth.evidence.manifest import add_lines, line_of, refuse_other_release
from dpsynth.evidence.release import check_release, examine_release
from dpsynth.evidence.verify import Undecided
from dpsynth.synthesizers.drawing import draw_images_to, draw_rows_to, drawn_again
from dpsynth.synthesizers.release import keep_fit, make_release
from tests.evidence.test_verify import strangers
from tests.structure.source import PACKAGE

SCHEMA = dpsynth.Schema({"age": dpsynth.Numeric(0, 120, integer=True), "sex": dpsynth.Categorical(["f", "m"])})


def rows(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"age": rng.integers(20, 90, 300), "sex": rng.choice(["f", "m"], 300)})


def fitted(oldest: int = 120) -> dpsynth.Synthesizer:
    schema = dpsynth.Schema({**SCHEMA.columns, "age": dpsynth.Numeric(0, oldest, integer=True)})
    return dpsynth.Synthesizer(schema, "independent", epsilon=1.0, delta=1e-6, ledger=None)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Two releases, each with a second sample."""
    folder = tmp_path_factory.mktemp("made")
    for name, oldest in (("one", 120), ("other", 110)):
        synth = fitted(oldest)
        make_release(synth, rows(oldest), folder / name, n=50)
        draw_rows_to(folder / name / "old.parquet", synth, 20, where="age >= 65")
    return folder


@pytest.fixture
def one(made, tmp_path) -> Path:
    return Path(shutil.copytree(made / "one", tmp_path / "one"))


@pytest.fixture
def other(made) -> Path:
    return made / "other"


FILES = (
    "certificate.json",
    "certificate.html",
    "model.dpsynth",
    "schema.yaml",
    "synthetic.csv",
    "old.parquet",
    "manifest.json",
)


def found(folder: Path, head: str | None = None) -> set[str]:
    """The names of the checks that do not pass."""
    try:
        outcomes = examine_release(folder, head)
    except ValueError:
        return {"unreadable"}
    return {each.check for each in outcomes if each.fault or each.undecided}


def head_of(folder: Path) -> str:
    return json.loads((folder / "manifest.json").read_text())["files"][-1]["hash"]


def relisted(folder: Path, **changes: dict[str, object]) -> None:
    """The manifest written anew as somebody would who knows its format; changes: to lines, by the file's stem."""
    lines = json.loads((folder / "manifest.json").read_text())["files"]
    (folder / "manifest.json").unlink()
    for line in lines:
        path = folder / line["name"]
        facts = {n: v for n, v in line.items() if n not in ("name", "kind", "sha256", "prev", "hash")}
        if path.exists():
            add_lines(folder, line_of(path, line["kind"], **{**facts, **changes.get(path.stem, {})}))


def test_a_release_holds_and_has_the_files_that_are_tried_here(one):
    assert check_release(one) == []
    assert {path.name for path in one.iterdir()} == set(FILES)
    assert found(one, head_of(one)) == set()
    assert pd.read_csv(one / "synthetic.csv").shape == (50, 2)
    assert all(outcome.fault is outcome.undecided is None for outcome in drawn_again(one))


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_found_wherever_it_is(name, one):
    whole = (one / name).read_bytes()
    rng = np.random.default_rng(FILES.index(name))
    for place in [0, len(whole) - 1, *rng.integers(0, len(whole), 12).tolist()]:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        (one / name).write_bytes(bytes(changed))
        assert found(one), (name, place)
    (one / name).write_bytes(whole)
    assert found(one) == set()


def test_a_flipped_bit_in_any_third_byte_of_the_manifest_is_found(one):
    whole = (one / "manifest.json").read_bytes()
    for place in range(len(whole) % 3, len(whole), 3):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        (one / "manifest.json").write_bytes(bytes(changed))
        with pytest.raises(ValueError, match=r"manifest\.json"):
            checks.read_manifest(one)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_found(name, one):
    (one / name).unlink()
    wanted = {"certificate.json": "unreadable", "manifest.json": "manifest"}.get(name, "files")
    assert wanted in found(one)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_release_is_found(name, one, other):
    shutil.copy(other / name, one / name)
    assert found(one) & {"files"}


@pytest.mark.parametrize("kept", FILES)
def test_a_release_of_which_all_but_one_file_is_exchanged_is_found(kept, one, other):
    for name in set(FILES) - {kept}:
        shutil.copy(other / name, one / name)
    assert found(one) & {"files"}


@pytest.mark.parametrize("name", ["more.csv", ".hidden", "folder/rows.csv", "manifest.json.bak"])
def test_a_file_that_nobody_listed_is_named_and_the_release_left_open(name, one):
    (one / name).parent.mkdir(exist_ok=True)
    (one / name).write_text("age,sex\n1,f\n")
    assert found(one) == {"unlisted"}
    with pytest.raises(Undecided, match=Path(name).parts[0]):
        check_release(one)


def test_what_is_internal_is_no_part_of_a_release(one):
    (one / "internal").mkdir()
    (one / "internal" / "quality.html").write_text("exact figures")
    assert found(one) == set()


# Somebody who edits the manifest too, with hashes that fit.


def test_an_edited_line_is_found_unless_the_chain_after_it_is_made_anew(one):
    text = (one / "manifest.json").read_text()
    (one / "manifest.json").write_text(text.replace('"rows": 50', '"rows": 51'))
    assert "manifest" in found(one)


@pytest.mark.parametrize("name", ["model.dpsynth", "certificate.json", "synthetic.csv"])
def test_a_relisted_file_of_another_release_is_found_by_what_the_certificate_says(name, one, other):
    shutil.copy(other / name, one / name)
    of = dpsynth.Certificate.load(other).model
    relisted(one)
    assert ("model" in found(one)) == (name != "synthetic.csv")
    relisted(one, **{Path(name).stem: {"model": of}})
    assert found(one) & {"model", "certificate", "drawn"}


def test_changed_rows_that_are_relisted_are_found_by_a_noted_head_and_by_drawing_again(one):
    noted = head_of(one)
    path = one / "synthetic.csv"
    path.write_text(path.read_text().replace("f", "m"))
    relisted(one)
    assert found(one) == set()
    assert found(one, noted) == {"manifest"}
    faults = [outcome.fault for outcome in drawn_again(one)]
    assert ["synthetic.csv" in str(fault) for fault in faults] == [True, False]


def test_a_seed_or_condition_that_is_stated_wrongly_is_found_by_drawing_again(one):
    """Under the false condition 50 ages more may be drawn, so that 20 rows are never the same."""
    relisted(one, old={"where": "age >= 15"}, synthetic={"seed": 5})
    assert found(one) == set()
    assert all(outcome.fault for outcome in drawn_again(one))


def test_lines_that_were_cut_off_with_their_file_are_found_by_a_noted_head(one):
    noted = head_of(one)
    (one / "old.parquet").unlink()
    relisted(one)
    assert found(one) == set()
    assert found(one, noted) == {"manifest"}


def test_a_head_stays_checkable_when_lines_are_added(one):
    noted = head_of(one)
    draw_rows_to(one / "new.csv", dpsynth.Synthesizer.load(one / "model.dpsynth"), 5)
    assert noted != head_of(one)
    assert found(one, noted) == found(one, noted[:16]) == set()


def test_rows_of_other_versions_are_left_open(one):
    path = one / "synthetic.csv"
    path.write_text(path.read_text().replace("f", "m"))
    relisted(one, synthetic={"versions": {"numpy": "1.0"}})
    again = drawn_again(one)[0]
    assert again.fault is None
    assert "numpy 1.0" in str(again.undecided)


def test_rows_without_their_model_are_left_open(one):
    (one / "model.dpsynth").unlink()
    relisted(one)
    assert found(one) == set()
    assert all("not in the folder" in str(outcome.undecided) for outcome in drawn_again(one))


@pytest.mark.parametrize("kind", ["page", "note", "schema"])
def test_rows_that_are_listed_as_something_else_are_found(kind, one):
    lines = checks.read_manifest(one)
    (one / "manifest.json").unlink()
    for line in lines:
        facts = {"model": line["model"]} if line["kind"] in ("certificate", "model") else {}
        told = kind if line["kind"] == "rows" else line["kind"]
        add_lines(one, line_of(one / line["name"], told, **facts))
    assert found(one) == {"named"}
    assert drawn_again(one) == []


def as_kind(folder: Path, name: str, kind: str) -> None:
    """The manifest written anew, with this file as something else."""
    lines = checks.read_manifest(folder)
    (folder / "manifest.json").unlink()
    for line in lines:
        facts = {n: v for n, v in line.items() if n not in ("name", "kind", "sha256", "prev", "hash")}
        add_lines(folder, line_of(folder / line["name"], kind if line["name"] == name else line["kind"], **facts))


@pytest.mark.parametrize("kind", ["sheet", "images", "model", "note"])
def test_rows_do_not_escape_being_drawn_again_as_another_kind(kind, one):
    (one / "synthetic.csv").write_text("age,sex\n1,f\n")
    as_kind(one, "synthetic.csv", kind)
    assert found(one) == {"model" if kind == "model" else "named"}


def test_a_model_does_not_escape_its_check_as_another_kind(one, other):
    shutil.copy(other / "model.dpsynth", one)
    as_kind(one, "model.dpsynth", "page")
    assert found(one) == {"named"}


def test_a_text_that_is_listed_as_a_page_is_found(one):
    (one / "real.txt").write_text("rows of somebody")
    add_lines(one, line_of(one / "real.txt", "page"))
    assert found(one) == {"named"}


def test_a_file_that_is_called_internal_is_no_folder_of_that_name(one):
    (one / "internal").write_text("rows of somebody")
    assert found(one) == {"unlisted"}


def test_a_file_that_a_later_line_replaces_is_found_by_a_noted_head(one):
    noted = head_of(one)
    lines = {line["name"]: line for line in checks.read_manifest(one)}
    path = one / "synthetic.csv"
    path.write_text("age,sex\n1,f\n")
    facts = {n: v for n, v in lines[path.name].items() if n not in ("name", "kind", "sha256", "prev", "hash")}
    add_lines(one, line_of(path, "rows", **facts))
    assert found(one) == set()
    assert found(one, noted) == {"manifest"}


def test_a_model_file_that_holds_more_than_a_model_is_found(one):
    with zipfile.ZipFile(one / "model.dpsynth", "a") as file:
        file.writestr("real.csv", "rows of somebody")
    relisted(one)
    assert found(one) == {"model"}


@pytest.mark.parametrize(
    "change", [{"rows": -1}, {"rows": None, "seed": "x"}, {"where": "nobody == 1"}, {"seed": -3}, {"versions": 3}]
)
def test_a_line_that_no_model_can_follow_is_a_fault(change, one):
    relisted(one, synthetic=change)
    assert found(one) == set()
    assert drawn_again(one)[0].fault


def alter(path: Path) -> None:
    path.write_text(path.read_text().replace("f", "m"))


def stamp(path: Path) -> None:
    """As mixing with real rows does it."""
    pd.read_csv(path).assign(contains_real_records=True).to_csv(path, index=False)


ALONE = {
    "manifest": lambda one, other: alter(one / "manifest.json"),
    "certificate": lambda one, other: relisted(one, certificate={"model": "0" * 64}),
    "files": lambda one, other: alter(one / "certificate.html"),
    "named": lambda one, other: as_kind(one, "schema.yaml", "page"),
    "model": lambda one, other: (shutil.copy(other / "model.dpsynth", one), relisted(one)),
    "drawn": lambda one, other: relisted(one, old={"model": dpsynth.Certificate.load(other).model}),
    "real": lambda one, other: (stamp(one / "synthetic.csv"), relisted(one)),
    "charged": lambda one, other: (one / "releasable.json").write_text("{}"),
    "unlisted": lambda one, other: (one / "more.csv").write_text("age,sex\n"),
}
"""For each check a change that no other one sees: without the check it would go unseen."""


@pytest.mark.parametrize("name", ALONE)
def test_only_its_own_check_sees_a_change(name, one, other):
    ALONE[name](one, other)
    if name == "charged":
        add_lines(one, line_of(one / "releasable.json", "releasable"))
    assert found(one) == {name}


def test_a_sheet_with_real_records_is_found_and_a_damaged_one_is_none(one):
    with zipfile.ZipFile(one / "real.xlsx", "w", zipfile.ZIP_DEFLATED) as sheet:
        sheet.writestr("xl/sharedStrings.xml", f"<si><t>age</t></si><si><t>{STAMP}</t></si>" * 50)
    assert found(one) == {"real", "unlisted"}
    whole = bytearray((one / "real.xlsx").read_bytes())
    whole[60:70] = bytes(10)
    (one / "real.xlsx").write_bytes(whole)
    assert found(one) == {"unlisted"}


def by_zstd(raw: bytes) -> bytes:
    return pa.compress(raw, "zstd", asbytes=True)


PACKED = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": by_zstd}
"""By the end of a file's name what packs it."""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["real.csv", "REAL.CSV", *(f"real.csv.{end}" for end in PACKED)])
def test_a_file_with_real_records_is_found_in_every_encoding_packed_or_not(name, encoding, one):
    raw = stamped(rows(1)).to_csv(index=False).encode(encoding)
    (one / name).write_bytes(PACKED.get(name.split(".")[-1], bytes)(raw))
    assert found(one) == {"real", "unlisted"}
    (one / name).rename(one / "packed.csv")  # what a file is called says nothing of how it is packed
    assert found(one) == {"real", "unlisted"}
    (one / "packed.csv").write_bytes((one / "packed.csv").read_bytes()[:20])  # cut off: another check tells
    assert found(one) - {"real"} == {"unlisted"}
    assert ("real" in found(one)) == name.endswith("zst")  # open: nothing says what was in there


@pytest.mark.parametrize("end", PACKED)
def test_packed_rows_of_a_release_hold_and_a_stamp_behind_a_million_bytes_is_found(end, one):
    """In several pieces too, each packed by itself."""
    path = one / "synthetic.csv"
    whole = path.read_bytes()
    path.write_bytes(PACKED[end](whole))
    relisted(one)
    assert found(one) == set()
    body = b"1,f\n" * 1_000_000
    path.write_bytes(PACKED[end](whole + body) + PACKED[end](body + STAMP.encode()))
    relisted(one)
    assert found(one) == {"real"}


def test_what_cannot_be_unpacked_is_not_said_to_be_without_real_records(one):
    """By the checks alone, which have nothing for zstd; and where the file is damaged."""
    path = one / "synthetic.csv"
    path.write_bytes(by_zstd(path.read_bytes()))
    relisted(one)
    assert found(one) == set()
    for folder in (checks.Folder(one, verify.read(one)), checks.Folder(one, verify.read(one), None, no_zstd)):
        assert "'synthetic.csv' cannot be unpacked here" in verify.outcome_of(checks.real, folder).undecided
    path.write_bytes(path.read_bytes()[:-20])
    relisted(one)
    outcomes = {each.check: each for each in examine_release(one)}
    assert "'synthetic.csv' cannot be unpacked here" in outcomes["real"].undecided


def no_zstd(path: Path) -> None:
    """As pyarrow says it where it was built without."""
    raise OSError("Support for codec 'zstd' not built")


@pytest.mark.parametrize("name", ["real.csv", "real.parquet", "metadata.parquet"])
def test_a_file_with_real_records_is_found_whether_or_not_it_is_listed(name, one):
    """The column, or what pandas wrote into a Parquet file's metadata."""
    table = stamped(rows(1))
    table = table.drop(columns=STAMP) if name == "metadata.parquet" else table
    table.to_csv(one / name) if name.endswith("csv") else table.to_parquet(one / name)
    assert found(one) == {"real", "unlisted"}
    assert any(name in fault for fault in check_faults(one))


def check_faults(folder: Path) -> list[str]:
    return [each.fault for each in examine_release(folder) if each.fault]


def test_rows_of_every_kind_of_request_are_drawn_again_from_their_lines(tmp_path):
    one = tmp_path / "one"
    make_release(dpsynth.Synthesizer(SCHEMA, "mst", epsilon=9, delta=1e-6, ledger=None), rows(1), one, n=50)
    synth = dpsynth.Synthesizer.load(one / "model.dpsynth")
    night = dpsynth.Scenario.from_dict(
        {"parts": [{"name": "a", "balance": {"sex": {"f": 0.25}}}, {"name": "b", "tilt": {"age": {"age > 50": 2}}}]}
    )
    asked = {
        "balanced.csv": {"balance": {"sex": {"f": 0.5}, "age": {"age >= 40": 0.6}}},
        "night.parquet": {"scenario": night},
        "support.csv": {"where": "age > 30 or sex == 'm'", "support": True},
    }
    for name, request in asked.items():
        drawn = draw_rows_to(one / name, synth, 40, **request)
        assert drawn.count == 40
    lines = {line["name"]: line for line in json.loads((one / "manifest.json").read_text())["files"]}
    assert lines["balanced.csv"]["balance"] == {"sex": {"f": 0.5}, "age": {"age >= 40": 0.6}}
    assert lines["night.parquet"]["scenario"] == night.to_dict()
    assert lines["support.csv"]["support"] is True
    outcomes = drawn_again(one)
    assert len(outcomes) == 4
    assert all(outcome.fault is outcome.undecided is None for outcome in outcomes)
    for name, change in {
        "balanced": {"balance": {"sex": {"f": 0.4}}},
        "night": {"scenario": {"grid": {"sex": ["f", "m"]}}},
        "support": {"support": False},
    }.items():
        relisted(one, **{name: change})
        faults = [each.check for each in drawn_again(one) if each.fault]
        assert [name in fault for fault in faults] == [True]
        relisted(
            one, **{name: {key: lines[f"{name}.{'parquet' if name == 'night' else 'csv'}"][key] for key in change}}
        )


def test_every_check_has_a_change_that_needs_it():
    assert [check.__name__ for check in checks.CHECKS] == list(ALONE)


@pytest.mark.parametrize("head", ["", "a", "0" * 15, "G" * 16, "0" * 65])
def test_what_is_no_head_is_refused(head, one):
    with pytest.raises(ValueError, match="a head is a hash of 64 digits"):
        examine_release(one, head)
    with pytest.raises(ValueError, match="give the folder"):
        examine_release(one / "certificate.json", "0" * 64)


# Writing.


def test_a_release_takes_no_rows_of_another_model(one, other):
    with pytest.raises(ValueError, match="release of another model"):
        draw_rows_to(one / "more.csv", dpsynth.Synthesizer.load(other / "model.dpsynth"), 5)
    assert not (one / "more.csv").exists()
    with pytest.raises(ValueError, match="release of another model"):
        refuse_other_release(one, None)


def test_a_folder_without_a_certificate_takes_rows_of_several_models(one, other, tmp_path):
    for number, folder in enumerate((one, other)):
        draw_rows_to(tmp_path / f"{number}.csv", dpsynth.Synthesizer.load(folder / "model.dpsynth"), 5)
    assert [line["rows"] for line in checks.read_manifest(tmp_path)] == [5, 5]


def test_a_certificate_may_be_written_again_where_nothing_else_is(tmp_path):
    for seed in (1, 2):
        refuse_other_release(tmp_path / "release", None)
        certificate = fitted().fit(rows(seed)).certificate
        certificate.save(tmp_path / "release")
        before = (tmp_path / "release" / "manifest.json").read_bytes()
        certificate.save(tmp_path / "release")
        assert (tmp_path / "release" / "manifest.json").read_bytes() == before
        assert check_release(tmp_path / "release") == []


def test_commands_that_draw_at_the_same_time_are_all_listed(one):
    synth = dpsynth.Synthesizer.load(one / "model.dpsynth")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: draw_rows_to(one / f"{i}.csv", synth, 5), range(8)))
    assert found(one) == set()


def test_a_command_that_is_done_leaves_the_lock_of_the_next_one_alone(one, monkeypatch):
    new = one / "manifest.json.new"
    replace = os.replace

    def overtaken(source, target):
        replace(source, target)
        new.write_text("held by the next command")

    monkeypatch.setattr("dpsynth.evidence.manifest.os.replace", overtaken)
    add_lines(one, line_of(one / "schema.yaml", "schema", note="again"))
    assert new.read_text() == "held by the next command"


def test_a_lock_is_given_back_where_lines_cannot_be_added(one):
    (one / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match="choose another folder"):
        add_lines(one, line_of(one / "schema.yaml", "schema"))
    assert not (one / "manifest.json.new").exists()


def test_a_lock_that_a_dead_command_left_is_named(one, monkeypatch):
    monkeypatch.setattr("dpsynth.evidence.manifest._PATIENCE", 0.05)
    (one / "manifest.json.new").touch()
    with pytest.raises(OSError, match=r"manifest\.json\.new was left behind .*: remove it"):
        add_lines(one, line_of(one / "schema.yaml", "schema", note="again"))


@pytest.mark.parametrize("text", ["", "{}", '{"name": "an app"}', '{"dpsynth_manifest": 2, "files": []}'])
def test_a_manifest_of_something_else_is_left_alone(text, tmp_path):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match="choose another folder"):
        draw_rows_to(tmp_path / "rows.csv", fitted().fit(rows(1)), 5)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
    assert (tmp_path / "manifest.json").read_text() == text


def test_a_model_beside_its_certificate_is_listed(tmp_path):
    synth = fitted().fit(rows(1))
    keep_fit(synth, tmp_path / "m.dpsynth", tmp_path)
    assert found(tmp_path) == set()


def test_a_fresh_seed_is_recorded_and_gives_the_same_rows(tmp_path):
    synth = fitted().fit(rows(1))
    first = draw_rows_to(tmp_path / "a.csv", synth, 40)
    again = draw_rows_to(tmp_path / "b.csv", synth, 40, seed=first.seed)
    other = draw_rows_to(tmp_path / "c.csv", synth, 40)
    texts = [(tmp_path / f"{name}.csv").read_text() for name in "abc"]
    assert first.seed == again.seed != other.seed
    assert texts[0] == texts[1] != texts[2]


def test_a_file_that_cannot_be_written_whole_is_gone(tmp_path, monkeypatch):
    def full(self, file, **_):
        file.write("age,")
        raise OSError("no space left")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OSError, match="no space left"):
        draw_rows_to(tmp_path / "a.csv", fitted().fit(rows(1)), 40)
    assert list(tmp_path.iterdir()) == []


def test_images_are_listed_and_drawn_again(tmp_path):
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (200, 4, 4), dtype=np.uint8), rng.integers(0, 2, 200)
    synth = dpsynth.ImageSynthesizer(classes=2, shape=(4, 4), epsilon=3.0, delta=1e-5, frequencies=5, ledger=None)
    keep_fit(synth.fit(pixels, labels), tmp_path / "m.dpsynth", tmp_path)
    draw_images_to(tmp_path / "a.npz", synth, 10)
    draw_images_to(tmp_path / "b.npz", synth, 10, label=1)
    assert found(tmp_path) == set()
    assert all(outcome.fault is outcome.undecided is None for outcome in drawn_again(tmp_path))
    shutil.copy(tmp_path / "a.npz", tmp_path / "b.npz")
    relisted(tmp_path)
    assert [bool(outcome.fault) for outcome in drawn_again(tmp_path)] == [False, True]


# The reader of models, which shares no code with what writes them.


def test_the_model_that_is_read_is_the_one_that_the_ledger_names(one):
    digest, inside = content_of(one / "model.dpsynth")
    certificate = dpsynth.Certificate.load(one)
    assert digest == certificate.model == certificate.record["run"]["ended"]["release"]
    assert inside == certificate.record


def test_another_number_in_an_array_is_another_model(one, tmp_path):
    document, arrays = read_archive(one / "model.dpsynth", "model.json")
    for name, array in arrays.items():
        other = array.copy()
        other.flat[-1] += 1
        write_archive(tmp_path / "m.dpsynth", "model.json", document, {**arrays, name: other})
        assert content_of(tmp_path / "m.dpsynth")[0] != content_of(one / "model.dpsynth")[0]
    turned = {name: np.asarray(array, order="F") for name, array in arrays.items()}
    write_archive(tmp_path / "m.dpsynth", "model.json", document, turned)
    assert content_of(tmp_path / "m.dpsynth") == content_of(one / "model.dpsynth")


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04", b"age,sex\n"])
def test_what_is_no_model_is_refused_in_words(raw, tmp_path):
    (tmp_path / "m").write_bytes(raw)
    with pytest.raises(ValueError, match="not a model file"):
        content_of(tmp_path / "m")


ALLOWED = {
    "checks.py": {"dpsynth.evidence.bundle", "dpsynth.evidence.bundle.model"},
    "samples.py": {"dpsynth.evidence.bundle.checks"},
    "signatures.py": {"dpsynth.evidence.bundle", "dpsynth.evidence.bundle.checks"},
}
"""Of the bundle itself, whose files are held to the same."""


@pytest.mark.parametrize("file", [path.name for path in (PACKAGE / "evidence" / "bundle").glob("*.py")])
def test_the_checks_import_the_verifier_and_the_standard_library_only(file):
    allowed = ALLOWED.get(file, set())
    assert strangers((PACKAGE / "evidence" / "bundle" / file).read_text()) == allowed


def test_every_check_says_its_fault_in_one_sentence():
    for check in checks.CHECKS:
        assert check.__doc__.strip().endswith(".")
        assert "\n" not in check.__doc__.strip()
