"""Importing: every song once, with the genre the person chose; what cannot be read is listed, and nothing else stops."""

import contextlib
import itertools
import json
import os
import shutil
import threading
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from mutagen.flac import FLAC
from mutagen.id3 import ID3, TCON, TIT2, TPE1

from core.audio import waveform
from core.audio.codes import codes_of
from core.database import Database
from core.errors import LibraryError
from core.files import sha256_of
from core.library import importing
from core.library.importing import (
    audio_files_in,
    import_folder,
    look_through,
    preview,
    probable_duplicates,
    read_csv,
)
from core.library.playlists import Playlists
from core.library.store import Library, TrackRow
from core.music import ListedTrack, Playlist
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from core.text_encoding import NAMES
from tests.sounds import edit_tags, encode, tone, write_sound

RECIPE = "any"
Import = Callable[..., dict[str, Any]]


def sound(path: Path, frequency: float = 440, *, seconds: float = 0.3, **tags: str) -> Path:
    """A small song; another frequency is another content."""
    return write_sound(path, tone(frequency, seconds, sample_rate=16_000), sample_rate=16_000, tags=tags)


def clone(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(source, target))


@pytest.fixture
def music(tmp_path: Path) -> Path:
    return tmp_path / "music"


@pytest.fixture
def take_in(library: Library, settings: Settings, music: Path) -> Import:
    """Import `music`, genres from folders unless told otherwise."""

    def take_in(**arguments: Any) -> dict[str, Any]:
        directory = arguments.pop("directory", music)
        return import_folder(library, settings, directory, **{"genre_from": "folder", **arguments})

    return take_in


@pytest.fixture
def rows(library: Library) -> Callable[[], list[TrackRow]]:
    return lambda: library.tracks(RECIPE)


def answer(
    imported: int = 0,
    already_known: int = 0,
    duplicates: int = 0,
    without_genre: int = 0,
    unmatched: Sequence[str] = (),
) -> dict[str, Any]:
    """An import's result where nothing failed or looked double; `unmatched` are paths of rows that mean no file."""
    counts = {"imported": imported, "already_known": already_known, "duplicates": duplicates}
    rows = [{"path": path, "reason": "there is no such file in the folder"} for path in unmatched]
    more = {"without_genre": without_genre, "unmatched_rows": len(rows), "unmatched": rows}
    return {**counts, **more, "probable_duplicates": [], "skipped": [], "failed": []}


def label(row: TrackRow) -> str | None:
    return row.label.top if row.label else None


# -- which files -------------------------------------------------------------------------------------------------------


def test_files_are_found_by_their_ending_in_a_fixed_order_and_hidden_ones_are_passed_over(music: Path) -> None:
    wanted = ["a.MP3", "b/c.flac", "b/d/e.webm", "z.opus"]
    passed_over = [
        "notes.txt",
        "cover.jpg",
        "list.m3u",
        "mp3",
        ".hidden.mp3",
        "._a.mp3",
        ".trash/x.mp3",
        "b/.git/y.mp3",
    ]
    for name in wanted + passed_over:
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        (music / name).touch()
    (music / "folder.mp3").mkdir()
    found = [str(path.relative_to(music)) for path in audio_files_in(music)]
    assert sorted(found) == wanted
    assert found == [str(path.relative_to(music)) for path in audio_files_in(music)]


@pytest.mark.parametrize("name", ["absent", "file.mp3"])
def test_what_is_no_folder_is_told(take_in: Import, tmp_path: Path, name: str) -> None:
    (tmp_path / "file.mp3").touch()
    with pytest.raises(LibraryError, match="not a folder"):
        take_in(directory=tmp_path / name)


def test_an_empty_folder_gives_nothing(take_in: Import, music: Path) -> None:
    music.mkdir()
    assert take_in() == answer()


def test_a_folder_that_leads_into_itself_does_no_harm(take_in: Import, music: Path) -> None:
    sound(music / "rock" / "a.flac")
    (music / "rock" / "again").symlink_to(music)
    result = take_in()
    (skipped,) = result.pop("skipped")
    assert result | {"skipped": []} == answer(imported=1)
    assert skipped["path"] == str(music / "rock" / "again") and "no end" in skipped["reason"]


def test_links_to_folders_and_unreadable_folders_are_told(
    take_in: Import, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound(music / "rock" / "a.flac")
    sound(tmp_path / "elsewhere" / "b.flac", 500)
    (music / "linked").symlink_to(tmp_path / "elsewhere")
    (music / "itself").symlink_to(music / "itself")
    (music / "one").symlink_to(music / "two")
    (music / "two").symlink_to(music / "one")
    (music / "gone").symlink_to(tmp_path / "nowhere")
    (music / "locked").mkdir()
    scandir = os.scandir

    def locked(path: Any) -> Any:
        if not isinstance(path, int) and Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)  # who runs tests as root may read every folder
    content = look_through(music)
    assert [path.name for path in content.files] == ["a.flac"]
    told = {Path(item["path"]).name: item["reason"] for item in content.skipped}
    assert set(told) == {"linked", "locked"}, "links that lead nowhere are no folders, and not called songs"
    assert str(tmp_path / "elsewhere") in told["linked"] and "Permission denied" in told["locked"]
    result = take_in()
    assert (result["imported"], len(result["skipped"])) == (1, 2)
    assert take_in(directory=music / "linked")["imported"] == 1, "named by the person it is read"


BESIDE_SONGS = {
    "cover.jpg": b"\xff\xd8\xff\xe0", "folder.png": b"\x89PNG", "booklet.pdf": b"%PDF-1.4", "album.cue": b"FILE", "info.nfo": b"x",
    "notes.txt": b"\xff\xfeI\x00", "list.m3u8": b"#EXTM3U", ".DS_Store": b"\x00\x00\x00\x01Bud1", "._a.mp3": b"\x00\x05\x16\x07",
    "Thumbs.db": b"\xd0\xcf\x11\xe0", "README": b"read me", "art.webp": b"RIFF\x00\x00\x00\x00WEBP", "photo.heic": b"\x00\x00\x00\x18ftypheic",
    "empty": b"", "film.avi": b"RIFF\x00\x00\x00\x00AVI LIST", "rip.log": b"EAC", "checks.sfv": b"; ", "state.json": b"{}",
}  # fmt: skip


