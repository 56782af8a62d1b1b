"""What a mechanism is, and the first look that all of ours share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any, ClassVar

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Event, Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.kernel.table import PrivateTable
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.allocation import COLUMNS, ROW_COUNT, Allocation, Footprint, Preview, footprint
from dpsynth.mechanisms.checkpoint import Checkpoint
from dpsynth.models.base import LinearMeasurement, Model
from dpsynth.models.histogram import denoise
from dpsynth.models.refined import RefinedModel
from dpsynth.schema.table import Schema


class Mechanism(ABC):
    """A frozen dataclass of public settings. `fit` is all that one has to write; the rest has a safe default.

    Law: what `fit` returns depends on the table through the accountant's charges only, and it spends what the
    accountant has left, never more.

    Everybody else asks a mechanism here and never by its class, so that a new one is one file and a name in the
    registry, or a package that declares it (`registry`).
    """

    takes_known: ClassVar[bool] = False
    """Whether `with_known` gives it marginals that are known already."""

    resumable: ClassVar[bool] = False
    """Whether a checkpoint keeps its training; see `Resumable`."""

    def __init_subclass__(cls) -> None:
        """TypeError, where the class is written, for a promise without the method that keeps it."""
        super().__init_subclass__()
        if cls.takes_known and cls.with_known is Mechanism.with_known:
            raise TypeError(
                f"{cls.__name__} says that it takes known marginals, but has no method with_known: write it"
            )
        if cls.resumable and cls.run is Mechanism.run:
            raise TypeError(
                f"{cls.__name__} says that it is resumable: derive it from dpsynth.mechanisms.base.Resumable"
            )

    @abstractmethod
    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """The model of a table of codes, for all that the accountant has left."""

    # What it is called, and what it is made of

    @property
    def name(self) -> str:
        """What it is called where no name is registered for its class alone."""
        return type(self).__name__

    @classmethod
    def family_settings(cls, member: str) -> dict[str, Any]:
        """The settings that `member` stands for in a name "family:member"; ValueError for none."""
        raise ValueError(f"{cls.__name__} is registered as a family but does not say what {member!r} stands for")

    def settings(self) -> dict[str, Any]:
        """Public settings, for the certificate."""
        return settings_of(self)

    # What it refuses, before anything is read or charged

    def check_schema(self, schema: Schema) -> None:  # noqa: B027  # a default that refuses nothing
        """ValueError or SchemaError for a schema that the settings do not fit."""

    def check_unit(self, unit: PrivacyUnit) -> None:  # noqa: B027  # as above
        """ValueError for a unit that the guarantee is not for."""

    # What it charges

    def budget(self, epsilon: float, delta: float) -> Budget:
        """The budget of a fit: what of it is kept for programs that are not ours is settled here."""
        return Budget(epsilon, delta)

    def settled(self, budget: Budget) -> Sequence[Event]:
        """Charges that this budget settles before anything is read, such as a training; BudgetExceededError."""
        return ()

    def reserve(self, budget: Budget) -> list[Event] | None:
        """All charges that the accountant has to reserve; None for Gaussian noise alone.

        `fit` needs an accountant made with `reserve=mechanism.reserve(budget)`. Raises BudgetExceededError, or
        ImportError where this machine cannot train.
        """
        return None

    def allocation(self, cost: int, domain: Domain, settled: Sequence[Event] = ()) -> Allocation:
        """How a fit shares out the Gaussian `cost`, what is settled included. `fit` takes its costs from it too.

        Raises ValueError where the mechanism does not say, which a plan refuses.
        """
        raise ValueError(
            f"no plan is known for the mechanism {self.name}, which states no allocation: name one of ours, or write"
            " its method allocation"
        )

    # What a plan says besides

    def seen(self, domain: Domain) -> Domain:
        """The cells that it works on, of this domain."""
        return domain

    def footprint(self, domain: Domain, rows: int) -> Footprint:
        """Time and memory of a fit without training; by default as of pairs, for a time that nobody knows."""
        return footprint(domain, rows, pairs=True, slowest=float("inf"))

    def preview(self, settled: Sequence[Event], domain: Domain, rows: int, unit: PrivacyUnit) -> Preview | None:
        """What the training would be; None where nothing is trained."""
        return None

    def remarks(self, budget: Budget) -> tuple[str, ...]:
        """What a reader of the plan should know besides, a sentence each."""
        return self.cautions

    @property
    def cautions(self) -> tuple[str, ...]:
        """What is known against the mechanism, a sentence each, for the certificate and the plan."""
        return ()

    # What it may be given, and what it gives

    def with_known(self, known: Sequence[Any]) -> Mechanism:
        """The mechanism that starts from these `Known` marginals; asked only where it `takes_known`."""
        raise ValueError(f"{self.name} takes no known marginals: leave them out")

    def run(self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint | None = None) -> Model:
        """`fit`. checkpoint: only where it is `resumable`."""
        if checkpoint is not None:
            raise ValueError(f"{self.name} keeps no checkpoint: leave it out")
        return self.fit(table, accountant)

    def released(self, model: Model) -> dict[str, Any]:
        """Facts for the certificate that are post-processing of charged answers: the noisy row count, the outcome."""
        outcome = model.outcome if isinstance(model, RefinedModel) else ""
        return {"rows": round(model.total), **({"outcome": outcome} if outcome else {})}


class Resumable(Mechanism):
    """A mechanism whose training can go on in another process, under the charge that it began with."""

    resumable = True

    @abstractmethod
    def fit(self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint | None = None) -> Model:
        """As of any mechanism, with a checkpoint to keep its state in."""

    @abstractmethod
    def resume(self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint) -> Model:
        """Goes on from the state in the checkpoint, with the accountant of the same run."""

    def run(self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint | None = None) -> Model:
        if checkpoint is not None and checkpoint.resumed:
            return self.resume(table, accountant, checkpoint)
        return self.fit(table, accountant, checkpoint)


class Bare(Mechanism):
    """An object that has `fit` and is not derived from Mechanism, with the defaults for what it lacks."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        return type(self.inner).__name__

    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        found: Model = self.inner.fit(table, accountant)
        return found

    def settings(self) -> dict[str, Any]:
        return settings_of(self.inner)

    def check_unit(self, unit: PrivacyUnit) -> None:
        if hasattr(self.inner, "check_unit"):
            self.inner.check_unit(unit)

    def reserve(self, budget: Budget) -> list[Event] | None:
        return self.inner.reserve(budget) if hasattr(self.inner, "reserve") else None


