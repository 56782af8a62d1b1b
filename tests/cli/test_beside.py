"""`sample` with shares, scenarios and support, and tables beside real ones, from a shell."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.base.real_records import STAMP

SCHEMA = dpsynth.Schema(
    {"age": dpsynth.Numeric(0, 1000, integer=True), "sex": dpsynth.Categorical(["f", "m"]), "fraud": dpsynth.Boolean()}
)
NIGHT = """\
name: night
impossible: skip
grid:
  sex: [f, m]
  age: ["age < 60", "age > 950"]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beside")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"age": rng.integers(0, 60, 500), "sex": rng.choice(["f", "m"], 500), "fraud": rng.random(500) < 0.1}
    )
    frame.to_csv(folder / "real.csv", index=False)
    frame.mask(rng.random((500, 3)) < 0.2).to_csv(folder / "holes.csv", index=False)
    SCHEMA.save(folder / "schema.yaml")
    (folder / "night.yaml").write_text(NIGHT)
    synth = dpsynth.Synthesizer(SCHEMA, "mst", epsilon=30, delta=1e-6, unsafe_seed=1, ledger=None).fit(frame)
    synth.save(folder / "m.dpsynth")
    return folder


def test_shares_and_support(run, place, tmp_path) -> None:
    out = tmp_path / "rows.csv"
    line = f"sample {place}/m.dpsynth -n 40 --seed 1 --balance fraud=0.5 --balance sex=f:0.75,m:0.25 --support -o {out}"
    assert run(line)[0] == 0
    rows = pd.read_csv(out)
    assert rows["fraud"].sum() == 20
    assert (rows["sex"] == "f").sum() == 30
    assert list(rows) == ["age", "sex", "fraud", "support", "extrapolated"]
    listed = json.loads((tmp_path / "manifest.json").read_text())["files"][-1]
    assert listed["balance"] == {"fraud": 0.5, "sex": {"f": 0.75, "m": 0.25}}


@pytest.mark.parametrize("text", ["fraud", "fraud=half", "sex=f:0.5,0.5", "sex=f:0.5,f:0.5", "=0.5"])
def test_shares_that_cannot_be_read_are_bad_usage(run, place, tmp_path, text) -> None:
    code, out, err = run(f"sample {place}/m.dpsynth -n 4 --balance {text} -o {tmp_path}/rows.csv")
    assert (code, out) == (2, "")
    assert "--balance must be written like fraud=0.5" in err
    assert not (tmp_path / "rows.csv").exists()


def test_a_scenario_says_what_it_covers(run, place, tmp_path) -> None:
    line = f"sample {place}/m.dpsynth -n 40 --seed 1 --scenario {place}/night.yaml"
    code, text, _ = run(f"{line} -o {tmp_path}/a.csv")
    assert code == 0
    assert "asked" in text
    assert "sex = f, age < 60" in text
    code, text, _ = run(f"{line} --json -o {tmp_path}/b.csv")
    said = json.loads(text)
    assert [part["given"] for part in said["coverage"]] == [10, 0, 10, 0]
    assert said["coverage"][1] == {
        "part": "sex = f, age > 950", "asked": 10, "given": 0, "support": None, "extrapolated": 0
    }  # fmt: skip
    assert said["rows"] == 20
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    code, _, err = run(f"{line} --where age>3 -o {tmp_path}/c.csv")
    assert code == 2
    assert "write the condition into the scenario" in err


def test_a_mixed_table_has_all_real_rows_and_is_taken_by_nothing(run, place, tmp_path) -> None:
    assert run(f"sample {place}/m.dpsynth -n 600 --seed 1 --support -o {tmp_path}/drawn.csv")[0] == 0
    mixed = tmp_path / "training" / "mixed.csv"
    mixed.parent.mkdir()
    line = f"mix {place}/real.csv {tmp_path}/drawn.csv -s {place}/schema.yaml --share 0.5 --seed 1"
    code, text, _ = run(f"{line} -o {mixed}")
    assert code == 0
    assert "contains real records" in text
    rows = pd.read_csv(mixed)
    assert len(rows) == 1000
    assert list(rows) == [*SCHEMA.columns, STAMP]
    code, _, err = run(f"{line} -o {tmp_path}/again.csv")
    assert code == 2
    assert "holds files of a release" in err
    for command in (
        f"fit {mixed} -s {place}/schema.yaml --epsilon 1 --delta 1e-6 -o {tmp_path}/x.dpsynth",
        f"release {mixed} -s {place}/schema.yaml --epsilon 1 -o {tmp_path}/release",
        f"evaluate {mixed} {place}/real.csv -s {place}/schema.yaml -o {tmp_path}/quality",
        f"audit {mixed} --train {place}/real.csv --holdout {place}/real.csv -s {place}/schema.yaml -o {tmp_path}/audit",
        f"mix {mixed} {tmp_path}/drawn.csv -s {place}/schema.yaml --share 0.1 -o {mixed.parent}/b.csv",
    ):
        code, _, err = run(command)
        assert code == 2, command
        assert f"stamped as one that contains real records ({STAMP})" in err
    assert not (tmp_path / "release").exists()


def test_missing_values_are_filled_in_from_a_model(run, place, tmp_path) -> None:
    assert run(f"impute {place}/m.dpsynth {place}/holes.csv --seed 1 -o {tmp_path}/filled.csv")[0] == 0
    filled, holes = pd.read_csv(tmp_path / "filled.csv"), pd.read_csv(place / "holes.csv")
    assert filled.notna().all().all()
    assert filled[STAMP].all()
    for name in holes:
        known = holes[name].notna()
        assert (
            filled[name][known].astype(str).str.removesuffix(".0")
            == holes[name][known].astype(str).str.removesuffix(".0")
        ).all()
    assert run(f"impute {place}/m.dpsynth {place}/holes.csv --column age -o {tmp_path}/some.csv")[0] == 0
    some = pd.read_csv(tmp_path / "some.csv")
    assert some["age"].notna().all()
    assert some["sex"].isna().sum() == holes["sex"].isna().sum()
    code, _, err = run(f"impute {place}/m.dpsynth {tmp_path}/filled.csv -o {tmp_path}/twice.csv")
    assert code == 2
    assert STAMP in err
