"""Every page, empty and full, light and dark: accessible by axe-core's rules (WCAG 2.1, A and AA), and on narrow screens whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, expect

from app.navigation import TABLE
from core.database import Database
from core.library.importing import import_folder
from core.library.preprocessing import preprocess
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.browser.conftest import Server
from tests.sounds import write_library

pytestmark = pytest.mark.slow

expect.set_options(timeout=60_000)
AXE = next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")).read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
WORDS = ".js-plotly-plot :is(.xtick, .ytick) text, .vega-embed .role-axis text"
FAINT_WORDS = """selector => {
  const light = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(one => one / 255)
    .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0.05);
  const page = light(getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor);
  const words = [...document.querySelectorAll(selector)];
  const contrast = one => { const word = light(getComputedStyle(one).fill); return Math.max(word, page) / Math.min(word, page); };
  return [words.length, words.filter(one => contrast(one) < 4.5).map(one => one.textContent)];
}"""
"""Words beside charts, and those of them with too little contrast: axe looks at no SVG."""
NARROW = {"a phone": 420, "1280 pixels at 200 %": 640}


@pytest.fixture(scope="module")
def somewhere(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A workspace without anything, or with a library of 24 songs with spectrograms."""
    server = Server(tmp_path_factory.mktemp(request.param))
    if request.param == "full":
        settings = Settings(home=server.home)
        library = Library(Database(settings.database))
        import_folder(library, settings, write_library(tmp_path_factory.mktemp("music")), genre_from="folder")
        preprocess(library, settings, SpectrogramRecipe())
    server.start()
    yield server
    server.kill()
    server.kill_workers()


def opened(browser: Browser, theme: Literal["light", "dark"], width: int) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": width, "height": 1400}, color_scheme=theme)
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def visit(page: Page, server: Server, name: str) -> None:
    page.goto(f"{server.url}/{name}")
    expect(page.locator("h1")).to_be_visible()
    page.wait_for_timeout(500)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def found(violations: list[dict[str, Any]]) -> list[str]:
    return [f"{one['id']}: {node['html'][:200]} ({one['help']})" for one in violations for node in one["nodes"]]


@pytest.mark.parametrize(
    ("somewhere", "theme"), [("empty", "light"), ("full", "light"), ("full", "dark")], indirect=["somewhere"]
)
def test_every_page_is_accessible(browser: Browser, somewhere: Server, theme: Literal["light", "dark"]) -> None:
    faults: dict[str, list[str]] = {}
    charts = {"collect", "explore"} if Library(Database(somewhere.home / "data" / "library.db")).names() else set()
    words_on_charts: set[str] = set()
    for page in opened(browser, theme, 1280):
        for name, *_ in TABLE:
            visit(page, somewhere, name)
            if name in charts:
                expect(page.locator(WORDS)).not_to_have_count(0)
            page.evaluate(AXE)
            answer = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
            assert answer["passes"], "the rules were applied"
            if answer["violations"]:
                faults[name] = found(answer["violations"])
            words, faint = page.evaluate(FAINT_WORDS, WORDS)
            words_on_charts |= {name} if words else set()
            if faint:
                faults[f"{name}, charts"] = faint
    assert not faults
    assert words_on_charts == charts


@pytest.mark.parametrize("somewhere", ["full"], indirect=True)
@pytest.mark.parametrize("screen", NARROW)
def test_no_page_is_wider_than_the_screen(browser: Browser, somewhere: Server, screen: str) -> None:
    wider: dict[str, int] = {}
    for page in opened(browser, "light", NARROW[screen]):
        for name, *_ in TABLE:
            visit(page, somewhere, name)
            width = page.evaluate(
                "Math.max(...[...document.querySelectorAll('[data-testid=stMainBlockContainer] *')]"
                ".filter(one => one.checkVisibility() && !one.closest('.stDataFrame, [role=radiogroup], .vega-embed'))"
                ".map(one => one.getBoundingClientRect().right))"
            )
            if width > NARROW[screen] + 1:
                wider[name] = width
    assert not wider
