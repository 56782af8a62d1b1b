"""No file of the package breaches a wall, and every wall stops what it is there to stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.structure.source import Source, plant, sources
from tests.structure.walls import RINGS, WALLS, core_packages

FILES = sources()

KERNEL = {
    "kernel/__init__.py": "",
    "kernel/noise.py": "import os\ndef rounded_gaussian(stddev, bits):\n    return os.urandom(8)",
    "kernel/accountant.py": "import secrets\nfrom dpsynth.kernel.noise import rounded_gaussian\n"
    "from dpsynth.kernel.sensitive import Sensitive, _integers",
    "kernel/sensitive.py": "class Sensitive:\n    __slots__ = ('__integers',)\n"
    "def _integers(x: Sensitive):\n    return object.__getattribute__(x, '_Sensitive__integers')",
    "kernel/rows.py": "class SensitiveRows:\n    __slots__ = ('__codes',)\n"
    "def _exact_codes(rows: SensitiveRows):\n    return 0",
    "door/bounded.py": "_BOUNDED = object()\nclass Bounded:\n    __slots__ = ('__rows',)\n"
    "def _raw(bounded: Bounded):\n    return object.__getattribute__(bounded, '_Bounded__rows')",
    "discovery/held.py": "class HeldTexts:\n    __slots__ = ('__texts',)\n"
    "def _exact_counts(held: HeldTexts):\n    return object.__getattribute__(held, '_HeldTexts__texts')",
    "programs/run.py": "import subprocess\ndef _run(program, event, rows):\n    subprocess.Popen(program)",
    "data/__init__.py": "",
    "door/table.py": "from dpsynth.kernel.sensitive import Sensitive\n"
    "class PrivateTable:\n    def marginals(self):\n        return Sensitive(self.__backend)",
}


def breaches(wall: str, package: Path) -> list[str]:
    return [sentence for source in sources(package) for sentence in WALLS[wall](source)]


@pytest.mark.parametrize("wall", WALLS)
@pytest.mark.parametrize("source", FILES, ids=lambda source: source.where)
def test_no_file_breaches_a_wall(wall: str, source: Source) -> None:
    assert list(WALLS[wall](source)) == []


RANDOMNESS = [
    "import secrets",
    "from secrets import token_bytes",
    "import random",
    "from random import gauss",
    "import os\nos.urandom(8)",
    "from os import urandom as u\nu(8)",
    "import numpy as np\nnp.random.normal(0, 1)",
    "import numpy as np\nnp.random.seed(0)",
    "import numpy.random as r\nr.rand(3)",
    "from numpy import random\nrandom.laplace()",
    "from numpy.random import normal",
    "import numpy\nnumpy.random.RandomState(0)",
    "import numpy as np\nnp.random.default_rng()",
    "import numpy as np\nnp.random.default_rng(None)",
    "import numpy as np\nnp.random.default_rng(seed=None)",
    "from numpy.random import default_rng as fresh\nfresh()",
    "from numpy.random import Generator, PCG64\nGenerator(PCG64())",
    "import numpy as np\nnp.random.SeedSequence()",
    "from scipy import stats\nstats.norm.rvs(size=3)",
    "from dpsynth.kernel import noise",
    "from dpsynth.kernel.noise import rounded_gaussian",
    "import dpsynth.kernel.noise",
    "from dpsynth.kernel.accountant import rounded_gaussian",
    "from dpsynth.discovery.discovery import rounded_gaussian",
    "from dpsynth.kernel import accountant\naccountant.rounded_gaussian(1, None)",
]

PRIVATE_SLOTS = [
    "from dpsynth.kernel.sensitive import _integers",
    "from dpsynth.kernel import sensitive\nsensitive._integers(x)",
    "from dpsynth.kernel.accountant import _integers as look",
    "from ..kernel.sensitive import _integers",
    "object.__getattribute__(x, '_Sensitive__integers')",
    "x._Sensitive__integers",
    "table._PrivateTable__backend",
    "getattr(table, '_PrivateTable__backend')",
    "getattr(module, '_integers')(x)",
    "from dpsynth.kernel.sensitive import Sensitive\nSensitive([1], l1=1, l2=1)",
    "from dpsynth.kernel import sensitive as s\ns.Sensitive([1], l1=1, l2=1)",
    "from dpsynth.kernel.rows import SensitiveRows\nSensitiveRows([[1]], sizes=(2,), protects=unit)",
    "from dpsynth.kernel.rows import _exact_codes",
    "getattr(module, '_exact_codes')(rows)",
    "from dpsynth.discovery.held import _exact_counts",
    "from dpsynth.discovery import held\nheld._exact_counts(x)",
    "object.__getattribute__(x, '_HeldTexts__texts')",
    "from dpsynth.discovery.held import HeldTexts\nHeldTexts([], [], unit, shown)",
    "from dpsynth.programs.run import _run",
    "from dpsynth.programs import run\nrun._run(program, event, rows)",
    "object.__getattribute__(rows, '_SensitiveRows__codes')",
    "from dpsynth.kernel.sensitive import Sensitive as S\nS([1], l1=1, l2=1)",
]

DEPENDENCIES = [
    "import torch",
    "from opacus import PrivacyEngine",
    "def late():\n    import statsmodels.api",
    "import dp_accounting",
    "from sklearn.linear_model import LogisticRegression",
    "import matplotlib.pyplot as plt",
    "import requests",
    "from importlib import import_module\nimport_module('torch')",
]

NO_CODE_FROM_FILES = [
    "import pickle",
    "from marshal import loads",
    "import shelve",
    "import joblib",
    "import cloudpickle",
    "eval(text)",
    "exec(text)",
    "compile(text, 'f', 'exec')",
    "__import__(name)",
    "import importlib\nimportlib.import_module(name)",
    "import numpy as np\nnp.load(path, allow_pickle=True)",
    "import numpy as np\nnp.load(path, allow_pickle=flag)",
    "import pandas as pd\npd.read_pickle(path)",
    "frame.to_pickle(path)",
    "frame.query(where)",
    "frame.eval(where)",
    "import yaml\nyaml.load(text)",
    "import yaml\nyaml.load(text, Loader=yaml.Loader)",
    "import yaml\nyaml.load(text, yaml.UnsafeLoader)",
    "import yaml\nclass L(yaml.Loader): pass\nyaml.load(text, Loader=L)",
    "import yaml\nyaml.unsafe_load(text)",
    "import torch\ntorch.load(path)",
    "import torch\ntorch.load(path, weights_only=False)",
    "import runpy",
    "import pkgutil\npkgutil.resolve_name(name)",
    "from importlib.util import spec_from_file_location\nspec_from_file_location('m', path)",
    "from importlib.metadata import entry_points",
    "from importlib.metadata import EntryPoint\nEntryPoint('m', text, 'g').load()",
    "from importlib import metadata\nmetadata.entry_points(group='g')",
    "from importlib import metadata\nmetadata.distribution('d').entry_points",
]

PROGRAMS = [
    "import subprocess",
    "from subprocess import Popen",
    "import multiprocessing.pool",
    "import os\nos.system('ls')",
    "from os import execv",
    "import os\nos.posix_spawnp('ls', ['ls'], {})",
    "import os as o\no.fork()",
    "import asyncio\nasyncio.create_subprocess_shell('ls')",
    "from importlib import import_module\nimport_module('subprocess')",
]

MUTANTS = {
    "randomness": RANDOMNESS,
    "private_slots": PRIVATE_SLOTS,
    "dependencies": DEPENDENCIES,
    "no_code_from_files": NO_CODE_FROM_FILES,
    "programs": PROGRAMS,
}


@pytest.mark.parametrize(("wall", "code"), [(wall, code) for wall, codes in MUTANTS.items() for code in codes])
def test_a_wall_stops_the_mutant_planted_in_a_mechanism(tmp_path: Path, wall: str, code: str) -> None:
    found = breaches(wall, plant(tmp_path, {**KERNEL, "mechanisms/mutant.py": code}))
    assert found
    assert all(sentence.startswith("mechanisms/mutant.py:") for sentence in found)


REGISTRY = (
    "from importlib.metadata import EntryPoint, entry_points\n"
    "OURS = [EntryPoint('m', 'dpsynth.mechanisms.m:M', 'g')]\n"
    "def load(name):\n    return {e.name: e for e in (*OURS, *entry_points(group='g'))}[name].load()\n"
)


def test_the_registry_alone_may_load_what_is_stated_there_or_declared_by_a_package(tmp_path: Path) -> None:
    package = plant(tmp_path, {**KERNEL, "mechanisms/registry.py": REGISTRY})
    assert [sentence for wall in WALLS for sentence in breaches(wall, package)] == []


@pytest.mark.parametrize(
    "code",
    [
        "EntryPoint(name, 'dpsynth.mechanisms.m:M', 'g').load()",
        "EntryPoint('m', value, 'g').load()",
        "EntryPoint('m', 'os:system', 'g').load()",
        "EntryPoint(name='m', value='os:system', group='g').load()",
        "import importlib\nimportlib.import_module(name)",
    ],
)
def test_nor_does_the_registry_load_a_name_that_somebody_gives(tmp_path: Path, code: str) -> None:
    package = plant(tmp_path, {**KERNEL, "mechanisms/registry.py": REGISTRY + code})
    assert len(breaches("no_code_from_files", package)) == 1


@pytest.mark.parametrize("wall", WALLS)
def test_every_wall_has_mutants_and_lets_the_kernel_pass(tmp_path: Path, wall: str) -> None:
    assert MUTANTS[wall]
    assert breaches(wall, plant(tmp_path, KERNEL)) == []


@pytest.mark.parametrize(
    "code",
    [
        "from dpsynth.kernel.sensitive import _integers",
        "from dpsynth.kernel.sensitive import Sensitive\nSensitive([1], l1=1, l2=1)",
        "from dpsynth.kernel.rows import SensitiveRows\nSensitiveRows([[1]], sizes=(2,), protects=unit)",
        "from dpsynth.door.bounded import _BOUNDED",
        "from dpsynth.door.bounded import Bounded, _raw\n_raw(rows)",
        "rows._Bounded__rows",
    ],
)
def test_the_data_folder_may_neither_make_a_sensitive_value_nor_read_one(tmp_path: Path, code: str) -> None:
    assert breaches("private_slots", plant(tmp_path, {**KERNEL, "data/reader.py": code}))


@pytest.mark.parametrize("where", ["mechanisms/neural/networks.py", "mechanisms/neural/trainer.py"])
def test_torch_is_welcome_in_its_own_folder(tmp_path: Path, where: str) -> None:
    code = "import torch\nmodel.eval()\ntorch.load(path, weights_only=True)"
    package = plant(tmp_path, {**KERNEL, where: code})
    assert [sentence for wall in WALLS for sentence in breaches(wall, package)] == []


def test_honest_code_passes_every_wall(tmp_path: Path) -> None:
    code = """