def test_what_lies_beside_songs_is_no_failure(take_in: Import, music: Path) -> None:
    sound(music / "rock" / "a.flac")
    for name, content in BESIDE_SONGS.items():
        (music / "rock" / name).write_bytes(content * 50)
    assert take_in() == answer(imported=1)


def test_audio_that_is_skipped_is_listed_with_the_reason(take_in: Import, music: Path) -> None:
    song = sound(music / "rock" / "a.mp3")
    for name in ("b.mp3.part", "c.crdownload", ".hidden.mp3"):
        clone(song, music / "rock" / name)
    for name in ("song.mid", "book.aax", "old.ra", "shop.m4p", "module.xm"):
        (music / "rock" / name).write_bytes(b"x" * 99)
    (music / "rock" / "unsaved.tmp").write_bytes(b"a letter")
    result = take_in()
    assert (result["imported"], result["failed"]) == (1, [])
    told = {Path(item["path"]).name: item["reason"] for item in result["skipped"]}
    assert told.keys() == {
        "b.mp3.part",
        "c.crdownload",
        ".hidden.mp3",
        "song.mid",
        "book.aax",
        "old.ra",
        "shop.m4p",
        "module.xm",
    }
    assert "unfinished" in told["c.crdownload"] and "MIDI" in told["song.mid"] and "hidden" in told[".hidden.mp3"]
    assert result["skipped"] == take_in()["skipped"]


KINDS_OF_FILE = {
    ".mp2": ("mp2", "mp2"), ".mkv": ("matroska", "flac"), ".weba": ("webm", "libopus"), ".m4r": ("ipod", "aac"),
    ".mov": ("mov", "aac"), ".m4b": ("ipod", "aac"), ".wv": ("wv", "wavpack"), ".au": ("au", "pcm_s16be"), ".tta": ("tta", "tta"),
    ".aifc": ("aiff", "pcm_s16le"), ".caf": ("caf", "pcm_s16le"), ".w64": ("w64", "pcm_s16le"), ".ac3": ("ac3", "ac3"),
    ".wma": ("asf", "wmav2"), ".snd": ("au", "pcm_mulaw"), ".mka": ("matroska", "libmp3lame"), ".3gp": ("3gp", "aac"),
}  # fmt: skip


def test_every_kind_of_file_that_decodes_is_imported(
    take_in: Import, rows: Callable[[], list[TrackRow]], music: Path
) -> None:
    music.mkdir()
    for number, (suffix, (container, codec)) in enumerate(KINDS_OF_FILE.items()):
        encode(music / f"a{number}{suffix}", container, codec, tone(300 + 20 * number, 1, sample_rate=48_000))
    sound(music / "plain.mp3", 1_000).rename(music / "no ending")
    sound(music / "plain.m4a", 1_100).rename(music / "odd.ending")
    assert take_in() == answer(imported=len(KINDS_OF_FILE) + 2)
    assert all(row.duration_s == pytest.approx(1, abs=0.1) for row in rows() if "a" in row.title)
    assert {codes_of(Path(row.path), SpectrogramRecipe())[1].state for row in rows()} == {"ok"}


# -- genre and names ---------------------------------------------------------------------------------------------------


def test_songs_of_every_format_come_in_with_their_tags(
    take_in: Import, rows: Callable[[], list[TrackRow]], songs_folder: Path
) -> None:
    assert take_in(directory=songs_folder) == answer(imported=24)
    assert {row.codec for row in rows()} == {"mp3", "aac", "opus", "flac"}
    for row in rows():
        assert label(row) in ("drone", "hiss")
        assert row.artist.startswith(f"{label(row).title()} Artist")  # type: ignore[union-attr]
        assert row.title.startswith(f"{label(row).title()} Song")  # type: ignore[union-attr]
        assert row.album == f"{label(row)} album"
        assert row.duration_s == pytest.approx(6, abs=0.1)
        assert row.state == "waiting"


@pytest.mark.parametrize(
    ("genre_from", "genres"),
    [
        ("folder", ["deep", "music", "rock"]),
        ("top-folder", ["electronic", "music", "rock"]),
        ("tag", [None, "Metal", "Techno"]),
    ],
)
def test_the_genre_comes_from_where_the_person_chose(
    take_in: Import, rows: Callable[[], list[TrackRow]], music: Path, genre_from: str, genres: list[str | None]
) -> None:
    sound(music / "electronic" / "techno" / "deep" / "a.flac", 300, genre="Techno")
    sound(music / "b.flac", 400)
    sound(music / "rock" / "c.flac", 500, genre="Metal")
    take_in(genre_from=genre_from)
    assert sorted(map(label, rows()), key=str) == sorted(genres, key=str)
    assert {vote.source for row in rows() for vote in row.votes} == {"tag" if genre_from == "tag" else "folder"}


def test_without_tags_the_file_name_tells(take_in: Import, rows: Callable[[], list[TrackRow]], music: Path) -> None:
    sound(music / "rock" / "01 - Some Artist - Some Title [12].flac", 300)
    sound(music / "rock" / "Other Artist - Ignored.flac", 400, title="Tagged Title", artist="Tagged Artist")
    sound(music / "rock" / "Whoever - Whatever.flac", 500, title="Only a Title")
    take_in()
    assert sorted((row.artist, row.title) for row in rows()) == [
        ("", "Only a Title"),
        ("Some Artist", "Some Title"),
        ("Tagged Artist", "Tagged Title"),
    ]


ODD_NAMES = [
    "Ünïcödé ☃ 東京 🎵",
    "new\nline",
    "tab\there",
    "quote ' \" ` \\ back",
    "100% ?*<>|:;",
    "-rf",
    "'; DROP TABLE tracks; --",
    "\u202efdp.gnos",
    " spaces  around ",
    "x" * 240,
    "e\u0301 and é",
]


