"""What a mechanism is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import Any, ClassVar

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Event
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.allocation import Allocation, Preview
from dpsynth.mechanisms.checkpoint import Checkpoint
from dpsynth.mechanisms.footprint import Footprint, footprint
from dpsynth.mechanisms.prices import Prices
from dpsynth.models.base import Model
from dpsynth.models.refined import RefinedModel
from dpsynth.schema.table import Schema


class Mechanism(ABC):
    """What decides what to measure, and what to make of the answers.

    A mechanism is a frozen dataclass of public settings. `fit` is all that one has to write; the
    rest has a safe default. Law: what `fit` returns depends on the table through the accountant's
    charges only, and it spends what the accountant has left, never more.

    Everybody else asks a mechanism here and never by its class, so that a new one is one file and a
    name in the registry, or a package that declares it (`registry`).

    Attributes
    ----------
    takes_known : bool
        Whether `with_known` gives it marginals that are known already.
    resumable : bool
        Whether a checkpoint keeps its training; see `Resumable`.
    reads_rows : bool
        Whether a charge of its own reads coded rows, and not counts alone.
    gaussian : bool
        Whether its budget buys Gaussian noise, of which looks at the table can have a part before
        it begins: bounds, and what lies inside of cells.

    Examples
    --------
    >>> import numpy as np
    >>> from dataclasses import dataclass
    >>> from dpsynth import Accountant, Budget, Domain
    >>> from dpsynth.door.table import PrivateTable
    >>> from dpsynth.mechanisms.oneway import measure_oneways
    >>> from dpsynth.mechanisms.marginal.independent import independent_model
    >>> @dataclass(frozen=True)
    ... class Halves(Mechanism):
    ...     def fit(self, table, accountant):
    ...         half = accountant.cost_left // 2
    ...         oneway = measure_oneways(table, accountant, total_cost=half, oneway_cost=half)
    ...         return independent_model(table.domain, oneway.masses(), oneway.rows)
    >>> domain = Domain.of({"age": 3, "sex": 2})
    >>> codes = {"age": np.arange(300) % 3, "sex": np.arange(300) % 2}
    >>> table = PrivateTable.from_codes(codes, domain, None)
    >>> accountant = Accountant(Budget(1.0, 1e-6), unsafe_seed=1)
    >>> model = Halves().fit(table, accountant)
    >>> model.project(("age", "sex")).shape
    (3, 2)
    >>> len([line for line in accountant.ledger.entries() if line["kind"] == "charge"])
    3
    """

    takes_known: ClassVar[bool] = False
    """Whether `with_known` gives it marginals that are known already."""

    reads_rows: ClassVar[bool] = False
    """Whether a charge of its own reads coded rows, and not counts alone."""

    resumable: ClassVar[bool] = False
    gaussian: ClassVar[bool] = True
    """Whether a checkpoint keeps its training; see `Resumable`."""

    def __init_subclass__(cls) -> None:
        """TypeError, where the class is written, for a promise without the method that keeps it."""
        super().__init_subclass__()
        if cls.takes_known and cls.with_known is Mechanism.with_known:
            raise TypeError(
                f"{cls.__name__} says that it takes known marginals, but has no method with_known:"
                " write it"
            )
        if cls.resumable and cls.run is Mechanism.run:
            raise TypeError(
                f"{cls.__name__} says that it is resumable: derive it from"
                " dpsynth.mechanisms.base.Resumable"
            )

    @abstractmethod
    def fit(self, table: PrivateTable, accountant: Accountant) -> Model:
        """The model of a table of codes, for all that the accountant has left.

        Parameters
        ----------
        table : PrivateTable
            Answers that cannot be read; a charge makes them readable, with noise.
        accountant : Accountant
            What charges, made with `reserve=self.reserve(budget)`.

        Returns
        -------
        Model
            A distribution over `table.domain`, whatever a charge answered.
        """

    # What it is called, and what it is made of

    @property
    def name(self) -> str:
        """What it is called where no name is registered for its class alone."""
        return type(self).__name__

    @classmethod
    def family_settings(cls, member: str) -> dict[str, Any]:
        """The settings that `member` stands for in a name "family:member".

        Raises
        ------
        ValueError
            For a member that there is not; by default for all.
        """
        raise ValueError(
            f"{cls.__name__} is registered as a family but does not say what {member!r} stands for"
        )

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
        """The budget of a fit, with what of it is kept for programs that are not ours."""
        return Budget(epsilon, delta)

    def settled(self, budget: Budget) -> Sequence[Event]:
        """Charges that this budget settles before anything is read, such as a training.

        Raises
        ------
        BudgetExceededError
            Where it does not afford them.
        """
        return ()

    def reserve(self, budget: Budget) -> list[Event] | None:
        """All charges that the accountant has to reserve; None for Gaussian noise alone.

        `fit` needs an accountant made with `reserve=mechanism.reserve(budget)`.

        Raises
        ------
        BudgetExceededError
            Where the budget does not afford them.
        ImportError
            Where this machine cannot train.
        """
        return None

    def allocation(self, cost: int, domain: Domain, settled: Sequence[Event] = ()) -> Allocation:
        """How a fit shares out the Gaussian `cost`. `fit` takes its costs from it too.

        Parameters
        ----------
        cost : int
            In units of `gaussian_dp.COST_UNIT`, what is settled included.
        domain : Domain
            Of the table.
        settled : sequence of Event
            What `settled` gave for the budget.

        Returns
        -------
        Allocation
            The kinds of charges, their numbers and their costs.

        Raises
        ------
        ValueError
            Where the mechanism does not say, which a plan refuses.
        """
        raise ValueError(
            f"no plan is known for the mechanism {self.name}, which states no allocation: name one"
            " of ours, or write"
            " its method allocation"
        )

    # What a plan says besides

    def seen(self, domain: Domain) -> Domain:
        """The cells that it works on, of this domain."""
        return domain

    def footprint(self, domain: Domain, rows: int, prices: Prices) -> Footprint:
        """Time and memory of a fit without training, for the Gaussian cost that `prices` holds; by
        default the memory of one that counts pairs, and the time unknown.
        """
        return footprint(domain, rows, prices, pairs=True, pace=None)

    def preview(
        self, settled: Sequence[Event], domain: Domain, rows: int, unit: PrivacyUnit
    ) -> Preview | None:
        """What the training would be; None where nothing is trained."""
        return None

    def remarks(self, budget: Budget) -> tuple[str, ...]:
        """What a reader of the plan should know besides, a sentence each."""
        return self.cautions

    @property
    def cautions(self) -> tuple[str, ...]:
        """What is known against the mechanism, a sentence each, for the certificate and the
        plan.
        """
        return ()

    # What it may be given, and what it gives

    def with_known(self, known: Sequence[Any]) -> Mechanism:
        """The mechanism that starts from these `Known` marginals; asked only where it
        `takes_known`.
        """
        raise ValueError(f"{self.name} takes no known marginals: leave them out")

    def run(
        self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint | None = None
    ) -> Model:
        """`fit`. checkpoint: only where it is `resumable`."""
        if checkpoint is not None:
            raise ValueError(f"{self.name} keeps no checkpoint: leave it out")
        return self.fit(table, accountant)

    def released(self, model: Model) -> dict[str, Any]:
        """Facts for the certificate: the noisy row count, the outcome.

        They are post-processing of charged answers.
        """
        outcome = model.outcome if isinstance(model, RefinedModel) else ""
        return {"rows": round(model.total), **({"outcome": outcome} if outcome else {})}


class Resumable(Mechanism):
    """A mechanism whose training can go on in another process, under the charge that it began with.

    Examples
    --------
    >>> from dpsynth.mechanisms.registry import TABLES
    >>> TABLES.those("resumable")
    ['dp-ctgan', 'hybrid']
    """

    resumable = True

    @abstractmethod
    def fit(
        self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint | None = None
    ) -> Model:
        """As of any mechanism, with a checkpoint to keep its state in."""

    @abstractmethod
    def resume(self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint) -> Model:
        """Goes on from the state in the checkpoint, with the accountant of the same run."""

    def run(
        self, table: PrivateTable, accountant: Accountant, checkpoint: Checkpoint | None = None
    ) -> Model:
        if checkpoint is not None and checkpoint.resumed:
            return self.resume(table, accountant, checkpoint)
        return self.fit(table, accountant, checkpoint)


class Bare(Mechanism):
    """An object that has `fit` and is not derived from Mechanism, with defaults for what it lacks.

    Parameters
    ----------
    inner : object
        With a method `fit(table, accountant)`; `check_unit` and `reserve` are used where it has
        them.

    Examples
    --------
    >>> class Mine:
    ...     def fit(self, table, accountant):
    ...         ...
    >>> Bare(Mine()).name
    'Mine'
    """

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
    """The fields of a dataclass by name, with dataclasses in them as dictionaries; of anything else
    none.
    """
    if not _is_record(it):
        return {}
    found = {field.name: getattr(it, field.name) for field in fields(it)}
    return {name: asdict(value) if _is_record(value) else value for name, value in found.items()}


def _is_record(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type)
