"""Collecting in a real browser, from names to sound, on a made-up YouTube: begun by a button, reviewed by keyboard alone."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.database import Database
from core.library.collection import Collection
from core.library.playlists import Playlists
from core.library.store import Library, TrackRow
from core.music import ListedTrack, Playlist
from core.recipes import SpectrogramRecipe
from tests.browser.conftest import Server
from tests.collecting.song_host import SECONDS, SongHost
from tests.collecting.youtube import Recording, YouTube
from tests.loopback import Loopback, serving
from tests.sounds import tone, write_sound
from tests.sources.conftest import certificate, for_other_processes  # noqa: F401

pytestmark = pytest.mark.slow

expect.set_options(timeout=60_000)
ARTIST, LENGTH_S = "deadmau5", 5
SURE, TAKEN, CHOSEN, NONE, PASTED = "Strobe", "Aural Psynapse", "Brazil", "Clockwork", "Ghosts n Stuff"
DOUBTFUL = (TAKEN, CHOSEN, NONE, PASTED)


@pytest.fixture
def youtube(tmp_path: Path) -> YouTube:
    """One song that is surely it; of the others two recordings each, by people whom nobody knows."""
    found = [Recording("sure0000000", SURE, f"{ARTIST} - Topic", LENGTH_S, sound=sound(tmp_path, 300))]
    for number, title in enumerate(DOUBTFUL):
        for place, who in enumerate(["Vinyl Rips", "Somebody at Home"]):
            data = sound(tmp_path, 400 + 50 * (2 * number + place))
            found.append(Recording(f"song{number}{place}00000", title, who, LENGTH_S + place, sound=data))
    return YouTube(found)


def sound(folder: Path, frequency: float) -> bytes:
    return write_sound(folder / f"{frequency}.webm", tone(frequency, LENGTH_S)).read_bytes()


@pytest.fixture
def host() -> Iterator[Loopback]:
    with serving(SongHost([""] * 3)) as own:
        yield own


@pytest.fixture
def server(tmp_path: Path, youtube: YouTube, host: Loopback, certificate: Path) -> Iterator[Server]:  # noqa: F811
    home = tmp_path / "home"
    home.mkdir()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with serving(youtube, tls) as internet:
        running = Server(
            home,
            {
                **for_other_processes(internet, certificate, tmp_path),
                "GENRESCOPE_FETCH_PAUSE_S": "0",
                "GENRESCOPE_ALLOWED_HOSTS": host.url.removeprefix("http://"),
            },
        )
        running.start()
        yield running
        running.kill()
        running.kill_workers()


@pytest.fixture
def collection(server: Server) -> Collection:
    tracks = tuple(ListedTrack(title, (ARTIST,), "", float(LENGTH_S), None, title) for title in (SURE, *DOUBTFUL))
    database = Database(server.home / "data" / "library.db")
    Playlists(database).take_in(Playlist("csv", "/techno.csv", "Techno", tracks), {"techno": 1.0})
    return Collection(database)


def test_collecting_and_reviewing_by_keyboard(
    server: Server, page: Page, host: Loopback, collection: Collection
) -> None:
    page.goto(f"{server.url}/collect")
    page.get_by_role("button", name="Collect 5 songs").click()
    expect(page.get_by_text("Collecting done")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("1 song fetched; 4 doubtful")).to_be_visible()

    # From here on no mouse.
    tab_to(page, "Progress")
    press(page, "ArrowRight")
    press(page, " ")
    in_front(page, TAKEN, "Vinyl Rips", place="1 of 4")
    expect(page.locator("audio")).to_have_js_property("paused", False)  # it sounds by itself
    press(page, "p")
    expect(page.locator("audio")).to_have_count(0)
    press(page, "p")
    expect(page.locator("audio")).to_have_count(1)

    press(page, "a")  # it is the one
    in_front(page, CHOSEN, "Vinyl Rips", place="1 of 3")
    press(page, "z")  # or is it?
    in_front(page, TAKEN, "Vinyl Rips", place="1 of 4")
    press(page, "a")
    in_front(page, CHOSEN, "Vinyl Rips", place="1 of 3")
    press(page, "x")  # not this one: the next of what was found comes in front
    in_front(page, CHOSEN, "Somebody at Home", place="1 of 3")
    press(page, "z")  # but it may have been
    in_front(page, CHOSEN, "Vinyl Rips", place="1 of 3")
    press(page, "1")  # hear the other one: it is fetched, and comes back to the front
    in_front(page, NONE, "Vinyl Rips", place="1 of 2")
    press(page, "ArrowRight")  # later
    in_front(page, PASTED, "Vinyl Rips")
    expect(page.get_by_text("of 3. Each")).to_be_visible(timeout=120_000)
    press(page, "ArrowRight")
    in_front(page, CHOSEN, "Somebody at Home", place="1 of 3")
    press(page, "a")
    in_front(page, NONE, "Vinyl Rips", place="1 of 2")
    press(page, "n")  # none of these
    in_front(page, PASTED, "Vinyl Rips", place="1 of 1")
    tab_to(page, "Or paste the link of the right one")
    page.keyboard.type(f"{host.url}/1.wav")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing is doubtful")).to_be_visible(timeout=120_000)

    titles = {track.id: track.title for track in tracks_of(server)}
    standings = {titles[number]: (one.state, one.url) for number, one in collection.standings().items()}
    assert standings[SURE][0] == "fetched"
    assert standings[TAKEN] == ("fetched", "https://www.youtube.com/watch?v=song0000000")
    assert standings[CHOSEN] == ("fetched", "https://www.youtube.com/watch?v=song1100000")
    assert standings[NONE] == ("failed", None)
    assert standings[PASTED] == ("fetched", f"{host.url}/1.wav")
    page.wait_for_function("() => !document.body.innerText.includes('Collecting:')", timeout=120_000)
    assert {track.title for track in tracks_of(server) if track.state == "ready"} == {SURE, TAKEN, CHOSEN, PASTED}
    lengths = {track.title: track.duration_s for track in tracks_of(server) if track.has_sound}
    assert set(lengths) == {SURE, TAKEN, CHOSEN, PASTED} and lengths[PASTED] == pytest.approx(SECONDS)


def in_front(page: Page, title: str, who: str, *, place: str = "") -> None:
    """Wait until this recording of this track is what is to be decided."""
    if place:
        expect(page.get_by_text(f"{place}.", exact=False).first).to_be_visible()
    expect(page.get_by_role("main").get_by_text(title, exact=True)).to_have_count(2)  # what is wanted, what was found
    expect(page.get_by_role("main").get_by_text(who, exact=True)).to_be_visible()
    settle(page)


def press(page: Page, key: str) -> None:
    page.keyboard.press(key)
    settle(page)


def settle(page: Page) -> None:
    page.wait_for_timeout(300)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def tab_to(page: Page, name: str) -> None:
    """Move to a control by the Tab key alone."""
    said = "() => [document.activeElement.ariaLabel, document.activeElement.innerText.trim()]"
    for _ in range(80):
        page.keyboard.press("Tab")
        if name in page.evaluate(said):
            return
    raise AssertionError(f"{name} cannot be reached by the Tab key")


def tracks_of(server: Server) -> list[TrackRow]:
    return Library(Database(server.home / "data" / "library.db")).tracks(SpectrogramRecipe().fingerprint)
