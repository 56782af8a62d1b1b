"""Data dictionaries of one table in each form, written from the form's public specification."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest

SPREADSHEET = """\
Variable;Data type;Lower bound;Maximum;Value labels;Missing code;Mandatory;Description
pid;identifier;;;;;yes;number of the case
age;integer;0;120;;-1;no;"age at admission; in years"
weight;decimal;2;300;;;;kg
sex;category;;;f = female | m = male;;yes;
stay;ordinal;;;day; short, long;?;;
"""
SPREADSHEET = SPREADSHEET.replace("day; short, long", '"day; short; long"')

REDCAP_TITLES = (
    *("Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label"),
    *("Choices, Calculations, OR Slider Labels", "Field Note", "Text Validation Type OR Show Slider Number"),
    *("Text Validation Min", "Text Validation Max", "Identifier?"),
    *("Branching Logic (Show field only if...)", "Required Field?"),
)
REDCAP = (
    ",".join(f'"{title}"' for title in REDCAP_TITLES)
    + """
record_id,demography,,text,"Study ID",,,,,,,,y
surname,demography,,text,Surname,,,,,,y,,
age,demography,,text,Age,,,integer,18,110,,,y
sex,demography,,radio,Sex,"1, Female | 2, Male | -9, Not known",,,,,,,
born,demography,,text,Born,,,date_dmy,1900-01-01,today,,,
race,demography,,checkbox,Race,"1, A | -1, B",,,,,,,
smoker,visit,,yesno,Smoker,,,,,,,"[age] > 17",
hb,visit,,text,Hb,,,number_1dp_comma_decimal,"3,0",25,,,
pain,visit,,slider,Pain,"none | some | worst",,,,,,,
bmi,visit,,calc,BMI,"[weight]/([height]^2)",,,,,,,
intro,visit,,descriptive,"Thank you",,,,,,,,
remarks,visit,,notes,Remarks,,,,,,,,
"""
)

FRICTIONLESS = {
    "profile": "tabular-data-resource",
    "name": "claims",
    "path": "claims.csv",
    "schema": {
        "missingValues": ["", "NA"],
        "primaryKey": ["claim"],
        "foreignKeys": [{"fields": "ward", "reference": {"resource": "wards", "fields": "id"}}],
        "fields": [
            {"name": "claim", "type": "string", "constraints": {"pattern": "^C-\\d{6}$", "unique": True}},
            {"name": "age", "type": "integer", "constraints": {"minimum": 0, "maximum": 120, "required": True}},
            {"name": "cost", "type": "number", "decimalChar": ",", "constraints": {"minimum": 0}},
            {"name": "plan", "type": "string", "constraints": {"enum": ["basic", "full"]}},
            {"name": "grade", "type": "string", "categories": ["low", "high"], "categoriesOrdered": True},
            {"name": "paid", "type": "boolean", "trueValues": ["ja"], "falseValues": ["nein"]},
            {"name": "day", "type": "date", "format": "%d.%m.%Y", "constraints": {"minimum": "2020-01-01"}},
            {"name": "ward", "type": "integer"},
            {"name": "contact", "type": "string", "format": "email"},
            {"name": "place", "type": "geopoint"},
        ],
    },
}

JSON_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "array",
    "items": {"$ref": "#/$defs/Claim"},
    "$defs": {
        "Plan": {"enum": ["basic", "full"], "type": "string", "title": "Plan"},
        "Claim": {
            "type": "object",
            "required": ["age", "plan", "count"],
            "properties": {
                "uid": {"type": "string", "format": "uuid"},
                "age": {"type": "integer", "minimum": 0, "exclusiveMaximum": 121},
                "cost": {"anyOf": [{"type": "number", "minimum": 0, "multipleOf": 0.01}, {"type": "null"}]},
                "plan": {"$ref": "#/$defs/Plan"},
                "level": {"type": ["string", "null"], "enum": ["a", "b", None]},
                "kind": {"oneOf": [{"const": 1, "title": "one"}, {"const": 2, "title": "two"}]},
                "day": {"type": "string", "format": "date"},
                "smoker": {"type": "boolean"},
                "paid": {"anyOf": [{"type": "number", "maximum": 10}, {"type": "string", "pattern": "^\\d+$"}]},
                "mixed": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
                "count": {"type": "integer", "minimum": 0, "maximum": 9},
                "address": {"type": "object", "properties": {"town": {"type": "string"}}},
            },
        },
    },
}

SDV = {
    "METADATA_SPEC_VERSION": "V1",
    "tables": {
        "guests": {
            "primary_key": "guest_email",
            "columns": {
                "guest_email": {"sdtype": "email", "pii": True},
                "hotel_id": {"sdtype": "id", "regex_format": "HID_[0-9]{3}"},
                "rate": {"sdtype": "numerical", "computer_representation": "Float"},
                "nights": {"sdtype": "numerical", "computer_representation": "Int64"},
                "room": {"sdtype": "categorical", "order": ["basic", "suite"]},
                "rewards": {"sdtype": "boolean"},
                "checkin": {"sdtype": "datetime", "datetime_format": "%d %b %Y"},
                "city": {"sdtype": "city"},
            },
        },
        "hotels": {"columns": {"hotel_id": {"sdtype": "id"}}},
    },
    "relationships": [],
}

SMARTNOISE = """\
"":
  MySchema:
    PUMS:
      max_ids: 3
      row_privacy: false
      pid: {type: int, private_id: true}
      age: {type: int, lower: 0, upper: 100}
      income: {type: float, lower: 0, upper: 500000, nullable: false}
      sex: {type: string, nullable: false}
      married: {type: boolean}
      seen: {type: datetime}
