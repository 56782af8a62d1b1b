"""What finding categories costs an account: its delta, its threshold in people, and many fits of one account."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest

import dpsynth
from dpsynth import BudgetExceededError, Categorical, OpenCategorical, PrivacyUnit, Schema
from dpsynth.accounting.ledger_policy import Policy
from dpsynth.discovery.discovery import Discovery
from dpsynth.evidence import verify
from dpsynth.kernel import gaussian_dp
from dpsynth.kernel.budget import Budget, affordable, fits, kept_for_programs
from dpsynth.kernel.cost import NOTHING
from dpsynth.kernel.events import Gaussian
from dpsynth.mechanisms import discovered
from dpsynth.mechanisms.discovered import DELTA_SHARE, FITS, search
from tests.synthesizers.test_open_categories import SCHEMA, UNIT, fitted, patients

pytestmark = pytest.mark.filterwarnings("ignore:about .* became OTHER")

ONE_ROW = PrivacyUnit("who", 1)


def schema_of(columns: int, levels=()) -> Schema:
    opened = {f"c{i}": OpenCategorical(levels=levels) for i in range(columns)}
    return Schema({"one": Categorical(["a"]), **opened}, unit=ONE_ROW)


def people(epsilon: float, account: Budget | None = None, columns: int = 1) -> int:
    """How many have a category that half of all fits find."""
    return search(schema_of(columns), Budget(epsilon, 1e-6), account).events[0].threshold(ONE_ROW)


BUDGETS = [*itertools.product((0.01, 1.0, 40.0), (1e-4, 1e-6, 1e-13))]
ACCOUNTS = (None, "itself", 0.0, 0.1, 0.5, 1e-5)
"""Of a fit: an account of its own, one opened with its very budget, or one that keeps such a part of its delta."""


def account_of(kind, epsilon: float, delta: float) -> Budget | None:
    if kind == "itself":
        return Budget(epsilon, delta, programs_delta=delta * DELTA_SHARE)
    return None if kind is None else Budget(min(100.0, 2 * epsilon), delta, programs_delta=delta * kind)


@pytest.mark.parametrize("kind", ACCOUNTS)
def test_what_is_reserved_fits_the_budget_and_the_account_whatever_these_are(kind):
    """As the filter has it, part by part, for the fit and for its account; and hardly anything is left over."""
    for (epsilon, delta), columns in itertools.product(BUDGETS, (1, 7)):
        account = account_of(kind, epsilon, delta)
        paid = search(schema_of(columns, [1, 3]), Budget(epsilon, delta), account)
        cost = sum((event.cost for event in paid.reserved(None)), start=NOTHING)
        assert len(paid.events) == 3 * columns
        assert paid.budget.claim == {"epsilon": epsilon, "delta": delta}
        assert fits(cost, paid.budget)
        assert account is None or fits(cost, account)
        assert cost.gaussian > affordable(paid.budget) * (1 - 1e-9)
        rest = [Gaussian.spending(affordable(paid.rest)), *paid.events]
        beside = sum((event.cost for event in rest), start=NOTHING)
        assert fits(beside, paid.budget)
        assert affordable(paid.rest) > 0.79 * affordable(paid.budget)


@pytest.mark.parametrize("keeps", [0.0, 0.1, 0.5])
def test_as_many_fits_as_are_said_share_an_account_and_one_more_has_no_room(keeps):
    account = Budget(50.0, 1e-6, programs_delta=1e-6 * keeps)
    event = search(schema_of(3), Budget(0.5, 1e-6), account).events[0]
    delta = 3 * event.cost.delta
    assert FITS * delta <= kept_for_programs(account).delta < (FITS + 1) * delta


def test_the_delta_of_a_fit_is_within_the_tenth_that_it_keeps():
    for columns in (1, 2, 20):
        alone = search(schema_of(columns), Budget(1.0, 1e-6), None)
        assert alone.budget.programs_delta == 1e-7
        together = math.fsum(event.delta for event in alone.events)
        assert 1e-7 * (1 - 1e-9) < together <= 1e-7
        shared = search(schema_of(columns), Budget(1.0, 1e-6), Budget(3.0, 1e-6, programs_delta=1e-7))
        assert math.fsum(event.delta for event in shared.events) == pytest.approx(1e-7 / FITS, rel=1e-6)


def test_a_tenth_of_delta_asks_for_a_third_fewer_people_than_the_least_delta_does():
    """The figures of docs/schema.md and of docs/decisions/accounting.md."""
    assert [people(epsilon) for epsilon in (0.1, 1.0, 3.0, 10.0)] == [603, 72, 27, 11]
    kept = [people(epsilon, Budget(3 * epsilon, 1e-6, programs_delta=1e-7)) for epsilon in (0.1, 1.0)]
    assert kept == [660, 78]
    assert [people(epsilon, Budget(epsilon, 1e-6)) for epsilon in (0.1, 1.0)] == [934, 110]


def test_a_tenth_is_where_a_lower_threshold_stops_paying_for_more_noise():
    """The sum of what a share costs in noise on everything else, tenfold, and in people: least near a tenth."""
    delta, costs = 1e-6, {}
    whole = gaussian_dp.gaussian_budget(1.0, delta)
    for share in (1e-3, 1e-2, 0.05, 0.1, 0.2, 0.5):
        budget = Budget(1.0, delta, programs_delta=share * delta)
        noise = math.sqrt(Fraction(whole, affordable(budget))) - 1
        event = Discovery(20.0, share * delta)
        costs[share] = 10 * noise + math.log(event.threshold(ONE_ROW))
    assert min(costs, key=costs.__getitem__) in (0.05, 0.1)


def test_a_new_account_and_one_for_many_fits_have_the_threshold_that_their_plan_says(tmp_path):
    account = Budget(9.0, 1e-6, programs_delta=1e-7)
    shared = dpsynth.Ledger.create(tmp_path / "shared", account, dataset="d", unit=UNIT)
    old = dpsynth.Ledger.create(tmp_path / "old", Budget(9.0, 1e-6), dataset="d", unit=UNIT)
    thresholds = []
    for ledger in (tmp_path / "new", shared, old):
        made = dpsynth.Synthesizer(SCHEMA, "independent", epsilon=2.0, delta=1e-6, ledger=ledger)
        said = made.plan(1_000).summary()
        line = made.fit(patients(400)).certificate.record["charges"][0]["line"]["event"]
        threshold = Discovery(line["noise_multiplier"], line["delta"]).threshold(UNIT)
        assert f"fewer than about {threshold:,} people" in said
        made.certificate.verify()
        made.certificate.save(tmp_path / f"{len(thresholds)}")
        assert verify.check(tmp_path / f"{len(thresholds)}") == []
        thresholds.append(threshold)
    assert thresholds == sorted(thresholds)
    assert len({*thresholds}) == 3


def test_a_purpose_keeps_deltas_only_where_its_cap_says_so(tmp_path):
    account = Budget(9.0, 1e-6, programs_delta=1e-7)
    for cap in (Budget(3.0, 1e-6), Budget(3.0, 1e-6, programs_delta=1e-7)):
        policy = Policy({"research": cap})
        ledger = dpsynth.Ledger.create(None, account, dataset="d", unit=UNIT, policy=policy)
        made = fitted(patients(200), ledger=ledger, purpose="research", epsilon=3.0)
        assert made.certificate.record["budget"]["programs_delta"] == cap.programs_delta
        made.certificate.verify()


def test_an_account_without_room_for_the_delta_refuses_and_nothing_is_spent(tmp_path):
    for kept in (0.0, 1e-7):
        account = Budget(50.0, 1e-6, programs_delta=kept)
        ledger = dpsynth.Ledger.create(tmp_path / f"{kept}", account, dataset="d", unit=UNIT)
        for _ in range(FITS):
            fitted(patients(50), ledger=ledger, epsilon=0.5)
        spent = ledger.spent()
        with pytest.raises(BudgetExceededError, match="deltas of their own"):
            fitted(patients(50), ledger=ledger, epsilon=0.5)
        assert ledger.spent() == spent


def test_a_new_account_of_a_schema_with_open_columns_keeps_a_tenth_and_pays_for_its_whole_epsilon(tmp_path, run):
    SCHEMA.save(tmp_path / "s.yaml")
    patients(300).to_csv(tmp_path / "p.csv", index=False)
    create = f"ledger create {tmp_path}/l --schema {tmp_path}/s.yaml --epsilon 2 --delta 1e-6 --purpose study=2"
    code, out, _ = run(create)
    assert code == 0
    assert "0.0000001 of delta is kept for categories that fits find" in out.replace("\n", " ")
    assert dpsynth.Ledger.open(tmp_path / "l").budget == Budget(2.0, 1e-6, programs_delta=1e-7)
    fit = f"fit {tmp_path}/p.csv -s {tmp_path}/s.yaml --epsilon 2 --delta 1e-6 -o {tmp_path}/m --purpose study"
    assert run(f"{fit} --ledger {tmp_path}/l")[0] == 0
    assert run(create.replace("/l ", "/none ") + " --programs-delta 0")[0] == 0
    assert dpsynth.Ledger.open(tmp_path / "none").budget == Budget(2.0, 1e-6)


def test_a_plan_at_the_shell_is_of_the_account_that_would_pay(tmp_path, run):
    schema_of(1).save(tmp_path / "s.yaml")
    dpsynth.Ledger.create(tmp_path / "old", Budget(1.0, 1e-6), dataset="d", unit=ONE_ROW)
    line = f"plan --schema {tmp_path}/s.yaml --epsilon 1 --rows 1000 --mechanism independent"
    for option, least in (("", 72), (f" --ledger {tmp_path}/old", 110)):
        code, out, _ = run(line + option)
        assert code == 0
        assert f"fewer than about {least} people" in " ".join(out.split())
    (tmp_path / "job.yaml").write_text("schema: s.yaml\nledger: old\nepsilon: 1\nrows: 1000\nmechanism: mst\n")
    assert "fewer than about 110 people" in " ".join(run(f"plan {tmp_path}/job.yaml")[1].split())


def test_a_mechanism_that_settled_by_the_whole_budget_would_have_no_room(monkeypatch):
    """Mutants: charges that are settled as if nothing were found, and a delta that the fit does not keep."""
    pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")
    monkeypatch.setattr(discovered, "_left", lambda budget, cost: budget)
    with pytest.raises(BudgetExceededError):
        fitted(patients(100), "dp-ctgan", steps=5)
    monkeypatch.undo()
    monkeypatch.setattr(discovered, "_delta", lambda budget, account, kept: 2 * kept_for_programs(budget).delta)
    with pytest.raises(BudgetExceededError, match="deltas of their own"):
        fitted(patients(100))


def test_an_epsilon_that_is_hardly_any_is_refused_before_anything_is_read():
    with pytest.raises(ValueError, match="too small"):
        fitted("no_such_file.csv", epsilon=1e-9)
    with pytest.raises(ValueError, match="too small"):
        search(schema_of(1), Budget.for_programs(1e-30, 1e-30), None)
