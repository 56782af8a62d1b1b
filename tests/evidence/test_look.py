"""In a browser, by axe-core: no page loads anything, none has a fault of contrast or labels, and all are printed whole.

Of every page: in the light and the dark scheme, at widths of 1280 and 390 pixels.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dpsynth.evaluation.images.quality import evaluate_images
from dpsynth.evidence.account_page import account_page
from tests.auditing.faults import GAUSSIAN
from tests.auditing.test_pages import numbers, sums
from tests.evidence import account_pages
from tests.evidence.test_account_page import STATES
from tests.evidence.test_pages import PAGES, page
from tests.mechanisms.test_image_embedding import random_images
from tests.synthesizers.test_answers import draw, fitted
from tests.synthesizers.test_plan_page import planned

LOOK = Path(__file__).with_name("look.cjs")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
NODE = shutil.which("node")
FAULTY = """<!DOCTYPE html><html lang="en"><head><title>t</title><style>p { color: #999; background: #fff }
div { width: 1300px } </style></head><body><main><h1>t</h1><p>grey on white</p><div>wide</div>
<img src="https://127.0.0.1:1/a.png"></main></body></html>"""


pytestmark = pytest.mark.slow


def skip_what_cannot_be_looked_at():
    if BROWSER is None or NODE is None:
        pytest.skip("pages are looked at by node and chromium, and one of them is not on this machine")
    asked = "require.resolve('axe-core'); require.resolve('playwright-core')"
    if subprocess.run([NODE, "-e", asked], cwd=LOOK.parent, capture_output=True, check=False).returncode:
        pytest.skip("pages are looked at by npm's axe-core and playwright-core: install them where NODE_PATH points")


def looked_at(pages, folder):
    """What look.cjs finds in each of these pages."""
    files = {}
    for name, text in pages.items():
        files[name] = str(folder / f"{name}.html")
        Path(files[name]).write_text(text, encoding="utf-8")
    job = folder / "look.json"
    job.write_text(json.dumps({"browser": BROWSER, "pages": files, "shots": os.environ.get("DPSYNTH_SHOTS")}))
    asked = [NODE, str(LOOK), str(job)]
    done = subprocess.run(asked, cwd=LOOK.parent, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def all_pages(folder):
    """Every page that the package makes, but those of jobs, which need a package more."""
    images, labels = random_images(60, 1)
    pages = {name: page(name) for name in PAGES}
    pages |= {state.replace(" ", "_"): account_page(made()) for state, made in STATES.items()}
    pages["ledger"] = account_page(account_pages.a_year(folder / "year.ledger"))
    pages["plan"] = planned().to_html()
    pages["images"] = evaluate_images(images, labels, *random_images(80, 2)).to_html()
    others = dict(zip(("holdout_images", "holdout_labels"), random_images(80, 3), strict=True))
    pages["images-holdout"] = evaluate_images(images, labels, *random_images(80, 2), **others).to_html()
    pages["audit_dp"] = sums(1 / GAUSSIAN.mu, 100).to_html()
    pages["audit_mechanism"] = numbers(1.0, 100).to_html()
    pages["measured"] = fitted(draw(), epsilon=8.0, unsafe_seed=6).measured_report().to_html()
    return pages


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    skip_what_cannot_be_looked_at()
    folder = tmp_path_factory.mktemp("look")
    pages = all_pages(folder)
    try:
        from tests.jobs.test_page import made_page
    except pytest.skip.Exception:
        pass
    else:
        pages["job"] = made_page(tmp_path_factory.mktemp("job"))[2]
    return looked_at(pages, folder)


def test_no_page_loads_anything_or_is_wider_than_its_window(found):
    assert {name for name, looks in found.items() for look in looks if look["requests"] or look["wide"]} == set()


def test_no_page_has_a_fault_that_axe_knows_in_either_scheme(found):
    assert [f"{name}: {fault}" for name, looks in found.items() for look in looks for fault in look["faults"]] == []
    assert {(look["scheme"], look["width"]) for looks in found.values() for look in looks} == {
        (scheme, width) for scheme in ("light", "dark") for width in (1280, 390)
    }
    assert all(look["passes"] > 20 for looks in found.values() for look in looks)


def test_what_is_folded_on_the_screen_is_printed_and_would_not_be_without_the_style_of_print(found):
    sheets = {name: looks[0]["printed"] for name, looks in found.items()}
    assert {name for name, each in sheets.items() if each["folded"] != each["opened"]} == set()
    assert sheets["certificate"]["without"] < sheets["certificate"]["folded"]


def test_a_page_with_faults_is_found_out(tmp_path):
    skip_what_cannot_be_looked_at()
    wide, narrow, *_ = looked_at({"faulty": FAULTY}, tmp_path)["faulty"]
    assert wide["requests"] == ["https://127.0.0.1:1/a.png"]
    assert narrow["wide"]
    assert {fault.partition(":")[0] for fault in wide["faults"]} >= {"color-contrast", "image-alt"}