"""

GOOGLE = """\
age: {clip_to_range: true, dtype: int, max_value: 100.0, min_value: 18.0, sentinel: null, type: NumericalAttribute}
pay: {clip_to_range: false, dtype: float, max_value: 9000.5, min_value: 0.0}
tier: {out_of_domain_index: 1, possible_values: [FREE, PRO], type: CategoricalAttribute}
member: {possible_values: [false, true]}
city: {default_value: <OOD>, public_possible_values: [Bonn], type: OpenSetCategoricalAttribute}
story: {max_tokens: 256, type: FreeFormTextAttribute}
"""

SQL = """\
CREATE TYPE mood AS ENUM ('sad', 'it''s ok');
CREATE TABLE IF NOT EXISTS hospital.visits (
    id BIGINT PRIMARY KEY,
    "Age" SMALLINT NOT NULL CHECK ("Age" BETWEEN 0 AND 120),
    sex CHAR(1) CHECK (sex IN ('f', 'm')),
    feels mood,
    amount NUMERIC(10, 2) CHECK (amount >= -5 AND amount <= 1e6),
    ward ENUM('a', 'b') DEFAULT 'a',
    day DATE CHECK (day >= DATE '2020-01-01'),
    seen TIMESTAMP WITH TIME ZONE,
    ok BOOLEAN NOT NULL,
    patient INT REFERENCES patients (id),
    dept INT,
    share DOUBLE PRECISION,
    beds INT CHECK (0 < beds AND 10 > beds),
    body JSONB,
    CONSTRAINT c CHECK (share > 0), CONSTRAINT d CHECK (share <= 20),
    FOREIGN KEY (dept) REFERENCES departments (id)
);
CREATE INDEX days ON visits (day);
INSERT INTO visits VALUES (1, 97);
"""

COLUMNS = {
    "name": "survey",
    "rows": 97,
    "tables": {
        "persons.parquet": {
            "rows": 97,
            "columns": [
                {"name": "pid", "type": "id", "source": "none"},
                {"name": "age", "type": "integer", "min": 0, "max": 120, "description": "years", "missing_marker": -1},
                {"name": "weight", "type": "continuous", "min": 0, "max": None, "counts": {"null": 97, "distinct": 41}},
                {
                    "name": "sex",
                    "type": "categorical",
                    "categories": ["f", "m"],
                    "labels": {"f": "female", "m": "male"},
                },
                {"name": "smokes", "type": "binary", "categories": [0, 1]},
                {"name": "stay", "type": "ordinal", "categories": ["a = short", "b, long"], "nullable": False},
                {"name": "born", "type": "datetime", "min": "1900-01-01", "max": None},
                {"name": "drug", "type": "categorical"},
                {"name": "height", "type": "continuous"},
                {"name": "remark", "type": "text"},
                {"name": "odd", "type": "text_or_code"},
            ],
        },
        "visits.parquet": {"columns": [{"name": "visit", "type": "id"}]},
    },
}

SOURCES: dict[str, tuple[str, str]] = {
    "spreadsheet": ("dictionary.csv", SPREADSHEET),
    "columns": ("columns.json", json.dumps(COLUMNS)),
    "redcap": ("project.csv", REDCAP),
    "frictionless": ("resource.json", json.dumps(FRICTIONLESS)),
    "json-schema": ("record.json", json.dumps(JSON_SCHEMA)),
    "sdv": ("metadata.json", json.dumps(SDV)),
    "smartnoise": ("pums.yaml", SMARTNOISE),
    "google": ("domain.yaml", GOOGLE),
    "sql": ("visits.sql", SQL),
}
"""For each form the name of a file and its content."""

TABLE = {"sdv": "guests", "columns": "persons.parquet"}
"""The table of sources with several."""


def written(folder: Path, form: str) -> Path:
    """The source of a form as a file."""
    if form in ("spss", "stata"):
        return statistical(folder, form)
    name, content = SOURCES[form]
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


CROISSANT = {
    "@context": {"@vocab": "https://schema.org/"},
    "@type": "sc:Dataset",
    "conformsTo": "http://mlcommons.org/croissant/1.0",
    "recordSet": [
        {
            "@type": "cr:RecordSet",
            "@id": "sexes",
            "dataType": "sc:Enumeration",
            "field": [{"@id": "sexes/code", "dataType": "sc:Text"}, {"@id": "sexes/label", "dataType": "sc:Text"}],
            "data": [{"sexes/code": "f", "sexes/label": "female"}, {"sexes/code": "m", "sexes/label": "male"}],
        },
        {
            "@type": "cr:RecordSet",
            "@id": "visits",
            "field": [
                {"@id": "visits/age", "dataType": "sc:Integer", "source": {"extract": {"column": "Age"}}},
                {"@id": "visits/cost", "dataType": ["sc:Float"]},
                {"@id": "visits/sex", "dataType": "sc:Text", "references": {"field": {"@id": "sexes/code"}}},
                {"name": "ward", "dataType": "sc:Text", "examples": ["CANARY"]},
                {"@id": "visits/day", "dataType": "sc:Date"},
                {"@id": "visits/seen", "dataType": "sc:DateTime"},
                {"@id": "visits/dead", "dataType": "sc:Boolean"},
                {"@id": "visits/scan", "dataType": "sc:ImageObject"},
                {"@id": "visits/drugs", "dataType": "sc:Text", "repeated": True},
            ],
            "data": [{"visits/age": 97}],
        },
    ],
}

DDI = """\
<?xml version="1.0" encoding="UTF-8"?>
<codeBook xmlns="ddi:codebook:2_5" version="2.5">
 <fileDscr ID="F1"><fileTxt><fileName>visits.csv</fileName>
  <dimensns><caseQnty>97</caseQnty></dimensns></fileTxt></fileDscr>
 <fileDscr ID="F2"><fileTxt><fileName>wards.csv</fileName></fileTxt></fileDscr>
 <dataDscr>
  <var ID="V1" name="age" files="F1" intrvl="contin" dcml="0"><labl>Age</labl>
   <valrng><range UNITS="INT" min="0" max="120"/></valrng><invalrng><item VALUE="-9"/><item VALUE="-8"/></invalrng>
   <varFormat type="numeric"/></var>
  <var ID="V2" name="weight" files="F1" intrvl="contin" dcml="1">
   <valrng><range UNITS="REAL" min="41.7" max="97"/></valrng>
   <sumStat type="mean">71.3</sumStat><sumStat type="min">41.7</sumStat><varFormat type="numeric"/></var>
  <var ID="V3" name="sex" files="F1" intrvl="discrete">
   <catgry><catValu>1</catValu><labl>Female</labl><catStat type="freq">97</catStat></catgry>
   <catgry><catValu>2</catValu><labl>Male</labl></catgry>
   <catgry missing="Y"><catValu>9</catValu><labl>Refused</labl></catgry><varFormat type="numeric"/></var>
  <var ID="V4" name="grade" files="F1" intrvl="discrete" nature="ordinal">
   <catgry><catValu>a</catValu><labl>low</labl></catgry><catgry><catValu>b</catValu><labl>high</labl></catgry>
   <catgry><catValu>CANARY</catValu><catStat type="freq">1</catStat></catgry><varFormat type="character"/></var>
  <var ID="V5" name="day" files="F1"><varFormat type="character" category="date"/></var>
  <var ID="V6" name="city" files="F1" intrvl="discrete"><varFormat type="character"/></var>
  <var ID="V7" name="body" files="F1"/>
  <var ID="V8" name="beds" files="F2" intrvl="contin"/>
 </dataDscr>