def test_odd_names_come_in_and_lead_back_to_their_files(
    take_in: Import, rows: Callable[[], list[TrackRow]], music: Path
) -> None:
    source = sound(music.parent / "source.flac")
    for number, name in enumerate(ODD_NAMES):
        data = clone(source, music / f"genre {name}"[:200] / f"{name}.flac")
        data.write_bytes(data.read_bytes() + bytes([number]))
    assert take_in() == answer(imported=len(ODD_NAMES))
    assert all(Path(row.path).is_file() for row in rows())
    assert all(row.title.isprintable() and row.title for row in rows())
    assert all(genre.isprintable() for row in rows() for genre, _ in (row.label.weights if row.label else ()))
    assert take_in() == answer(already_known=len(ODD_NAMES))


def test_a_name_that_is_no_text_is_listed_and_the_rest_comes_in(take_in: Import, music: Path) -> None:
    source = sound(music / "rock" / "good.flac")
    odd = os.fsencode(music / "rock") + b"/bad \xff.flac"
    try:
        shutil.copy(source, odd)
    except OSError:
        pytest.skip("this file system takes only names that are text")
    sound(music / "rock" / "later.flac", 500)
    result = take_in()
    assert result["imported"] == 2
    (failure,) = result["failed"]
    assert "bad" in failure["path"]
    assert "Rename" in failure["reason"]
    json.dumps(result, ensure_ascii=False).encode("utf-8")


# -- what cannot be read -----------------------------------------------------------------------------------------------


def test_unreadable_files_are_listed_and_the_rest_comes_in(take_in: Import, music: Path) -> None:
    sound(music / "rock" / "good.flac")
    bad = {"empty.mp3": b"", "text.mp3": b"no song " * 99, "list.mp3": b"#EXTM3U\nhttp://127.0.0.1:9/x.mp3\n"}
    for name, content in bad.items():
        (music / "rock" / name).write_bytes(content)
    (music / "rock" / "dangling.mp3").symlink_to(music / "nowhere.mp3")
    result = take_in()
    assert result["imported"] == 1
    assert {Path(failure["path"]).name for failure in result["failed"]} == {*bad, "dangling.mp3"}
    assert all(len(failure["reason"]) > 20 for failure in result["failed"])
    again = take_in()
    assert (again["imported"], again["already_known"], again["failed"]) == (0, 1, result["failed"])


def test_a_file_over_the_limit_is_listed(library: Library, settings: Settings, music: Path) -> None:
    path = sound(music / "rock" / "large.wav", seconds=1)
    small = settings.model_copy(update={"max_audio_bytes": path.stat().st_size - 1})
    result = import_folder(library, small, music, genre_from="folder")
    assert [failure["path"] for failure in result["failed"]] == [str(path)]
    assert "limit" in result["failed"][0]["reason"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_listed_and_not_waited_for(take_in: Import, music: Path) -> None:
    sound(music / "rock" / "good.flac")
    pipe = music / "rock" / "pipe.mp3"
    os.mkfifo(pipe)
    results: list[dict[str, Any]] = []
    importer = threading.Thread(target=lambda: results.append(take_in()), daemon=True)
    importer.start()
    importer.join(timeout=20)
    if importer.is_alive():  # let it go: it waits for a writer
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        importer.join()
        pytest.fail("the import waited for a named pipe")
    assert results[0]["imported"] == 1
    assert [failure["path"] for failure in results[0]["failed"]] == [str(pipe)]


def test_the_real_odd_uploads_are_taken_in_or_listed(take_in: Import, shared_data: Path) -> None:
    result = take_in(directory=shared_data / "uploads" / "odd")
    failed = {Path(failure["path"]).name for failure in result["failed"]}
    expected = {"empty.mp3", "text.mp3", "tag_only.mp3", "picture.ogg", "playlist.mp3", "hls.mp3", "header_only.wav"}
    assert failed == {*expected, "cover_no_audio.m4a"}
    assert result["imported"] == 17 - len(failed)


# -- the same again ----------------------------------------------------------------------------------------------------


def test_importing_twice_changes_nothing(
    take_in: Import, rows: Callable[[], list[TrackRow]], library: Library, songs_folder: Path
) -> None:
    take_in(directory=songs_folder)
    before = rows(), library.counts(RECIPE), library.known_files()
    assert take_in(directory=songs_folder) == answer(already_known=24)
    assert (rows(), library.counts(RECIPE), library.known_files()) == before


def test_the_same_bytes_under_two_names_are_one_song(
    take_in: Import, rows: Callable[[], list[TrackRow]], music: Path
) -> None:
    source = sound(music / "rock" / "a.flac")
    clone(source, music / "rock" / "b.flac")
    clone(source, music / "pop" / "c.mp3")
    assert take_in() == answer(imported=1, duplicates=2)
    assert len(rows()) == 1
    assert take_in() == answer(already_known=1, duplicates=2)


def test_a_known_song_in_another_folder_is_known(
    take_in: Import, rows: Callable[[], list[TrackRow]], music: Path, tmp_path: Path
) -> None:
    first = sound(music / "rock" / "a.flac")
    take_in()
    clone(first, tmp_path / "other" / "rock" / "b.flac")
    sound(tmp_path / "other" / "rock" / "new.flac", 500)
    assert take_in(directory=tmp_path / "other") == answer(imported=1, already_known=1)
    assert rows()[0].path == str(first)


def test_the_same_recording_in_another_format_is_told(
    take_in: Import, rows: Callable[[], list[TrackRow]], music: Path
) -> None:
    named = {"artist": "Beyoncé", "title": "Song!"}
    one = sound(music / "rock" / "a.flac", **named)
    two = sound(music / "rock" / "b.wav", artist="BEYONCE", title="song")
    sound(music / "rock" / "c.flac", 500, seconds=6, **named)  # a longer version
    sound(music / "rock" / "d.flac", 600, artist="Another", title="Song!")
    sound(music / "rock" / "e.flac", 700, title="Song!")
    result = take_in(job_id=1)
    assert result["imported"] == 5
    assert [set(pair) for pair in result["probable_duplicates"]] == [{str(one), str(two)}]
    assert len(rows()) == 5
    assert take_in(job_id=2)["probable_duplicates"] == []


def test_a_new_file_is_compared_with_older_imports(take_in: Import, music: Path, tmp_path: Path) -> None:
    one = sound(music / "rock" / "a.flac", artist="A", title="T")
    take_in(job_id=1)
    two = sound(tmp_path / "more" / "b.wav", artist="A", title="T")
    result = take_in(directory=tmp_path / "more", job_id=2)
    assert result["probable_duplicates"] == [[str(two), str(one)]]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (("A", "T", 60.0), ("a", "t!", 62.9), True),
        (("A", "T", 60.0), ("A", "T", 63.0), False),
        (("A", "T", None), ("A", "T", 500.0), True),
        (("A", "T", 60.0), ("B", "T", 60.0), False),
        (("", "T", 60.0), ("", "T", 60.0), False),
        (("A", "!!", 60.0), ("A", "!!", 60.0), False),
        (("AC/DC", "T", 60.0), ("ACDC", "T (2011 Remaster)", 61.0), True),
        (("Кино", "Лето", 60.0), ("Kino", "Leto", 60.0), True),
        (("Beatles, The", "T", 60.0), ("The Beatles", "T", 60.0), True),
        (("H.E.R.", "T", 60.0), ("Her", "T", 60.0), False),
        (("A", "T", 60.0), ("A", "T (Live)", 60.0), False),
        (("Various Artists", "T", 60.0), ("Various Artists", "T", 60.0), False),
    ],
)
def test_probable_duplicates(first: tuple[Any, ...], second: tuple[Any, ...], same: bool) -> None:
    known = [(*first, "one"), (*second, "two")]
    assert list(probable_duplicates(known, {"two"})) == ([("two", "one")] if same else [])
    assert list(probable_duplicates(known, set())) == []


