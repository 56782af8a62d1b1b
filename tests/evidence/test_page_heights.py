"""In a browser: how long the pages of 47 columns are, what the first screen holds, and that nothing is too wide."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from tests.evidence.test_pages import page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
MEASURE = """<script>
const below = [...document.querySelectorAll("h2")].find(h => !h.closest("section"));
const wide = [...document.querySelectorAll("main *")].filter(
  e => !e.closest(".scroll") && !e.closest("svg") && e.getBoundingClientRect().right > innerWidth + 1);
document.title = JSON.stringify({
  height: document.documentElement.scrollHeight, first: Math.round(below.getBoundingClientRect().top),
  wide: wide.map(e => e.tagName), shown: innerWidth});
</script></body>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine"),
]


def measured(text, folder, width):
    """The page in a window of this width; its policy, which forbids scripts, is left out for the measurement."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    (folder / "page.html").write_text(text.replace("</body>", MEASURE), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},900"]
    place = [f"--user-data-dir={folder / 'profile'}", "--dump-dom", (folder / "page.html").as_uri()]
    made = subprocess.run([BROWSER, *flags, *place], capture_output=True, text=True, timeout=120, check=True)
    return json.loads(re.search(r"<title>(.*?)</title>", made.stdout).group(1))


@pytest.mark.parametrize("name", ["certificate", "quality", "PASS", "INCONCLUSIVE"])
def test_a_page_fits_its_first_screen_and_six_thousand_pixels(name, tmp_path):
    found = measured(page(name), tmp_path, 1280)
    assert found["height"] <= 6000
    assert found["first"] <= 980  # what is on top; the next heading has its margin above it
    assert found["wide"] == []


@pytest.mark.parametrize("name", ["certificate", "quality", "INCONCLUSIVE"])
def test_on_a_narrow_screen_only_tables_scroll_sideways(name, tmp_path):
    found = measured(page(name), tmp_path, 500)  # a window of chromium is no narrower
    assert found["shown"] == 500
    assert found["wide"] == []