</codeBook>
"""

SOURCES |= {"croissant": ("croissant.json", json.dumps(CROISSANT)), "ddi": ("codebook.xml", DDI)}
TABLE |= {"ddi": "visits.csv"}


def statistical(folder: Path, form: str) -> Path:
    """An SPSS or Stata file of no rows, with labels, formats and missing codes."""
    pyreadstat = pytest.importorskip("pyreadstat", reason="SPSS and Stata files are read by the extra stat")
    rows = pd.DataFrame({
        "age": [1.0], "sex": [1.0], "pain": [1.0], "kids": [1.0], "city": ["x"], "day": [date(2020, 1, 1)],
        "seen": [datetime(2020, 1, 1)],
    })  # fmt: skip
    labels = {
        "sex": {1: "male", 2: "female", 9: "refused"},
        "pain": {1: "none", 2: "some", 0: "not asked"},
        "kids": {1: "0", 2: "1", 3: "2 or more"},
        "age": {99: "99 or older"},
    }
    if form == "stata":
        for name in ("sex", "pain", "kids", "age"):
            rows[name] = rows[name].astype("int32")
        del labels["sex"][9]
        pyreadstat.write_dta(rows, str(folder / "r.dta"), variable_value_labels=labels)
        return folder / "r.dta"
    measures = {"age": "scale", "sex": "nominal", "pain": "ordinal"}
    path = folder / "r.sav"
    missing = {"sex": [9]}
    pyreadstat.write_sav(
        rows, str(path), variable_value_labels=labels, variable_measure=measures, missing_ranges=missing
    )
    return path
