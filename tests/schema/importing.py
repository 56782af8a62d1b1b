"""Data dictionaries of one table in each form, written from the form's public specification."""

from __future__ import annotations

import json
from pathlib import Path

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

SOURCES: dict[str, tuple[str, str]] = {
    "spreadsheet": ("dictionary.csv", SPREADSHEET),
    "redcap": ("project.csv", REDCAP),
    "frictionless": ("resource.json", json.dumps(FRICTIONLESS)),
    "json-schema": ("record.json", json.dumps(JSON_SCHEMA)),
    "sdv": ("metadata.json", json.dumps(SDV)),
    "smartnoise": ("pums.yaml", SMARTNOISE),
    "google": ("domain.yaml", GOOGLE),
    "sql": ("visits.sql", SQL),
}
"""For each form the name of a file and its content."""

TABLE = {"sdv": "guests"}
"""The table of sources with several."""


def written(folder: Path, form: str) -> Path:
    """The source of a form as a file."""
    name, content = SOURCES[form]
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path
