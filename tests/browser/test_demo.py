"""`make demo` as it is typed: a small environment of its own, in a clean copy, that answers a dropped song."""

import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests import image
from tests.browser.conftest import PROJECT, free_port
from tests.sounds import drone, write_sound

pytestmark = pytest.mark.slow

LARGEST_MB = 800
ABSENT = ("torch", "torchaudio", "librosa", "scipy", "plotly", "sklearn", "yt_dlp", "spotipy", "playwright")
NO_INDEX = (
    "Temporary failure in name resolution",
    "Failed to establish",
    "ConnectTimeout",
    "NewConnectionError",
    "ProxyError",
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of what a guest's server needs, with its environment made."""
    place = tmp_path_factory.mktemp("demo")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    ran = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip("this is no git checkout, so there is nothing to make a clean copy of")
    files = [name for name in ran.stdout.splitlines() if (PROJECT / name).is_file()]
    for name in [*image.context(PROJECT, files), "Makefile"]:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / name, place / name)
    made = subprocess.run(
        ["make", "demo-install", f"PYTHON={sys.executable}"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        timeout=550,
    )
    if made.returncode and any(told in made.stderr for told in NO_INDEX):
        pytest.skip("no package index can be reached from here, so the environment of the demo cannot be made")
    assert made.returncode == 0, made.stderr[-3000:]
    return place


def test_its_environment_is_small_and_lacks_what_trains(demo: Path) -> None:
    files = [path for path in (demo / ".venv-demo").rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_blocks * 512 for path in files) <= LARGEST_MB * 1_000_000
    look = f"from importlib.util import find_spec; print([one for one in {ABSENT} if find_spec(one)])"
    ran = subprocess.run(
        [demo / ".venv-demo" / "bin" / "python", "-c", look], capture_output=True, text=True, check=True, cwd=demo
    )
    assert ran.stdout.strip() == "[]"


@pytest.fixture
def served(demo: Path, tmp_path: Path) -> Iterator[str]:
    """Its address, started with `make demo`."""
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            ["make", "demo", f"PORT={port}", f"PYTHON={sys.executable}"], cwd=demo, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and server.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                break
            time.sleep(0.2)
        assert server.poll() is None, (tmp_path / "log").read_text()
        yield f"http://127.0.0.1:{port}"
        subprocess.run(["kill", "--", f"-{server.pid}"], check=True)  # make, and what it started
        server.wait()


def test_it_answers_a_dropped_song(demo: Path, served: str, page: Page, tmp_path: Path) -> None:
    song = write_sound(tmp_path / "song.mp3", drone(np.random.default_rng(0), 12.0))
    before = {path for path in demo.rglob("*") if ".venv-demo" not in path.parts and "__pycache__" not in path.parts}
    page.goto(f"{served}/train")
    expect(page.get_by_text("never stored")).to_be_visible(timeout=60_000)
    page.locator("input[type=file]").set_input_files([str(song)])
    expect(page.get_by_role("heading", name="song.mp3")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Save as a page to share")).to_be_visible()
    after = {path for path in demo.rglob("*") if ".venv-demo" not in path.parts and "__pycache__" not in path.parts}
    assert after == before, "nothing was written"
