"""The first page of an installed app: from starting the server to the heading of the home page in a browser that is open.

Below the table: what the server imports until then that takes longest.
"""

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Error, Page, sync_playwright

from benchmarks.imports import imports
from benchmarks.timing import REPEATS, Row, within
from core.settings import PROJECT
from tests.browser.conftest import FLAGS

NUMBER = 14
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SLOWEST = 10
PATIENCE_S = 120.0


def measure(songs: Path) -> list[Row]:
    with _browser_page() as page, tempfile.TemporaryDirectory() as scratch:
        _first_page(page, Path(scratch) / "compiled")  # compiles what was never imported
        times = [_first_page(page, Path(scratch) / f"home-{number}") for number in range(REPEATS)]
    seconds = statistics.median(times)
    claim = "first page of an installed app, from starting the server to its heading in the browser"
    return [
        Row(NUMBER, claim, f"{seconds:.1f} s ({min(times):.1f} to {max(times):.1f})", "", *within(seconds, 4.0, "s"))
    ]


def below() -> list[str]:
    """Lines for below the table: the imports of the server that take longest, with what they import in turn."""
    with _browser_page() as page, tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        _first_page(page, home, PYTHONPROFILEIMPORTTIME="1")
        told = imports((home / "server.log").read_text(encoding="utf-8", errors="replace"))
    slowest = sorted(told, key=lambda one: -one.cumulative_ms)[:SLOWEST]
    head = [
        "",
        "The slowest imports until the first page (with what they import in turn):",
        "",
        "| module | ms |",
        "|---|---|",
    ]
    return head + [f"| {one.name} | {one.cumulative_ms:.0f} |" for one in slowest]


@contextmanager
def _browser_page() -> Iterator[Page]:
    """A page of a browser that is open. `FileNotFoundError` without one."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        raise FileNotFoundError("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser.new_page()
        browser.close()


def _first_page(page: Page, home: Path, **surroundings: str) -> float:
    """Seconds until the heading of the home page is seen, in a workspace that is new."""
    home.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py"]
    command += ["--server.headless=true", f"--server.port={port}"]
    environment = {**os.environ, "GENRESCOPE_HOME": str(home), **surroundings}
    begun = time.perf_counter()
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        while not _answers(port):
            if server.poll() is not None or time.perf_counter() - begun > PATIENCE_S:
                raise TimeoutError("the server did not answer")
            time.sleep(0.02)
        page.goto(f"http://127.0.0.1:{port}/")
        page.get_by_role("heading", level=1, name="Genrescope").wait_for(timeout=1000 * PATIENCE_S)
        return time.perf_counter() - begun
    finally:
        server.terminate()
        server.wait()
        with contextlib.suppress(Error):
            page.goto("about:blank")


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
