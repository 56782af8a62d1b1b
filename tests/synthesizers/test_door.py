"""Where raw rows come in: what goes wrong there says nothing and is not free, and no fit can leave the bounding out."""

from __future__ import annotations

import sys
import traceback
import types
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import dpsynth
from dpsynth import Categorical, Numeric, PrivacyUnit, Schema, Synthesizer
from dpsynth.data.engines import delimited, files
from dpsynth.data.engines.files import open_source
from dpsynth.data.tables import codec
from dpsynth.door import bounded as bounded_module
from dpsynth.door import codes as codes_module
from dpsynth.door import keeping as keeping_module
from dpsynth.door import table as table_module
from dpsynth.door.bounding import bounded_rows
from dpsynth.door.ids import key
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.wall import RowsError, behind_the_wall
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.synthesizers import image as image_module
from dpsynth.synthesizers import table as synthesizer_module
from tests.mechanisms.test_image_embedding import random_images

SCHEMA = Schema(
    {"name": Categorical(["a", "b"], other="b"), "age": Numeric(0, 99, integer=True)}, not_identifying=["name"]
)
PEOPLE = Schema(SCHEMA.columns, unit=PrivacyUnit("who"), not_identifying=["name"])
BUDGET = Budget(1.0, 1e-6)


def rows(n=50):
    return pd.DataFrame({"name": ["a", "b"] * (n // 2), "age": range(n)})


def fit(data, schema=SCHEMA, mechanism="independent", **facts):
    return Synthesizer(schema, mechanism, epsilon=1.0, delta=1e-6, **{"ledger": None, **facts}).fit(data)


def ledger_of(folder, unit=SCHEMA.unit):
    return Ledger.create(folder / "a.ledger", BUDGET, dataset="d", unit=unit)


def assert_it_says_nothing(error, *private):
    """Neither the exception nor anything that it hangs on shows what happened."""
    assert error.__cause__ is None
    assert error.__context__ is None
    assert str(error) == str(RowsError())
    told = "".join(traceback.format_exception_only(error))
    assert "\n" not in str(error)
    assert not any(word in told for word in private)


class Hostile:
    def __init__(self, error):
        self.error = error

    def __getattribute__(self, name):
        raise object.__getattribute__(self, "error")


FAILURES = [
    ValueError("CANARY"),
    MemoryError("Unable to allocate 31561 CANARY"),
    RuntimeWarning("CANARY"),
    pa.ArrowInvalid("CANARY"),
    UnicodeDecodeError("utf-8", b"CANARY", 0, 1, "CANARY"),
    type("Own", (BaseException,), {})("CANARY"),
    StopIteration("CANARY"),
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda e: type(e).__name__)
def test_whatever_fails_behind_the_wall_comes_out_as_one_sentence(error):
    def work():
        raise error from ValueError("CANARY")

    with pytest.raises(RowsError) as caught:
        behind_the_wall(work)
    assert_it_says_nothing(caught.value, "CANARY")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_who_runs_the_program_may_stop_it_and_sees_nothing_of_the_rows(stop):
    def work():
        try:
            raise ValueError("CANARY")
        except ValueError:
            raise stop from ValueError("CANARY")

    with pytest.raises(stop) as caught:
        behind_the_wall(work)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_behind_the_wall_nothing_is_warned_of_even_where_warnings_are_errors():
    def work():
        warnings.warn("CANARY", stacklevel=1)
        return np.array([1e300]) * 1e300, np.float64(1) / np.float64(0), np.array([1e300]).astype(np.float32)

    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        assert behind_the_wall(work)[1] == np.inf


def broken(module, name, error):
    def fails(*args, **kwargs):
        raise error

    return lambda monkeypatch: monkeypatch.setattr(module, name, fails)


PLACES = {
    "bounding": broken(keeping_module, "crowded", MemoryError("31561 CANARY")),
    "encoding": broken(codes_module, "pieces", ValueError("CANARY")),
    "keeping": broken(table_module._Coded, "_made", ValueError("CANARY")),
    "counting": broken(table_module, "count", MemoryError("31561 CANARY")),
}


@pytest.mark.parametrize("breaks", PLACES.values(), ids=PLACES.keys())
def test_a_fit_that_fails_over_its_rows_says_nothing_and_stays_spent(breaks, monkeypatch, tmp_path):
    ledger = ledger_of(tmp_path, PEOPLE.unit)
    breaks(monkeypatch)
    with pytest.raises(RowsError) as caught:
        fit(rows().assign(who=range(50)), PEOPLE, ledger=ledger)
    assert_it_says_nothing(caught.value, "CANARY", "31561")
    (run,) = ledger.runs()
    assert run.state == "drawing"
    assert ledger.spent().epsilon == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["bound_arrays", "check"])
def test_images_that_fail_over_their_rows_say_nothing_and_stay_spent(name, monkeypatch, tmp_path):
    ledger = ledger_of(tmp_path, PEOPLE.unit)
    images, labels = random_images(40)
    ids = list(range(40))
    if name == "check":
        ids = type("Ids", (list,), {"__iter__": lambda self: (_ for _ in ()).throw(ValueError("CANARY"))})(ids)
    else:
        broken(bounded_module, "bounded_rows", MemoryError("31561 CANARY"))(monkeypatch)
    facts = {"classes": 3, "shape": (6, 5), "epsilon": 1, "delta": 1e-6, "frequencies": 7, "unit": PEOPLE.unit}
    with pytest.raises(RowsError) as caught:
        dpsynth.ImageSynthesizer(**facts, ledger=ledger).fit(images, labels, ids)
    assert_it_says_nothing(caught.value, "CANARY", "31561")
    assert [run.state for run in ledger.runs()] == ["drawing"]
    assert ledger.spent().epsilon == pytest.approx(1.0)


def test_a_run_is_drawing_before_its_first_row_is_read(monkeypatch, tmp_path):
    """Of a file, the names of its columns are read before that, and nothing else."""
    ledger = ledger_of(tmp_path)
    seen = []
    rows().to_csv(tmp_path / "r.csv", index=False)
    read = delimited.read_csv
    monkeypatch.setattr(delimited, "read_csv", lambda *given: seen.append(ledger.runs()[0].state) or read(*given))
    fit(tmp_path / "r.csv", ledger=ledger)
    assert seen == ["drawing"]


def test_a_file_with_a_broken_row_is_a_failure_over_rows_and_not_free(tmp_path):
    """Whether a line has a field too many depends on whose record it is."""
    rows(2).to_csv(tmp_path / "r.csv", index=False)
    with (tmp_path / "r.csv").open("a") as file:
        file.write("CANARY,3,4\n")
    ledger = ledger_of(tmp_path)
    with pytest.raises(RowsError) as caught:
        fit(tmp_path / "r.csv", ledger=ledger)
    assert_it_says_nothing(caught.value, "CANARY")
    assert [run.state for run in ledger.runs()] == ["drawing"]


def test_a_reservation_is_given_back_until_rows_are_read_and_not_after(tmp_path):
    ledger = Ledger.create(tmp_path / "b", Budget(2.5, 1e-6), dataset="d", unit=PrivacyUnit())
    with pytest.raises(KeyError), Accountant(BUDGET, ledger=ledger):
        raise KeyError
    accountant = Accountant(BUDGET, ledger=ledger)
    accountant.begin()
    accountant.begin()
    with pytest.raises(KeyError), accountant:
        raise KeyError
    accountant.close()
    with pytest.raises(ValueError, match="cannot be given back"):
        ledger.void(accountant.run)
    assert [run.state for run in ledger.runs()] == ["void", "drawing"]
    assert [line["kind"] for line in ledger.entries()] == ["open", "run", "void", "run", "drawing"]
    assert ledger.spent().epsilon == pytest.approx(1.0)


LATIN = pa.array([b"a", b"M\xfcller", b"b", None] * 20, pa.binary()).view(pa.string())


@pytest.mark.filterwarnings("ignore::dpsynth.synthesizers.base.CautionWarning")  # noise, in a table of four people
@pytest.mark.parametrize("container", ["arrow", "ArrowDtype", "str", "category", "file"])
@pytest.mark.parametrize("where", ["name", "who"])
def test_texts_that_are_not_utf_8_are_values_like_any_other(container, where, tmp_path):
    """Asked for as objects by pandas, they end in an exception that quotes them."""
    table = pa.table({"name": ["a"] * 80, "age": [1] * 80, "who": [str(i) for i in range(80)]})
    table = table.set_column(table.column_names.index(where), where, LATIN)
    if container == "arrow":
        data = table
    elif container == "file":
        data = tmp_path / "r.parquet"
        parquet.write_table(table, data)
    else:
        column = pd.Series(pd.arrays.ArrowStringArray(pa.chunked_array([LATIN])))
        if container == "ArrowDtype":
            column = pd.Series(LATIN, dtype=pd.ArrowDtype(pa.string()))
        if container == "category":
            column = pd.Series(LATIN.dictionary_encode(), dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())))
        data = pd.DataFrame({"name": ["a"] * 80, "age": 1, "who": [str(i) for i in range(80)]}).assign(
            **{where: column}
        )
    release = Synthesizer(PEOPLE, "independent", epsilon=50, delta=1e-6, ledger=None).fit(data).sample(seed=0)
    expected = 4 if where == "who" else 80
    assert abs(len(release) - expected) < 6
    if where == "name":
        assert abs((release["name"] == "b").sum() - 60) < 6  # what cannot be read is "other", which is b


