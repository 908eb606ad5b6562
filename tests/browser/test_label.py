"""Labels in a real browser, by keyboard alone: confirmed, changed, put off, no music, and taken back."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core.database import Database
from core.jobs import kinds, worker
from core.library.evaluations import EvaluatedSong, Evaluations
from core.library.label_reviews import LabelReviews
from core.library.store import Library, TrackRow
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.browser.conftest import Server

expect.set_options(timeout=60_000)
GENRES = ("drone", "hiss")
FINGERPRINT = SpectrogramRecipe().fingerprint


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, songs_folder: Path) -> Path:
    """24 songs; of three drones a machine says that they are hiss, of each a little less surely."""
    settings = Settings(home=tmp_path_factory.mktemp("labels"), processes=2, lease_s=2.0)
    database = Database(settings.database)
    queue = worker.open_queue(settings, database)
    worker.run_here(settings, database, kinds.submit_import(queue, songs_folder, "folder"))
    worker.run_here(settings, database, kinds.submit_preprocess(queue))
    evaluations = Evaluations(database)
    evaluation = evaluations.begin("labels", "crossvalidation", {"protocol": "artist-folds"}, GENRES)
    answers = []
    for row in tracks_of(database):
        assert row.label
        truth = row.label.vector(GENRES)
        share = {"Drone Song 1": 0.01, "Drone Song 2": 0.02, "Drone Song 3": 0.03}.get(row.title, 0.9)
        spectrum = (share * truth + (1 - share) * (1 - truth)).astype(np.float32)
        answers.append(EvaluatedSong(row.sha256, row.path, row.title, row.artist, 0, truth, spectrum))
    evaluations.add_songs(evaluation, answers)
    evaluations.finish(evaluation, {})
    return settings.data


@pytest.fixture
def server(tmp_path: Path, ready: Path) -> Iterator[Server]:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copytree(ready, home / "data")
    running = Server(home)
    running.start()
    yield running
    running.kill()  # and no workers: the jobs of this library were done by the process of the tests


@pytest.mark.slow
def test_labels_are_settled_by_keyboard(server: Server, page: Page) -> None:
    database = Database(server.home / "data" / "library.db")
    page.goto(f"{server.url}/label")
    in_front(page, "Drone Song 1", looked_at=0)
    expect(page.get_by_text("To your label, drone, it gives 1%")).to_be_visible()
    expect(page.locator("audio")).to_have_js_property("paused", False)  # it sounds by itself
    press(page, "p")
    expect(page.locator("audio")).to_have_count(0)

    press(page, "ArrowRight")  # later
    in_front(page, "Drone Song 2", looked_at=0)
    press(page, "a")  # it is right
    in_front(page, "Drone Song 3", looked_at=1)
    press(page, "m")  # it is no music
    in_front(page, "Drone Song 1", looked_at=2)
    press(page, "z")  # or is it?
    in_front(page, "Drone Song 3", looked_at=1)
    press(page, "1")  # it is what the machine says
    in_front(page, "Drone Song 1", looked_at=2)
    press(page, "w")  # another song
    expect(page.get_by_text("Nothing suspicious is left")).to_be_visible()
    expect(page.get_by_text("3 of 3 suspected looked at")).to_be_visible()

    tracks = {row.title: row for row in tracks_of(database)}
    said = {row.title: LabelReviews(database).all().get(row.id) for row in tracks.values()}
    decisions = {title: review.decision for title, review in said.items() if review}
    assert decisions == {"Drone Song 1": "wrong song", "Drone Song 2": "confirmed", "Drone Song 3": "changed"}
    assert {row.title for row in tracks.values() if row.set_aside} == {"Drone Song 1"}
    label = tracks["Drone Song 3"].label
    assert label and label.weights == (("hiss", 1.0),)


def in_front(page: Page, title: str, *, looked_at: int) -> None:
    """Wait until this song is what is to be decided."""
    expect(page.get_by_text(f"{looked_at} of 3 suspected looked at")).to_be_visible()
    expect(page.get_by_role("main").get_by_text(title, exact=True)).to_be_visible()
    settle(page)


def press(page: Page, key: str) -> None:
    """Press a key when the page is drawn, with the button that it stands for, and wait until it is drawn anew."""
    settle(page)
    page.keyboard.press(key)
    settle(page)


def settle(page: Page) -> None:
    page.wait_for_timeout(300)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def tracks_of(database: Database) -> list[TrackRow]:
    return Library(database).tracks(FINGERPRINT)
