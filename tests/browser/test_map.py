"""The map in a real browser: a song is pointed at, clicked and heard; many are drawn around, labelled, and undone."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core.database import Database
from core.learning import model
from core.library.embeddings import Embeddings
from core.library.importing import import_folder
from core.library.preprocessing import preprocess
from core.library.store import Library
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings
from tests.app.test_map import GENRES, space
from tests.browser.conftest import Server
from tests.models import publish
from tests.sounds import write_library

pytestmark = pytest.mark.slow

expect.set_options(timeout=60_000)
RECIPE = SpectrogramRecipe()
PIXEL = """([trace, point]) => {
    const plot = document.querySelector('.js-plotly-plot'), {xaxis, yaxis} = plot._fullLayout;
    const {left, top} = plot.getBoundingClientRect(), {x, y} = plot._fullData[trace];
    return [left + xaxis._offset + xaxis.l2p(x[point]), top + yaxis._offset + yaxis.l2p(y[point])];
}"""


@pytest.fixture
def mapped(server: Server, tmp_path: Path) -> Server:
    """Twelve songs, drones to the left and hisses to the right."""
    settings = Settings(home=server.home, processes=1)
    database = Database(settings.database)
    library = Library(database)
    folder = write_library(tmp_path / "music", songs=6, artists=3, seconds=2.0, suffixes=(".mp3",))
    import_folder(library, settings, folder, genre_from="folder")
    preprocess(library, settings, RECIPE)
    training = TrainingRecipe(network="small_resnet", steps=3, crop_frames=64)
    placed = publish(settings.models / "mine", genres=GENRES, spectrogram=RECIPE, training=training, space=space())
    embeddings = Embeddings(database, model.read_card(placed).onnx_sha256)
    drones = {song.sha256 for song in library.songs(RECIPE.fingerprint) if song.label.top == "drone"}
    rng = np.random.default_rng(0)
    embeddings.add(
        [
            (audio_id, np.array([-9.0 if sha256 in drones else 9.0, 0, 0, 0], np.float32) + rng.normal(0, 1, 4))
            for audio_id, sha256 in embeddings.missing(RECIPE.fingerprint)
        ]
    )
    return server


def settle(page: Page) -> None:
    page.wait_for_timeout(600)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def test_a_song_is_clicked_and_heard_and_many_are_labelled_at_once(page: Page, mapped: Server) -> None:
    page.set_viewport_size({"width": 1280, "height": 1400})
    page.goto(f"{mapped.url}/map")
    expect(page.get_by_test_id("stPlotlyChart")).to_be_visible()
    settle(page)
    x, y = page.evaluate(PIXEL, [0, 2])
    page.mouse.move(x - 4, y)
    page.mouse.move(x, y)
    expect(page.locator(".hoverlayer")).to_contain_text("Drone Song")
    page.wait_for_timeout(400)
    page.mouse.down()
    page.wait_for_timeout(80)
    page.mouse.up()
    expect(page.get_by_role("button", name="Explore this song")).to_be_visible()
    page.wait_for_function("document.querySelector('audio')?.duration > 1")

    page.get_by_text("Draw around to label").click()
    settle(page)
    corners = [page.evaluate(PIXEL, [0, point]) for point in range(6)]
    left, right = min(x for x, _ in corners) - 15, max(x for x, _ in corners) + 15
    top, bottom = min(y for _, y in corners) - 15, max(y for _, y in corners) + 15
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 1)):
        page.mouse.move(x, y, steps=8)
    page.mouse.up()
    expect(page.get_by_text("6 songs selected")).to_be_visible()
    settle(page)
    genre = page.get_by_role("combobox", name="Genre of the 6 selected songs")
    genre.fill("lullaby")
    genre.press("Enter")
    page.keyboard.press("Escape")
    settle(page)
    page.get_by_role("button", name="Give this genre").click()
    undo = page.get_by_role("button", name="Undo: lullaby for 6 tracks")
    expect(undo).to_be_visible()
    library = Library(Database(mapped.home / "data" / "library.db"))
    assert [t.label.top for t in library.tracks(RECIPE.fingerprint) if t.label].count("lullaby") == 6
    settle(page)
    undo.click()
    expect(undo).to_have_count(0)
    assert [t.label.top for t in library.tracks(RECIPE.fingerprint) if t.label].count("lullaby") == 0