def test_a_long_double_beyond_every_double_is_the_largest_number():
    wide = np.array([np.longdouble("1e400")] * 50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        release = Synthesizer(SCHEMA, "independent", epsilon=50, delta=1e-6, ledger=None).fit(
            pd.DataFrame({"name": "a", "age": pd.Series(wide)})
        )
    assert (release.sample(seed=0)["age"] == 99).mean() > 0.8


def test_a_file_larger_than_a_block_is_read_in_blocks(monkeypatch, tmp_path):
    monkeypatch.setattr(delimited, "LARGE", 1 << 12)
    rows(5000).to_csv(tmp_path / "r.csv", index=False)
    assert files.open_rows(tmp_path / "r.csv").num_rows == 5000
    assert files.open_rows(tmp_path / "r.csv")["age"].to_pylist() == [str(i) for i in range(5000)]


def test_an_id_that_is_a_word_changes_no_other_id_of_a_file_in_any_block(monkeypatch, tmp_path):
    """A reader that guesses types by blocks would read 7 in one block, and "7" in another: two ids of one person."""
    monkeypatch.setattr(delimited, "LARGE", 1 << 12)
    ids = [f"{i % 500:05}" for i in range(5000)]
    for name, column in (("numbers", ids), ("word", [*ids, "word"])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["who", *column]))
    numbers, word = (open_source(tmp_path / f"{name}.csv").read()["who"] for name in ("numbers", "word"))
    assert len(word.chunks) > 1
    assert {str(chunk.type) for chunk in word.chunks} == {"string"}
    assert word.to_pylist()[:-1] == numbers.to_pylist() == ids
    kept = bounded_rows(numbers, PrivacyUnit("who", 2))
    assert len(kept) == 1000
    np.testing.assert_array_equal(bounded_rows(word, PrivacyUnit("who", 2)), [*kept, 5000])


