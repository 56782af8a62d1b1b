"""What a fit leaves behind, and the certificate that says what was paid for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.data.tables.inside import Inside
from dpsynth.data.tables.rows_of_units import RowsOfUnits
from dpsynth.evidence.certificate import Certificate
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.base import Mechanism
from dpsynth.mechanisms.registry import name_of
from dpsynth.models.base import Model
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.holdback import HeldBack
from dpsynth.synthesizers.looks import Bounds, Looks
from dpsynth.synthesizers.undeclared import of_times, other_shares, undeclared_counts


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit leaves behind. All of it was paid for, and is public."""

    model: Model
    bounds: Bounds
    certificate: Certificate
    inside: Mapping[str, Inside] = field(default_factory=dict)
    people: RowsOfUnits | None = None
    found: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def certified(
    schema: Schema,
    accountant: Accountant,
    mechanism: Mechanism,
    looks: Looks,
    model: Model,
    holdback: float = 0.0,
    held: HeldBack | None = None,
) -> Certificate:
    """The certificate of a fit whose run has ended. held: what the part held back has measured."""
    modelled, found, people = looks.modelled, looks.found, looks.people
    recoding = recoding_of(schema.settled(found))
    counted = of_times(undeclared_counts(modelled, model), recoding)
    single = [name for name in found if name in modelled.columns]
    other = other_shares(single, modelled, model)
    return Certificate.issue(
        schema=schema,
        ledger=accountant.ledger,
        run=accountant.run,
        mechanism=name_of(mechanism),
        settings={**mechanism.settings(), **({"holdback": holdback} if holdback else {})},
        bounds=looks.bounds,
        released={
            **mechanism.released(model),
            **({"undeclared": counted} if counted else {}),
            **({} if people is None else {"rows_of_units": people.told()}),
            **({"found": {name: len(each) for name, each in found.items()}} if found else {}),
            **({"other": other} if other else {}),
            **({} if held is None else {"held_back": held.told()}),
        },
        cautions=mechanism.cautions,
    )