def settings_of(it: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, with dataclasses in them as dictionaries; of anything else none."""
    if not _is_record(it):
        return {}
    found = {field.name: getattr(it, field.name) for field in fields(it)}
    return {name: asdict(value) if _is_record(value) else value for name, value in found.items()}


def _is_record(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type)


@dataclass(frozen=True, eq=False)
class FirstLook:
    """The row count and every one-way marginal, measured, and what they say about each column."""

    domain: Domain
    total: LinearMeasurement
    oneways: Mapping[str, LinearMeasurement]

    @property
    def rows(self) -> float:
        """The estimated number of rows, at least 1: the measurements' own totals, weighted by their precision."""
        sums = [(float(self.total.values), float(np.mean(self.total.stddev)))]
        for m in self.oneways.values():
            sums.append((float(m.values.sum()), float(np.sqrt(np.sum(np.square(m.stddev))))))
        weights = np.array([1 / s**2 for _, s in sums])
        return max(1.0, float(np.dot(weights, [y for y, _ in sums]) / weights.sum()))

    def masses(self) -> dict[str, np.ndarray]:
        """Estimated counts of each column's cells."""
        rows = self.rows
        return {
            a: denoise(m.values, float(np.mean(m.stddev)), self.domain.width(a), rows) for a, m in self.oneways.items()
        }

    def combined(self, other: FirstLook) -> FirstLook:
        """Both looks as one: inverse-variance weighted means."""
        return replace(self.again(other.oneways), total=_combined(self.total, other.total))

    def again(self, oneways: Mapping[str, LinearMeasurement]) -> FirstLook:
        """This look and a second one at the columns."""
        return replace(self, oneways={a: _combined(m, oneways[a]) for a, m in self.oneways.items()})

    def told(self, more: LinearMeasurement) -> FirstLook:
        """This look, and one more measurement of the row count or of one column."""
        if not more.clique:
            return replace(self, total=_combined(self.total, more))
        (a,) = more.clique
        return replace(self, oneways={**self.oneways, a: _combined(self.oneways[a], more)})


LEAST_SHARE = 1e-6
"""Of a budget: a smaller part would buy noise that drowns everything, or that cannot be drawn."""


def check_shares(**shares: float) -> None:
    """Parts of a budget: each LEAST_SHARE or more, and as much left; ValueError, before any charge, if they are not."""
    if not all(share >= LEAST_SHARE for share in shares.values()) or not sum(shares.values()) <= 1 - LEAST_SHARE:
        raise ValueError(f"shares of the budget must be {LEAST_SHARE:g} or more and leave as much, got {shares}")


def first_look(table: PrivateTable, accountant: Accountant, *, total_cost: int, oneway_cost: int) -> FirstLook:
    """Measures the row count for `total_cost` and the one-way marginals for `oneway_cost` together, evenly."""
    attributes = table.domain.attributes
    answers = table.marginals([(), *((a,) for a in attributes)])
    total = measure(accountant, (), answers[()], total_cost)
    each = oneway_cost // len(attributes)
    return FirstLook(table.domain, total, {a: measure(accountant, (a,), answers[a,], each) for a in attributes})


def allocated_look(table: PrivateTable, accountant: Accountant, allocation: Allocation) -> FirstLook:
    """The first look for what the allocation gives it."""
    oneway = allocation.cost(COLUMNS) * len(table.domain.attributes)
    return first_look(table, accountant, total_cost=allocation.cost(ROW_COUNT), oneway_cost=oneway)


def measure(accountant: Accountant, clique: Clique, answer: Sensitive, cost: int) -> LinearMeasurement:
    """One marginal for this cost: a charge, and what it returns."""
    purpose = f"measure {' x '.join(clique)}" if clique else "measure the row count"
    values, stddev = accountant.charge(Gaussian.spending(cost), purpose).gaussian(answer)
    return LinearMeasurement(clique, values, stddev)


def measure_all(
    accountant: Accountant, answers: Mapping[Clique, Sensitive], costs: Mapping[Clique, int]
) -> list[LinearMeasurement]:
    """One charge for each of `costs`."""
    return [measure(accountant, clique, answers[clique], cost) for clique, cost in costs.items()]


def _combined(x: LinearMeasurement, y: LinearMeasurement) -> LinearMeasurement:
    a, b = np.square(x.stddev), np.square(y.stddev)
    return LinearMeasurement(x.clique, (x.values * b + y.values * a) / (a + b), np.sqrt(a * b / (a + b)))
