"""Playlists in a real browser: dropped, mapped, searched, accepted, rejected; Spotify signed in to, and its refusals."""

import csv
import io
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.database import Database
from core.library.playlists import Playlists
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from tests.browser.conftest import Server
from tests.loopback import Answer, Asked, serving
from tests.sources.deezer_server import Deezer, song
from tests.sources.spotify_server import FakePlaylist, SpotifyServer, playlist_id, songs

expect.set_options(timeout=60_000)
MINE, FOREIGN = playlist_id(1), playlist_id(2)


@pytest.fixture
def spotify() -> Iterator[SpotifyServer]:
    with SpotifyServer(n_found=0) as server:
        server.add(FakePlaylist(MINE, "My Techno", rows=songs(60)))
        server.add(FakePlaylist(FOREIGN, "Somebody's House", rows=songs(5), owner="bob", owner_name="Bob"))
        yield server


@pytest.fixture
def deezer() -> Deezer:
    rows = [song(number) for number in range(40)]
    other = [song(number, artist={"id": 1, "name": "One Artist", "type": "artist"}) for number in range(900, 912)]
    found = [_hit(10, "Pure Techno", len(rows)), _hit(11, "Party mix", len(other))]
    return Deezer(playlists={10: ("Pure Techno", rows), 11: ("Party mix", other)}, found=found)


@pytest.fixture
def server(tmp_path: Path, spotify: SpotifyServer, deezer: Deezer) -> Iterator[Server]:
    home = tmp_path / "home"
    home.mkdir()
    with serving(_nobody_else) as elsewhere, serving(deezer) as deezers:
        running = Server(
            home,
            {
                **spotify.environment(),
                "GENRESCOPE_DEEZER_API_URL": deezers.url,
                "HTTPS_PROXY": elsewhere.url,  # YouTube cannot be reached: told, and the search goes on
            },
        )
        running.start()
        yield running
        running.kill()
        running.kill_workers()


def _nobody_else(asked: Asked) -> Answer:
    return Answer(status=502)


def _hit(number: int, title: str, n: int) -> dict[str, object]:
    return {
        "id": number, "title": title, "nb_tracks": n, "public": True, "type": "playlist",
        "link": f"https://www.deezer.com/playlist/{number}", "user": {"id": 1, "name": "Ada"},
    }  # fmt: skip


