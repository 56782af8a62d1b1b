"""A made-up hospital: patients, their stays in the order of admission, and what was measured in each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dpsynth import Categorical, Datetime, Identifier, Link, Numeric, RelationalSchema, Schema

WARDS = ["geriatrics", "surgery", "medicine"]


def schema(**facts) -> RelationalSchema:
    tables = {
        "patients": Schema({"id": Identifier(), "age": Numeric(0, 110, integer=True), "sex": Categorical(["f", "m"])}),
        "stays": Schema(
            {
                "stay": Identifier(),
                "patient": Identifier(),
                "admitted": Datetime("2020-01-01", "2021-12-31", resolution="min"),
                "ward": Categorical(WARDS),
            }
        ),
        "measurements": Schema({"stay": Identifier(), "pulse": Numeric(20, 220, integer=True, nullable=True)}),
    }
    links = [
        Link("stays.patient -> patients.id", max_children=6, order="admitted"),
        Link("measurements.stay -> stays.stay", max_children=5),
    ]
    return RelationalSchema(tables, links, **facts)


def tables(patients: int = 1500, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Older patients have more stays, mostly in geriatrics, where the pulse is slower."""
    rng = np.random.default_rng(seed)
    people = pd.DataFrame({"id": np.arange(patients) + 7, "age": rng.integers(18, 100, patients)})
    people["sex"] = rng.choice(["f", "m"], patients)
    old = people["age"].to_numpy() > 60
    numbers = np.minimum(rng.poisson(np.where(old, 2.5, 0.8)), 6)
    whose = np.repeat(np.arange(patients), numbers)
    day = np.concatenate([np.cumsum(rng.integers(1, 60, n)) + rng.integers(0, 200) for n in numbers] or [[]])
    minute = rng.integers(8 * 60, 18 * 60, len(whose))
    stays = pd.DataFrame({"stay": rng.permutation(len(whose)), "patient": people["id"].to_numpy()[whose]})
    stays["admitted"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(day * 1440 + minute, unit="min")
    stays["ward"] = np.where(old[whose], "geriatrics", rng.choice(["surgery", "medicine"], len(whose)))
    numbers = rng.integers(1, 6, len(stays))
    of = np.repeat(np.arange(len(stays)), numbers)
    slow = stays["ward"].to_numpy()[of] == "geriatrics"
    measured = pd.DataFrame({"stay": stays["stay"].to_numpy()[of]})
    measured["pulse"] = np.clip(rng.normal(np.where(slow, 60, 90), 8).round(), 20, 220)
    return {"patients": people, "stays": stays, "measurements": measured}
