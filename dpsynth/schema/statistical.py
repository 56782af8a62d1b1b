"""What the dictionaries of SPSS, Stata and SAS files mean: formats of times; all of it public."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from dpsynth.schema.columns import Resolution

FAMILIES = {".sav": "spss", ".zsav": "spss", ".dta": "stata", ".sas7bdat": "sas", ".xpt": "sas"}
"""The family of programs that writes files with these endings."""


@dataclass(frozen=True)
class TimeFormat:
    """How numbers stand for times: seconds from the origin, so many in each unit."""

    origin: np.datetime64
    unit: float
    resolution: Resolution


_SPSS = np.datetime64("1582-10-14", "s")
_1960 = np.datetime64("1960-01-01", "s")
_FORMATS = {
    "spss": {
        r"([AEJS]?DATE|QYR|MOYR|WKYR)[\d.]*": TimeFormat(_SPSS, 1.0, "D"),
        r"(DATETIME|YMDHMS)[\d.]*": TimeFormat(_SPSS, 1.0, "s"),
    },
    "stata": {
        r"%-?(td|d).*": TimeFormat(_1960, 86_400.0, "D"),
        r"%-?t[cC].*": TimeFormat(_1960, 1e-3, "s"),
    },
    "sas": {
        r"(E8601DT|B8601DT|IS8601DT|DATETIME|DATEAMPM|MDYAMPM)[\d.]*": TimeFormat(_1960, 1.0, "s"),
        r"(DTDATE|DTMONYY)[\d.]*": TimeFormat(_1960, 1.0, "D"),
        r"(DATE|[EB]8601DA|IS8601DA|(MMDDYY|DDMMYY|YYMMDD|MMYY|YYMM)[BCDNPS]?|WEEKDATX?|WEEKDATE"
        r"|WORDDATX?|WORDDATE|JULIAN|MONYY|YYMON)[\d.]*": TimeFormat(_1960, 86_400.0, "D"),
    },
}


def time_format(family: str, format: str | None) -> TimeFormat | None:
    """What a column's format says of times; None where it is of numbers or texts."""
    for pattern, meant in _FORMATS[family].items():
        if re.fullmatch(pattern, format or "", re.IGNORECASE):
            return meant
    return None
