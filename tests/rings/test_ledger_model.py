"""The ledger against a model of twenty lines: whatever happens in whatever order, both bear the same cost."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from dpsynth.accounting.ledger_policy import Policy, PolicyRefusedError
from dpsynth.base.job import Job
from dpsynth.kernel.budget import Budget, BudgetExceededError, affordable
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from tests.rings.scratch import SCRATCH

CAP, PURPOSE_CAP = Budget(1.0, 1e-6), Budget(0.6, 1e-6)
UNIT_COST = affordable(CAP) // 10


class Model:
    """What a ledger must do, without files, chains or events."""

    def __init__(self) -> None:
        self.runs: dict[str, list] = {}  # name: [state, reserved, charged, purpose]

    def cost(self, purpose=None) -> int:
        counted = {"reserved": 1, "drawing": 1, "committed": 2}
        chosen = [r for r in self.runs.values() if r[0] in counted and purpose in (None, r[3])]
        return sum(r[counted[r[0]]] for r in chosen)

    def reserve(self, name, cost, purpose) -> bool:
        caps = self.cost() + cost <= affordable(CAP) and self.cost(purpose) + cost <= affordable(PURPOSE_CAP)
        if name not in self.runs and caps:
            self.runs[name] = ["reserved", cost, 0, purpose]
            return True
        return False

    def charge(self, name, cost) -> bool:
        run = self.runs[name]
        if run[0] not in ("reserved", "drawing") or run[2] + cost > run[1]:
            return False
        run[0], run[2] = "drawing", run[2] + cost
        return True

    def end(self, name, state) -> bool:
        run = self.runs[name]
        if run[0] not in (("reserved",) if state == "void" else ("reserved", "drawing")):
            return False
        run[0] = state
        return True


class Comparison(RuleBasedStateMachine):
    """Two handles on one file, of which either may act, be reopened, or be put in place of by its own export."""

    runs = Bundle("runs")
    costs = st.integers(1, 6).map(lambda tenths: Gaussian.spending(tenths * UNIT_COST))
    which = st.integers(0, 1)

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(dir=SCRATCH)))
        policy = Policy(dict.fromkeys(("research", "teaching"), PURPOSE_CAP))
        self.path, self.number, self.model = self.folder / "l", 0, Model()
        first = Ledger.create(self.path, CAP, dataset="d", unit=PrivacyUnit(), policy=policy)
        self.handles = [first, Ledger.open(self.path)]

    def teardown(self) -> None:
        self.stack.close()

    def agree(self, expected: bool, act) -> None:
        try:
            act()
            done = True
        except (BudgetExceededError, PolicyRefusedError, ValueError):
            done = False
        assert done == expected

    @rule(target=runs, which=which, event=costs, purpose=st.sampled_from(["research", "teaching"]))
    def reserve(self, which, event, purpose):
        self.number += 1
        name = f"run {self.number}"
        act = lambda: self.handles[which].reserve(name, CAP, [event], "operating system", Job(purpose=purpose))  # noqa: E731
        self.agree(self.model.reserve(name, event.cost.gaussian, purpose), act)
        return name

    @rule(which=which, name=runs, event=costs)
    def charge(self, which, name, event):
        if name in self.model.runs:
            self.agree(
                self.model.charge(name, event.cost.gaussian), lambda: self.handles[which].charge(name, event, "work")
            )
        else:
            self.agree(False, lambda: self.handles[which].charge(name, event, "work"))

    @rule(which=which, name=runs, state=st.sampled_from(["committed", "void"]))
    def end(self, which, name, state):
        expected = name in self.model.runs and self.model.end(name, state)
        act = self.handles[which].commit if state == "committed" else self.handles[which].void
        self.agree(expected, lambda: act(name))

    @rule(which=which)
    def reopen(self, which):
        self.handles[which] = Ledger.open(self.path)

    @rule()
    def export_and_import(self):
        self.number += 1
        lines, self.path = self.folder / f"{self.number}.jsonl", self.folder / f"l{self.number}"
        self.handles[0].export(lines)
        assert Ledger.import_lines(lines, self.folder / f"copy{self.number}").cost_left == 0
        self.handles = [Ledger.import_lines(lines, self.path, only=True), Ledger.open(self.path)]

    @invariant()
    def both_bear_the_same(self):
        for ledger in self.handles:
            assert ledger.cost_left == affordable(CAP) - self.model.cost() >= 0
            assert {run.name: run.state for run in ledger.runs()} == {n: r[0] for n, r in self.model.runs.items()}


Comparison.TestCase.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLedgerAgainstModel = Comparison.TestCase
