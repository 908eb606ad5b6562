"""The first hour, in a real browser: three doors, a sample library, songs side by side, and all of it removed again."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server

PATIENCE_MS = 180_000
expect.set_options(timeout=60_000)


def settle(page: Page) -> None:
    """Wait until the page is drawn: what is clicked then stays put."""
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.locator("[data-stale=true]")).to_have_count(0)


def files_of(home: Path) -> list[str]:
    """What lies in the workspace besides the library and logs."""
    data = home / "data"
    return [
        str(path.relative_to(data))
        for path in data.rglob("*")
        if path.is_file()
        and not path.name.startswith("library.db")
        and path.name != "worker.lock"
        and "logs" not in path.parts
    ]


def rows_of(home: Path) -> dict[str, int]:
    """Only asked where no other part of this process has the library open."""
    tables = ("tracks", "audio_files", "spectrograms", "votes", "genres", "playlists", "playlist_tracks")
    with closing(sqlite3.connect(home / "data" / "library.db")) as db:
        return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


DOORS = {
    "Hear what the shipped model says about a song": "Predict",
    "Import my music": "Library",
    "Start from playlists": "Playlists",
}


def test_a_first_start_has_three_doors(server: Server, page: Page) -> None:
    for door, heading in DOORS.items():
        page.goto(server.url)
        expect(page.get_by_role("button", name="Make a sample library")).to_be_visible()
        settle(page)
        page.get_by_role("button", name=door).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)


@pytest.mark.slow
def test_a_sample_library_is_made_looked_at_and_removed(server: Server, page: Page) -> None:
    page.goto(server.url)
    expect(page.get_by_role("button", name="Make a sample library")).to_be_visible()
    settle(page)
    files = files_of(server.home)

    page.get_by_role("button", name="Make a sample library").click()
    expect(page.get_by_text("Sample library:")).to_be_visible()
    expect(page.get_by_text("The sample library is here: 96 made-up songs")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Next: Train a network")).to_be_visible()
    assert rows_of(server.home)["spectrograms"] == 96

    page.goto(f"{server.url}/explore?show=Compare&genres=made-up+stomp&genres=made-up+drift")
    expect(page.get_by_text("12 songs, all there are")).to_have_count(2, timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stMetricValue")).to_have_count(6)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="The figures of 24 songs as CSV").click()
    told = waiting.value.path().read_text().splitlines()
    assert len(told) == 25
    assert told[1].startswith("made-up stomp,Genrescope synthesiser")

    settle(page)
    page.get_by_role("radio", name="Songs", exact=True).click()
    expect(page.get_by_text("The figures of 2 songs as CSV")).to_be_visible()
    expect(page).to_have_url(re.compile(r"compare=Songs.*song=\d+"))
    chosen = page.get_by_test_id("stMetricValue").all_inner_texts()
    page.reload()  # the address holds the view
    expect(page.get_by_test_id("stMetricValue")).to_have_count(6)
    settle(page)
    assert page.get_by_test_id("stMetricValue").all_inner_texts() == chosen

    page.goto(server.url)
    settle(page)
    page.get_by_role("button", name="Remove the sample library").click()
    page.get_by_role("button", name="Remove 96 songs").click()
    expect(page.get_by_text("96 made-up songs removed.")).to_be_visible()
    expect(page.get_by_role("button", name="Import my music")).to_be_visible()
    assert set(rows_of(server.home).values()) == {0}
    assert files_of(server.home) == files