# -- tracks that a playlist brought ------------------------------------------------------------------------------------


def test_a_file_gives_its_sound_to_the_track_it_certainly_is(
    take_in: Import, rows: Callable[[], list[TrackRow]], database: Database, music: Path
) -> None:
    exact = ListedTrack("Héllo (2011 Remaster)", ("The Artist",), duration_s=1.0, isrc="GBAYE0601498")
    longer = ListedTrack("Other", ("Artist",), duration_s=8.0)
    Playlists(database).take_in(Playlist("spotify", "one", "One", (exact, longer)), {"techno": 1.0})
    sound(music / "rock" / "a.flac", artist="the artist", title="HELLO")
    sound(music / "rock" / "b.flac", 550, artist="Artist", title="Other")
    sound(music / "rock" / "Hello.flac", 660)
    result = take_in()
    assert (result["imported"], result["already_known"], result["failed"]) == (3, 0, [])
    of_lists, of_files = rows()[:2], rows()[2:]
    assert [(row.state, row.isrc is not None) for row in of_lists] == [("waiting", True), ("no sound", False)]
    assert [Path(row.path).name for row in (of_lists[0], *of_files)] == ["a.flac", "Hello.flac", "b.flac"]
    assert of_lists[0].label is not None
    assert of_lists[0].label.weights == (("rock", 0.5), ("techno", 0.5))
    assert take_in() == answer(already_known=3)
    assert len(rows()) == 4


# -- moved, changed and copied files -----------------------------------------------------------------------------------


def test_a_moved_file_is_recognised(take_in: Import, rows: Callable[[], list[TrackRow]], music: Path) -> None:
    old = sound(music / "rock" / "a.flac")
    take_in()
    new = music / "rock" / "live" / "renamed.flac"
    new.parent.mkdir()
    old.rename(new)
    assert take_in(genre_from="top-folder") == answer(already_known=1)
    (row,) = rows()
    assert (row.path, label(row)) == (str(new), "rock")
    assert take_in(genre_from="top-folder") == answer(already_known=1)


def test_a_touched_file_is_known(take_in: Import, music: Path) -> None:
    path = sound(music / "rock" / "a.flac")
    take_in()
    os.utime(path, ns=(1, 1))
    assert take_in() == answer(already_known=1)


def test_copies_stay_usable_when_the_originals_are_gone(
    take_in: Import, rows: Callable[[], list[TrackRow]], settings: Settings, music: Path
) -> None:
    for number, name in enumerate(["a.flac", "b.MP3", "c.wav"]):
        sound(music / "rock" / name.lower(), 300 + 100 * number).rename(music / "rock" / name)
    assert take_in(copy=True) == answer(imported=3)
    shutil.rmtree(music)
    for row in rows():
        path = Path(row.path)
        assert settings.audio in path.parents
        assert path.name == f"{row.sha256}{path.suffix.lower()}"
        assert waveform.load(path).size > 4_000
        assert row.title in ("a", "b", "c")
        assert label(row) == "rock"
    assert not list(settings.audio.rglob(".partial-*"))


def test_copying_twice_changes_nothing(take_in: Import, rows: Callable[[], list[TrackRow]], music: Path) -> None:
    sound(music / "rock" / "a.flac")
    take_in(copy=True)
    before = rows()
    modified = Path(before[0].path).stat().st_mtime_ns
    assert take_in(copy=True) == answer(already_known=1)
    assert take_in() == answer(already_known=1)
    assert rows() == before
    assert Path(before[0].path).stat().st_mtime_ns == modified


def test_a_lost_copy_is_made_again(
    take_in: Import, rows: Callable[[], list[TrackRow]], settings: Settings, music: Path
) -> None:
    sound(music / "rock" / "a.flac")
    take_in(copy=True)
    Path(rows()[0].path).unlink()
    assert take_in(copy=True) == answer(already_known=1)
    assert settings.audio in Path(rows()[0].path).parents
    assert Path(rows()[0].path).is_file()


def test_a_file_replaced_by_another_song_is_a_new_track(
    take_in: Import, rows: Callable[[], list[TrackRow]], music: Path
) -> None:
    sound(music / "rock" / "a.flac", title="First")
    take_in()
    sound(music / "rock" / "a.flac", 500, title="Second")
    assert take_in() == answer(imported=1)
    assert [row.title for row in rows()] == ["First", "Second"]
    assert take_in() == answer(already_known=1)