def test_an_id_is_one_person_in_all_files_of_a_folder_whatever_their_types(tmp_path):
    """One missing id makes decimals of a file's ids, and one word makes texts of them."""
    (tmp_path / "r.parquet").mkdir()
    files_of = {"a": [1, 2, 2**60 + 1], "b": ["1", "2", "word"], "c": [1.0, None, 2.0], "d": [None, None, None]}
    for name, ids in files_of.items():
        parquet.write_table(pa.table({"who": ids}), tmp_path / "r.parquet" / f"{name}.parquet")
    ids = open_source(tmp_path / "r.parquet").read()["who"]
    kept = bounded_rows(ids, PrivacyUnit("who", 1))
    assert len(ids) == 12
    assert [key(ids[row]) for row in kept] == [*{key(ids[row]): None for row in kept}]
    assert {key(ids[row]) for row in kept} == {*map(key, (1, 2, 2**60 + 1, "word", None))}


def test_a_fit_that_fails_leaves_no_value_in_the_log_nor_in_the_variables_of_its_frames(caplog, tmp_path):
    """As programs that report errors keep them."""
    caplog.set_level(1)
    (tmp_path / "r.csv").write_text("name,age\na,1\nCANARY,2\nCANARY,3,CANARY\n")
    with pytest.raises(RowsError) as caught:
        Synthesizer(SCHEMA, epsilon=5, delta=1e-6, ledger=None).fit(tmp_path / "r.csv")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    text = "".join(line for line in shown.format() if "test_door.py" not in line)
    assert "PrivateTable.encoded" in text
    assert "CANARY" not in text + caplog.text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b"a,b\n1,2\n", ["a", "b"]),
        (b"a,b\r1,2\r", ["a", "b"]),
        (b'"a\nx","b"\r\n1,2\n', ["a\nx", "b"]),
        (b'\xef\xbb\xbfa,"b""c"\n', ["a", 'b"c']),
        ("\u00fc,b\n\ud800".encode("utf-8", "surrogatepass"), ["\u00fc", "b"]),
        (b"a,b\n1,2,3\n", ["a", "b"]),
    ],
)
def test_of_a_csv_file_only_the_first_line_is_read_before_the_run_begins(text, names, tmp_path):
    (tmp_path / "r.csv").write_bytes(text)
    assert open_source(tmp_path / "r.csv").names == names


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_a_csv_file_without_a_header_is_refused_and_its_first_line_is_not_shown(mark, tmp_path):
    """The first line may be a record: a file may have no header."""
    (tmp_path / "r.csv").write_text(f"CANARY{mark}7\nb{mark}8\n")
    ledger = ledger_of(tmp_path)
    with pytest.raises(dpsynth.SchemaError, match="none of the table's columns is declared") as caught:
        fit(tmp_path / "r.csv", ledger=ledger)
    assert "CANARY" not in str(caught.value)
    assert ledger.runs() == []


