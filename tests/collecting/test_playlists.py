"""From sources into the library: against servers that answer as Deezer and Spotify do, and real files."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.collecting.playlists import HITS, PREVIEW_TRACKS, Wanted, map_playlist, read, search, search_words, understand
from core.database import Database
from core.errors import JobStopped, LibraryError
from core.library.genres import Genres
from core.library.playlists import Playlists
from core.library.ranking import PRIOR
from core.library.store import Library, TrackRow
from core.settings import Settings
from core.sources.contract import PlaylistSource
from core.sources.deezer import DeezerSource
from core.sources.registry import sources
from core.sources.spotify import SpotifySource
from tests.lists import contents, listed, playlist, undo_latest
from tests.loopback import Loopback, serving
from tests.sources import spotify_server
from tests.sources.deezer_server import Deezer, error, song
from tests.sources.spotify_server import SpotifyServer, playlist_id

ANSWER = {"ref", "source", "title", "tracks", "new", "removed", "skipped", "error"}


@pytest.fixture
def deezer() -> Deezer:
    """Three playlists of 10 different songs each: 1 has songs 0 to 9, 2 has 10 to 19, 3 has 20 to 29."""
    return Deezer(playlists={n: (f"List {n}", songs(10 * n - 10, 10 * n)) for n in (1, 2, 3)})


@pytest.fixture
def server(deezer: Deezer) -> Iterator[Loopback]:
    with serving(deezer) as server:
        yield server


@pytest.fixture
def settings(settings: Settings, server: Loopback) -> Settings:
    return settings.model_copy(update={"deezer_api_url": server.url})


@pytest.fixture
def known(settings: Settings) -> dict[str, PlaylistSource]:
    """All sources; only Deezer's can be asked for anything here."""
    return dict(sources(settings))


@pytest.fixture
def spotify() -> Iterator[SpotifyServer]:
    with SpotifyServer(shape="2021", n_found=2) as server:
        yield server


def songs(first: int, last: int, **changes: Any) -> list[dict[str, Any]]:
    return [song(number, **changes) for number in range(first, last)]


def uri(number: int) -> str:
    return f"deezer:playlist:{number}"


def hit(number: int, title: str, n: int = 10) -> dict[str, Any]:
    return {"id": number, "title": title, "nb_tracks": n, "public": True, "user": {"id": 1, "name": "Ada"}}


def tracks(database: Database) -> list[TrackRow]:
    return Library(database).tracks("")


# -- understand --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ref", "source", "reference"),
    [
        ("https://www.deezer.com/fr/playlist/908622995?utm=x", "deezer", "deezer:playlist:908622995"),
        ("  deezer:playlist:7\n", "deezer", "deezer:playlist:7"),
        (
            "https://open.spotify.com/playlist/37i9dQZF1DX6J5NfMJS675?si=" + "x" * 300,
            "spotify",
            "37i9dQZF1DX6J5NfMJS675",
        ),
        ("37i9dQZF1DX6J5NfMJS675", "spotify", "37i9dQZF1DX6J5NfMJS675"),
        ("https://youtube.com/playlist?list=PLabcdefghijklmnop&si=1", "youtube", "PLabcdefghijklmnop"),
        ("https://soundcloud.com/a/sets/b?x=1", "soundcloud", "https://soundcloud.com/a/sets/b"),
    ],
)
def test_whose_an_address_or_id_is(known: dict[str, PlaylistSource], ref: str, source: str, reference: str) -> None:
    assert understand(ref, known) == Wanted(ref, source, reference)


