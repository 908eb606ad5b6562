"""Guest mode in a real browser: every address leads to Predict; songs are dropped, recorded, and let go."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import FLAGS, Server, chromium
from tests.sounds import drone, hiss, write_sound


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A demo whose home cannot be written to."""
    folder = tmp_path_factory.mktemp("guests")
    home = folder / "home"
    home.mkdir()
    running = Server(folder, {"GENRESCOPE_MODE": "demo", "GENRESCOPE_HOME": str(home)})
    running.start()
    home.chmod(0o555)
    yield running
    running.kill()


@pytest.mark.parametrize("address", ["", "train", "predict", "library?x=1", "no-such-page"])
def test_every_address_leads_to_predict(guests: Server, page: Page, address: str) -> None:
    page.goto(f"{guests.url}/{address}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Predict")
    expect(page.get_by_text("never stored")).to_be_visible()
    expect(page.get_by_text("Page not found")).to_have_count(0)
    for other in ("Train", "Library", "Playlists", "Manage models"):
        expect(page.get_by_text(other, exact=True)).to_have_count(0)


def test_songs_are_dropped_one_after_another_and_removed(guests: Server, page: Page, tmp_path: Path) -> None:
    sounds = [write_sound(tmp_path / f"{n}.mp3", y(np.random.default_rng(n), 8.0)) for n, y in enumerate((drone, hiss))]
    page.goto(guests.url)
    page.locator("input[type=file]").set_input_files([str(sounds[0])])
    expect(page.get_by_role("heading", name="0.mp3")).to_be_visible()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.locator("input[type=file]").set_input_files([str(sounds[1])])
    expect(page.get_by_role("heading", name="2 songs side by side")).to_be_visible()
    expect(page.locator("[data-testid=stFileUploaderFile]")).to_have_count(0)  # the box was emptied, its files let go
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a page to share").click()
    shared = Path(download.value.path()).read_text(encoding="utf-8")
    assert "<audio" in shared and "1.mp3" in shared
    page.get_by_role("button", name="Remove all").click()
    expect(page.get_by_role("heading", name="2 songs side by side")).to_have_count(0)
    assert list((guests.home / "home").iterdir()) == [], "nothing was written"


@pytest.mark.slow
def test_a_song_is_recorded(guests: Server, browser: Browser) -> None:
    fake = [*FLAGS, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    recording = browser.browser_type.launch(executable_path=chromium(), args=fake)
    try:
        page = recording.new_context(permissions=["microphone"]).new_page()
        page.set_default_timeout(60_000)
        page.goto(guests.url)
        page.get_by_role("tab", name="Record").click()
        page.get_by_role("button", name="Record").click()
        page.wait_for_timeout(5_000)  # that long is recorded
        page.get_by_role("button", name="Stop recording").click()
        expect(page.get_by_role("heading", name="Recording 1.wav")).to_be_visible(timeout=60_000)
        expect(page.get_by_role("button", name="Save as a page to share")).to_be_visible()
    finally:
        recording.close()


@pytest.mark.slow
@pytest.mark.parametrize("twice", [False, True])
def test_the_whole_app_does_not_listen_outside_unless_told_twice(tmp_path: Path, page: Page, twice: bool) -> None:
    home = tmp_path / "home"
    home.mkdir()
    told = {"GENRESCOPE_ALLOW_OUTSIDE": "yes"} if twice else {}
    server = Server(home, {"STREAMLIT_SERVER_ADDRESS": "0.0.0.0", **told})
    server.start()
    try:
        page.goto(f"{server.url}/library")
        if twice:
            expect(page.get_by_role("heading", level=1)).to_have_text("Library")
        else:
            expect(page.get_by_text("it does not open")).to_be_visible()
            expect(page.get_by_text("Import", exact=False)).to_have_count(0)
            assert not (home / "data").exists()
    finally:
        server.kill()