def test_a_separator_inside_quotes_or_beside_commas_is_a_part_of_a_name(tmp_path):
    for text, names in {'"a;b"\n1\n': ["a;b"], "a;b,c\n1,2\n": ["a;b", "c"]}.items():
        (tmp_path / "r.csv").write_text(text)
        assert open_source(tmp_path / "r.csv").names == names


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"", "has no header line"), (b"\xff,b\n1,2\n", "cannot be read as CSV")],
    ids=["empty", "a name that is no text"],
)
def test_a_header_that_cannot_be_read_is_structure_and_costs_nothing(text, said, tmp_path):
    (tmp_path / "r.csv").write_bytes(text)
    ledger = ledger_of(tmp_path)
    with pytest.raises(dpsynth.SchemaError, match=said):
        fit(tmp_path / "r.csv", ledger=ledger)
    assert ledger.runs() == []


def mutant(module, old, new, monkeypatch):
    """A copy of a module in which `old`, found once, reads `new`."""
    text = Path(module.__file__).read_text()
    assert text.count(old) == 1, f"{module.__name__} holds {old!r} {text.count(old)} times: bring the mutant up to date"
    copy = types.ModuleType(f"{module.__name__}_mutant")
    monkeypatch.setitem(sys.modules, copy.__name__, copy)
    exec(compile(text.replace(old, new), copy.__name__, "exec"), copy.__dict__)
    return copy


