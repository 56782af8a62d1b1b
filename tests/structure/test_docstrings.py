"""Docstrings: examples run, and public ones have numpydoc's sections, with the parameters of the signature."""

from __future__ import annotations

import doctest
import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

import dpsynth
from tests.structure.source import Source, sources

Public = type[Any] | Callable[..., Any]

SHOWN = {
    "evidence.certificate": ("Certificate",),
    "accounting.ledger_policy": ("Policy",),
    "base.domain": ("Domain",),
    "base.job": ("Job",),
    "auditing.claim": ("PrivacyClaim",),
    "auditing.mechanism.dp": ("DPAuditor",),
    "auditing.mechanism.noise": ("Answer",),
    "auditing.mechanism.noise_report": ("Check", "MechanismAudit"),
    "auditing.mechanism.one_run": ("CoinFlips", "OneRunResult"),
    "auditing.mechanism.pairs": ("Pair",),
    "auditing.mechanism.refutation": ("DPAuditResult", "PairResult"),
    "auditing.release.audit_policy": ("AuditPolicy",),
    "auditing.release.report": ("AuditReport", "Finding", "Precondition"),
    "evaluation.images.classes": ("ClassQuality",),
    "evaluation.images.classifiers": ("ClassAccuracy", "ImageClassifier"),
    "evaluation.images.features": ("FixedDistance",),
    "evaluation.images.findings": ("ImageFinding",),
    "evaluation.images.grain": ("Grain",),
    "evaluation.images.nearest": ("Nearest",),
    "evaluation.images.quality": ("ImageQuality",),
    "evaluation.images.spectrum": ("Band", "Spectrum"),
    "evaluation.images.told_apart": ("ImageDiscriminator",),
    "evaluation.association": ("Association",),
    "evaluation.pattern": ("Pattern",),
    "evaluation.plots": ("Plot",),
    "evaluation.scores": ("ColumnScores", "Scores"),
    "evaluation.structure": ("CalendarPart", "MissingTogether", "Quantiles"),
    "evaluation.quality": ("ColumnQuality", "DetailQuality", "Quality", "WayQuality"),
    "mechanisms.allocation": ("Allocation", "Part"),
    "mechanisms.footprint": ("Footprint", "Pace"),
    "mechanisms.base": ("Bare", "Mechanism", "Resumable"),
    "mechanisms.oneway": ("OneWayMeasurements",),
    "mechanisms.checkpoint": ("Checkpoint",),
    "mechanisms.external.base": ("ExternalMechanism",),
    "mechanisms.external.command": ("External",),
    "mechanisms.external.smartnoise": ("SmartNoise",),
    "mechanisms.image.dp_gan": ("ImageGAN",),
    "mechanisms.image.embedding": ("ImageEmbedding",),
    "mechanisms.marginal.aim": ("AIM",),
    "mechanisms.marginal.canopy": ("Canopy",),
    "mechanisms.marginal.independent": ("Independent",),
    "mechanisms.marginal.known": ("Known", "Marginal"),
    "mechanisms.marginal.mst": ("MST",),
    "mechanisms.marginal.workload": ("Workload",),
    "mechanisms.neural.dp_ctgan": ("DPCTGAN",),
    "mechanisms.neural.hybrid": ("Hybrid",),
    "mechanisms.neural.pate_gan": ("PATEGAN",),
    "mechanisms.prices": ("Prices",),
    "mechanisms.registry": ("Registry",),
    "models.base": ("LinearMeasurement", "Model"),
    "models.graphical": ("GraphicalModel",),
    "models.hidden": ("HiddenModel",),
    "models.images": ("ImageModel", "Waves"),
    "models.joint": ("JointModel",),
    "models.junction_tree": ("JunctionTree",),
    "models.mixture": ("MixtureModel",),
    "models.refined": ("RefinedModel",),
    "models.released": ("ReleasedRows",),
    "synthesizers.image": ("ImagePlan", "ImageSynthesizer"),
    "synthesizers.planned": ("Plan", "Query"),
    "synthesizers.recorded": ("RecordedMarginal",),
    "synthesizers.table": ("Synthesizer",),
    "schema.columns": ("Boolean", "Categorical", "Datetime", "Identifier", "Numeric"),
    "schema.images": ("ImageSchema",),
    "schema.table": ("Schema", "SchemaDraft"),
}
"""Classes that users, auditors and authors of mechanisms meet: each has an example."""

FUNCTIONS = {
    "accounting.calibrate": ("calibrate", "training"),
    "data.engines.files": ("open_rows", "open_source"),
    "data.tables.codec": ("codec_for", "codecs", "decode_frame", "encode_frame", "schema_domain"),
    "auditing.mechanism.exposed": ("exposed_pairs",),
    "auditing.mechanism.noise": (
        "audit_noise",
        "check_budget",
        "check_sampling",
        "probe_sensitivity",
    ),
    "auditing.mechanism.one_run": ("coin_flip_split", "one_run_audit"),
    "auditing.mechanism.pairs": ("worst_case_pairs",),
    "auditing.release.audit": ("audit",),
    "evaluation.fidelity": ("evaluate",),
    "evaluation.images.quality": ("evaluate_images",),
    "evaluation.images.sheets": ("contact_sheet",),
    "mechanisms.allocation": ("first_parts",),
    "mechanisms.footprint": ("footprint",),
    "mechanisms.oneway": ("allocated_oneways", "check_shares", "measure_oneways", "measure", "measure_all"),
    "mechanisms.marginal.independent": ("independent_model",),
    "mechanisms.registry": ("mechanism_for",),
    "models.bins": ("choose_bins",),
    "models.engines": ("choose_engine", "estimate", "estimate_exactly"),
    "models.histogram": ("denoise", "standing_out"),
    "synthesizers.numbers": ("mean_noise",),
    "synthesizers.plan": ("plan",),
    "testing.laws": ("check_mechanism", "made_up", "outcome"),
}
"""Functions that auditors and authors of mechanisms call."""

