"""Many guests of the demo at once, each with a browser's page of their own: all are answered, or told that it is busy.

Four in `make test`; fifty for five minutes in a soak (`-s` shows the figures).
"""

import asyncio
import contextlib
import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Page, async_playwright
from playwright.async_api import TimeoutError as NoAnswer

from tests import soak
from tests.browser.conftest import FLAGS, Server, chromium
from tests.sounds import drone, hiss, write_sound

GUESTS, SECONDS = soak.often(4, 50), soak.often(0, 300)
BOUND_MB = 1000
"""What the server and what decodes for it may take together; docs/demo.md tells hosts to give it that."""
PATIENCE_S = 180
BUSY = "Many songs are being listened to just now"


@dataclass
class Told:
    """What came of all uploads."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Server]:
    home = tmp_path / "home"
    home.mkdir()
    server = Server(home, {"GENRESCOPE_MODE": "demo", "GENRESCOPE_GUEST_UPLOADS": "1000"})
    server.start()
    yield server
    server.kill()


def megabytes(root: int) -> float:
    """Memory of a process and of those that it started, proportional where they share it."""
    total = 0.0
    for process in [root, *(int(one) for one in Path(f"/proc/{root}/task/{root}/children").read_text().split())]:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has just ended
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000
    return total


async def guest(page: Page, server: Server, number: int, song: Path, until: float, told: Told) -> None:
    """Drop the song, wait for what is said of it, again and again."""
    await page.goto(server.url, timeout=PATIENCE_S * 1000)
    times = 0
    while times == 0 or time.monotonic() < until:
        name = f"guest {number} song {times}.mp3"
        begun = time.monotonic()
        await page.locator("input[type=file]").set_input_files(
            {"name": name, "mimeType": "audio/mpeg", "buffer": song.read_bytes()}, timeout=PATIENCE_S * 1000
        )
        answered = page.get_by_role("heading", name=name)
        busy = page.get_by_text(BUSY)
        try:
            await answered.or_(busy).first.wait_for(timeout=PATIENCE_S * 1000)
        except NoAnswer:
            told.outcomes["neither"] += 1
            return
        told.seconds.append(time.monotonic() - begun)
        told.outcomes["busy" if await busy.count() else "answered"] += 1
        times += 1
        await let_go(page, name)


async def let_go(page: Page, name: str) -> None:
    """Remove a song, pressing again where the page was just being drawn anew."""
    button = page.get_by_role("button", name=re.compile("Remove (this song|it|all)")).first
    for _ in range(PATIENCE_S // 10):
        with contextlib.suppress(NoAnswer):
            await button.click(timeout=5_000)
        with contextlib.suppress(NoAnswer):
            await page.get_by_text(name).first.wait_for(state="detached", timeout=5_000)
            return
    raise AssertionError(f"{name} cannot be removed")


async def all_at_once(server: Server, songs: list[Path], told: Told) -> None:
    assert server.process is not None
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        pages = [await (await browser.new_context()).new_page() for _ in range(GUESTS)]
        until = time.monotonic() + SECONDS
        working = [
            asyncio.create_task(guest(page, server, number, songs[number % len(songs)], until, told))
            for number, page in enumerate(pages)
        ]
        while not all(task.done() for task in working):
            told.megabytes.append(megabytes(server.process.pid))
            await asyncio.sleep(0.5)
        for task in working:
            task.result()
        await browser.close()


def test_every_guest_is_answered_or_told_that_it_is_busy(demo: Server, tmp_path: Path) -> None:
    assert demo.process is not None
    songs = [
        write_sound(tmp_path / f"{n}.mp3", make(np.random.default_rng(n), soak.often(10, 180)))
        for n, make in enumerate((drone, hiss))
    ]
    told = Told()
    asyncio.run(all_at_once(demo, songs, told))
    time.sleep(5)
    afterwards = megabytes(demo.process.pid)
    ranks = sorted(told.seconds)
    print(  # noqa: T201 - the figures of docs/reliability.md
        f"{GUESTS} guests, {sum(told.outcomes.values())} uploads: {dict(told.outcomes)}; seconds to an answer: median "
        f"{statistics.median(ranks):.1f}, 95 % {ranks[int(0.95 * len(ranks))]:.1f}, slowest {ranks[-1]:.1f}; memory at first "
        f"{told.megabytes[0]:.0f} MB, at most {max(told.megabytes):.0f} MB, afterwards {afterwards:.0f} MB"
    )
    assert set(told.outcomes) <= {"answered", "busy"}
    assert told.outcomes["answered"] >= GUESTS / 2
    assert max(told.megabytes) < BOUND_MB
    assert afterwards < told.megabytes[0] + 500