READ = "rows = bound_table(source.for_the_door(), self.schema.unit, dates, records)"
ENCODED = "PrivateTable.encoded(rows, codecs(modelled, bounds), domain)"
UNBOUNDED = {
    "the rows as they are": (READ, "rows = source.read()"),
    "bounded as if nobody had several rows": (READ, "rows = bound_table(source.for_the_door(), PrivacyUnit())"),
    "codes made from the source again": (
        ENCODED,
        "PrivateTable.from_codes(encode_frame(source.read(), modelled, bounds), domain, self.schema.unit)",
    ),
    "another unit's table": (
        ENCODED,
        "PrivateTable.from_codes(encode_frame(source.read(), modelled, bounds), domain)",
    ),
    "all rows encoded in place of the bounded": (
        ENCODED,
        "PrivateTable.encoded(source.read(), codecs(modelled, bounds), domain)",
    ),
}


@pytest.mark.parametrize(("old", "new"), UNBOUNDED.values(), ids=UNBOUNDED.keys())
def test_a_table_fit_that_leaves_bounding_out_fails(old, new, monkeypatch):
    copy = mutant(synthesizer_module, old, new, monkeypatch)
    copy.PrivacyUnit = PrivacyUnit
    copy.encode_frame = codec.encode_frame
    data = rows().assign(who=["same"] * 50)
    fit(data, PEOPLE)
    with pytest.raises((TypeError, ValueError, AttributeError, RowsError)):
        copy.Synthesizer(PEOPLE, "independent", epsilon=1.0, delta=1e-6, ledger=None).fit(data)


IMAGES = "bounded = bound_arrays((labels, images), ids, schema.unit)"
MADE = "return encoded_rows(bounded, (Classes(schema.classes), GREYS))"
UNBOUNDED_IMAGES = {
    "without ids": (IMAGES, "bounded = bound_arrays((labels, images), None, schema.unit)"),
    "as if nobody had several": (IMAGES, "bounded = bound_arrays((labels, images), None, type(schema.unit)())"),
    "as they are": (IMAGES, "bounded = (labels, images)"),
    "made by hand": (
        MADE,
        "return SensitiveRows(images.reshape(len(images), -1), sizes=(GREYS,) * schema.pixels, protects=schema.unit)",
    ),
    "all of them encoded": (MADE, MADE.replace("bounded", "(labels, images)")),
}


@pytest.mark.parametrize(("old", "new"), UNBOUNDED_IMAGES.values(), ids=UNBOUNDED_IMAGES.keys())
def test_an_image_fit_that_leaves_bounding_out_fails(old, new, monkeypatch):
    from dpsynth.data.images import arrays as module

    copy = mutant(module, old, new, monkeypatch)
    facts = {"classes": 3, "shape": (6, 5), "epsilon": 1, "delta": 1e-6, "frequencies": 7, "unit": PEOPLE.unit}
    images, labels = random_images(40)
    dpsynth.ImageSynthesizer(**facts, ledger=None).fit(images, labels, ["same"] * 40)
    monkeypatch.setattr(image_module, "private_images", copy.private_images)
    with pytest.raises((TypeError, ValueError, RowsError)):
        dpsynth.ImageSynthesizer(**facts, ledger=None).fit(images, labels, ["same"] * 40)


class Deaf:
    """A codec that answers as it likes: what it was asked before, nothing, numbers that are no codes."""

    null = bad = 10**9
    size = 2

    def __init__(self):
        self.asked = []
        self.numbers = self.moments = codes_module.Cuts([0], [-(10**9), 10**9])

    def code(self, value):
        self.asked.append(value)
        return [7, -7, None, 10**30, "x", 1][len(self.asked) % 6]


def test_whatever_a_codec_answers_there_is_a_code_for_every_row_and_within_the_public_range():
    codec_that_lies = Deaf()
    column = pd.Series(["a", "b", "a", None, 3, -3, pd.Timestamp("2020"), b"c", [1], "a"], dtype=object)
    codes = codes_module.codes_of(column, codec_that_lies)
    assert len(codes) == len(column)
    assert {*codes.tolist()} <= {0, 1}
    assert codec_that_lies.asked == ["a", "b", "c", [1]]


def test_a_codec_that_fails_is_told_from_no_other():
    """One value that a codec cannot read must not end a fit, which would be seen."""
    failing = Deaf()
    failing.code = lambda value: 1 / 0
    assert codes_module.codes_of(["a", "b"], failing).tolist() == [1, 1]