SECTION = re.compile(r"^([A-Z]\w+(?: \w+)?)\n(-+)$", re.MULTILINE)
ENTRY = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: : \S.*)?$")
KNOWN_SECTIONS = {
    "Attributes",
    "Examples",
    "Notes",
    "Parameters",
    "Raises",
    "References",
    "Returns",
    "See Also",
    "Yields",
}


def sections(docstring: str) -> dict[str, str]:
    """The sections of a docstring by their titles; ValueError for one that numpydoc would not know."""
    found: dict[str, str] = {}
    heads = list(SECTION.finditer(docstring))
    starts = [head.start() for head in heads] + [len(docstring)]
    for head, end in zip(heads, starts[1:], strict=True):
        title, line = head.groups()
        if title not in KNOWN_SECTIONS or len(line) != len(title) or title in found:
            raise ValueError(f"{title!r} is no section, or twice there, or its line is of another length")
        found[title] = docstring[head.end() : end].strip("\n")
    return found


def entries(section: str) -> list[str]:
    """The names that a section of parameters describes; ValueError for one without a description."""
    names: list[str] = []
    described = True
    for line in section.splitlines():
        if line.startswith("    ") or not line.strip():
            described = described or bool(line.strip())
            continue
        match = ENTRY.match(line)
        if match is None or not described:
            raise ValueError(f"{line!r} is no parameter, or the one before it has no description")
        names += [name.strip("* ") for name in match.group(1).split(",")]
        described = False
    if not described:
        raise ValueError(f"{names[-1]!r} has no description")
    return names


def wanted(it: Public) -> list[str]:
    """The names of what it is called with."""
    if isinstance(it, type) and (issubclass(it, BaseException) or getattr(it, "_is_protocol", False)):
        return []
    return [name for name in inspect.signature(it).parameters if name != "self"]


def faults(it: Public) -> Iterator[str]:
    """What keeps a docstring from numpydoc's form, a sentence each."""
    text = inspect.cleandoc(it.__doc__ or "")
    if not text or "\n" in text.partition("\n\n")[0]:
        yield "its summary is not one line, with an empty one after it"
    try:
        found = sections(text)
        described = entries(found.get("Parameters", ""))
    except ValueError as error:
        yield str(error)
        return
    if described != wanted(it):
        yield f"it describes {described} and takes {wanted(it)}"
    if inspect.isfunction(it) and it.__annotations__.get("return") not in (None, "None") and "Returns" not in found:
        yield "it does not say what it returns"


def exported() -> dict[str, Public]:
    return {name: getattr(dpsynth, name) for name in dpsynth.__all__}


def of_these_folders(table: dict[str, tuple[str, ...]]) -> dict[str, Public]:
    found = {}
    for module, names in table.items():
        found |= {f"{module}.{name}": getattr(import_module(f"dpsynth.{module}"), name) for name in names}
    return found


def test_exported_names_are_described_in_numpydocs_form() -> None:
    assert {name for name, it in exported().items() if list(faults(it))} == set()


@pytest.mark.parametrize("table", [SHOWN, FUNCTIONS], ids=["classes", "functions"])
def test_what_authors_of_mechanisms_use_is_described_in_numpydocs_form(table: dict[str, tuple[str, ...]]) -> None:
    found = {name: list(faults(it)) for name, it in of_these_folders(table).items()}
    assert {name: sentences for name, sentences in found.items() if sentences} == {}


def test_every_public_class_of_models_and_mechanisms_has_an_example() -> None:
    bare = [name for name, it in of_these_folders(SHOWN).items() if ">>> " not in (it.__doc__ or "")]
    assert bare == []


@pytest.mark.parametrize(
    "source", [s for s in sources() if "    >>> " in s.path.read_text(encoding="utf-8")], ids=lambda s: s.where
)
def test_examples_are_true(source: Source) -> None:
    module = import_module(source.name)
    tests = [test for test in doctest.DocTestFinder().find(module) if test.examples]
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False)
    said: list[str] = []
    for test in tests:
        runner.run(test, out=said.append)
    assert tests
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def plain(a: int, b: int = 0) -> int:
    """Adds.

    Parameters
    ----------
    a, b : int
        What is added.

    Returns
    -------
    int
        The sum.
    """
    return a + b


def test_a_docstring_in_this_form_passes() -> None:
    assert list(faults(plain)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a, b : int", "a : int"),
        ("a, b : int", "b, a : int"),
        ("a, b : int", "a, b and c"),
        ("a, b : int\n", "a : int\nb : int\n"),
        ("        What is added.\n", ""),
        ("Parameters\n    ----------", "Parameters\n    ---------"),
        ("Parameters\n    ----------", "Arguments\n    ---------"),
        ("Returns\n    -------", "Gives\n    -----"),
        ("Returns\n    -------\n    int\n        The sum.\n", ""),
        ("Adds.\n\n", "Adds,\n    and that is all.\n\n"),
    ],
)
def test_a_docstring_with_a_fault_is_found(old: str, new: str) -> None:
    def mutant(a: int, b: int = 0) -> int:
        return a + b

    assert plain.__doc__ is not None
    assert old in plain.__doc__
    mutant.__doc__ = plain.__doc__.replace(old, new)
    assert list(faults(mutant))


def test_an_example_that_is_false_fails() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "false", None, None)
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda _: None).failed == 1
