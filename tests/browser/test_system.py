"""The System page in a real browser: a library is backed up in one workspace and restored in an empty one."""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.files import sha256_of
from tests.browser.conftest import Server
from tests.browser.test_evaluate import settle
from tests.browser.test_journey import PATIENCE_MS, import_folder, make_spectrograms

pytestmark = pytest.mark.slow


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Server]:
    """The app on another machine, so to speak: with an empty workspace."""
    home = tmp_path / "other"
    home.mkdir()
    running = Server(home)
    running.start()
    yield running
    running.kill()
    running.kill_workers()


def view(page: Page, server: Server, name: str) -> None:
    page.goto(f"{server.url}/system")
    page.get_by_role("radio", name=name, exact=True).click()
    settle(page)


def rows(server: Server) -> dict[str, int]:
    with closing(sqlite3.connect(server.home / "data" / "library.db")) as db:
        tables = ("tracks", "votes", "audio_files", "spectrograms", "playlists", "genres")
        return {name: int(db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in tables}


def spectrograms(server: Server) -> dict[str, str]:
    root = server.home / "data" / "spectrograms"
    return {str(path.relative_to(root)): sha256_of(path) for path in root.rglob("*.npy")}


def test_a_library_is_carried_to_another_machine(
    server: Server, other: Server, page: Page, songs_folder: Path, tmp_path: Path
) -> None:
    import_folder(page, server, songs_folder, 24)
    make_spectrograms(page, 24)
    view(page, server, "Backup")
    page.get_by_text("The same, and spectrograms").click()
    page.get_by_role("button", name="Back up now").click()
    expect(page.get_by_text("Backup done:")).to_be_visible(timeout=PATIENCE_MS)
    settle(page)
    with page.expect_download() as got:
        page.get_by_role("button", name="Download").click()
    carried = tmp_path / got.value.suggested_filename
    got.value.save_as(carried)

    view(page, other, "Backup")
    page.locator("input[type=file]").set_input_files(str(carried))
    expect(page.get_by_text("It holds 24 tracks")).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("Restored: 24 tracks")).to_be_visible(timeout=PATIENCE_MS)
    assert rows(other) == rows(server) and spectrograms(other) == spectrograms(server)
    assert len(spectrograms(other)) == 24
    page.goto(f"{other.url}/train")  # and can be learned from
    expect(page.get_by_role("button", name="Start training")).to_be_visible()

    view(page, other, "Backup")  # once more, over a library that is not empty: only when that is agreed to
    page.locator("input[type=file]").set_input_files(str(carried))
    restore = page.get_by_role("button", name="Restore")
    expect(restore).to_be_disabled()
    settle(page)
    page.get_by_text("Replace the library that is here (24 tracks)").click()
    expect(restore).to_be_enabled()
    with contextlib.closing(sqlite3.connect(other.home / "data" / "library.db")) as db:
        asked = db.execute("SELECT count(*) FROM jobs WHERE kind = 'speed'").fetchone()[0]
    assert asked == 1, "the Train page asked how fast this machine is"
    settle(page)


def test_jobs_disk_and_settings_are_told(server: Server, page: Page, songs_folder: Path) -> None:
    import_folder(page, server, songs_folder, 24)
    view(page, server, "Jobs")
    expect(page.get_by_role("combobox", name="Look closer at")).to_have_value("1: Import, done")
    expect(page.get_by_text("What came of it")).to_be_visible()
    page.get_by_text("Log of its worker").click()
    expect(page.get_by_text("job 1 (import), attempt 1")).to_be_visible()
    view(page, server, "Disk")
    expect(page.get_by_text("This workspace takes")).to_be_visible()
    page.get_by_test_id("stPopover").get_by_role("button").first.click()
    page.get_by_role("button", name="Remove them").click()
    expect(page.get_by_text("of logs removed")).to_be_visible()
    assert list((server.home / "data" / "logs").iterdir()) == []
    view(page, server, "Settings")
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    view(page, server, "Health")
    expect(page.get_by_text("torchaudio")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stException")).to_have_count(0)
