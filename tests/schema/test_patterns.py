"""Regular patterns of texts: declared, checked, kept by releases, and read from data dictionaries."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import dpsynth as d
from dpsynth.schema.importing.forms import import_facts
from dpsynth.schema.importing.reading import like_pattern, whole_pattern
from dpsynth.synthesizers.rule_check import check_rules

pytestmark = pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")

CODE = "[A-Z][0-9]{2}"
SCHEMA = d.Schema(
    {"dx": d.OpenCategorical(public=["E11"], nullable=True), "age": d.Numeric(0, 9, integer=True)},
    constraints=[d.Pattern("dx", CODE)],
)
VISITS = pd.DataFrame({"dx": ["J45", "I10", "free text", "OTHER", None, "J45 "] * 300, "age": 3})


def fitted(rows: Any, **more: Any) -> d.Synthesizer:
    return d.Synthesizer(SCHEMA, "independent", epsilon=10, delta=1e-6, ledger=None, **more).fit(rows)


def test_a_found_category_that_does_not_follow_the_pattern_becomes_other() -> None:
    synth = fitted(VISITS)
    assert synth.categories == {"dx": ("I10", "J45")}
    rows = synth.sample(2000, seed=1)
    assert all(re.fullmatch(CODE, text) for text in rows["dx"].dropna().astype(str) if text != "OTHER")
    assert (rows["dx"] == "OTHER").mean() == pytest.approx(1 / 3, abs=0.05)
    assert (rows["dx"] == "J45").mean() == pytest.approx(1 / 3, abs=0.05)


def test_without_the_pattern_it_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken double of what follows a pattern."""
    monkeypatch.setattr(d.Pattern, "followed_by", lambda self, text: True)
    assert "free text" in fitted(VISITS).categories["dx"]


def test_a_saved_model_has_the_same_categories(tmp_path: Path) -> None:
    synth = fitted(VISITS)
    synth.save(tmp_path / "m.dpsynth")
    loaded = d.Synthesizer.load(tmp_path / "m.dpsynth")
    assert loaded.categories == synth.categories
    pd.testing.assert_frame_equal(loaded.sample(50, seed=1), synth.sample(50, seed=1))


@pytest.mark.parametrize("container", [lambda f: f, pa.Table.from_pandas], ids=["pandas", "arrow"])
def test_rows_that_break_a_pattern_are_counted(container: Any) -> None:
    (found,) = check_rules(container(VISITS), SCHEMA)
    assert found.constraint == f"dx follows the pattern {CODE}"
    assert found.broken == 300


def test_declared_categories_follow_the_pattern_all_but_the_one_for_others() -> None:
    columns = {"code": d.Categorical(["A10", "B20", "rest"], other="rest")}
    assert d.Schema(columns, constraints=[d.Pattern("code", CODE)]).constraints
    with pytest.raises(d.SchemaError, match="excludes 'A10', which is declared as a category"):
        d.Schema(columns, constraints=[d.Pattern("code", "[B-Z].*")])


@pytest.mark.parametrize(
    ("column", "pattern", "said"),
    [
        (d.Identifier(), "P-.*", 'Identifier\\(pattern="P-######"\\)'),
        (d.Numeric(0, 1), "1.*", "whose values are no texts"),
        (d.Categorical([1, 2]), "1", "whose values are no texts"),
        (d.Text(), "x", "which is never read"),
        (d.OpenCategorical(public=["x"]), "y", "excludes 'x'"),
        (d.OpenCategorical(), "([", "pattern must be a regular expression"),
        (d.OpenCategorical(), "", "pattern must be a regular expression"),
    ],
)
def test_what_has_no_pattern_is_refused_in_one_sentence(column: Any, pattern: str, said: str) -> None:
    with pytest.raises(d.SchemaError, match=said) as caught:
        d.Schema({"c": column, "a": d.Boolean()}, constraints=[d.Pattern("c", pattern)])
    assert "\n" not in str(caught.value)


def test_a_pattern_and_combinations_may_be_about_one_open_column() -> None:
    rules = [*SCHEMA.constraints, d.FixedCombinations(["dx", "age"], [["E11", 1], ["J45", 2], ["I10", 3]])]
    settled = d.Schema(SCHEMA.columns, constraints=rules).settled({"dx": ["J45"]})
    assert [type(rule) for rule in settled.constraints] == [d.Pattern, d.FixedCombinations]
    assert {("E11", 1), ("J45", 2), ("OTHER", 2), ("OTHER", 3)} == {*settled.constraints[1].public}


def test_a_schema_with_a_pattern_comes_back_from_its_file(tmp_path: Path) -> None:
    SCHEMA.save(tmp_path / "s.yaml")
    assert d.Schema.load(tmp_path / "s.yaml") == SCHEMA
    assert SCHEMA.to_dict()["constraints"] == [{"type": "pattern", "column": "dx", "pattern": CODE}]


TEXTS = ("A10", "xA10", "A10x", "B", "AB", "a|b", "A%", "A_", "b", "a", "", "A1")


@pytest.mark.parametrize("regex", ["^[A-Z][0-9]{2}$", "[0-9]", "^A", "B$", "^a|b$", "^(a|b)$", "\\$$", "A.?"])
def test_a_pattern_of_a_part_is_one_of_the_whole_text(regex: str) -> None:
    whole = whole_pattern(regex)
    assert whole is not None
    for text in (*TEXTS, "a$", "$"):
        assert bool(re.fullmatch(whole, text)) == bool(re.search(regex, text)), text


def test_what_python_cannot_read_is_no_pattern() -> None:
    assert whole_pattern("(?<name>x)") is None
    assert whole_pattern(None) is None


@pytest.mark.parametrize(
    ("like", "kept"), [("A%", {"A10", "A10x", "AB", "A%", "A_", "A1"}), ("A_", {"AB", "A%", "A_", "A1"}), ("B", {"B"})]
)
def test_a_pattern_of_like_is_read(like: str, kept: set[str]) -> None:
    assert {text for text in TEXTS if re.fullmatch(like_pattern(like), text)} == kept


SOURCES: dict[str, tuple[str, Any, str]] = {
    "a JSON Schema": (
        "s.json",
        {"type": "object", "properties": {"dx": {"type": "string", "pattern": "^[A-Z][0-9]{2}$"}}},
        CODE,
    ),
    "a Table Schema": (
        "s.json",
        {"fields": [{"name": "dx", "type": "string", "constraints": {"pattern": CODE}}]},
        CODE,
    ),
}


@pytest.mark.parametrize(("name", "content", "pattern"), SOURCES.values(), ids=SOURCES.keys())
def test_an_import_reads_patterns(name: str, content: Any, pattern: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    found = import_facts(str(tmp_path / name), None, None, None)[1].draft().to_dict()
    assert found["constraints"] == [{"type": "pattern", "column": "dx", "pattern": pattern}]


def test_an_import_of_sql_reads_like_and_regular_expressions(tmp_path: Path) -> None:
    pytest.importorskip("sqlglot")
    (tmp_path / "t.sql").write_text(
        "CREATE TABLE t (dx VARCHAR(3) CHECK (dx LIKE 'A_%'), ward TEXT CHECK (ward REGEXP '^W[0-9]$'),"
        " sex CHAR(1) CHECK (sex IN ('f', 'm')));"
    )
    found = import_facts(str(tmp_path / "t.sql"), None, None, "mysql")[1].draft().to_dict()
    assert found["constraints"] == [
        {"type": "pattern", "column": "dx", "pattern": "A..*"},
        {"type": "pattern", "column": "ward", "pattern": "W[0-9]"},
    ]