# -- other tags -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".ogg", ".flac", ".wav", ".webm"])
def test_a_retagged_file_is_the_same_recording(
    take_in: Import, rows: Callable[[], list[TrackRow]], library: Library, music: Path, suffix: str
) -> None:
    path = sound(music / "rock" / f"a{suffix}", artist="Before", title="Old", genre="Rock")
    take_in(genre_from="tag")
    library.label_by_hand([1], {"jazz": 1.0}, who="me")
    (before,) = rows()
    edit_tags(path, "After", cover=bytes(50_000), genre="Blues")
    assert take_in(genre_from="tag") == answer(already_known=1)
    (row,) = rows()
    assert (row.id, row.sha256, row.path) == (before.id, before.sha256, str(path))
    assert (row.artist, row.title) == ("After", "After")
    assert {(vote.source, vote.genre) for vote in row.votes} == {("tag", "Blues"), ("hand", "jazz")}
    assert label(row) == "jazz"
    assert library.known_files()[0][str(path)].size_bytes == path.stat().st_size
    assert take_in(genre_from="tag") == answer(already_known=1)


def test_a_file_that_was_moved_and_retagged_is_recognised(
    take_in: Import, rows: Callable[[], list[TrackRow]], music: Path
) -> None:
    old = sound(music / "rock" / "a.mp3", title="Old")
    take_in()
    new = music / "pop" / "renamed.mp3"
    new.parent.mkdir()
    old.rename(new)
    edit_tags(new, "New")
    assert take_in() == answer(already_known=1)
    (row,) = rows()
    assert (row.path, row.title) == (str(new), "New")
    assert take_in() == answer(already_known=1)


def test_a_retagged_copy_is_no_second_song(take_in: Import, rows: Callable[[], list[TrackRow]], music: Path) -> None:
    first = sound(music / "rock" / "a.mp3", title="First")
    edit_tags(clone(first, music / "rock" / "b.mp3"), "Second")
    assert take_in() == answer(imported=1, duplicates=1)
    assert [(row.path, row.title) for row in rows()] == [(str(first), "First")]


def test_what_a_list_calls_a_track_is_not_changed_by_tags(
    take_in: Import, rows: Callable[[], list[TrackRow]], database: Database, music: Path
) -> None:
    listed = ListedTrack("Title", ("Artist",), duration_s=0.3)
    Playlists(database).take_in(Playlist("spotify", "one", "One", (listed,)), {})
    path = sound(music / "rock" / "a.flac", artist="artist", title="TITLE")
    take_in()
    edit_tags(path, "Something else")
    take_in()
    assert [(row.artist, row.title) for row in rows()] == [("Artist", "Title")]


def as_before(database: Database) -> None:
    """The rows of audio files as an earlier version left them: named by the SHA-256 of the file, packets not read."""
    with database.write() as db:
        db.execute("UPDATE audio_files SET sha256 = file_sha256, packets_sha256 = NULL")


def test_files_that_an_earlier_version_imported_are_recognised(
    take_in: Import, rows: Callable[[], list[TrackRow]], database: Database, library: Library, music: Path
) -> None:
    """In their place, moved, retagged after their packets were read, and both of two that it took for two songs."""
    stays, moves = sound(music / "rock" / "a.mp3", 300), sound(music / "rock" / "b.m4a", 400)
    take_in()
    as_before(database)
    keys = [row.sha256 for row in rows()]
    new = moves.rename(music / "rock" / "c.m4a")
    assert take_in() == answer(already_known=2)
    assert [(row.sha256, row.path) for row in rows()] == list(zip(keys, (str(stays), str(new)), strict=True))
    assert library.without_packets() == []
    edit_tags(stays, "New"), edit_tags(new, "Newer")
    assert take_in() == answer(already_known=2)
    assert [(row.sha256, row.title) for row in rows()] == list(zip(keys, ("New", "Newer"), strict=True))


def test_two_tracks_of_one_recording_from_an_earlier_version_stay_two(
    take_in: Import, rows: Callable[[], list[TrackRow]], database: Database, music: Path
) -> None:
    first = sound(music / "rock" / "a.mp3", title="First")
    take_in()
    as_before(database)
    second = edit_tags(clone(first, music / "rock" / "b.mp3"), "Second")
    key, stat = sha256_of(second), second.stat()
    with database.write() as db:
        db.execute("INSERT INTO tracks (id, title, artist, album, created_at) VALUES (2, 'Second', '', '', '')")
        db.execute(
            "INSERT INTO audio_files SELECT 2, 2, ?, ?, copied, container, codec, sample_rate, channels, duration_s, ?, ?, "
            "state, reason, NULL, ? FROM audio_files",
            (key, str(second), stat.st_size, stat.st_mtime_ns, key),
        )
    edit_tags(clone(second, music / "rock" / "c.mp3"), "Third")
    assert take_in() == answer(already_known=2, duplicates=1)
    assert [row.title for row in rows()] == ["First", "Second"]


# -- interrupted -------------------------------------------------------------------------------------------------------


class Stop(Exception):
    pass


def _stop_at(file: int) -> Callable[[int, int], None]:
    def on_progress(done: int, total: int) -> None:
        if done == file:
            raise Stop

    return on_progress


