"""A newcomer's way, in a real browser: from a folder of songs to the genre spectrum of another song."""

import csv
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Server
from tests.conftest import FULL_JOURNEY as FULL
from tests.sounds import drone, write_sound

PATIENCE_MS = 360_000
expect.set_options(timeout=60_000)


def import_folder(page: Page, server: Server, folder: Path, songs: int) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="Import my music").click()
    expect(page.get_by_role("heading", name="Library")).to_be_visible()
    page.get_by_label("Folder of songs on this computer", exact=True).fill(str(folder))
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"{songs} audio files.")).to_be_visible()
    page.get_by_role("button", name=f"Import {songs} files").click()
    expect(page.get_by_text(f"Import done: {songs} new songs")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text(f"{songs} of {songs} songs")).to_be_visible()  # drawn to its end: what is clicked stays put
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def make_spectrograms(page: Page, songs: int) -> None:
    page.get_by_role("button", name="Make spectrograms").click()
    expect(page.get_by_text(f"Spectrograms done: {songs} spectrograms made")).to_be_visible(timeout=PATIENCE_MS)


def explore(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/explore")
    expect(page.locator(".js-plotly-plot image, .js-plotly-plot .imagelayer image").first).to_be_attached()
    page.wait_for_function("document.querySelector('audio')?.duration > 1")
    page.get_by_role("radio", name="The whole library").click()
    expect(page.get_by_text("Mean spectrum of each genre")).to_be_visible()


def begin_training(page: Page, server: Server, name: str, *, epochs: int | None, test_artists: str = "") -> None:
    page.goto(f"{server.url}/train")
    form = page.get_by_text("New training")
    expect(form).to_be_visible()
    field = page.get_by_label("Name of the model", exact=True)
    if page.get_by_label("Run", exact=True).count():  # the form is open only while there is no run
        form.click()
    field.fill(name)
    if epochs is not None or test_artists:
        page.get_by_text("Fine print").click()
    if epochs is not None:
        page.get_by_label("Rounds through all songs", exact=True).fill(str(epochs))
    if test_artists:
        page.get_by_label("Test artists, one a line (empty: chosen for you)", exact=True).fill(test_artists)
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text(re.compile("Learning from"))).to_be_visible(timeout=PATIENCE_MS)


def finish_training(page: Page) -> float:
    result = page.get_by_role("heading", name=re.compile(r"\d+% of \d+ test songs right"))
    expect(result).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("Validation songs after epoch")).to_be_visible()  # further down, so drawn a moment later
    return int(re.match(r"(\d+)%", result.inner_text())[1]) / 100


def upload(page: Page, server: Server, *files: Path) -> None:
    page.goto(f"{server.url}/predict")
    page.locator("input[type=file]").set_input_files([str(file) for file in files])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["home", "library", "explore", "train", "predict", "system"])
def test_deep_link_opens_first_on_a_fresh_server(server: Server, page: Page, name: str) -> None:
    page.goto(f"{server.url}/{'' if name == 'home' else name}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Genrescope" if name == "home" else name.title())
    expect(
        page.get_by_role("link", name="Library", exact=True)
    ).to_be_visible()  # the frame is there, not the page alone
    expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.slow
def test_from_a_folder_to_a_spectrum_through_crashes(
    server: Server, page: Page, browser: Browser, songs_folder: Path, tmp_path: Path
) -> None:
    import_folder(page, server, songs_folder, 24)
    make_spectrograms(page, 24)
    explore(page, server)

    begin_training(page, server, "Made up", epochs=30)
    page.reload()  # a refresh is a new session: the run is still there
    expect(page.get_by_text(re.compile("Learning from"))).to_be_visible()
    second = browser.new_page()  # so it is in a second tab
    second.goto(f"{server.url}/train?run=Made+up")
    expect(second.get_by_text(re.compile("Learning from"))).to_be_visible()
    second.close()
    server.kill()
    server.kill_workers()
    server.start()
    page.goto(f"{server.url}/train")
    assert finish_training(page) >= 0.75

    song = write_sound(tmp_path / "a *new* <b>song.mp3", drone(np.random.default_rng(99), 12.0))
    broken = tmp_path / "broken.mp3"
    broken.write_text("not a song")
    upload(page, server, song, broken)
    answer = page.get_by_role(
        "heading", name=re.compile("drone|Not music")
    )  # so small a network may take it for no music
    expect(answer).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("listitem").first).to_have_text(
        re.compile(r"^\s*drone")
    )  # but of its genres this is nearest
    expect(page.get_by_text("a *new* <b>song.mp3").first).to_be_visible()  # a name is a name, not Markdown
    expect(page.get_by_text("This is not a sound file")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(1)  # there is nothing to compare it with

    page.get_by_role("link", name="Home").click()  # a look at another page loses no upload
    page.get_by_role("link", name="Predict").click()
    expect(answer).to_be_visible()

    page.get_by_text("Manage models").click()
    page.get_by_role("button", name="Delete Made up").click()
    expect(page.get_by_text("Knows drone, hiss")).to_have_count(0)  # the model that came along answers now
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Undo: delete Made up").click()
    expect(page.get_by_text("Knows drone, hiss")).to_be_visible()


@pytest.mark.slow
def test_a_quick_look_is_told_noted_deleted_and_brought_back(server: Server, page: Page, songs_folder: Path) -> None:
    import_folder(page, server, songs_folder, 24)
    make_spectrograms(page, 24)
    page.goto(f"{server.url}/train")
    expect(page.get_by_text("(measured on this machine)")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("Quick look", exact=True)).to_have_count(1)  # drawn anew to its end
    page.get_by_text("Quick look", exact=True).click()
    page.get_by_text("Fine print").click()
    expect(
        page.locator("input[aria-label='Rounds through all songs'][value='6']")
    ).to_be_visible()  # beside one that goes
    page.get_by_label("Name of the model", exact=True).fill("Quick")
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_title(re.compile(r"\d+% · Training"), timeout=PATIENCE_MS)
    finish_training(page)
    expect(page).to_have_title(re.compile(r"✓ \d+% · Genrescope"))
    expect(page.get_by_text("Songs it gets wrong, now that it is finished")).to_be_visible()

    page.get_by_text("Note, name, delete").click()
    page.get_by_label("Note", exact=True).fill("The first *one*")
    page.get_by_role("button", name="Keep the note").click()
    note = page.get_by_test_id("stAlert").get_by_text("The first *one*")
    expect(note).to_be_visible()
    page.get_by_role("button", name="Delete Quick").click()
    undo = page.get_by_role("button", name="Undo: delete the run Quick")
    expect(undo).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("test songs right"))).to_have_count(0)
    undo.click()
    finish_training(page)
    expect(note).to_be_visible()


