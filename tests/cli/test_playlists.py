"""The commands about playlists, tracks and genres, as a script meets them: exact fields, exit codes, one document."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from core.cli import app, frame
from core.database import Database
from core.library.playlists import Playlists
from core.library.store import Library
from core.settings import Settings
from core.sources import musicbrainz, sites
from tests.lists import contents, listed, playlist
from tests.loopback import Answer, Asked, Loopback, as_json, serving
from tests.sources.deezer_server import Deezer, song

PROJECT = Path(__file__).resolve().parents[2]
ADDED = {"ref", "source", "title", "tracks", "new", "removed", "skipped", "error"}
LISTED = {"id", "source", "reference", "title", "owner", "tracks", "genres", "skipped", "read_at"}
HIT = {"source", "reference", "title", "owner", "url", "n_tracks"}
READING = {"source", "reference", "title", "owner", "url", "tracks", "genre", "score", "reasons", "error"}
TRACK = {"id", "title", "artists", "isrc", "label", "votes"}
COMMANDS = [
    ("playlists", "add"), ("playlists", "map"), ("playlists", "list"), ("playlists", "search"),
    ("playlists", "export"), ("playlists", "import"), ("tracks",), ("genre-votes",),
]  # fmt: skip


@pytest.fixture
def deezer() -> Deezer:
    """Lists 1 and 2 of 10 songs each, of which 5 are the same."""
    return Deezer(playlists={n: (f"List {n}", [song(5 * n + i) for i in range(10)]) for n in (1, 2)})


@pytest.fixture(autouse=True)
def web(deezer: Deezer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """Deezer and MusicBrainz are on this machine, and of the rest of the world nothing answers."""

    def answer(asked: Asked) -> Answer:
        if asked.path == "/ws/2/isrc/GBAAA0000005":
            genres = [{"id": "x", "name": "techno", "count": 1}]
            return as_json({"recordings": [{"id": "b1a9c0e9-d987-4042-ae91-78d6a3267d69", "genres": genres}]})
        return as_json({"error": "Not Found"}, 404) if asked.path.startswith("/ws/2/") else deezer(asked)

    monkeypatch.setattr(sites, "PAUSE_S", 0)
    monkeypatch.setattr(musicbrainz, "REQUESTS_PER", (1000, 1.0))
    with serving(answer) as server, serving(lambda asked: Answer(status=502)) as nobody:
        monkeypatch.setenv("GENRESCOPE_DEEZER_API_URL", server.url)
        monkeypatch.setenv("GENRESCOPE_MUSICBRAINZ_URL", f"{server.url}/ws/2")
        monkeypatch.setenv("HTTPS_PROXY", nobody.url)
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def library(home: Path) -> Database:
    return Database(Settings(home=home).database)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def ask(*arguments: object, home: Path, code: int = 0) -> Any:
    """The document that a command answers with."""
    told = invoke(*arguments, "--home", home, "--json")
    assert told.exit_code == code, told.output
    assert told.stdout.endswith("\n") and told.stdout.count("\n") == 1
    return json.loads(told.stdout)


def uri(number: int) -> str:
    return f"deezer:playlist:{number}"


@pytest.fixture
def filled(home: Path) -> Path:
    """A workspace with both lists: 1 stands for techno, 2 for house, half as much."""
    ask("playlists", "add", uri(1), uri(2), home=home)
    ask("playlists", "map", uri(1), "techno", home=home)
    ask("playlists", "map", uri(2), "house=0.5", home=home)
    return home


# -- add ---------------------------------------------------------------------------------------------------------------


def test_add(home: Path, library: Database) -> None:
    one, two = ask("playlists", "add", "https://www.deezer.com/playlist/1", uri(2), home=home)
    assert one == {
        "ref": "https://www.deezer.com/playlist/1", "source": "deezer", "title": "List 1", "tracks": 10, "new": 10,
        "removed": 0, "skipped": {}, "error": None,
    }  # fmt: skip
    assert (two["ref"], two["tracks"], two["new"]) == (uri(2), 10, 5)
    assert [row.tracks for row in Playlists(library).all()] == [10, 10]


def test_adding_again_brings_up_to_date(filled: Path, deezer: Deezer, library: Database) -> None:
    deezer.playlists[1] = ("List 1", [song(n) for n in (*range(8, 16), 50)])
    [again] = ask("playlists", "add", uri(1), home=filled)
    assert (again["tracks"], again["new"], again["removed"]) == (9, 1, 3)
    assert Playlists(library).all()[0].genres == {"techno": 1.0}
    told = invoke("playlists", "add", uri(1), uri(2), "--home", filled)
    assert told.exit_code == 0
    assert "List 1 (deezer): 9 tracks, 0 of them new" in told.stdout and "List 2 (deezer): 10 tracks" in told.stdout


def test_a_bad_reference_among_good_ones_fails_alone(home: Path, library: Database) -> None:
    bad = ["no such playlist", "/no/such/file.csv", uri(404), "", "a" * 10_000, "~nobody-of-this-name/x.csv"]
    answers = ask("playlists", "add", bad[0], uri(1), *bad[1:], uri(2), home=home, code=1)
    assert all(set(row) == ADDED for row in answers)
    assert [row["ref"] for row in answers] == [bad[0], uri(1), *bad[1:], uri(2)], "as they were given, in their order"
    assert [row["error"] is None for row in answers] == [False, True, *[False] * 5, True]
    assert all(len(row["error"] or "") < 500 for row in answers)
    assert [row.reference for row in Playlists(library).all()] == [uri(1), uri(2)]
    for_people = invoke("playlists", "add", bad[0], uri(1), "--home", home)
    assert for_people.exit_code == 1
    assert "List 1 (deezer)" in for_people.stdout and bad[0] not in for_people.stdout
    assert f"failed: {bad[0]}: " in for_people.stderr


def test_a_folder_is_added_as_it_was_named(
    home: Path, songs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: Database
) -> None:
    for file in (songs_folder / "drone").glob("*.flac"):
        (tmp_path / "songs" / "drone").mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "songs" / "drone")
    n = len(list(tmp_path.rglob("*.flac")))
    (tmp_path / "list.txt").write_text("Eins - Erstes\nno song\n")
    monkeypatch.chdir(tmp_path)
    folder, text = ask("playlists", "add", "songs", "./list.txt", home=home)
    assert (folder["ref"], folder["source"], folder["tracks"], folder["new"]) == ("songs", "folder", n, n)
    assert (text["ref"], text["source"], text["title"]) == ("./list.txt", "text", "list")
    assert text["skipped"] == {"no artist and title": 1}
    assert [row.reference for row in Playlists(library).all()] == [str(tmp_path / "songs"), str(tmp_path / "list.txt")]
    assert {track.label and track.label.top for track in Library(library).tracks("") if track.path} == {"drone"}


# -- map, list ---------------------------------------------------------------------------------------------------------


def test_map_and_list(home: Path, library: Database) -> None:
    ask("playlists", "add", uri(1), uri(2), home=home)
    row = ask("playlists", "map", "List 1", "techno", "house=0.5", home=home)
    assert set(row) == LISTED
    assert (row["reference"], row["tracks"], row["genres"]) == (uri(1), 10, {"techno": 1.0, "house": 0.5})
    assert row["read_at"] and row["owner"] == "Ada" and row["skipped"] == {}
    assert ask("playlists", "map", str(row["id"]), "dnb=2", home=home)["genres"] == {"drum and bass": 2.0}
    assert ask("playlists", "map", "https://www.deezer.com/playlist/1", home=home)["genres"] == {}
    rows = ask("playlists", "list", home=home)
    assert [set(row) for row in rows] == [LISTED, LISTED] and [row["title"] for row in rows] == ["List 1", "List 2"]
    told = invoke("playlists", "map", "List 2", "house=0.5", "--home", home)
    assert (told.exit_code, told.stdout) == (0, "List 2: house=0.5\n")
    shown = invoke("playlists", "list", "--home", home).stdout
    assert "List 1 (deezer): 10 tracks; no genre yet" in shown and "List 2 (deezer): 10 tracks; house=0.5" in shown


def test_a_playlist_is_mapped_before_it_is_read(home: Path, web: Loopback) -> None:
    row = ask("playlists", "map", uri(2), "techno", home=home)
    assert (row["tracks"], row["read_at"], row["genres"]) == (0, None, {"techno": 1.0}) and web.asked == []
    ask("playlists", "add", uri(2), home=home)
    [row] = ask("playlists", "list", home=home)
    assert (row["title"], row["tracks"], row["genres"]) == ("List 2", 10, {"techno": 1.0})


def test_a_title_is_a_title_even_where_a_folder_is_called_so(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("List 1", "1"):
        (tmp_path / name).mkdir()
        assert ask("playlists", "map", name, "disco", home=filled)["reference"] == uri(1)
    assert len(ask("playlists", "list", home=filled)) == 2


@pytest.mark.parametrize(
    "weight", ["house=", "house=much", "house=0", "house=-1", "house=nan", "house=inf", "=0.5", "house=0,5"]
)
def test_a_wrong_weight_changes_nothing(filled: Path, library: Database, weight: str) -> None:
    before = contents(library)
    told = ask("playlists", "map", "List 1", "techno", weight, home=filled, code=1)
    assert set(told) == {"error"} and told["error"]
    assert contents(library) == before


@pytest.mark.parametrize("ref", ["List 3", "99", "", "/no/such.csv"])
def test_an_unknown_playlist_is_told(filled: Path, library: Database, ref: str) -> None:
    before = contents(library)
    told = ask("playlists", "map", ref, "techno", home=filled, code=1)
    assert set(told) == {"error"} and "There is no playlist" in told["error"]
    for_people = invoke("playlists", "map", ref, "techno", "--home", filled)
    assert (for_people.exit_code, for_people.stdout) == (1, "") and "Error: " in for_people.stderr
    assert contents(library) == before


def test_an_empty_library_lists_nothing(home: Path) -> None:
    assert ask("playlists", "list", home=home) == []
    assert ask("tracks", home=home) == []
    assert "There are no playlists yet." in invoke("playlists", "list", "--home", home).stdout
    assert "There are no such tracks." in invoke("tracks", "--home", home).stdout


# -- search ------------------------------------------------------------------------------------------------------------


def found(n: int) -> list[dict[str, Any]]:
    return [
        {"id": k, "title": f"List {k}", "nb_tracks": 10, "public": True, "user": {"name": "Ada"}}
        for k in range(1, n + 1)
    ]


def test_searching_for_words(home: Path, deezer: Deezer, library: Database) -> None:
    deezer.found = found(2)
    told = ask("playlists", "search", "warehouse", "nights", home=home, code=1)  # YouTube cannot be reached
    hits = told["found"]
    assert set(told) == {"error", "found", "failed"} and "YouTube" in told["error"]
    assert [source["path"] for source in told["failed"]] == ["YouTube"] and told["failed"][0]["reason"]
    assert [set(hit) for hit in hits] == [HIT, HIT]
    assert hits[0] == {
        "source": "deezer", "reference": uri(1), "title": "List 1", "owner": "Ada",
        "url": "https://www.deezer.com/playlist/1", "n_tracks": 10,
    }  # fmt: skip
    assert Playlists(library).readings() == []
    for_people = invoke("playlists", "search", "warehouse", "--home", home)
    assert for_people.exit_code == 1
    assert f"List 1 (deezer {uri(1)}), 10 tracks" in for_people.stdout and "failed: YouTube: " in for_people.stderr


def test_searching_for_a_genre(filled: Path, deezer: Deezer, library: Database) -> None:
    deezer.playlists[3] = ("List 3", [song(100 + n) for n in range(10)])
    deezer.found = found(3)
    told = ask("playlists", "search", "--genre", "Techno", "--genre", "disco", home=filled, code=1)
    rows = told["found"]
    assert {source["path"] for source in told["failed"]} == {"YouTube"}
    assert all(set(row) == READING for row in rows)
    assert {(row["genre"], row["title"]) for row in rows} == {
        ("techno", "List 2"), ("techno", "List 3"), ("disco", "List 1"), ("disco", "List 2"), ("disco", "List 3"),
    }  # fmt: skip
    by_score = [row["score"] for row in rows if row["genre"] == "techno"]
    assert by_score == sorted(by_score, reverse=True) and all(0 <= score <= 1 for score in by_score)
    assert all(set(row["reasons"]) == {"title", "purity", "artists", "size"} and row["error"] == "" for row in rows)
    assert len(Playlists(library).readings(searched=True)) == 5, "they wait on the page"
    again = ask("playlists", "search", "--genre", "disco", home=filled, code=1)
    assert {row["genre"] for row in again["found"]} == {"disco"}


def test_when_all_sources_fail_the_answer_names_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda asked: Answer(status=502)) as broken:
        monkeypatch.setenv("GENRESCOPE_DEEZER_API_URL", broken.url)
        for asked in (["warehouse"], ["--genre", "techno"]):
            told = ask("playlists", "search", *asked, home=home, code=1)
            assert told["found"] == [] and {row["path"] for row in told["failed"]} == {"YouTube", "Deezer"}
            assert "YouTube" in told["error"] and "Deezer" in told["error"]
        for_people = invoke("playlists", "search", "warehouse", "--home", home)
        assert (for_people.exit_code, for_people.stdout) == (1, "") and for_people.stderr.count("failed: ") == 2


def test_a_search_in_which_nothing_failed_is_a_list(
    home: Path, deezer: Deezer, monkeypatch: pytest.MonkeyPatch
) -> None:
    deezer.found = found(1)
    monkeypatch.setattr(sites.SiteSource, "search", lambda source, words, limit: [])
    assert [set(hit) for hit in ask("playlists", "search", "warehouse", home=home)] == [HIT]


def test_words_and_a_genre_are_one_too_many(home: Path) -> None:
    told = invoke("playlists", "search", "warehouse", "--genre", "techno", "--home", home)
    assert told.exit_code == 2 and "--genre, not both" in " ".join(told.stderr.split())
    assert invoke("playlists", "search", "--home", home).exit_code == 2


def test_a_file_may_hold_several_playlists(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lists.csv").write_text("Track name,Artist name,Playlist name\nA,B,Warm up\nC,D,Peak\nE,F,Warm up\n")
    monkeypatch.chdir(tmp_path)
    rows = ask("playlists", "add", "lists.csv", home=home)
    assert [(row["ref"], row["title"], row["tracks"]) for row in rows] == [
        ("lists.csv", "Warm up", 2),
        ("lists.csv", "Peak", 1),
    ]
    again = ask("playlists", "add", f"{tmp_path}/lists.csv#Peak", home=home)
    assert [(row["title"], row["new"]) for row in again] == [("Peak", 0)]
    assert [row["title"] for row in ask("playlists", "list", home=home)] == ["Warm up", "Peak"]


def test_a_link_to_a_spotify_track_is_answered(home: Path) -> None:
    link = "https://open.spotify.com/track/4C0NorBxrMwAxAiy4fsomO"
    [row] = ask("playlists", "add", link, home=home, code=1)
    assert link in row["error"] and "exportify.net" in row["error"]


# -- export, import ----------------------------------------------------------------------------------------------------


def labels(home: Path) -> list[tuple[Any, ...]]:
    rows = ask("tracks", home=home)
    return [(row["title"], row["label"], sorted(vote["genre"] for vote in row["votes"])) for row in rows]


@pytest.mark.parametrize("name", ["mapping.yaml", "mapping.csv"])
def test_a_mapping_goes_round(filled: Path, tmp_path: Path, name: str, library: Database) -> None:
    ask("playlists", "map", "List 1", "techno=2", "<script>", "=cmd()=0.125", home=filled)
    file = tmp_path / name
    told = ask("playlists", "export", file, home=filled)
    assert set(told) == {"file", "playlists", "genres"} and (told["file"], told["playlists"]) == (str(file), 2)
    fresh = tmp_path / "fresh"
    planned = ask("playlists", "import", file, "--dry-run", home=fresh)
    assert planned and all(set(change) == {"what", "before", "after"} for change in planned)
    assert all(change["before"] == "not there" for change in planned)
    assert (
        ask("playlists", "list", home=fresh) == [] and contents(Database(Settings(home=fresh).database))["genres"] == []
    )
    assert ask("playlists", "import", file, home=fresh) == planned
    assert ask("playlists", "import", file, home=fresh) == [] == ask("playlists", "import", file, home=filled)
    names = ("source", "reference", "title", "genres")
    one, other = (
        [{name: row[name] for name in names} for row in ask("playlists", "list", home=where)]
        for where in (filled, fresh)
    )
    assert one == other and other[0]["genres"] == {"techno": 2.0, "<script>": 1.0, "=cmd()": 0.125}
    ask("playlists", "export", tmp_path / f"again {name}", home=fresh)
    assert (tmp_path / f"again {name}").read_text() == file.read_text()
    ask("playlists", "add", uri(1), uri(2), home=fresh)
    assert labels(fresh) == labels(filled), "and so are the labels"


def test_a_dry_run_changes_nothing(filled: Path, tmp_path: Path, library: Database) -> None:
    file = tmp_path / "m.yaml"
    ask("playlists", "export", file, home=filled)
    file.write_text(file.read_text().replace("house: 0.5", "house: 0.75"))
    before = contents(library)
    changes = ask("playlists", "import", file, "--dry-run", home=filled)
    assert changes == [{"what": "List 2", "before": "house=0.5", "after": "house=0.75"}]
    assert contents(library) == before
    told = invoke("playlists", "import", file, "--home", filled)
    assert told.stdout == "List 2: house=0.5 -> house=0.75\n"
    assert Playlists(library).all()[1].genres == {"house": 0.75}
    assert invoke("playlists", "import", file, "--home", filled).stdout == "Nothing changes.\n"


@pytest.mark.parametrize("text", ["- a\n- b\n", "playlists: [{source: x}]", "\x00", "playlists: 7", "a: *b", "{"])
def test_a_file_that_is_no_mapping_changes_nothing(filled: Path, tmp_path: Path, library: Database, text: str) -> None:
    (tmp_path / "m.yaml").write_text(text)
    before = contents(library)
    for more in ((), ("--dry-run",)):
        told = ask("playlists", "import", tmp_path / "m.yaml", *more, home=filled, code=1)
        assert set(told) == {"error"} and "m.yaml" in told["error"]
    assert contents(library) == before


def test_files_that_cannot_be_opened_are_told(filled: Path, tmp_path: Path) -> None:
    assert "cannot be read" in ask("playlists", "import", tmp_path / "no.yaml", home=filled, code=1)["error"]
    (tmp_path / "file").write_text("")
    told = ask("playlists", "export", tmp_path / "file" / "m.yaml", home=filled, code=1)
    assert "cannot be written" in told["error"]
    assert (tmp_path / "file").read_text() == ""


# -- tracks ------------------------------------------------------------------------------------------------------------


def test_tracks(filled: Path) -> None:
    rows = ask("tracks", home=filled)
    assert len(rows) == 15 and all(set(row) == TRACK for row in rows)
    assert rows[0] == {
        "id": 1, "title": "Song 5", "artists": ["Artist 0"], "isrc": "GBAAA0000005", "label": {"techno": 1.0},
        "votes": [{"genre": "techno", "source": "playlist", "weight": 1.0}],
    }  # fmt: skip
    both = [row for row in rows if len(row["label"]) == 2]
    assert len(both) == 5 and all(row["label"] == {"techno": 0.666667, "house": 0.333333} for row in both)


def test_tracks_are_chosen_by_genre_words_and_number(filled: Path) -> None:
    def titles(*options: object) -> list[str]:
        return [row["title"] for row in ask("tracks", *options, home=filled)]

    assert titles("--genre", "HOUSE") == [f"Song {n}" for n in range(10, 20)] == titles("--genre", "house music")
    assert titles("--genre", "polka") == []
    assert titles("--search", "song 12") == ["Song 12"] and len(titles("--search", "song")) == 15
    assert titles("--search", "ARTIST 0 techno") == ["Song 5", "Song 10"]
    assert titles("--genre", "techno", "--search", "song", "--limit", 2) == ["Song 5", "Song 6"]
    assert titles("--limit", 99) == titles()
    told = invoke("tracks", "--limit", 1, "--home", filled)
    assert told.exit_code == 0 and told.stdout == "     1  Artist 0 – Song 5: techno 100%\n"


def test_names_are_told_as_they_are(home: Path, library: Database) -> None:
    name = "[bold]<script>alert(1)</script> =cmd() {0} %s :smile: [/b]"
    Playlists(library).take_in(playlist("a", listed(1, title=name, artists=(name, "B")), title=name))
    assert ask("playlists", "list", home=home)[0]["title"] == name
    assert ask("tracks", home=home)[0]["title"] == name
    assert invoke("tracks", "--home", home).stdout == f"     1  {name}, B – {name}: no genre\n"
    assert f"{name} (spotify)" in invoke("playlists", "list", "--home", home).stdout


def test_progress_on_a_terminal_tells_names_as_they_are(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = StringIO()
    monkeypatch.setattr(frame, "stderr", Console(file=screen, force_terminal=True, width=200))
    name = "/no/[/b] [bold]such :smile:.csv"
    [row] = ask("playlists", "add", name, home=home, code=1)
    assert row["error"]
    with frame.progress() as report:
        report(1, 2, name, None)
    assert name in screen.getvalue()


# -- genre-votes -------------------------------------------------------------------------------------------------------


def test_genre_votes(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ask("genre-votes", home=filled, code=1)
    assert set(told) == {"error"} and "Set GENRESCOPE_CONTACT" in told["error"]
    monkeypatch.setenv("GENRESCOPE_CONTACT", "someone@example.org")
    assert ask("genre-votes", home=filled) == {"asked": 15, "found": 1}
    assert ask("genre-votes", home=filled) == {"asked": 0, "found": 0}
    first = ask("tracks", "--limit", 1, home=filled)[0]
    assert {"genre": "techno", "source": "musicbrainz", "weight": 0.25} in first["votes"]
    shown = invoke("genre-votes", "--home", filled)
    assert (shown.exit_code, shown.stdout) == (0, "0 tracks asked about, genres found for 0\n")


# -- help, usage, a process of its own ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_the_common_options(command: tuple[str, ...]) -> None:
    told = invoke(*command, "--help")
    assert told.exit_code == 0
    for option in ("--help", "--home", "--json"):
        assert option in told.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("playlists",),
        ("playlists", "sing"),
        ("playlists", "add"),
        ("playlists", "map"),
        ("playlists", "search"),
        ("playlists", "search", "words", "--genre", "techno"),
        ("playlists", "export"),
        ("playlists", "import"),
        ("tracks", "--limit", 0),
        ("tracks", "--limit", "many"),
        ("tracks", "word"),
    ],
    ids=lambda arguments: " ".join(map(str, arguments)),
)
def test_wrong_usage_is_one_json_document(home: Path, arguments: tuple[object, ...], web: Loopback) -> None:
    told = invoke(*arguments, "--home", home, "--json")
    assert told.exit_code == 2 and set(json.loads(told.stdout)) == {"error"}
    assert web.asked == []


def test_a_process_writes_one_document_and_nothing_else(home: Path, songs_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "core", "playlists", "add", uri(1), "junk", songs_folder, "--home", home, "--json"],
        cwd=PROJECT,
        env={**os.environ, "GENRESCOPE_LEASE_S": "2"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1 and done.stdout.count("\n") == 1
    assert [(row["source"], row["tracks"]) for row in json.loads(done.stdout)] == [
        ("deezer", 10),
        ("", 0),
        ("folder", 24),
    ]
    assert done.stderr == ""
