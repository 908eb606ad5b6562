"""Many guests of the demo at once, each with a page of their own: all are answered, or told that it is busy.

Ten in `make test`; fifty for five minutes in a soak (`-s` shows the figures).
"""

import contextlib
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from app.ui import plain
from tests import soak
from tests.browser.conftest import Server
from tests.sounds import drone, hiss, write_sound
from tests.visitor import Visitor

pytestmark = pytest.mark.slow

GUESTS, SECONDS = soak.often(10, 50), soak.often(0, 300)
BOUND_MB = 1000
"""What the server and what decodes for it may take together; docs/demo.md tells hosts to give it that."""
LEFT_MB = 200
"""So much more than after its first song the server may hold when all have gone: what the allocator keeps for as many threads."""
PATIENCE_S = 180
BUSY = "Many songs are being listened to just now"


@dataclass
class Told:
    """What came of all uploads."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"answered": [], "busy": []})
    megabytes: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextlib.contextmanager
def serving(home: Path, script: str = "app/main.py") -> Iterator[Server]:
    """The demo, with no end to what one guest may ask."""
    home.mkdir()
    server = Server(home, {"GENRESCOPE_MODE": "demo", "GENRESCOPE_GUEST_UPLOADS": "1000"}, script)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "home") as server:
        yield server


def own_megabytes(process: int, *, shared: bool = True) -> float:
    """Memory of a process; what it shares with others whole, or in parts. 0 if it has just ended."""
    file, line = ("status", "VmRSS:") if shared else ("smaps_rollup", "Pss:")
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        lines = Path(f"/proc/{process}/{file}").read_text().splitlines()
        return sum(int(one.split()[1]) for one in lines if one.startswith(line)) / 1000
    return 0.0


def megabytes(root: int) -> float:
    """Memory of a process and of all that it started; what they share counts once."""
    children: list[str] = []
    for task in Path(f"/proc/{root}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            children += task.read_text().split()
    return own_megabytes(root, shared=False) + sum(megabytes(int(child)) for child in children)


def guest(url: str, number: int, song: bytes, until: float, told: Told) -> None:
    """Drop the song, wait for what is said of it, remove it, again and again."""
    with Visitor(url) as page:
        times = 0
        while times == 0 or time.monotonic() < until:
            name = f"guest {number} song {times}.mp3"
            begun = time.monotonic()
            page.drop(name, song)
            try:
                page.wait(lambda name=name: page.reads(f"##### {plain(name)}") or page.reads(BUSY), PATIENCE_S)
            except TimeoutError:
                told.outcomes["neither"] += 1
                return
            outcome = "busy" if page.reads(BUSY) else "answered"
            told.outcomes[outcome] += 1
            told.seconds[outcome].append(time.monotonic() - begun)
            page.rest()
            page.press("Remove (this song|it|all)")
            page.rest()
            times += 1
        told.errors.extend(page.errors)


def test_every_guest_is_answered_or_told_that_it_is_busy(demo: Server, tmp_path: Path) -> None:
    assert demo.process is not None
    songs = [
        write_sound(tmp_path / f"{n}.mp3", make(np.random.default_rng(n), soak.often(10, 180))).read_bytes()
        for n, make in enumerate((drone, hiss))
    ]
    told = Told()
    guest(demo.url, -1, songs[0], 0, told)  # loads the model, as the first guest does
    before = own_megabytes(demo.process.pid)
    told = Told()
    with ThreadPoolExecutor(GUESTS) as pool:
        until = time.monotonic() + SECONDS
        working = [pool.submit(guest, demo.url, n, songs[n % len(songs)], until, told) for n in range(GUESTS)]
        while wait(working, timeout=0.5).not_done:
            told.megabytes.append(megabytes(demo.process.pid))
        for one in working:
            one.result()
    time.sleep(5)
    afterwards = own_megabytes(demo.process.pid)
    print(  # noqa: T201 - the figures of docs/reliability.md
        f"{GUESTS} guests, {sum(told.outcomes.values())} uploads: {dict(told.outcomes)}; memory after the first song "
        f"{before:.0f} MB, at most {max(told.megabytes):.0f} MB, afterwards {afterwards:.0f} MB"
    )
    for outcome, seconds in told.seconds.items():
        if seconds:
            median, late, slowest = statistics.median(seconds), np.quantile(seconds, 0.95), max(seconds)
            print(f"{outcome}: median {median:.1f} s, 95 % {late:.1f} s, slowest {slowest:.1f} s")  # noqa: T201
    assert told.errors == []
    assert set(told.outcomes) <= {"answered", "busy"}
    assert told.outcomes["answered"] >= GUESTS / 2
    assert max(told.megabytes) < BOUND_MB
    assert afterwards < before + LEFT_MB


def test_a_song_is_gone_from_memory_when_its_page_is_closed(tmp_path: Path) -> None:
    song = write_sound(tmp_path / "song.mp3", drone(np.random.default_rng(0), 20)).read_bytes()
    middle = song[len(song) // 2 :][:40].hex()
    with serving(tmp_path / "home", script="tests/faults/counting.py") as server:

        def copies() -> str:
            with Visitor(server.url, query=f"count={middle}") as counting:
                return next(text for text in counting.texts if text.endswith("copies"))

        with Visitor(server.url) as page:
            for name in ("removed.mp3", "kept.mp3"):
                page.drop(name, song)
                page.wait(lambda name=name: page.reads(f"##### {plain(name)}"))
                page.rest()
                assert copies() != "0 copies", "else this test sees nothing"
                if name == "removed.mp3":
                    page.press("Remove this song")
                    page.rest()
                    assert copies() == "0 copies"
        deadline = time.monotonic() + 10
        while copies() != "0 copies":
            assert time.monotonic() < deadline, "the song is still there after its page was closed"
