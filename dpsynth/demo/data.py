"""Real records for the demo: the RAND Health Insurance Experiment, in readable columns.

From 1974 to 1982 the RAND Corporation insured families at random under plans that differed in cost
sharing, and counted their visits to a doctor. statsmodels carries 20,190 person-years of it, in the
public domain. Its columns are regressors (logs and dummies). `decode_randhie` turns each back into
what was recorded, by a rule that looks at one row at a time:

* visits: `mdvis`, outpatient visits to a physician in the year.
* coinsurance: exp(`lncoins`) - 1, the share of a bill that the patient pays. The plans had 0, 25,
  50 and 95 percent, and 100 at one site; 0 is also what the source gives for most people under the
  individual deductible.
* individual_deductible: `idp`, a plan of its own: outpatient care up to a cap for each person,
  hospital care free.
* incentive_usd: exp(`lpi`), dollars paid a year for taking part; the source's floor of one dollar
  is read as 0.
* spending_cap_usd: the most that a family pays in a year, exp(`fmde`) times the share that it pays,
  which is 0.95 under the individual deductible. Missing where the source has none: free care, and
  some of the deductible plans.
* physical_limitation: `physlm`; missing where the source holds a fraction, which is a filled-in
  mean.
* chronic_disease_index: `disea`, in tenths; missing where the source holds more decimals, again a
  filled-in mean. (statsmodels calls it a number of diseases; the values are shares of a list of
  conditions, in percent.)
* health: self-rated, from `hlthp`, `hlthf`, `hlthg`; excellent where all three are 0.

Privacy
-------
The rows are person-years, and the table does not say whose: one person may stand in several. So the
unit of privacy here is the row. A real release should promise more: name the person in `id_column`.

73 % of the rows are exact duplicates of another one (71 % as published). Distances to the nearest
real record, and counts of copied rows, therefore say nothing about this table.

Reference: Manning, Newhouse, Duan, Keeler, Leibowitz (1987), Health insurance and the demand for
medical care, American Economic Review 77(3).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dpsynth.schema.table import Boolean, Categorical, Numeric, Schema

COINSURANCE = ("0%", "25%", "50%", "95%", "100%")
HEALTH = ("poor", "fair", "good", "excellent")
DEDUCTIBLE_SHARE = 0.95
"""The share that a patient pays under the individual deductible up to the cap; `lncoins` says 0."""

_SAME_TENTH = 1e-6
"""How far a recorded tenth may lie from a round one; a filled-in mean lies farther off."""


def load_randhie() -> tuple[pd.DataFrame, Schema]:
    """The decoded table, 20,190 rows, and its schema. Needs the extra `demo`; reads no network."""
    try:
        from statsmodels.datasets import randhie
    except ImportError:
        raise ImportError(
            'the demo needs statsmodels, which holds its records: pip install "dpsynth[demo]"'
        ) from None
    return decode_randhie(randhie.load_pandas().data), randhie_schema()


def randhie_schema() -> Schema:
    """Public facts only: the experiment's design, code lists, and round numbers.

    The round numbers were chosen without looking at the rows.
    """
    return Schema(
        {
            "visits": Numeric(0, 100, integer=True),  # round: about two a week
            "coinsurance": Categorical(COINSURANCE, ordered=True),  # the plans
            "individual_deductible": Boolean(),
            "incentive_usd": Numeric(0, 2000, integer=True),  # round: twice the largest cap
            # By design at most 1,000 dollars.
            "spending_cap_usd": Numeric(0, 1000, integer=True, nullable=True),
            "physical_limitation": Boolean(nullable=True),
            "chronic_disease_index": Numeric(0, 100, step=0.1, nullable=True),  # round
            "health": Categorical(HEALTH, ordered=True),  # the questionnaire's answers
        }
    )


def decode_randhie(raw: pd.DataFrame) -> pd.DataFrame:
    """Rows of statsmodels' `randhie` as records, with the schema's columns, order and dtypes."""
    percent = np.rint(np.expm1(raw["lncoins"].to_numpy())).astype(np.int64)
    plans = [f"{share}%" for share in percent]
    deductible = raw["idp"].to_numpy() == 1
    return pd.DataFrame(
        {
            "visits": pd.array(raw["mdvis"].to_numpy(), dtype="Int64"),
            "coinsurance": pd.Categorical(plans, COINSURANCE, ordered=True),
            "individual_deductible": pd.array(deductible, dtype="boolean"),
            "incentive_usd": _dollars(_above_floor(raw["lpi"].to_numpy())),
            "spending_cap_usd": _dollars(_cap(raw["fmde"].to_numpy(), percent, deductible)),
            "physical_limitation": _limitation(raw["physlm"].to_numpy()),
            "chronic_disease_index": _tenths(raw["disea"].to_numpy()),
            "health": _health(raw),
        }
    )


def _above_floor(log_dollars: np.ndarray) -> np.ndarray:
    """The inverse of ln(max(1, x)), with 0 for everything up to the floor."""
    return np.where(log_dollars > 0, np.exp(log_dollars), 0.0)


def _cap(fmde: np.ndarray, percent: np.ndarray, deductible: np.ndarray) -> np.ndarray:
    """The cap in dollars: `fmde` is ln(max(1, cap / share)).

    It is 0 where the plan has no cap or the source does not give it; the cap is then missing.
    """
    share = np.where(deductible & (percent == 0), DEDUCTIBLE_SHARE, percent / 100)
    given = (fmde > 0) | (~deductible & (percent > 0))
    return np.where(given, _above_floor(fmde) * share, np.nan)


def _dollars(amounts: np.ndarray) -> pd.api.extensions.ExtensionArray:
    """Whole dollars; NaN is missing."""
    dollars: pd.api.extensions.ExtensionArray = pd.array(np.rint(amounts), dtype="Int64")
    return dollars


def _limitation(physlm: np.ndarray) -> pd.api.extensions.ExtensionArray:
    values: pd.api.extensions.ExtensionArray = pd.array(physlm == 1, dtype="boolean")
    values[(physlm != 0) & (physlm != 1)] = pd.NA
    return values


def _tenths(disea: np.ndarray) -> np.ndarray:
    tenths = np.round(disea, 1)
    return np.where(np.abs(disea - tenths) < _SAME_TENTH, tenths, np.nan)


def _health(raw: pd.DataFrame) -> pd.Categorical:
    said = [raw[dummy].to_numpy() == 1 for dummy in ("hlthp", "hlthf", "hlthg")]
    return pd.Categorical(np.select(said, HEALTH[:3], HEALTH[3]), HEALTH, ordered=True)
