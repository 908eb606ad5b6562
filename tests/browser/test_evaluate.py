"""The Evaluate page in a real browser: a cell of the confusion matrix is clicked, and its songs are heard."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core.database import Database
from core.learning import metrics
from core.library.evaluations import EvaluatedSong, Evaluations
from core.library.importing import import_folder
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.browser.conftest import Server
from tests.sounds import write_library

pytestmark = pytest.mark.slow

expect.set_options(timeout=60_000)
GENRES = ("drone", "hiss")


@pytest.fixture
def evaluated(server: Server, tmp_path: Path) -> Server:
    """Eight songs, of which three drones were taken for hiss; and the same, all answered right."""
    settings = Settings(home=server.home)
    database = Database(settings.database)
    folder = write_library(tmp_path / "music", songs=4, artists=4, seconds=2.0, suffixes=(".mp3",))
    library, evaluations = Library(database), Evaluations(database)
    import_folder(library, settings, folder, genre_from="folder")
    tracks = library.tracks(SpectrogramRecipe().fingerprint)
    for name, n_wrong in (("all right", 0), ("three wrong", 3)):
        evaluation = evaluations.begin(name, "folder", {}, GENRES)
        songs = []
        for number, track in enumerate(sorted(tracks, key=lambda track: track.path)):
            truth = np.eye(2, dtype=np.float32)[int("hiss" in track.path)]
            sure = 0.9 - 0.05 * number
            spectrum = sure * truth + (1 - sure) * (1 - truth)
            spectrum = spectrum[::-1] if number < n_wrong else spectrum
            songs.append(EvaluatedSong(track.sha256, track.path, track.title, track.artist, 0, truth, spectrum))
        evaluations.add_songs(evaluation, songs)
        report = metrics.report(np.stack([s.truth for s in songs]), np.stack([s.spectrum for s in songs]), GENRES)
        evaluations.finish(evaluation, report)
    return server


def settle(page: Page) -> None:
    page.wait_for_timeout(400)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def test_the_songs_of_a_cell_are_heard_one_after_another(page: Page, evaluated: Server) -> None:
    page.goto(f"{evaluated.url}/evaluate")
    expect(page.get_by_text("5 of 8 songs were answered right: 62%.")).to_be_visible()
    settle(page)
    page.get_by_text("What is taken for what", exact=True).click()
    cell = page.locator("[aria-roledescription='rect mark'][aria-label*='answer: hiss'][aria-label*='genre: drone']")
    expect(cell).to_be_visible()
    settle(page)
    cell.click()
    expect(page.get_by_text("drone, answered hiss: 3 songs")).to_be_visible()
    expect(page.get_by_text("Drone Song 0").first).to_be_visible()
    sound = page.locator("audio")
    expect(sound).to_have_js_property("error", None)
    page.wait_for_function("document.querySelector('audio').readyState > 0")
    assert 1.9 < sound.evaluate("one => one.duration") < 2.3
    first = sound.get_attribute("src")
    settle(page)
    page.keyboard.press("j")
    expect(page.get_by_text("2 of 3")).to_be_visible()
    expect(page.get_by_text("Drone Song 1").first).to_be_visible()
    assert page.locator("audio").get_attribute("src") != first, "another song sounds"
    settle(page)
    page.keyboard.press("k")
    expect(page.get_by_text("1 of 3")).to_be_visible()


def test_two_are_compared_and_the_report_is_one_file(page: Page, evaluated: Server) -> None:
    page.goto(f"{evaluated.url}/evaluate")
    expect(page.get_by_role("button", name="Report as HTML")).to_be_visible()
    settle(page)
    with page.expect_download() as downloaded:
        page.get_by_role("button", name="Report as HTML").click()
    asked: list[str] = []
    report = page.context.new_page()
    report.on("request", lambda request: asked.append(request.url))
    downloaded.value.save_as(evaluated.home / "report.html")
    address = (evaluated.home / "report.html").as_uri()
    report.goto(address)
    expect(report.get_by_role("heading", level=1)).to_have_text("three wrong: 62% of 8 songs right")
    assert asked == [address], "nothing is fetched"
    report.close()
    page.get_by_text("Compare", exact=True).click()
    expect(page.get_by_text("cannot be told apart on 8 songs")).to_be_visible()
    expect(page.get_by_text("Where they differ")).to_be_visible()