def open_page(page: Page, server: Server, name: str = "playlists") -> None:
    page.goto(f"{server.url}/{name}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settle(page)


def settle(page: Page) -> None:
    """Until the page is drawn whole: nothing runs for a while."""
    page.wait_for_timeout(400)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    page.wait_for_timeout(200)


def add_from(page: Page, way: str) -> None:
    settle(page)
    if not page.get_by_text("Add playlists from").is_visible():
        page.get_by_text("Add playlists", exact=True).click()
    page.get_by_role("radio", name=way).or_(page.get_by_role("button", name=way, exact=True)).first.click()
    settle(page)


def read_links(page: Page, *links: str) -> None:
    add_from(page, "Links")
    page.get_by_role("textbox", name="Links of playlists, one a line").fill("\n".join(links))
    page.get_by_role("button", name="Read", exact=True).click()


def test_signing_in_to_spotify_reading_and_being_refused(server: Server, page: Page, spotify: SpotifyServer) -> None:
    open_page(page, server)
    add_from(page, "My Spotify")
    expect(page.get_by_text("III.14")).to_be_visible()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Sign in to Spotify").click()
    back = opened.value
    expect(back.get_by_text("Signed in to Spotify as Ada L")).to_be_visible()
    expect(back).to_have_url(f"{server.url}/playlists"), "the code does not stay in the address"
    token = server.home / "data" / "secrets" / "spotify.json"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert not any(secret in back.content() for secret in spotify.issued)

    read_links(back, f"https://open.spotify.com/playlist/{MINE}", f"https://open.spotify.com/playlist/{FOREIGN}")
    expect(back.get_by_text("1 playlist to look over")).to_be_visible()
    expect(back.get_by_text("export it").first).to_be_visible()  # what to do about a playlist that is not one's own
    back.get_by_role("button", name="Take in 1").click()
    expect(back.get_by_text("1 playlist taken in, 60 new tracks")).to_be_visible()
    (row,) = Playlists(Database(server.home / "data" / "library.db")).all()
    assert (row.title, row.tracks, row.genres) == ("My Techno", 60, {"techno": 1.0}), "guessed from its title"

    open_page(page, server)
    add_from(page, "My Spotify")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in to Spotify")).to_be_visible()
    assert not token.exists()


@pytest.mark.slow
def test_a_sign_in_from_elsewhere_is_refused(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/playlists?code=stolen&state=unknown")
    expect(page.get_by_text("This sign-in was not begun here")).to_be_visible()
    page.goto(f"{server.url}/playlists?error=access_denied&state=unknown")
    expect(page.get_by_text("You did not let Genrescope in")).to_be_visible()


@pytest.mark.slow
def test_searching_accepting_and_rejecting(server: Server, page: Page) -> None:
    open_page(page, server)
    add_from(page, "Song list")
    page.get_by_label("Name of the list").fill("Techno of mine")
    page.get_by_label("Songs, one a line").fill("Artist 1 - Song 1\nArtist 2 - Song 2")
    page.get_by_role("button", name="Read", exact=True).click()
    page.get_by_role("button", name="Take in 1").click()
    expect(page.get_by_text("1 playlist taken in")).to_be_visible()

    search(page)
    best, other = page.get_by_text("Pure Techno"), page.get_by_text("Party mix")
    expect(best).to_be_visible()
    expect(other).to_be_visible()
    assert (best.bounding_box() or {})["y"] < (other.bounding_box() or {})["y"], "its title and tracks speak for it"
    expect(page.get_by_text("same genre so far").first).to_be_visible()
    expect(page.get_by_text("YouTube").first).to_be_visible()  # that it could not be asked is told
    page.get_by_role("button", name="Reject").last.click()
    expect(page.get_by_role("button", name="Reject")).to_have_count(1)
    settle(page)
    page.get_by_role("button", name="Accept").click()
    database = Database(server.home / "data" / "library.db")
    page.wait_for_function("() => document.body.innerText.includes('Reading playlists done')")
    accepted = Playlists(database).find("deezer", "deezer:playlist:10")
    assert accepted and (accepted.tracks, accepted.genres) == (40, {"techno": 1.0})

    search(page)
    expect(page.get_by_text("1 rejected; they are not shown again")).to_be_visible()
    expect(page.get_by_role("button", name="Accept")).to_have_count(0)
    labels = [track.label for track in Library(database).tracks(SpectrogramRecipe().fingerprint)]
    assert all(label and label.top == "techno" for label in labels) and len(labels) == 40, "the pasted songs are in it"


def search(page: Page) -> None:
    settle(page)
    if not page.get_by_text("Genres to search playlists for").is_visible():
        page.get_by_text("Find more playlists").click()
    settle(page)
    page.get_by_test_id("stMain").get_by_test_id("stBaseButton-primary").get_by_text("Search", exact=True).click()
    page.wait_for_function("() => /Search done|could not be/.test(document.body.innerText)")
    settle(page)


def test_files_are_dropped_mapped_in_the_table_and_brought_up_to_date(
    server: Server, page: Page, tmp_path: Path
) -> None:
    open_page(page, server)
    add_from(page, "Files")
    page.locator("input[type=file]").first.set_input_files(
        [exportify(tmp_path, "evening.csv", range(30)), other_table(tmp_path)]
    )
    expect(page.get_by_text("Which column is what in my table.csv?")).to_be_visible()
    page.get_by_role("button", name="Read 2 files").click()
    page.get_by_role("button", name="Take in 2").click()
    expect(page.get_by_text("2 playlists taken in, 33 new tracks")).to_be_visible()
    settle(page)

    grid = page.get_by_test_id("stDataFrame").last
    box = grid.bounding_box()
    assert box
    page.mouse.dblclick(box["x"] + box["width"] * 0.4, box["y"] + 36 + 17)  # genres of the first row
    expect(
        page.locator("#portal input, [data-testid='data-editor-portal'] input, .gdg-style input").first
    ).to_be_visible()
    page.keyboard.type("deep house")
    page.wait_for_timeout(300)
    page.keyboard.press("Enter")
    page.keyboard.type("dnb=0.5")
    page.wait_for_timeout(300)
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Undo: genres of evening")).to_be_visible()
    playlists = Playlists(Database(server.home / "data" / "library.db"))
    assert playlists.all()[0].genres == {"deep house": 1.0, "drum and bass": 0.5}, "an alias is its genre"

    drop(page, [exportify(tmp_path, "evening.csv", range(2, 31))])
    expect(page.get_by_text("evening was read before: 1 added, 2 removed")).to_be_visible()
    assert playlists.all()[0].tracks == 30, "nothing is taken over unseen"
    page.get_by_role("button", name="Take in 1").click()
    expect(page.get_by_text("1 playlist taken in, 1 new track")).to_be_visible()
    assert playlists.all()[0].tracks == 29
    settle(page)
    page.get_by_role("button", name="Undo: read evening again").click()
    expect(page.get_by_text("Taken back: read evening again")).to_be_visible()
    assert playlists.all()[0].tracks == 30

    page.goto(f"{server.url}/genres")
    page.get_by_role("radio", name="Charts").click()
    cell = page.locator("path[aria-label='other: deep house; one: drum and bass; songs: 30']")
    expect(cell).to_be_visible()
    settle(page)
    cell.click(force=True)
    expect(page.get_by_text("drum and bass and deep house")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_have_count(1)


def exportify(folder: Path, name: str, numbers: range) -> Path:
    """A file as Exportify writes it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["Track URI", "Track Name", "Album Name", "Artist Name(s)", "Release Date", "Duration (ms)"])
    for number in numbers:
        uri = f"spotify:track:{playlist_id(number)}"
        writer.writerow([uri, f"=Evening {number} <b>", "Album", f"Artist {number};Guest", "", 200_000 + number])
    path = folder / name
    path.write_text("\ufeff" + out.getvalue(), encoding="utf-8")
    return path


def other_table(folder: Path) -> Path:
    path = folder / "my table.csv"
    path.write_text("Interpret;Lied;Länge\nEins;Erstes;3:20\nZwei;Zweites;4:00\nDrei;Drittes;2:59\n", encoding="utf-8")
    return path


@pytest.mark.slow
def test_real_playlists_are_dropped_mapped_and_dropped_again(
    server: Server, page: Page, shared_data: Path, tmp_path: Path
) -> None:
    """65 real files: taken in with guessed genres, mapped by a table of a person's, and nothing new the second time."""
    folder = shared_data / "playlists"
    files = sorted(path for path in folder.glob("*.csv") if path.name != "index.csv")
    with (folder / "index.csv").open(encoding="utf-8-sig", newline="") as stream:
        suggested = {row["file"]: row["suggested_genre"] for row in csv.DictReader(stream)}
    mapping = tmp_path / "mine.csv"
    with mapping.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["source", "reference", "title", "genre", "weight"])
        writer.writerows(["csv", name, "", genre, 1] for name, genre in suggested.items())

    open_page(page, server)
    drop(page, files)
    expect(page.get_by_text("65 playlists to look over")).to_be_visible()
    page.get_by_role("button", name="Take in 65").click()
    expect(page.get_by_text("65 playlists taken in, 8,055 new tracks")).to_be_visible()
    settle(page)
    page.get_by_text("Keep and share what stands for what").click()
    page.locator("input[type=file]").last.set_input_files(mapping)
    expect(page.get_by_role("button", name="Make these")).to_be_visible()
    settle(page)  # a click on a page that is being drawn anew is lost
    page.get_by_role("button", name="Make these").click()
    expect(page.get_by_text("changes made")).to_be_visible()

    database = Database(server.home / "data" / "library.db")
    genres = {row.reference: list(row.genres) for row in Playlists(database).all()}
    assert genres == {name: [genre] if genre else [] for name, genre in suggested.items()}
    tracks = Library(database).tracks(SpectrogramRecipe().fingerprint)
    assert len(tracks) == 8055
    assert sum(len(track.label.weights) > 1 for track in tracks if track.label) == 91

    drop(page, files)
    page.get_by_role("button", name="Take in 65").click()
    expect(page.get_by_text("65 playlists taken in, 0 new tracks")).to_be_visible()
    assert Library(database).tracks(SpectrogramRecipe().fingerprint) == tracks
    page.goto(f"{server.url}/genres")
    page.get_by_role("radio", name="Same song twice?").click()
    expect(page.get_by_text("Tick pairs and decide")).to_be_visible()


def drop(page: Page, files: list[Path]) -> None:
    add_from(page, "Files")
    page.locator("input[type=file]").first.set_input_files(files)
    page.get_by_role("button", name=f"Read {len(files)} file").click()