@pytest.fixture(scope="module")
def many_songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """63 files: 56 songs, 3 of them twice, 2 probably doubled, 4 broken ones."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(56):
        sound(folder / f"genre {number % 3}" / f"{number:02d}.flac", 200 + 20 * number, artist=f"A{number}", title="T")
    for number in (0, 30, 55):
        clone(folder / f"genre {number % 3}" / f"{number:02d}.flac", folder / "genre 1" / f"x{number}.flac")
    for number in (1, 40):
        sound(folder / "genre 2" / f"y{number}.wav", 200 + 20 * number, artist=f"a{number}", title="t")
    for number in range(4):
        (folder / f"genre {number % 3}" / f"{number}5 broken.mp3").write_bytes(b"no song" * number)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("copy", [False, True], ids=["in place", "copied"])
@pytest.mark.parametrize("stops", [(0,), (3, 24, 25), (26, 64), (51, 30, 60)], ids=str)
def test_an_interrupted_import_ends_as_an_undisturbed_one(
    tmp_path: Path, many_songs: Path, stops: tuple[int, ...], copy: bool
) -> None:
    results, states = [], []
    for name, at in (("undisturbed", ()), ("disturbed", stops)):
        settings = Settings(home=tmp_path / name)
        library = Library(Database(settings.database))
        for file in at:
            with pytest.raises(Stop):
                import_folder(
                    library, settings, many_songs, genre_from="folder", copy=copy, job_id=7, on_progress=_stop_at(file)
                )
        results.append(import_folder(library, settings, many_songs, genre_from="folder", copy=copy, job_id=7))
        states.append([(row.title, row.artist, row.sha256, row.votes) for row in library.tracks(RECIPE)])
        assert all(Path(row.path).is_file() for row in library.tracks(RECIPE))
    pairs = [
        {frozenset(Path(path).name for path in pair) for pair in result["probable_duplicates"]} for result in results
    ]
    if not copy:
        assert results[0] == results[1]
    assert pairs[0] == pairs[1]
    assert len(pairs[0]) == 2
    assert {name: results[1][name] for name in ("imported", "already_known", "duplicates")} == {
        "imported": 58,
        "already_known": 0,
        "duplicates": 3,
    }
    assert results[0]["failed"] == results[1]["failed"]
    assert len(results[1]["failed"]) == 4
    assert sorted(states[0]) == sorted(states[1])


def test_progress_counts_every_file(take_in: Import, many_songs: Path) -> None:
    told: list[tuple[int, int]] = []
    take_in(directory=many_songs, on_progress=lambda done, total: told.append((done, total)))
    assert list(dict.fromkeys(told)) == [(done, 65) for done in range(66)], (
        "each step, perhaps told again while it lasts"
    )


def test_another_job_finds_everything_known(take_in: Import, many_songs: Path) -> None:
    with contextlib.suppress(Stop):
        take_in(directory=many_songs, job_id=1, on_progress=_stop_at(40))
    result = take_in(directory=many_songs, job_id=2)
    assert result["already_known"] > 20
    assert result["imported"] + result["already_known"] == 58


# -- preview -----------------------------------------------------------------------------------------------------------


def test_a_preview_shows_what_each_way_would_give_and_changes_nothing(music: Path, tmp_path: Path) -> None:
    path = sound(music / "electronic" / "techno" / "A - T.flac", genre="Tagged")
    (music / "electronic" / "broken - one.mp3").write_bytes(b"")
    csv_file = tmp_path / "songs.csv"
    csv_file.write_text("path,genre\nelectronic/techno/A - T.flac,Listed\n")
    told: list[float] = []
    rows, total = preview(music, csv_file=csv_file, on_progress=told.append)
    assert total == len(rows) == 2
    shown = {row.title: row for row in rows}["T"]
    assert (shown.path, shown.artist) == (str(path), "A")
    assert (shown.folder, shown.top_folder, shown.tag, shown.csv) == ("techno", "electronic", "Tagged", "Listed")
    unreadable = {row.title: row for row in rows}["one"]
    assert (unreadable.artist, unreadable.folder, unreadable.tag, unreadable.csv) == ("broken", "electronic", "", "")
    assert told[-1] == 1


@pytest.mark.parametrize(("limit", "most"), [(5, 5), (24, 24), (100, 24), (1, 1), (23, 23)])
def test_a_preview_is_spread_over_the_folder(songs_folder: Path, limit: int, most: int) -> None:
    rows, total = preview(songs_folder, limit=limit)
    assert total == 24
    assert most / 2 <= len(rows) <= most
    assert len(rows) < 2 or {row.folder for row in rows} == {"drone", "hiss"}


def test_a_preview_tells_what_the_import_then_does(
    take_in: Import, rows: Callable[[], list[TrackRow]], songs_folder: Path
) -> None:
    shown, _ = preview(songs_folder)
    take_in(directory=songs_folder, genre_from="tag")
    assert {(row.path, row.artist, row.title, label(row)) for row in rows()} == {
        (row.path, row.artist, row.title, row.tag) for row in shown
    }


# -- tags --------------------------------------------------------------------------------------------------------------


def tagged(path: Path, frequency: float, title: bytes, artist: bytes, genre: bytes = b"") -> Path:
    """A song whose ID3 tag declares Latin-1, whatever its bytes are."""
    write_sound(path, tone(frequency, 0.3))
    tag = ID3()
    for frame, text in ((TIT2, title), (TPE1, artist), (TCON, genre)):
        if text:
            tag.add(frame(encoding=0, text=[text.decode("latin-1")]))
    tag.save(path)
    return path


def test_every_genre_of_a_tag_votes_and_every_artist_counts(
    take_in: Import, rows: Callable[[], list[TrackRow]], music: Path
) -> None:
    song = FLAC(sound(music / "a.flac", 300))
    song["artist"], song["genre"] = ["Ann", "Bo & Co"], ["80s", "Hip-Hop/Rap", "Rock; Shoegaze", "Unknown"]
    song.save()
    sound(music / "b.flac", 400, genre="Other")
    for _ in range(2):
        take_in(genre_from="tag")
    first, second = rows()
    assert first.artist == "Ann; Bo & Co"
    assert {vote.genre for vote in first.votes} == {"80s", "hip hop", "Rock", "Shoegaze"}
    assert first.label and {share for _, share in first.label.weights} == {0.25}
    assert second.votes == () and second.label is None
    song["genre"] = ["Jazz"]
    song.save()
    shown = {Path(row.path).name: row for row in preview(music)[0]}
    assert (shown["a.flac"].artist, shown["a.flac"].tag, shown["b.flac"].tag) == ("Ann; Bo & Co", "Jazz", "")


def test_old_encodings_are_decoded_by_all_text_of_the_folder_and_the_preview_says_so(
    take_in: Import, rows: Callable[[], list[TrackRow]], music: Path
) -> None:
    tagged(music / "ru" / "1.mp3", 300, "Снег".encode("cp1251"), b"Vera")
    tagged(music / "ru" / "2.mp3", 400, "Последняя остановка".encode("cp1251"), "Ночной Трамвай".encode("cp1251"))
    tagged(music / "ru" / "3.mp3", 500, b"Plain", b"Ann")
    tagged(music / "ru" / "4.mp3", 600, "Motörkopf".encode("cp1252"), "Größe".encode("cp1252"), b"80s")
    tagged(music / "jp" / "5.mp3", 700, "雨の日の歌".encode("cp932"), "青い電車".encode("cp932"))
    result = take_in(genre_from="tag")
    names = {
        ("Vera", "Снег"),
        ("Ночной Трамвай", "Последняя остановка"),
        ("Ann", "Plain"),
        ("Größe", "Motörkopf"),
        ("青い電車", "雨の日の歌"),
    }
    assert {(row.artist, row.title) for row in rows()} == names
    russian, western, japanese = (NAMES[encoding] for encoding in ("cp1251", "cp1252", "cp932"))
    assert result == {**answer(imported=5, without_genre=4), "encodings": {japanese: 1, russian: 2, western: 1}}
    shown = preview(music)[0]
    assert {(row.artist, row.title) for row in shown} == names
    notes = {Path(row.path).name: row.note for row in shown}
    assert (
        notes["3.mp3"] == "" and russian in notes["1.mp3"] and western in notes["4.mp3"] and "guess" in notes["5.mp3"]
    )


def test_damaged_tags_fail_no_song(take_in: Import, rows: Callable[[], list[TrackRow]], music: Path) -> None:
    path = tagged(music / "rock" / "Ann - Song.mp3", 300, b"T", b"A")
    path.write_bytes(
        b"ID3\x04\0\x40\0\0\x07\x76" + b"\xff" * 1014 + path.read_bytes()[path.read_bytes().index(b"\xff\xfb") :]
    )
    assert take_in() == {**answer(imported=1), "unreadable_tags": [str(path)]}
    assert [(row.artist, row.title) for row in rows()] == [("Ann", "Song")]
    assert "could not be read" in preview(music)[0][0].note


def test_genres_and_artists_of_a_table_are_divided_as_those_of_tags(
    take_in: Import, rows: Callable[[], list[TrackRow]], music: Path, tmp_path: Path
) -> None:
    sound(music / "a.flac", 300)
    table = tmp_path / "songs.csv"
    table.write_text("path,genre,artist\na.flac,Rock; Shoegaze;Unknown,Ann;Bo\n")
    take_in(genre_from="csv", csv_file=table)
    (row,) = rows()
    assert {vote.genre for vote in row.votes} == {"Rock", "Shoegaze"} and row.artist == "Ann; Bo"


# -- CSV ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def listed(music: Path) -> list[Path]:
    """Two songs to speak of in a CSV."""
    return [sound(music / "a b.flac", 300, artist="Tagged"), sound(music / "sub" / "é.flac", 400)]


@pytest.mark.parametrize(
    "text",
    [
        "path,genre\na b.flac,Rock\nsub/é.flac,Pop\n",
        "\ufeffpath,genre\r\na b.flac,Rock\r\nsub/é.flac,Pop\r\n",
        "file,genre\na b.flac,Rock\nsub/é.flac,Pop\n",
        " Path , GENRE ,more\n a b.flac , Rock ,x\n./sub/é.flac,Pop,y\n",
        'genre,path\n"Rock","a b.flac"\nPop,"sub/é.flac"\nJazz,absent.flac\n,\n\n',
        "path,genre\na b.flac,Rock,surplus,fields\nsub/é.flac,Pop\nshort\n",
        "path,genre\n{music}/a b.flac,Rock\n{music}/sub/é.flac,Pop\n",
    ],
    ids=["plain", "byte order mark", "file column", "spaces and case", "order and strangers", "ragged", "absolute"],
)
def test_genres_come_from_a_csv(
    take_in: Import, rows: Callable[[], list[TrackRow]], music: Path, listed: list[Path], tmp_path: Path, text: str
) -> None:
    csv_file = tmp_path / "songs.csv"
    csv_file.write_bytes(text.replace("{music}", str(music)).encode())
    stray = [path for path in ("short", "absent.flac") if path in text]
    assert take_in(genre_from="csv", csv_file=csv_file) == answer(imported=2, unmatched=stray)
    assert {Path(row.path): label(row) for row in rows()} == dict(zip(listed, ["Rock", "Pop"], strict=True))
    assert {vote.source for row in rows() for vote in row.votes} == {"csv"}


@pytest.mark.parametrize(
    ("file", "written"),
    [
        ("sub/é.flac", "sub\\é.flac"),
        ("sub/é.flac", unicodedata.normalize("NFD", "sub/é.flac")),
        (unicodedata.normalize("NFD", "sub/é.flac"), "sub/é.flac"),
        ("sub/é.flac", "é.flac"),
        ("sub/é.flac", "É"),
        ("sub/é.flac", "SUB/É.FLAC"),
        ("sub/é.flac", "./sub//é.flac"),
        ("sub/é.flac", "../music/sub/é.flac"),
        ("sub/é.flac", "D:\\Music\\sub\\é.flac"),
        ("sub/é.flac", "/Users/me/Music/sub/é.flac"),
        ("sub/é.flac", "file:///C:/Music/sub/%C3%A9.flac"),
        ("sub/é.flac", "sub/%C3%A9.flac"),
        ("50%25.flac", "50%25.flac"),
        ("100%.flac", "100%.FLAC"),
    ],
)
def test_a_row_of_another_machine_means_the_file_that_fits(tmp_path: Path, file: str, written: str) -> None:
    files = [tmp_path / "music" / name for name in (file, "other/b.flac", "sub/b.flac")]
    table = tmp_path / "songs.csv"
    table.write_text(f'path,genre\n"{written}",Rock\n', encoding="utf-8")
    found = read_csv(table, tmp_path / "music", files)
    assert ({path: row["genre"] for path, row in found.items()}, found.unmatched) == ({files[0]: "Rock"}, [])


@pytest.mark.parametrize(
    ("rows", "genres", "reasons"),
    [
        (["b.flac,A"], {}, ["2 files may be meant"]),
        (["B.FLAC,A"], {}, ["2 files may be meant"]),
        (["D:/x/rock/b.flac,A", "D:/x/b.flac,B"], {"rock/b.flac": "A"}, ["no such file"]),
        (["D:/other/Hits/01.flac,A"], {}, ["no such file"]),
        (["rock/b.flac,A", "ROCK/B.flac,B"], {"rock/b.flac": "A"}, ["another row is about"]),
        (["rock/b.flac,A", "rock/b.flac,B"], {"rock/b.flac": "A"}, ["another row is about"]),
        (["ROCK/b.flac,A", "Rock\\b.flac,B"], {"rock/b.flac": "A"}, ["another row is about"]),
        (["D:/x/solo.flac,A", "E:/y/solo.flac,B"], {}, ["several rows may mean", "several rows may mean"]),
        (["SOLO.flac,A", "/other/solo.flac,B"], {"solo.flac": "A"}, ["another row is about"]),
        ([",A", "no.flac,B"], {}, ["names no file", "no such file"]),
    ],
)
def test_a_row_that_may_mean_several_files_or_none_is_told(
    tmp_path: Path, rows: list[str], genres: dict[str, str], reasons: list[str]
) -> None:
    files = [tmp_path / name for name in ("rock/b.flac", "pop/b.flac", "mine/Hits/01.flac", "solo.flac")]
    table = tmp_path / "songs.csv"
    table.write_text("path,genre\n" + "\n".join(rows) + "\n")
    found = read_csv(table, tmp_path, files)
    assert {str(path.relative_to(tmp_path)): row["genre"] for path, row in found.items()} == genres
    assert len(found.unmatched) == len(reasons)
    assert all(reason in row["reason"] for row, reason in zip(found.unmatched, reasons, strict=True)), found.unmatched


def test_songs_without_a_genre_and_rows_without_a_file_are_counted(
    take_in: Import, listed: list[Path], tmp_path: Path
) -> None:
    table = tmp_path / "songs.csv"
    table.write_text("path,genre\nA B.FLAC,Rock\ngone.flac,Pop\n")
    assert take_in(genre_from="csv", csv_file=table) == answer(imported=2, without_genre=1, unmatched=["gone.flac"])


def test_paths_may_be_relative_to_the_csv(tmp_path: Path, music: Path, listed: list[Path]) -> None:
    csv_file = tmp_path / "songs.csv"
    csv_file.write_text("path,genre\nmusic/a b.flac,Rock\n")
    assert read_csv(csv_file, music)[listed[0]]["genre"] == "Rock"


def test_a_csv_may_tell_artist_and_title_and_they_win(
    take_in: Import, rows: Callable[[], list[TrackRow]], listed: list[Path], tmp_path: Path
) -> None:
    csv_file = tmp_path / "songs.csv"
    csv_file.write_text("path,genre,artist,title\na b.flac,Rock,Listed Artist,Listed Title\nsub/é.flac,,,\n")
    take_in(genre_from="csv", csv_file=csv_file)
    assert [(row.artist, row.title, label(row)) for row in rows()] == [
        ("Listed Artist", "Listed Title", "Rock"),
        ("", "é", None),
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"title,genre\nx,Rock\n", r"needs a column `path` .* It has: title, genre\."),
        (b"path,style\nx,Rock\n", r"a column `genre`\. It has: path, style\."),
        (b"path;genre\nx;Rock\n", r"It has: path;genre\."),
        (b"", r"It has: none\."),
        ("path,genre\n\u00e9.flac,Rock\n".encode("latin-1"), "UTF-8"),
        ("path,genre\nx,Rock\n".encode("utf-16"), "UTF-8"),
        (b"path,genre\n" + b'"' + b"x" * 200_000 + b'",Rock\n', "field larger"),
    ],
    ids=["no path", "no genre", "semicolons", "empty", "latin-1", "utf-16", "endless field"],
)
def test_a_csv_that_cannot_be_used_is_told_before_anything_happens(
    take_in: Import, rows: Callable[[], list[TrackRow]], listed: list[Path], tmp_path: Path, content: bytes, told: str
) -> None:
    csv_file = tmp_path / "songs.csv"
    csv_file.write_bytes(content)
    with pytest.raises(LibraryError, match=told):
        take_in(genre_from="csv", csv_file=csv_file)
    assert rows() == []


def test_a_csv_that_is_not_there_or_too_large_is_told(
    music: Path, listed: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(LibraryError, match="cannot be read"):
            read_csv(wrong, music)
    csv_file = tmp_path / "songs.csv"
    csv_file.write_text("path,genre\n")
    monkeypatch.setattr(importing, "MAX_CSV_BYTES", 5)
    with pytest.raises(LibraryError, match="too large"):
        read_csv(csv_file, music)


def test_to_take_genres_from_a_csv_it_must_be_named(take_in: Import, music: Path) -> None:
    music.mkdir()
    with pytest.raises(LibraryError, match="say which"):
        take_in(genre_from="csv")


def test_the_real_songs_match_their_table(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "songs"
    table = read_csv(folder / "songs.csv", folder)
    files = audio_files_in(folder)
    assert len(files) == 320
    assert {table[path]["genre"] for path in files} == {"classical", "electronic", "pop", "rock"}
    assert all(table[path]["genre"] == path.parent.name for path in files)
    rows, _ = preview(folder, csv_file=folder / "songs.csv", limit=10)
    assert all(row.artist and row.title and row.csv == row.folder for row in rows)
    for row, path in itertools.product(rows, files):
        if row.path == str(path):
            assert (row.artist, row.title) == (table[path]["artist"], table[path]["title"])


def test_a_genre_corrected_in_the_table_replaces_what_the_table_said(
    library: Library, settings: Settings, tmp_path: Path
) -> None:
    write_sound(tmp_path / "songs" / "one.wav", tone(440, 1))
    table = tmp_path / "genres.csv"
    for genre in ("rock", "jazz"):
        table.write_text(f"path,genre\none.wav,{genre}\n")
        import_folder(library, settings, tmp_path / "songs", genre_from="csv", csv_file=table)
        (track,) = library.tracks("any")
        assert [vote.genre for vote in track.votes] == [genre]
