"""A releasable report is of one model and of rows drawn from it, never of the real rows themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dpsynth import Budget, Categorical, Ledger, Numeric, Schema, Synthesizer, evaluate_releasable
from dpsynth.cli import main
from dpsynth.synthesizers.release import make_release

SCHEMA = Schema({"age": Numeric(0, 9, integer=True), "ward": Categorical(["a", "b"])})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two releases of one table, the table, and an account with room."""
    place = tmp_path_factory.mktemp("reports")
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"age": rng.integers(0, 10, 200), "ward": rng.choice(["a", "b"], 200)})
    rows.to_csv(place / "real.csv", index=False)
    for name in ("one", "other"):
        synth = Synthesizer(SCHEMA, "independent", epsilon=1.0, delta=1e-6, ledger=None)
        make_release(synth, rows, place / name, n=100, seed=1)
    Ledger.create(place / "a.ledger", Budget(5.0, 1e-6), dataset="rows", unit=SCHEMA.unit)
    return place


def spent(place):
    return Ledger.open(place / "a.ledger").spent().epsilon


def test_real_rows_given_as_synthetic_ones_are_refused_and_nothing_is_spent(place, monkeypatch):
    model, real = place / "one" / "model.dpsynth", pd.read_csv(place / "real.csv")
    facts = {"ledger": place / "a.ledger", "epsilon": 0.5}
    monkeypatch.chdir(place / "one")
    for rows, of in ((real, real), (place / "real.csv", place / "real.csv"), ("../real.csv", place / "real.csv")):
        with pytest.raises(ValueError, match="the synthetic rows are the real ones"):
            evaluate_releasable(model, of, rows=rows, **facts)
    assert spent(place) == 0


def test_a_report_is_not_written_into_the_release_of_another_model(place, monkeypatch, capsys):
    call = ["dpsynth", "quality", str(place / "one" / "model.dpsynth"), str(place / "real.csv"), "--epsilon", "0.5"]
    monkeypatch.setattr("sys.argv", [*call, "--ledger", str(place / "a.ledger"), "-o", str(place / "other")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "is the release of another model" in capsys.readouterr().err
    assert spent(place) == 0
    synth = Synthesizer.load(place / "one" / "model.dpsynth")
    report = evaluate_releasable(synth, place / "real.csv", ledger=None, epsilon=0.5)
    with pytest.raises(ValueError, match="is the release of another model"):
        report.save(place / "other")
    assert not (place / "other" / "releasable.json").exists()


def test_synthetic_rows_that_cannot_be_read_are_refused_without_a_value_and_nothing_is_spent(place):
    (place / "ragged.csv").write_text("age,ward\n7,a\n31415\n")
    with pytest.raises(ValueError, match="look for lines with more or fewer fields") as caught:
        evaluate_releasable(
            place / "one" / "model.dpsynth", place / "real.csv", rows=place / "ragged.csv", ledger=place / "a.ledger"
        )
    assert "31415" not in str(caught.value)
    assert caught.value.__context__ is None
    assert spent(place) == 0
