"""The sample library: made once, called synthetic everywhere, fit to be learned from, and removed with nothing left."""

from itertools import combinations
from pathlib import Path

import pytest

from core.audio.likeness import SAME
from core.audio.store import SpectrogramStore
from core.audio.synthesis import STYLES
from core.audio.waveform import load, probe
from core.database import Database
from core.errors import JobStopped, LibraryError
from core.jobs.kinds import submit_sample
from core.jobs.queue import Queue
from core.library import sample
from core.library.likenesses import alike
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.library.test_removal import rows
from tests.library.test_store import PLAYLIST, found

RECIPE = SpectrogramRecipe()


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database, lease_s=60)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Two songs of each style are enough for most tests."""
    monkeypatch.setattr(sample, "SONGS_OF_STYLE", 2)
    return 2 * len(STYLES)


def files_below(folder: Path) -> list[Path]:
    """All files but the library itself."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("library.db"))


def test_every_song_says_that_it_is_made_up_and_no_two_are_called_alike() -> None:
    songs = [sample.tags_of(style, number) for style in STYLES for number in range(1, sample.SONGS_OF_STYLE + 1)]
    assert len({song["title"] for song in songs}) == len(songs) == sample.N_SONGS == 96
    assert all("made-up" in song["artist"] and "made-up" in song["genre"] for song in songs)
    assert all(song["comment"].startswith("Synthetic") for song in songs)
    for style in STYLES:
        artists = [sample.tags_of(style, number)["artist"] for number in range(1, 13)]
        assert sorted(artists) == sorted(2 * list(set(artists)))  # six artists, two songs each
        assert len(set(artists)) == 6


@pytest.mark.slow
def test_it_is_96_songs_of_8_genres_by_6_artists_and_no_two_are_one_recording(
    database: Database, settings: Settings
) -> None:
    told: list[tuple[int, int, str]] = []
    answer = sample.make(database, settings, RECIPE, on_progress=lambda *progress: told.append(progress))
    assert answer == {"songs": 96, "imported": 96, "failed": []}
    songs = Library(database).songs(RECIPE.fingerprint)
    assert len(songs) == 96
    assert {song.label.top for song in songs} == {f"made-up {style}" for style in STYLES}
    assert {song.artist for song in songs} == {f"Genrescope synthesiser {n} (made-up)" for n in range(1, 7)}
    assert all(song.duration_s == pytest.approx(20, abs=0.05) for song in songs)
    store = SpectrogramStore(settings.spectrograms, RECIPE.fingerprint)
    assert alike([song.sha256 for song in songs], store, at_least=SAME) == []
    assert not any(one.title == other.title for one, other in combinations(songs, 2))
    with database.read() as db:
        assert db.execute("SELECT count(*) FROM track_pairs").fetchone()[0] == 0  # nor are names in doubt
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1][:2] == (96, 96)
    assert list(dict.fromkeys(message for _, _, message in told)) == [
        "Making songs up", "Taking them in", "Making spectrograms",
    ]  # fmt: skip


def test_its_files_are_tagged_and_decode(database: Database, settings: Settings, few: int) -> None:
    sample.make(database, settings, RECIPE)
    files = files_below(settings.samples)
    assert len(files) == few
    assert files[0] == settings.samples / "made-up belfry" / "01 Copper Steeple.flac"
    assert probe(files[0]).tags["album"] == "Genrescope sample library"
    assert load(files[0]).shape == (320_000,)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_making_it_again_changes_nothing(database: Database, settings: Settings) -> None:
    sample.make(database, settings, RECIPE)
    before, times = rows(database), [path.stat().st_mtime_ns for path in files_below(settings.data)]
    assert sample.make(database, settings, RECIPE)["imported"] == 0
    assert rows(database) == before
    assert [path.stat().st_mtime_ns for path in files_below(settings.data)] == times


@pytest.mark.slow
def test_a_making_that_was_stopped_anywhere_goes_on(database: Database, settings: Settings, few: int) -> None:
    for stop_at in ("Making songs up", "Taking them in", "Making spectrograms"):

        def tell(done: int, total: int, message: str, stop_at: str = stop_at) -> None:
            if message == stop_at and done > 3:
                raise JobStopped("Stopped.")

        with pytest.raises(JobStopped):
            sample.make(database, settings, RECIPE, on_progress=tell)
    sample.make(database, settings, RECIPE)
    assert len(Library(database).songs(RECIPE.fingerprint)) == few


@pytest.mark.usefixtures("few")
def test_removed_it_leaves_what_was_there_and_nothing_else(
    database: Database, settings: Settings, queue: Queue
) -> None:
    Library(database).add_files([found(1)], playlist=PLAYLIST, job_id=None)
    own = settings.spectrograms / RECIPE.fingerprint / "ab" / f"ab{'0' * 62}.npy"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"somebody's")
    before, files = rows(database), files_below(settings.home)
    sample.make(database, settings, RECIPE)
    assert len(sample.track_ids(database, settings)) == 16
    removed = sample.remove(database, settings, queue)
    assert (removed.tracks, len(removed.genres)) == (16, 8)
    assert rows(database) == before
    assert files_below(settings.home) == files
    assert not settings.samples.exists()
    assert [folder.name for folder in own.parent.parent.iterdir()] == ["ab"]
    assert sample.track_ids(database, settings) == []


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_a_removal_that_was_cut_off_is_completed_by_the_next(
    database: Database, settings: Settings, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample.make(database, settings, RECIPE)
    with monkeypatch.context() as patched:
        patched.setattr(sample.shutil, "rmtree", lambda *_, **__: None)  # as if killed before the files went
        patched.setattr(Path, "unlink", lambda *_, **__: None)
        sample.remove(database, settings, queue)
    assert len(files_below(settings.data)) == 32
    assert sample.remove(database, settings, queue).tracks == 0
    assert files_below(settings.data) == []


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_it_stays_while_something_is_being_done(database: Database, settings: Settings, queue: Queue) -> None:
    sample.make(database, settings, RECIPE)
    job = submit_sample(queue)
    with pytest.raises(LibraryError, match="Something else is being done"):
        sample.remove(database, settings, queue)
    assert len(sample.track_ids(database, settings)) == 16
    queue.request_stop(job.id)
    assert sample.remove(database, settings, queue).tracks == 16
