"""Sound that a person has turned down goes after a day; what is needed stays. Moved and gone files: `test_collect`."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from core.database import Database
from core.library import edits
from core.library.candidates import Found, Sound
from core.library.collection import Collection
from core.library.importing import import_folder
from core.library.playlists import Playlists
from core.library.reviews import Reviews
from core.library.store import Library
from core.library.whereabouts import TURNED_DOWN_S, look_after_files
from core.music import Candidate
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.lists import listed, playlist
from tests.sounds import edit_tags, tone, write_sound

URLS = [f"https://www.youtube.com/watch?v=video00000{name}" for name in "abc"]


def sound(settings: Settings, name: str, *, age_s: float) -> Sound:
    """A file of the workspace that was fetched some time ago."""
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    path = settings.audio / sha256[:2] / f"{sha256}.webm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode())
    os.utime(path, (time.time() - age_s, time.time() - age_s))
    return Sound(str(path), sha256, len(name), 1, "matroska", "opus", 48_000, 2, 5.0)


@pytest.fixture
def collection(database: Database) -> Collection:
    """A doubtful track with three candidates."""
    Playlists(database).take_in(playlist("one", listed(1), listed(2)), {})
    collection = Collection(database)
    found = [Found(Candidate(url, url[-1], url[-1], "x", duration_s=5.0), 0.6, {}, 1) for url in URLS]
    collection.searched(1, found, job_id=1)
    return collection


def looked_after(collection: Collection, settings: Settings) -> None:
    look_after_files(collection, settings, SpectrogramRecipe())


def test_what_is_to_be_heard_or_was_taken_stays(collection: Collection, settings: Settings, reviews: Reviews) -> None:
    sounds = [sound(settings, name, age_s=2 * TURNED_DOWN_S) for name in "abc"]
    for url, one in zip(URLS, sounds, strict=True):
        collection.doubtful(1, url, one, message="", job_id=1)
    looked_after(collection, settings)
    assert all(Path(one.path).exists() for one in sounds) and collection.size_bytes() == 3
    reviews.accept(1, URLS[1])
    looked_after(collection, settings)
    assert [Path(one.path).exists() for one in sounds] == [False, True, False] and collection.size_bytes() == 1


def test_what_was_rejected_goes_after_a_day_and_undoing_is_still_possible(
    collection: Collection, settings: Settings, database: Database, reviews: Reviews
) -> None:
    young, old = sound(settings, "a", age_s=0), sound(settings, "b", age_s=2 * TURNED_DOWN_S)
    for url, one in zip(URLS, (young, old), strict=False):
        collection.doubtful(1, url, one, message="", job_id=1)
    reviews.reject(1, URLS)
    looked_after(collection, settings)
    assert Path(young.path).exists() and not Path(old.path).exists()
    edit = edits.latest_edit(database)
    assert edit
    edits.undo(database, edit.id)
    review = reviews.review(1)
    assert review and {one.candidate.url: one.sound for one in review.found} == {
        URLS[0]: young, URLS[1]: None, URLS[2]: None,
    }  # fmt: skip
    reviews.hear(1, URLS[1])
    assert collection.wanted(wished_only=True)[0].url == URLS[1], "it is fetched once more"


def test_a_sound_turned_down_for_one_track_and_taken_for_another_stays(
    collection: Collection, settings: Settings, reviews: Reviews
) -> None:
    one = sound(settings, "a", age_s=2 * TURNED_DOWN_S)
    collection.doubtful(1, URLS[0], one, message="", job_id=1)
    reviews.reject(1, URLS)
    collection.fetched(2, URLS[0], one, None, job_id=1)
    looked_after(collection, settings)
    assert Path(one.path).exists()


def test_a_song_of_the_workspace_that_was_moved_and_retagged_is_found_again(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    songs = [write_sound(tmp_path / "music" / f"{name}.mp3", tone(300 + 100 * name, 1)) for name in range(4)]
    import_folder(Library(database), settings, tmp_path / "music", genre_from="folder", copy=True)
    with database.write() as db:  # one that an earlier version copied, whose packets were never read
        db.execute("UPDATE audio_files SET sha256 = file_sha256, packets_sha256 = NULL WHERE id = 4")
    collection = Collection(database)
    retagged, moved, lost, old = (Path(sound.path) for sound in collection.sounds())
    elsewhere = settings.audio / "mine"
    elsewhere.mkdir()
    edit_tags(retagged.rename(elsewhere / "a.mp3"), "New", cover=bytes(70_000))
    moved.rename(elsewhere / "b.mp3"), old.rename(elsewhere / "c.mp3"), lost.unlink()
    (elsewhere / "notes.txt").write_text("no sound")
    looked_after(collection, settings)
    where = [Path(sound.path).name for sound in collection.sounds()]
    assert where == ["a.mp3", "b.mp3", lost.name, "c.mp3"] and len(songs) == 4
    assert [row.has_sound for row in Library(database).tracks("")] == [True, True, False, True]