@pytest.mark.slow
def test_training_stops_and_goes_on(server: Server, page: Page, songs_folder: Path) -> None:
    import_folder(page, server, songs_folder, 24)
    make_spectrograms(page, 24)
    begin_training(page, server, "Stopped", epochs=200)
    expect(page.get_by_text("Validation songs after epoch")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("This run has stopped")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Go on from the last checkpoint").click()
    expect(page.get_by_text(re.compile(r"\d+ of 1,\d\d\d|\d+ of \d+, about"))).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("This run has stopped")).to_be_visible(timeout=PATIENCE_MS)


def test_genres_given_by_hand_in_the_table(server: Server, page: Page, songs_folder: Path) -> None:
    import_folder(page, server, songs_folder, 24)
    page.goto(f"{server.url}/library")
    table = page.get_by_test_id("stDataFrame")
    expect(table).to_be_visible()
    expect(page.get_by_text("24 of 24 songs")).to_be_visible()
    box = table.bounding_box()
    assert box
    page.mouse.click(box["x"] + 20, box["y"] + 55)  # the first row's tick box; the table is drawn on a canvas
    genre = page.get_by_role("combobox", name=re.compile("Genre of the 1 ticked song"))
    genre.fill("lullaby")
    genre.press("Enter")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Give this genre").click()
    undo = page.get_by_role("button", name="Undo: lullaby for 1 track")
    expect(undo).to_be_visible()
    assert hand_votes(server) == 1
    undo.click()
    expect(undo).to_have_count(0)
    assert hand_votes(server) == 0

    box = table.bounding_box()
    assert box
    page.mouse.click(box["x"] + 90, box["y"] + 55)  # the first row's sound
    page.wait_for_function("document.querySelector('audio')?.duration > 1")


def hand_votes(server: Server) -> int:
    with closing(sqlite3.connect(server.home / "data" / "library.db")) as db:
        query = "SELECT count(*) FROM votes WHERE source = 'hand'"
        return int(db.execute(query).fetchone()[0])


@pytest.mark.slow
def test_real_songs(server: Server, page: Page, shared_data: Path, tmp_path: Path) -> None:
    """With GENRESCOPE_TEST_JOURNEY=full all songs and the default recipe, the artists of fold 3 held out."""
    with (shared_data / "songs" / "songs.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    folder = shared_data / "songs"
    artists = "\n".join(sorted({row["artist"] for row in rows if row["fold"] == "3"}))
    if not FULL:
        folder = tmp_path / "songs"
        kept = [row for genre in ("classical", "rock") for row in rows if row["genre"] == genre]
        for fold in "0123":
            for genre in ("classical", "rock"):
                for row in [row for row in kept if (row["genre"], row["fold"]) == (genre, fold)][:4]:
                    (folder / genre).mkdir(parents=True, exist_ok=True)
                    shutil.copy(shared_data / "songs" / row["path"], folder / row["path"])
    songs = sum(1 for path in folder.rglob("*") if path.suffix in {".mp3", ".m4a", ".webm"})
    import_folder(page, server, folder, songs)
    make_spectrograms(page, songs)
    explore(page, server)
    begin_training(page, server, "Real", epochs=None if FULL else 2, test_artists=artists)
    accuracy = finish_training(page)
    assert accuracy > (0.5 if FULL else 0.0)
    uploads = sorted((shared_data / "uploads" / "music").glob("*.ogg"))[: None if FULL else 2]
    upload(page, server, *uploads)
    expect(page.locator(".player-now li")).to_have_count(4 if FULL else 2, timeout=PATIENCE_MS)
    page.get_by_role("combobox", name="Look closer at").click()
    expect(page.get_by_role("option")).to_have_count(len(uploads))
    page.get_by_role("option").last.click()
    expect(page.get_by_role("heading", name=uploads[-1].name)).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