import os, re, yaml
from importlib import import_module, metadata
import numpy as np
import pandas as pd
from numpy.random import Generator, PCG64
from scipy import stats
from dpsynth.ledger.opening import Accountant
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.mechanisms import _helpers
pattern = re.compile("a")
class Loader(yaml.SafeLoader): pass
def honest(seed: int, rng: np.random.Generator, x: Sensitive, self) -> Sensitive:
    seeded = np.random.default_rng(seed), np.random.default_rng([seed, 1]), Generator(PCG64(seed))
    children = np.random.SeedSequence(seed).spawn(2)
    stats.norm.rvs(size=3, random_state=rng)
    yaml.safe_load(""), yaml.load("", Loader=Loader), np.load("f", allow_pickle=False)
    self._values, self.__integers, os.environ, metadata.version("dpsynth"), self.eval()
    import_module("dpsynth.kernel.accountant")
    return Sensitive.stack([x])
"""
    package = plant(tmp_path, {**KERNEL, "mechanisms/honest.py": code, "mechanisms/_helpers.py": ""})
    assert [sentence for wall in WALLS for sentence in breaches(wall, package)] == []


def test_the_slots_and_functions_of_the_real_kernel_are_behind_the_wall(tmp_path: Path) -> None:
    real = {source.where: source.path.read_text(encoding="utf-8") for source in FILES if source.folder in RINGS}
    code = "x._Sensitive__integers\ngetattr(s, '_integers')\nfrom dpsynth.kernel.noise import rounded_gaussian"
    package = plant(tmp_path, {**real, "mechanisms/mutant.py": code})
    assert len(breaches("private_slots", package)) == 2
    assert breaches("randomness", package)


def test_core_dependencies_are_read_from_the_project_file() -> None:
    assert {"numpy", "pandas", "pyarrow", "scipy", "yaml"} <= core_packages()
    assert not {"torch", "statsmodels", "sklearn", "dp_accounting", "matplotlib"} & core_packages()