def test_whose_a_file_or_folder_is(
    known: dict[str, PlaylistSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a list.txt").write_text("A - B")
    (tmp_path / "songs.m3u").mkdir()
    whole = str(tmp_path / "a list.txt")
    for ref in ("a list.txt", "./a list.txt", f" {whole} ", (tmp_path / "a list.txt").as_uri()):
        assert understand(ref, known) == Wanted(ref, "text", whole)
    for ref in ("songs.m3u", "./songs.m3u/", str(tmp_path / "songs.m3u")):
        assert understand(ref, known) == Wanted(ref, "folder", str(tmp_path / "songs.m3u")), "whatever its name ends in"


def test_the_folder_of_a_user_is_understood(
    known: dict[str, PlaylistSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "Music").mkdir()
    assert understand("~/Music", known) == Wanted("~/Music", "folder", str(tmp_path / "Music"))


@pytest.mark.parametrize(
    "ref", ["/no/such/file.csv", "./none", "../none/at/all", "~/no such folder", "~nobody-of-this-name/x", "/a\0b.csv"]
)
def test_a_missing_file_is_told_as_one(known: dict[str, PlaylistSource], ref: str) -> None:
    wanted = understand(ref, known)
    assert (wanted.ref, wanted.source, wanted.reference) == (ref, "", "")
    assert wanted.error == f"There is no file {ref.replace(chr(0), '')} on this computer. Check the spelling."


@pytest.mark.parametrize(
    "ref",
    [
        *("", "  \n", "techno", "a\0b", "https://", "https://example.org/playlist/1", "deezer:playlist:x", "x.csv"),
        *("\ud800", "a" * 10_000, "https://deezer.com/" + "a" * 10_000, "東京" * 5000, "file:///no/such.m3u"),
        *("<script>", "http://[::1"),
    ],
)
def test_what_is_no_playlist_is_told_in_a_short_sentence(
    known: dict[str, PlaylistSource], ref: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wanted = understand(ref, known)
    assert (wanted.ref, wanted.source, wanted.reference) == (ref, "", "")
    assert wanted.error and "is no playlist that is known here" in wanted.error and "Deezer" in wanted.error
    assert len(wanted.error) < 500 and wanted.error.isprintable()


@pytest.mark.parametrize("ref", ["/" + "a" * 10_000, "~/" + "b/" * 5000, "./" + "c" * 10_000])
def test_a_path_too_long_to_be_one_is_told_briefly(known: dict[str, PlaylistSource], ref: str) -> None:
    wanted = understand(ref, known)
    assert wanted.error and wanted.error.startswith("There is no file ") and len(wanted.error) < 500


# -- read --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def reading(
    database: Database, settings: Settings, known: dict[str, PlaylistSource]
) -> Callable[..., list[dict[str, Any]]]:
    """`read` what people name, taken in unless told otherwise."""

    def reading(*refs: str, take_in: bool = True, **more: Any) -> list[dict[str, Any]]:
        wanted = [understand(ref, known) for ref in refs]
        return read(wanted, database, settings, known, take_in=take_in, **more)

    return reading


Read = Callable[..., list[dict[str, Any]]]


def test_what_is_taken_in_is_in_the_library(reading: Read, database: Database, deezer: Deezer) -> None:
    deezer.playlists[2] = ("Twice", [*songs(5, 15), song(7), song(99, type="episode")])
    one, two = reading(uri(1), uri(2), job_id=7)
    assert one == {
        "ref": uri(1), "source": "deezer", "title": "List 1", "tracks": 10, "new": 10, "removed": 0, "skipped": {},
        "error": None,
    }  # fmt: skip
    assert set(two) == ANSWER
    assert (two["tracks"], two["new"]) == (10, 5), "5 to 9 are in both"
    assert two["skipped"] == {"no song": 1, "listed twice": 1}
    rows = Playlists(database).all()
    assert [(row.reference, row.title, row.owner, row.tracks, row.genres) for row in rows] == [
        (uri(1), "List 1", "Ada", 10, {}),
        (uri(2), "Twice", "Ada", 10, {}),
    ]
    assert all(row.read_at for row in rows) and rows[1].skipped == two["skipped"]
    assert sorted(track.title for track in tracks(database)) == sorted(f"Song {n}" for n in range(15))
    assert Playlists(database).readings() == []
    with database.read() as db:
        assert {row[0] for row in db.execute("SELECT created_by_job FROM tracks")} == {7}


def test_reading_again_changes_nothing(reading: Read, database: Database) -> None:
    reading(uri(1), genres={"techno": 1.0})
    before = contents(database)
    [again] = reading(uri(1))
    assert (again["tracks"], again["new"], again["removed"]) == (10, 0, 0)
    after = contents(database)
    at = [index for index, value in enumerate(before["playlists"][0]) if value != after["playlists"][0][index]]
    assert len(at) <= 1, "but for when it was read"
    assert {**before, "playlists": []} == {**after, "playlists": []}
    assert undo_latest_or_none(database) is None, "and there is nothing to undo"


def undo_latest_or_none(database: Database) -> str | None:
    from core.library.edits import latest_edit

    edit = latest_edit(database)
    return edit.description if edit else None


def test_a_known_playlist_is_brought_up_to_date_and_that_can_be_undone(
    reading: Read, database: Database, deezer: Deezer
) -> None:
    reading(uri(1), genres={"techno": 1.0, "house": 0.5})
    deezer.playlists[1] = ("Renamed", songs(3, 12))
    [again] = reading(uri(1))
    assert (again["title"], again["tracks"], again["new"], again["removed"]) == ("Renamed", 9, 2, 3)
    assert sorted(track.title for track in tracks(database)) == sorted(f"Song {n}" for n in range(3, 12))
    [row] = Playlists(database).all()
    assert (row.title, row.genres) == ("Renamed", {"techno": 1.0, "house": 0.5}), "it stands for what it stood for"
    assert undo_latest(database) == "read Renamed again"
    assert sorted(track.title for track in tracks(database)) == sorted(f"Song {n}" for n in range(10))


def test_what_is_not_taken_in_waits(reading: Read, database: Database) -> None:
    reading(uri(1))
    answers = reading(uri(1), uri(2), take_in=False)
    assert [(row["tracks"], row["new"], row["removed"], row["error"]) for row in answers] == [
        (10, 0, 0, None),
        (10, 10, 0, None),
    ]
    assert len(tracks(database)) == 10 and len(Playlists(database).all()) == 1
    waiting = Playlists(database).readings(searched=False)
    assert [one.playlist.reference for one in waiting] == [uri(1), uri(2)]
    assert [len(one.playlist.tracks) for one in waiting] == [10, 10]
    Playlists(database).accept(waiting[1], {"techno": 1})
    assert len(tracks(database)) == 20


def test_what_would_be_removed_is_told_and_nothing_is(reading: Read, database: Database, deezer: Deezer) -> None:
    reading(uri(1))
    deezer.playlists[1] = ("List 1", songs(4, 11))
    before = contents(database)
    [answer] = reading(uri(1), take_in=False)
    assert (answer["tracks"], answer["new"], answer["removed"]) == (7, 1, 4)
    assert {**contents(database), "readings": []} == {**before, "readings": []}


def test_one_that_fails_stops_no_other(reading: Read, database: Database, deezer: Deezer) -> None:
    deezer.errors = {"/playlist/2": error(200), "/playlist/3/tracks": error(700)}
    answers = reading(uri(2), "no playlist", uri(3), uri(404), uri(1))
    assert [row["error"] and row["error"].split(".")[0].split(":")[0] for row in answers] == [
        "This playlist is private",
        answers[1]["error"].split(".")[0].split(":")[0],
        "Deezer is busy",
        "Deezer has no such playlist",
        None,
    ]
    assert "“no playlist” is no playlist" in answers[1]["error"]
    assert [row["source"] for row in answers] == ["deezer", "", "deezer", "deezer", "deezer"]
    assert all(set(row) == ANSWER for row in answers)
    assert [row.reference for row in Playlists(database).all()] == [uri(1)]
    assert len(tracks(database)) == 10


def test_a_playlist_that_vanished_leaves_what_was_read_of_it(reading: Read, database: Database, deezer: Deezer) -> None:
    reading(uri(1), genres={"techno": 1.0})
    before = contents(database)
    del deezer.playlists[1]
    [gone] = reading(uri(1))
    assert gone["error"] == "Deezer has no such playlist: it may have been deleted, or is private."
    assert contents(database) == before


def test_a_pause_is_told_with_its_end_and_nobody_is_asked_meanwhile(
    reading: Read, database: Database, deezer: Deezer, server: Loopback
) -> None:
    deezer.errors = {"/playlist/2": error(4)}
    begun = datetime.now(UTC)
    answers = reading(uri(1), uri(2), uri(3))
    ended = datetime.now(UTC)
    assert [row["error"] is None for row in answers] == [True, False, False]
    ends = {f"{at + timedelta(seconds=60):%H:%M UTC on %d %B %Y}" for at in (begun, ended)}
    for row in answers[1:]:
        assert row["error"].startswith("Deezer asks for a pause") and any(end in row["error"] for end in ends)
    assert "/playlist/3" not in server.paths
    assert [row.tracks for row in Playlists(database).all()] == [10]


def test_how_far_it_is_is_told(reading: Read, deezer: Deezer) -> None:
    deezer.playlists[2] = ("Long", songs(100, 350))
    told: list[tuple[int, int | None, str]] = []
    reading(uri(1), uri(2), on_progress=lambda *report: told.append(report))
    assert told[0] == (0, 2, f"{uri(1)}: 0 tracks") and told[-1] == (2, 2, "")
    assert [report for report in told if report[0] == 1] == [
        (1, 2, f"{uri(2)}: {count}")
        for count in ("0 tracks", "100 of 250 tracks", "200 of 250 tracks", "250 of 250 tracks")
    ]
    assert [report[0] for report in told] == sorted(report[0] for report in told)


@pytest.mark.parametrize("reason", [JobStopped("Stopped."), KeyboardInterrupt()], ids=["stop", "Control-C"])
@pytest.mark.parametrize("last", [False, True], ids=["in the middle", "in the last one"])
def test_a_stop_leaves_whole_playlists(
    reading: Read, database: Database, deezer: Deezer, server: Loopback, reason: BaseException, last: bool
) -> None:
    deezer.playlists[2] = ("Long", songs(100, 350))
    raised = 0

    def stop_once(done: int, total: int | None, message: str) -> None:
        nonlocal raised
        if done == 1 and "100 of 250" in message and not raised:
            raised += 1
            raise reason

    refs = (uri(1), uri(2)) if last else (uri(1), uri(2), uri(3))
    with pytest.raises(type(reason)):
        reading(*refs, on_progress=stop_once, genres={"techno": 1.0})
    assert [(row.reference, row.tracks, row.genres) for row in Playlists(database).all()] == [
        (uri(1), 10, {"techno": 1.0})
    ]
    assert len(tracks(database)) == 10 and "/playlist/3" not in server.paths
    assert [row["tracks"] for row in reading(*refs)] == [10, 250, 10][: len(refs)], "asked again, it is done"


def test_genres_given_are_what_all_of_them_stand_for(reading: Read, database: Database) -> None:
    reading(uri(1), uri(2), genres={"dnb": 1.0, "House": 0.25})
    assert [row.genres for row in Playlists(database).all()] == [{"drum and bass": 1.0, "House": 0.25}] * 2
    assert {track.label.weights for track in tracks(database) if track.label} == {
        (("drum and bass", 0.8), ("House", 0.2))
    }
    assert [(vote.source, vote.reference) for vote in tracks(database)[0].votes] == [("playlist", "List 1")] * 2
    reading(uri(1), genres={})
    assert [row.genres for row in Playlists(database).all()] == [{}, {"drum and bass": 1.0, "House": 0.25}]


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused_for_each(reading: Read, database: Database, weight: float) -> None:
    answers = reading(uri(1), uri(2), genres={"techno": weight})
    assert ["must be a number above 0" in row["error"] for row in answers] == [True, True]
    assert contents(database)["playlists"] == [] and tracks(database) == []


def test_files_are_read_as_lists(reading: Read, database: Database, tmp_path: Path) -> None:
    (tmp_path / "Night.txt").write_text("Eins - Erstes\nno song\n=cmd() - <script>\n")
    (tmp_path / "table.csv").write_text("artist,title\nEins,Erstes\nZwei,Zweites\n")
    (tmp_path / "broken.xspf").write_text("<playlist")
    text, table, broken = reading(*(str(tmp_path / name) for name in ("Night.txt", "table.csv", "broken.xspf")))
    assert (text["source"], text["title"], text["tracks"], text["new"]) == ("text", "Night", 2, 2)
    assert text["skipped"] == {"no artist and title": 1}
    assert (table["source"], table["title"], table["tracks"], table["new"]) == ("csv", "table", 2, 1)
    assert broken["source"] == "xspf" and "damaged" in broken["error"]
    assert [(track.artist, track.title) for track in tracks(database)] == [
        ("Eins", "Erstes"),
        ("=cmd()", "<script>"),
        ("Zwei", "Zweites"),
    ]


def test_a_folder_of_songs_is_imported(reading: Read, database: Database, songs_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    for genre in ("drone", "hiss"):
        for file in sorted((songs_folder / genre).glob("*.flac")):
            (folder / genre).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / genre)
    n = len(list(folder.rglob("*.flac")))
    shutil.copy(next((folder / "drone").iterdir()), folder / "drone" / "again.flac")
    (folder / "hiss" / "broken.mp3").write_text("no sound")
    told: list[tuple[int, int | None, str]] = []
    [answer] = reading(str(folder), on_progress=lambda *report: told.append(report))
    assert answer == {
        "ref": str(folder), "source": "folder", "title": "mine", "tracks": n, "new": n, "removed": 0, "error": None,
        "skipped": {"the same file again": 1, "could not be used": 1},
    }  # fmt: skip
    assert (0, 1, f"{folder}: {n + 2} of {n + 2} tracks") in told
    assert {(Path(track.path).parent.name, track.label and track.label.top) for track in tracks(database)} == {
        ("drone", "drone"),
        ("hiss", "hiss"),
    }
    [again] = reading(str(folder))
    assert (again["tracks"], again["new"]) == (n, 0) and len(tracks(database)) == n


def test_a_folder_that_is_gone_is_told_among_others(reading: Read, database: Database, settings: Settings) -> None:
    known = sources(settings)
    gone = Wanted("songs", "folder", "/no/such/folder")
    answers = read([gone, Wanted("x", "deezer", uri(1))], database, settings, known, take_in=True)
    assert "is not a folder on this computer" in answers[0]["error"] and answers[1]["tracks"] == 10


def test_sound_is_found_for_what_a_playlist_lists(
    reading: Read, database: Database, songs_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "l.txt").write_text("Drone Artist 0 - Drone Song 0 (0:06)\nSomebody - Else\n")
    reading(str(tmp_path / "l.txt"), genres={"ambient": 1.0})
    [answer] = reading(str(songs_folder))
    assert (answer["tracks"], len(tracks(database))) == (24, 25), "one of the 24 is the track of the list"
    both = next(track for track in tracks(database) if track.title == "Drone Song 0")
    assert both.path and {vote.genre for vote in both.votes} == {"ambient", "drone"}


def test_nothing_to_read_is_no_work(reading: Read) -> None:
    told: list[tuple] = []
    assert reading(on_progress=lambda *report: told.append(report)) == []
    assert told == [(0, 0, "")]


# -- search ------------------------------------------------------------------------------------------------------------


def judged(database: Database) -> list[tuple[str | None, str]]:
    return [(one.genre, one.playlist.title) for one in Playlists(database).readings(searched=True)]


@pytest.fixture
def asked(settings: Settings) -> Mapping[str, PlaylistSource]:
    """Deezer alone."""
    return {"deezer": DeezerSource(settings)}


def test_what_the_library_says_of_its_tracks_orders_what_is_found(
    database: Database, asked: Mapping[str, PlaylistSource], deezer: Deezer, reading: Read, server: Loopback
) -> None:
    reading(uri(1), genres={"techno": 1.0})
    reading(uri(2), genres={"polka": 1.0})
    deezer.playlists |= {
        11: ("Mix A", [*songs(10, 18), *songs(50, 82)]),
        12: ("Mix B", [*songs(0, 4), *songs(10, 14), *songs(50, 82)]),
        13: ("Mix C", [*songs(0, 8), *songs(50, 82)]),
    }
    deezer.found = [hit(11, "Mix A", 40), hit(12, "Mix B", 40), hit(13, "Mix C", 40)]
    told = search(["techno"], database, asked)
    assert told == {"found": 3, "failed": []}
    assert judged(database) == [("techno", "Mix C"), ("techno", "Mix B"), ("techno", "Mix A")]
    found = {one.playlist.title: one for one in Playlists(database).readings(searched=True)}
    assert [found[f"Mix {x}"].reasons["purity"] for x in "ABC"] == [
        (ours + PRIOR / 2) / (8 + PRIOR) for ours in (0, 4, 8)
    ]
    assert all(one.reasons["size"] == 1 and one.reasons["title"] == 0 for one in found.values())
    assert [asked.query["q"] for asked in server.asked if asked.path == "/search/playlist"] == ["techno"]
    assert server.asked[-1].path != "/search/playlist" and len(tracks(database)) == 20, "looked at, not taken in"


def test_genres_below_count_as_the_one_looked_for(
    database: Database, asked: Mapping[str, PlaylistSource], deezer: Deezer, reading: Read
) -> None:
    reading(uri(1), genres={"my minimal": 1.0})
    Genres(database).add("my techno")
    deezer.found = [hit(1, "List 1")]
    search(["my techno"], database, asked)
    Genres(database).change("my minimal", parent="my techno")
    deezer.found = [hit(2, "List 2"), hit(1, "List 1")]
    search(["my techno"], database, asked)
    assert judged(database) == [("my techno", "List 1"), ("my techno", "List 2")]
    best = Playlists(database).readings(searched=True)[0]
    assert best.reasons["purity"] == (10 + PRIOR / 2) / (10 + PRIOR), "judged anew"


def test_aliases_are_names_of_the_genre(
    database: Database, asked: Mapping[str, PlaylistSource], deezer: Deezer, server: Loopback
) -> None:
    Genres(database).add("drum and bass")
    deezer.found = [hit(1, "Nothing of it"), hit(2, "Best of DnB!"), hit(3, "Drum and Bass 2020")]
    deezer.playlists = {n: (str(deezer.found[n - 1]["title"]), rows) for n, (_, rows) in deezer.playlists.items()}
    assert search(["DNB"], database, asked)["found"] == 3
    titles = {one.playlist.title: one.reasons["title"] for one in Playlists(database).readings(searched=True)}
    assert titles == {"Nothing of it": 0.0, "Best of DnB!": 1.0, "Drum and Bass 2020": 1.0}
    assert server.asked[0].query["q"] == "drum and bass"
    assert [genre for genre, _ in judged(database)] == ["drum and bass"] * 3


def test_what_was_rejected_stays_rejected(
    database: Database, asked: Mapping[str, PlaylistSource], deezer: Deezer, server: Loopback
) -> None:
    deezer.found = [hit(1, "List 1"), hit(2, "List 2")]
    search(["techno", "house"], database, asked)
    one = next(one for one in Playlists(database).readings() if (one.genre, one.playlist.title) == ("techno", "List 1"))
    Playlists(database).judge([one.id], rejected=True)
    n_asked = len(server.asked)
    assert search(["Techno"], database, asked) == {"found": 1, "failed": []}
    assert judged(database) == [("house", "List 1"), ("house", "List 2"), ("techno", "List 2")]
    assert [one.playlist.title for one in Playlists(database).readings(state="rejected")] == ["List 1"]
    assert "/playlist/1" not in server.paths[n_asked:], "it is not even looked at"
    Playlists(database).judge([one.id], rejected=False)
    assert search(["techno"], database, asked)["found"] == 2


def test_what_stands_for_the_genre_already_is_left_out(
    database: Database, asked: Mapping[str, PlaylistSource], deezer: Deezer, reading: Read
) -> None:
    reading(uri(1), genres={"techno": 1.0})
    deezer.found = [hit(1, "List 1"), hit(2, "List 2")]
    assert search(["TECHNO"], database, asked)["found"] == 1
    assert judged(database) == [("techno", "List 2")]
    assert search(["house"], database, asked)["found"] == 2, "but may be found for another"


def test_only_the_beginning_of_a_long_playlist_is_looked_at(
    database: Database, asked: Mapping[str, PlaylistSource], deezer: Deezer, server: Loopback
) -> None:
    deezer.playlists = {1: ("Long", songs(0, 450))}
    deezer.found = [hit(1, "Long", 450)]
    search(["techno"], database, asked)
    [one] = Playlists(database).readings()
    assert len(one.playlist.tracks) == PREVIEW_TRACKS == 200 and one.playlist.n_listed == 450
    assert [asked.query["index"] for asked in server.asked if asked.path.endswith("/tracks")] == ["0", "100"]


def test_each_source_is_asked_for_a_few(
    database: Database, asked: Mapping[str, PlaylistSource], deezer: Deezer
) -> None:
    deezer.playlists = {n: (f"List {n}", songs(n, n + 1)) for n in range(1, 30)}
    deezer.found = [hit(n, f"List {n}") for n in range(1, 30)]
    assert search(["techno"], database, asked)["found"] == HITS == len(judged(database))


def both(settings: Settings, spotify: SpotifyServer) -> dict[str, PlaylistSource]:
    own = settings.model_copy(update=Settings(**spotify.settings()).model_dump(include={*spotify.settings()}))
    return {"spotify": SpotifySource(own), "deezer": DeezerSource(own)}


def test_a_source_that_cannot_be_used_is_told_once_and_the_others_go_on(
    database: Database, settings: Settings, deezer: Deezer, spotify: SpotifyServer
) -> None:
    spotify.reply("/v1/search", spotify_server.error(429, "slow down", Retry_After="3000"))
    deezer.found = [hit(1, "List 1")]
    told = search(["techno", "house"], database, both(settings, spotify))
    assert told["found"] == 2
    [failure] = told["failed"]
    assert set(failure) == {"path", "reason"} and failure["path"] == "Spotify" and "UTC" in failure["reason"]
    assert judged(database) == [("house", "List 1"), ("techno", "List 1")]
    assert spotify.paths().count("/v1/search") == 1


def test_what_a_source_does_not_let_be_read_is_shown_with_the_reason(
    database: Database, settings: Settings, deezer: Deezer, spotify: SpotifyServer
) -> None:
    spotify.shape = "2026"
    for n in range(2):
        spotify.add(spotify_server.FakePlaylist(playlist_id(n), f"techno {n}", owner="eve"))
    assert search(["techno"], database, both(settings, spotify)) == {"found": 2, "failed": []}
    for one in Playlists(database).readings():
        assert one.playlist.source == "spotify" and one.playlist.tracks == () and one.error
        assert "artists" not in one.reasons and one.score
        with pytest.raises(LibraryError, match="cannot be taken in"):
            Playlists(database).accept(one)


def test_a_pause_amid_looking_ends_the_search_there_and_keeps_what_was_known(
    database: Database, asked: Mapping[str, PlaylistSource], deezer: Deezer, server: Loopback
) -> None:
    deezer.found = [hit(1, "List 1"), hit(2, "List 2"), hit(3, "List 3")]
    search(["techno"], database, asked)
    before = {one.playlist.title: one for one in Playlists(database).readings()}
    n_asked = len(server.asked)
    deezer.errors = {"/playlist/2": error(4)}
    told = search(["techno", "house"], database, asked)
    assert told["found"] == 1, "the first, for techno"
    [failure] = told["failed"]
    assert failure["path"] == "Deezer" and failure["reason"].startswith("Deezer asks for a pause")
    assert server.paths[n_asked:] == ["/search/playlist", "/playlist/1", "/playlist/1/tracks", "/playlist/2"]
    after = {one.playlist.title: one for one in Playlists(database).readings()}
    assert set(after) == set(before)
    for title in ("List 2", "List 3"):
        assert after[title] == before[title] and len(after[title].playlist.tracks) == 10


def test_a_search_tells_how_far_it_is_and_can_be_stopped(
    database: Database, asked: Mapping[str, PlaylistSource], deezer: Deezer
) -> None:
    deezer.found = [hit(1, "List 1"), hit(2, "List 2")]
    told: list[tuple[int, int | None, str]] = []
    search(["techno", "house"], database, asked, on_progress=lambda *report: told.append(report))
    assert told[0] == (0, 2, "techno on Deezer") and told[-1] == (2, 2, "")
    assert (1, 2, "house on Deezer: List 2") in told

    def stop(done: int, total: int | None, message: str) -> None:
        if "List 2" in message:
            raise JobStopped("Stopped.")

    with pytest.raises(JobStopped):
        search(["polka"], database, asked, on_progress=stop)
    assert ("polka", "List 1") in judged(database) and ("polka", "List 2") not in judged(database)


def test_awkward_titles_are_found_too(database: Database, asked: Mapping[str, PlaylistSource], deezer: Deezer) -> None:
    titles = ["<script>alert(1)</script>", "=cmd()", "東京", "'; DROP TABLE readings; --", "x" * 1000]
    deezer.playlists = {n: (title, songs(n, n + 2)) for n, title in enumerate(titles, 1)}
    deezer.found = [hit(n, title) for n, title in enumerate(titles, 1)]
    search(["<b>techno</b>"], database, asked)
    found = judged(database)
    assert {genre for genre, _ in found} == {"<b>techno</b>"}
    assert {title for _, title in found} == {title[:300] for title in titles}


def test_words_are_searched_for_everywhere(settings: Settings, deezer: Deezer, spotify: SpotifyServer) -> None:
    deezer.found = [hit(1, "List 1", 33)]
    hits, failed = search_words("warehouse nights", both(settings, spotify))
    assert failed == []
    assert [(one.source, one.title, one.n_tracks) for one in hits] == [
        ("spotify", "warehouse nights 0", 0),
        ("spotify", "warehouse nights 1", 0),
        ("deezer", "List 1", 33),
    ]


def test_words_that_one_source_fails_at_are_found_at_the_others(
    settings: Settings, deezer: Deezer, spotify: SpotifyServer
) -> None:
    deezer.errors = {"/search/playlist": error(700)}
    hits, failed = search_words("techno", both(settings, spotify))
    assert [one.source for one in hits] == ["spotify"] * 2
    assert failed == [{"path": "Deezer", "reason": "Deezer is busy. Try again in a few minutes."}]


def test_sources_without_an_account_are_not_asked(settings: Settings, deezer: Deezer) -> None:
    deezer.found = [hit(1, "List 1")]
    hits, failed = search_words("techno", {"spotify": SpotifySource(settings), "deezer": DeezerSource(settings)})
    assert ([one.source for one in hits], failed) == (["deezer"], [])


# -- map ---------------------------------------------------------------------------------------------------------------


def test_a_playlist_is_named_by_its_number_its_title_or_its_reference(
    database: Database, known: dict[str, PlaylistSource], reading: Read
) -> None:
    reading(uri(1), uri(2))
    second = Playlists(database).all()[1]
    for number, ref in enumerate(
        (str(second.id), f" {second.id} ", "LIST 2", uri(2), "https://www.deezer.com/playlist/2?x=1"), start=1
    ):
        row = map_playlist(database, known, ref, {f"genre {number}": 0.5})
        assert (row.id, row.genres) == (second.id, {f"genre {number}": 0.5}), ref
    assert Playlists(database).all()[0].genres == {}
    assert undo_latest(database) == "genres of List 2"
    assert Playlists(database).get(second.id).genres == {"genre 4": 0.5}
    assert map_playlist(database, known, "list 2", {}).genres == {}


def test_of_several_with_one_title_the_number_is_asked_for(
    database: Database, known: dict[str, PlaylistSource], deezer: Deezer, reading: Read
) -> None:
    deezer.playlists[2] = ("list 1", songs(10, 20))
    reading(uri(1), uri(2))
    before = contents(database)
    ids = [row.id for row in Playlists(database).all()]
    with pytest.raises(LibraryError, match=rf"Several playlists are called List 1.*: {ids[0]}, {ids[1]}\."):
        map_playlist(database, known, "List 1", {"techno": 1})
    assert contents(database) == before
    assert map_playlist(database, known, uri(2), {"techno": 1}).id == ids[1]


def test_a_number_goes_before_a_title(database: Database, known: dict[str, PlaylistSource]) -> None:
    playlists = Playlists(database)
    playlists.take_in(playlist("a", listed(1), title="2"))
    playlists.take_in(playlist("b", listed(2), title="1"))
    assert map_playlist(database, known, "2", {"techno": 1}).reference == "b"


def test_a_playlist_may_be_called_like_a_folder(
    database: Database, known: dict[str, PlaylistSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reading: Read
) -> None:
    reading(uri(1))
    monkeypatch.chdir(tmp_path)
    for name in ("1", "List 1"):
        (tmp_path / name).mkdir()
        assert map_playlist(database, known, name, {"techno": 1}).reference == uri(1)
    assert len(Playlists(database).all()) == 1


def test_one_that_was_not_read_yet_is_put_on_the_list(
    database: Database, known: dict[str, PlaylistSource], reading: Read, server: Loopback
) -> None:
    row = map_playlist(database, known, "https://www.deezer.com/playlist/3", {"techno": 1, "house": 0.5})
    assert (row.source, row.reference, row.tracks, row.read_at) == ("deezer", uri(3), 0, None)
    assert row.genres == {"techno": 1, "house": 0.5} and server.asked == []
    reading(uri(3))
    [read_now] = Playlists(database).all()
    assert (read_now.id, read_now.title, read_now.tracks, read_now.genres) == (row.id, "List 3", 10, row.genres)
    assert all(track.label and track.label.top == "techno" for track in tracks(database))


@pytest.mark.parametrize("ref", ["", "List 9", "99", "-1", "/no/such/list.csv", "a" * 10_000, "\0"])
def test_a_playlist_that_there_is_not_cannot_be_mapped(
    database: Database, known: dict[str, PlaylistSource], ref: str
) -> None:
    with pytest.raises(LibraryError, match=r"There is no playlist .* in the library"):
        map_playlist(database, known, ref, {"techno": 1})
    assert Playlists(database).all() == []


def test_wrong_weights_change_nothing(database: Database, known: dict[str, PlaylistSource], reading: Read) -> None:
    reading(uri(1))
    before = contents(database)
    for genres in ({"techno": 0.0}, {"techno": 1, "house": -1}, {" ": 1}):
        with pytest.raises(LibraryError):
            map_playlist(database, known, "List 1", genres)
    assert contents(database) == before
