"""What a fit learns by charges before its model: categories, bounds, what cells hold, units' rows.

The rings read, noise and charge. Where a fit keeps its state, what was learned is kept there: the
process that goes on reads it, and does not look again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from dpsynth.base.progress import stage
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.data.tables.inside import Inside, with_several_values
from dpsynth.data.tables.magnitude import magnitude_table
from dpsynth.data.tables.periods import period_codings
from dpsynth.data.tables.rows_of_units import RowsOfUnits
from dpsynth.data.tables.weeks import with_weeks
from dpsynth.door.bounded import Bounded
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.checkpoint import Checkpoint
from dpsynth.mechanisms.discovered import find_categories
from dpsynth.mechanisms.inside import Seen, inside_costs, inside_of, look_inside
from dpsynth.mechanisms.learned_bounds import Learned, bounds_costs, learn_bounds
from dpsynth.mechanisms.rows_per_unit import look_at_sizes, rows_of_units, sizes_cost
from dpsynth.mechanisms.weeks import look_at_weeks, weeks_cost, weeks_of
from dpsynth.models.base import Model
from dpsynth.schema.table import Numeric, Schema

Bounds = dict[str, tuple[float, float]]
Categories = dict[str, tuple[str, ...]]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Looks:
    """What was learned, each by charges of its own. modelled: the columns that the model gets."""

    modelled: Schema
    found: Categories
    learned: dict[str, Learned]
    seen: dict[str, Seen]
    people: RowsOfUnits | None

    @property
    def bounds(self) -> Bounds:
        return {name: each.bounds for name, each in self.learned.items()}

    def inside(self, model: Model) -> dict[str, Inside]:
        """How values lie inside of the model's cells."""
        wanted = with_several_values(self.modelled, self.bounds)
        told = {
            name: weeks_of(each) if each.week else inside_of(wanted[name][1], each, model, name)
            for name, each in self.seen.items()
        }
        return {name: each for name, each in told.items() if each != Inside()}


@dataclass(frozen=True, eq=False)
class Looking:
    """The fit that learns them. gaussian: whether its mechanism's noise is."""

    schema: Schema
    rows: Bounded
    accountant: Accountant
    gaussian: bool
    checkpoint: Checkpoint | None

    def looks(self) -> Looks:
        """All of them, one after another: the categories first, the rows of units last."""
        found = self._kept("categories", self._categories, _stored_categories, self._categories_of)
        learned = self._kept("bounds", self._bounds, _stored_bounds, _bounds_of)
        bounds = {name: each.bounds for name, each in learned.items()}
        seen = self._kept("seen", lambda: self._seen(bounds), _stored_seen, _seen_of)
        people = self._kept("rows_of_units", self._people, _stored_people, _people_of)
        modelled = recoding_of(self.schema.settled(found)).modelled
        return Looks(modelled, found, learned, seen, people)

    def _kept(
        self,
        name: str,
        learn: Callable[[], T],
        stored: Callable[[T], Any],
        of: Callable[[Any], T],
    ) -> T:
        """Learned by this process, or by the one whose checkpoint is resumed.

        stored, of: the checkpoint's form of it, and it again; None where there is nothing to keep.
        """
        if self.checkpoint is None:
            return learn()
        if self.checkpoint.resumed:
            with self.checkpoint.reading():
                return of(self.checkpoint.values.get(name))
        learned = learn()
        if (form := stored(learned)) is not None:
            self.checkpoint.values[name] = form
        return learned

    def _categories(self) -> Categories:
        """Categories that the schema leaves open, found by charges."""
        if not self.schema.open:
            return {}
        stage("finding categories that the schema leaves open")
        return self.schema.following(find_categories(self.rows, self.schema, self.accountant))

    def _categories_of(self, kept: Any) -> Categories:
        return {name: tuple(map(str, kept[name])) for name in self.schema.open}

    def _bounds(self) -> dict[str, Learned]:
        """Bounds that the schema leaves open, learned by charges."""
        columns = recoding_of(self.schema).modelled.columns
        numeric = {name: each for name, each in columns.items() if isinstance(each, Numeric)}
        wanted = {name: column for name, column in numeric.items() if not column.bounded}
        if not wanted:
            return {}
        stage("learning bounds that the schema leaves open")
        table = magnitude_table(self.rows, wanted)
        costs = bounds_costs(self.accountant.cost_left, len(wanted))
        return learn_bounds(table, wanted, self.accountant, costs)

    def _seen(self, bounds: Bounds) -> dict[str, Seen]:
        """Values that many rows share inside of cells, and how numbers are written, by charges."""
        modelled = recoding_of(self.schema).modelled
        found: dict[str, Seen] = {}
        if self.gaussian and (wanted := with_several_values(modelled, bounds)):
            stage("looking for values that many rows share")
            costs = inside_costs(self.accountant.cost_left, len(wanted))
            found = look_inside(self.rows, wanted, self.accountant, costs)
        if self.gaussian and (times := with_weeks(modelled)):
            stage("looking for weekdays and hours")
            cost = weeks_cost(self.accountant.cost_left, len(times))
            found |= look_at_weeks(self.rows, times, self.accountant, cost)
        return found

    def _people(self) -> RowsOfUnits | None:
        """How many rows units have, by a charge; None where no names are to repeat."""
        if not self.schema.repeating:
            return None
        stage("counting the rows of each unit")
        cost = sizes_cost(self.accountant.cost_left)
        dates = period_codings(self.schema)
        return rows_of_units(look_at_sizes(self.rows, dates, self.accountant, cost))


def _stored_categories(found: Categories) -> dict[str, list[str]] | None:
    return {name: [*each] for name, each in found.items()} or None


def _stored_bounds(learned: Mapping[str, Learned]) -> dict[str, Any]:
    return {name: asdict(each) for name, each in learned.items()}


def _bounds_of(kept: Any) -> dict[str, Learned]:
    return {name: Learned.of(each) for name, each in kept.items()}


def _stored_seen(seen: Mapping[str, Seen]) -> dict[str, Any] | None:
    return {name: asdict(each) for name, each in seen.items()} or None


def _seen_of(kept: Any) -> dict[str, Seen]:
    return {
        name: Seen(**{fact: tuple(map(float, values)) for fact, values in each.items()})
        for name, each in (kept or {}).items()
    }


def _stored_people(people: RowsOfUnits | None) -> Any:
    return None if people is None else people.stored()


def _people_of(kept: Any) -> RowsOfUnits | None:
    return None if kept is None else RowsOfUnits.of(kept)
