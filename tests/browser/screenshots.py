"""Pictures of the real app for the README, made anew by `make screenshots`: from the sample library, whose songs are nobody's.

A fresh workspace is filled as a person would do it (made-up songs, a training, an evaluation, a map); then every page is
opened in a browser. `--all FOLDER` takes every page at 1280 and 420 pixels, light and dark, to be looked at.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.navigation import TABLE
from core.audio import synthesis, waveform
from tests.browser.conftest import FLAGS, PROJECT, Server

IMAGES = PROJECT / "docs" / "images"
SHOWN = {
    "home": "", "explore": "Show the crops a network sees", "train": "test songs right", "evaluate": "", "predict": "A song of two halves",
    "map": "",
}  # fmt: skip
"""Pages that the README shows, from which words on; from the top without any."""
MODEL = "my first model"
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")


def main() -> None:
    """Fill a workspace, and take the pictures."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--all", type=Path, metavar="FOLDER", help="every page, two widths, two themes, put there")
    asked.add_argument("--home", type=Path, help="a workspace that was filled before, to be used again")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = given.home or Path(scratch)
        if not (home / "models" / MODEL).exists():
            fill(home)
        song = medley(Path(scratch) / "A song of two halves.flac")
        with running(home) as server, browser() as chromium:
            if given.all:
                given.all.mkdir(parents=True, exist_ok=True)
                for theme in THEMES:
                    for width in (1280, 420):
                        for name, *_ in TABLE:
                            take(chromium, server, name, song, given.all / f"{name}-{width}-{theme}.png", width, theme)
            else:
                IMAGES.mkdir(exist_ok=True)
                for name in SHOWN:
                    take(chromium, server, name, song, IMAGES / f"{name}.png", 1280, "light", height=760)


def fill(home: Path) -> None:
    """A workspace with the sample library, a model of it, its evaluation and map."""
    for command in (
        ["sample"],
        ["train", "--name", MODEL, "--network", "small_resnet", "--epochs", "6"],
        ["evaluate", MODEL],
        ["embed", "--model", MODEL, "--map"],
    ):
        subprocess.run([sys.executable, "-m", "core", *command, "--home", str(home)], check=True, cwd=PROJECT)


def medley(path: Path) -> Path:
    """A made-up song that changes its style in the middle."""
    parts = [synthesis.made_up_song(style, 3, duration_s=40.0) for style in synthesis.STYLES[:2]]
    path.write_bytes(waveform.as_flac(np.concatenate(parts), sample_rate=synthesis.SAMPLE_RATE, tags={}))
    return path


@contextmanager
def running(home: Path) -> Iterator[Server]:
    """The app."""
    server = Server(home)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        server.kill_workers()


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        sys.exit("There is no Chromium on this machine (Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield chromium
        chromium.close()


def take(
    chromium: Browser,
    server: Server,
    name: str,
    song: Path,
    picture: Path,
    width: int,
    theme: Theme,
    *,
    height: int | None = None,
) -> None:
    """A picture of a page: its first `height` pixels, or all of it."""
    context = chromium.new_context(viewport={"width": width, "height": height or 1200}, color_scheme=theme)
    context.set_default_timeout(90_000)
    page = context.new_page()
    page.goto(f"{server.url}/{'' if name == TABLE[0][0] else name}")
    rest(page)
    if name == "predict":
        page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(song)
        expect(page.get_by_role("slider").first).to_be_visible(timeout=90_000)
        rest(page)
    if height is None:  # the page scrolls within itself: a window as high as it is shows all of it
        inside = page.get_by_test_id("stMainBlockContainer").evaluate("one => one.scrollHeight")
        page.set_viewport_size({"width": width, "height": min(12_000, max(700, int(inside) + 120))})
        rest(page)
    elif words := SHOWN.get(name):
        page.get_by_text(words).first.evaluate("one => one.scrollIntoView({block: 'start'})")
        page.mouse.wheel(0, -70)  # from under the navigation
        rest(page)
    page.screenshot(path=picture)
    context.close()


def rest(page: Page) -> None:
    """Wait until nothing changes any more."""
    expect(page.locator("h1")).to_be_visible(timeout=90_000)
    page.wait_for_timeout(1500)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=90_000)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=90_000)
    page.wait_for_timeout(500)


if __name__ == "__main__":
    main()
