"""A library as one file, and back: the same, or refused with nothing changed."""

import io
import json
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.database import Database, known_version
from core.encoder.encoder import SHIPPED
from core.errors import JobStopped, LibraryError
from core.files import sha256_of
from core.jobs import kinds
from core.jobs.worker import open_queue, run_here
from core.keeping import backup, restoring
from core.keeping.backup import LIBRARY, MANIFEST, back_up
from core.keeping.restoring import restore
from core.learning import model as models_room
from core.library.importing import import_folder
from core.library.playlists import Playlists
from core.library.runs import Runs
from core.library.store import Library
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings
from tests import models
from tests.lists import listed, playlist

SECRET = "a-token-that-goes-nowhere-4711"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, songs_folder: Path) -> Settings:
    """A workspace with songs of its own, spectrograms, playlists, votes, a model, runs and secrets. Not to be written to."""
    settings = Settings(home=tmp_path_factory.mktemp("full"), processes=2, keep_free_bytes=0)
    database = Database(settings.database)
    queue = open_queue(settings, database)
    import_folder(Library(database), settings, songs_folder / "drone", genre_from="tag", copy=True)
    import_folder(Library(database), settings, songs_folder / "hiss", genre_from="tag")
    run_here(settings, database, kinds.submit_preprocess(queue))
    Playlists(database).take_in(playlist("a", listed(1), listed(2)), genres={"house": 1.0})
    Library(database).label_by_hand([1, 2], {"drone": 0.25, "hiss": 0.75}, who="me")
    models.publish(settings.models / "A model")
    run = Runs(database).begin("cut off", TrainingRecipe(), {})
    (settings.runs / str(run.id)).mkdir(parents=True)
    (settings.runs / str(run.id) / "last.safetensors").write_bytes(b"checkpoint")
    (settings.runs / str(run.id) / "notes.txt").write_text(SECRET)
    settings.spotify_token.parent.mkdir(parents=True)
    for place in (
        settings.spotify_token,
        settings.home / ".env",
        settings.logs / "worker.log",
        settings.answers / "a.sqlite",
    ):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(SECRET)
    kinds.submit_embed(queue, "A model")  # waits while the backup is made
    return settings


@pytest.fixture(scope="module")
def archive(full: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("backups") / "everything.zip"
    back_up(Database(full.database), full, target, "everything")
    return target


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    """Another machine."""
    settings = Settings(home=tmp_path / "other", keep_free_bytes=0)
    settings.data.mkdir(parents=True)
    return settings


def files(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): sha256_of(path) for path in sorted(root.rglob("*")) if path.is_file()}


def dump(path: Path) -> list[str]:
    """Every row of a library, but for what a restore stops."""
    with closing(sqlite3.connect(path)) as db:
        return [line for line in db.iterdump() if not line.startswith(('INSERT INTO "jobs"', 'INSERT INTO "runs"'))]


def where_it_lies(database: Database) -> dict[str, tuple[str, bool]]:
    return {
        track.title: (track.path, track.has_sound)
        for track in Library(database).tracks(SpectrogramRecipe().fingerprint)
    }


# -- there and back --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_on_an_empty_machine_everything_is_the_same(full: Settings, archive: Path, empty: Settings) -> None:
    before = Database(full.database)
    told = restore(archive, empty)
    after = Database(empty.database)
    assert told["rows"] == after.row_counts() == before.row_counts() and told["kept"] is None
    assert told["rows"]["tracks"] == 26 and told["rows"]["votes"] > 24 and told["rows"]["playlist_genres"] >= 1
    after.refuse_damaged()
    assert files(empty.spectrograms) == files(full.spectrograms) and len(files(empty.spectrograms)) == 24
    assert files(empty.models) == files(full.models) and len(files(empty.models)) == 3
    assert files(empty.audio) == files(full.audio) and len(files(empty.audio)) == 12
    assert files(empty.runs) == {"1/last.safetensors": sha256_of(full.runs / "1" / "last.safetensors")}
    models_room.load(empty.models / "A model")
    here, there = where_it_lies(after), where_it_lies(before)
    assert set(here) == set(there)
    for title, (path, has_sound) in here.items():  # copies lie in the new workspace now, all else where it was
        was = there[title][0]
        moved = Path(was).is_relative_to(full.audio) if was else False
        assert path == (str(empty.audio / Path(was).relative_to(full.audio)) if moved else was)
        assert has_sound == there[title][1] and (not path or Path(path).exists())
    assert told["not_in_it"] == 0


def test_all_rows_are_the_same_to_the_last_byte(full: Settings, tmp_path: Path, empty: Settings) -> None:
    target = tmp_path / "labels.zip"
    back_up(Database(full.database), full, target, "labels")
    restore(target, empty)
    assert dump(empty.database) == dump(full.database)
    assert not empty.spectrograms.exists() and not empty.audio.exists() and files(empty.models) == files(full.models)


def test_what_was_at_work_has_stopped(archive: Path, empty: Settings) -> None:
    restore(archive, empty)
    database = Database(empty.database)
    queue = open_queue(empty, database)
    assert queue.unfinished() == [] and queue.latest("embed").state == "stopped"  # type: ignore[union-attr]
    assert Runs(database).states() == {"cut off": "stopped"}


def test_a_backup_holds_no_secret(archive: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        names = packed.namelist()
        assert not any(SECRET.encode() in packed.read(name) for name in names)
    assert {name.split("/")[0] for name in names} == {LIBRARY, MANIFEST, "models", "runs", "spectrograms", "audio"}


def test_the_encoder_is_in_no_backup_and_stays_where_it_is(empty: Settings, tmp_path: Path) -> None:
    """A workspace in the project's own folder has it beside its models."""
    models.publish(empty.models / "mine")
    encoder = Path(shutil.copytree(SHIPPED, empty.models / SHIPPED.name))
    before = files(encoder)
    back_up(Database(empty.database), empty, tmp_path / "a.zip", "everything")
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert {name.split("/")[1] for name in packed.namelist() if name.startswith("models/")} == {"mine"}
    restore(tmp_path / "a.zip", empty)
    assert files(encoder) == before


def test_a_library_that_is_not_empty_is_replaced_only_if_asked_and_kept(
    full: Settings, archive: Path, empty: Settings
) -> None:
    here = Database(empty.database)
    Playlists(here).take_in(playlist("mine", listed(3)), genres={"jazz": 1.0})
    models.publish(empty.models / "A model", seed=3)
    models.publish(empty.models / "Other", seed=4)
    before, rows = files(empty.models), here.row_counts()
    with pytest.raises(LibraryError, match="not empty"):
        restore(archive, empty)
    assert (files(empty.models), here.row_counts()) == (before, rows)
    watched = here.version()
    told = restore(archive, empty, replace=True)
    assert here.version() != watched, "who has the library open sees that it changed"
    assert here.row_counts() == Database(full.database).row_counts()
    assert files(empty.models / "A model") == files(full.models / "A model") and (empty.models / "Other").is_dir()
    assert [place.name for place in models_room.binned(empty)] == ["A model"]
    kept = Path(told["kept"])
    assert kept.parent == empty.data / "backups" and backup.kept(empty) == [kept]
    restore(kept, empty, replace=True)  # and back
    assert [row.title for row in Playlists(here).all()] == [playlist("mine", listed(3)).title]
    assert files(empty.models) == before


TAKEN_BACK = {
    7: "DROP INDEX audio_files_of_packets; ALTER TABLE audio_files DROP COLUMN packets_sha256; "
    "ALTER TABLE audio_files DROP COLUMN file_sha256; PRAGMA user_version = 7;",
    6: "DROP TABLE run_answers; ALTER TABLE runs DROP COLUMN note; PRAGMA user_version = 6;",
}
"""What makes a library that of an earlier version, newest first."""


@pytest.mark.parametrize("version", TAKEN_BACK)
def test_an_older_library_is_brought_up_to_date(tmp_path: Path, empty: Settings, full: Settings, version: int) -> None:
    target = tmp_path / "old.zip"
    back_up(Database(full.database), full, target, "labels")

    def older(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            for step in range(7, version - 1, -1):
                db.executescript(TAKEN_BACK[step])

    forged = forge(
        target, tmp_path / "forged.zip", library=older, manifest=lambda told: told.update(library_version=version)
    )
    restore(forged, empty)
    before, after = (Library(Database(one.database)).known_files()[1] for one in (full, empty))
    assert before.keys() == after.keys(), "recordings keep their keys"
    assert {(file.packets_sha256, file.file_sha256 == file.sha256) for file in after.values()} == {(None, True)}
    assert (
        Database(empty.database).row_counts()["tracks"] == 26
        and Runs(Database(empty.database)).get("cut off").note == ""
    )


# -- what is refused -------------------------------------------------------------------------------------------------------


def forge(
    source: Path,
    target: Path,
    *,
    library: Callable[[Path], None] | None = None,
    manifest: Callable[[dict[str, Any]], object] | None = None,
    add: Callable[[zipfile.ZipFile, dict[str, Any]], object] | None = None,
    drop: str = "",
) -> Path:
    """A backup that somebody made: its hashes agree."""
    with zipfile.ZipFile(source) as packed, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        told = json.loads(packed.read(MANIFEST))
        for name in packed.namelist():
            data = packed.read(name)
            if name == LIBRARY and library:
                place = target.with_suffix(".db")
                place.write_bytes(data)
                library(place)
                data = place.read_bytes()
                told["members"][name] = member(data)
            if name not in (MANIFEST, drop):
                out.writestr(name, data)
        if add:
            add(out, told)
        if manifest:
            manifest(told)
        out.writestr(MANIFEST, json.dumps(told))
    return target


def member(data: bytes) -> dict[str, Any]:
    import hashlib

    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def named(
    name: str, mode: int = stat.S_IFREG | 0o644, data: bytes = b"x"
) -> Callable[[zipfile.ZipFile, dict[str, Any]], object]:
    def add(out: zipfile.ZipFile, told: dict[str, Any]) -> None:
        entry = zipfile.ZipInfo(name)
        entry.create_system, entry.external_attr = 3, mode << 16
        out.writestr(entry, data)
        told["members"][name] = member(data)

    return add


def bomb(out: zipfile.ZipFile, told: dict[str, Any]) -> None:
    data = bytes(3_000_000)
    out.writestr("runs/1/best.safetensors", data, zipfile.ZIP_DEFLATED, 9)
    told["members"]["runs/1/best.safetensors"] = member(data)


def statements(script: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.executescript(script)

    return change


SPECTROGRAM = f"spectrograms/{'a' * 16}/ab/ab{'c' * 62}.npy"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "traversal": ({"add": named("../evil.txt")}, "does not belong"),
    "deeper": ({"add": named("models/../../evil.txt")}, "does not belong"),
    "absolute": ({"add": named("/tmp/evil.txt")}, "does not belong"),
    "backslash": ({"add": named("models\\..\\evil")}, "does not belong"),
    "hidden model": ({"add": named("models/../card.json")}, "does not belong"),
    "the encoder": ({"add": named("models/encoder-msd-musicnn/card.json")}, "does not belong"),
    "the encoder, in capitals": ({"add": named("models/ENCODER-MSD-MUSICNN/model.onnx")}, "does not belong"),
    "secrets": ({"add": named("secrets/spotify.json")}, "does not belong"),
    "wrong place": ({"add": named(SPECTROGRAM.replace("/ab/", "/cd/"))}, "does not belong"),
    "link": ({"add": named(SPECTROGRAM, stat.S_IFLNK | 0o777, b"/etc/passwd")}, "is a link"),
    "bomb": ({"add": bomb}, "trap"),
    "twice": ({"add": named("runs/1/last.safetensors")}, "twice"),
    "not told": ({"add": lambda out, told: out.writestr(SPECTROGRAM, b"x")}, "list of contents"),
    "told, not there": ({"drop": "models/A model/card.json"}, "list of contents"),
    "no library": ({"drop": LIBRARY}, "no library"),
    "newer": ({"manifest": lambda told: told.update(library_version=known_version() + 1)}, "newer Genrescope"),
    "newer inside": ({"library": statements(f"PRAGMA user_version = {known_version() + 1}")}, "another version"),
    "other format": ({"manifest": lambda told: told.update(format=2)}, "cannot be understood"),
    "no manifest": ({"manifest": lambda told: told.clear()}, "cannot be understood"),
    "other hash": ({"manifest": lambda told: told["members"][LIBRARY].update(sha256="0" * 64)}, "not what it was"),
    "other size": ({"manifest": lambda told: told["members"][LIBRARY].update(size=1)}, "not as long"),
    "fewer rows": ({"library": statements("DELETE FROM votes")}, "does not hold"),
    "a trigger": ({"library": statements("CREATE TRIGGER t AFTER INSERT ON jobs BEGIN DELETE FROM tracks; END")}, "not built"),
    "a table": ({"library": statements("CREATE TABLE t (x)"), "manifest": lambda told: told["rows"].update(t=0)}, "not built"),
    "dangling": ({"library": statements("PRAGMA foreign_keys = 0; UPDATE votes SET genre_id = 999 WHERE id = 1")}, "damaged"),
    "no database": ({"library": lambda path: path.write_bytes(b"nonsense" * 1000)}, "no library"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("what", REFUSED)
def test_a_forged_backup_is_refused_and_nothing_changed(
    archive: Path, empty: Settings, tmp_path: Path, what: str
) -> None:
    changes, told = REFUSED[what]
    forged = forge(archive, tmp_path / "forged.zip", **changes)
    Database(empty.database)
    before = files(tmp_path / "other")
    with pytest.raises(LibraryError, match=told):
        restore(forged, empty)
    assert files(tmp_path / "other") == before
    assert [path.name for path in tmp_path.rglob("*evil*")] == [] and not Path("/tmp/evil.txt").exists()


def test_a_backup_cut_short_is_refused(archive: Path, empty: Settings, tmp_path: Path) -> None:
    data = archive.read_bytes()
    Database(empty.database)
    before = files(tmp_path / "other")
    for length in (0, 10, len(data) // 3, len(data) // 2, len(data) - 1):
        with pytest.raises(LibraryError):
            restore(io.BytesIO(data[:length]), empty)
        assert files(tmp_path / "other") == before


def test_a_byte_that_differs_is_found_wherever_it_is(
    archive: Path, full: Settings, empty: Settings, tmp_path: Path
) -> None:
    """Refused, or of no account: some bytes of a zip file (dates) mean nothing; what is restored is never another thing."""
    data, chance = bytearray(archive.read_bytes()), random.Random(5)
    Database(empty.database)
    before, refused = files(tmp_path / "other"), 0
    for place in [chance.randrange(len(data)) for _ in range(60)]:
        flipped = 1 << chance.randrange(8)
        data[place] ^= flipped
        try:
            restore(io.BytesIO(bytes(data)), empty)
        except LibraryError:
            refused += 1
            assert files(tmp_path / "other") == before, place
        else:  # of no account
            assert Database(empty.database).row_counts() == Database(full.database).row_counts()
            assert files(empty.spectrograms) == files(full.spectrograms) and files(empty.audio) == files(full.audio)
            shutil.rmtree(empty.home)
            Database(empty.database)
        data[place] ^= flipped
    assert refused > 50


def test_no_backup_at_all_is_told(empty: Settings, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.zip"
    with pytest.raises(LibraryError, match="There is no file"):
        restore(nothing, empty)
    nothing.write_text("a letter")
    with pytest.raises(LibraryError, match="no backup of Genrescope"):
        restore(nothing, empty)


def test_where_there_is_no_room_it_is_told_before(archive: Path, empty: Settings) -> None:
    with pytest.raises(LibraryError, match="Make room first"):
        restore(archive, Settings(home=empty.home, keep_free_bytes=10**18))


# -- while others are at work ----------------------------------------------------------------------------------------------


def test_nothing_is_restored_while_a_job_is_at_work(archive: Path, empty: Settings) -> None:
    queue = open_queue(empty, Database(empty.database))
    job = kinds.submit_preprocess(queue)
    with pytest.raises(LibraryError, match="a job \\(preprocess\\) at work"):
        restore(archive, empty)
    queue.claim("a worker", job_id=job.id)
    with pytest.raises(LibraryError, match="at work"):
        restore(archive, empty, replace=True)
    assert Database(empty.database).row_counts()["tracks"] == 0


def test_a_job_that_is_asked_for_meanwhile_stops_it_with_all_put_back(
    archive: Path, empty: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(empty.database)
    (empty.runs / "1").mkdir(parents=True)
    (empty.runs / "1" / "last.safetensors").write_bytes(b"another run's")
    real = restoring.Collection.moved

    def meanwhile(self: Any, *args: Any) -> None:
        real(self, *args)
        kinds.submit_preprocess(open_queue(empty, database))

    monkeypatch.setattr(restoring.Collection, "moved", meanwhile)
    with pytest.raises(LibraryError, match="at work"):
        restore(archive, empty)
    assert database.row_counts()["tracks"] == 0
    left = {name for name in files(empty.home) if not name.startswith("data/library.db")}
    assert left == {"data/runs/1/last.safetensors"}
    assert (empty.runs / "1" / "last.safetensors").read_bytes() == b"another run's"


def test_a_stop_changes_nothing(archive: Path, full: Settings, empty: Settings, tmp_path: Path) -> None:
    calls = iter(range(10_000))

    def check() -> None:
        if next(calls) == 20:
            raise JobStopped("Stopped.")

    Database(empty.database)
    before = files(tmp_path / "other")
    with pytest.raises(JobStopped):
        restore(archive, empty, check=check)
    assert files(tmp_path / "other") == before
    calls = iter(range(10_000))
    with pytest.raises(JobStopped):
        back_up(Database(full.database), full, tmp_path / "b" / "x.zip", "everything", check=check)
    assert list((tmp_path / "b").iterdir()) == []


WRITER = """
import sys
from pathlib import Path
from core.database import Database, now
database, number = Database(Path(sys.argv[1])), 0
while True:
    with database.write() as db:  # two tracks and a genre, or nothing
        for _ in range(2):
            db.execute("INSERT INTO tracks (title, artist, album, created_at) VALUES (?, 'x', '', ?)", (str(number), now()))
        db.execute("INSERT INTO genres (name) VALUES (?)", (f"made up {number}",))
    number += 1
    if number == 3:
        print("writing", flush=True)
"""


def test_a_backup_made_while_another_process_writes_is_whole(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "busy", keep_free_bytes=0)
    database = Database(settings.database)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(settings.database)], stdout=subprocess.PIPE)
    try:
        assert writer.stdout and writer.stdout.readline() == b"writing\n"
        told = [back_up(database, settings, tmp_path / f"{number}.zip", "labels").rows for number in range(5)]
        assert writer.poll() is None, "it wrote to the end"
    finally:
        writer.kill()
        writer.wait()
    counts = [rows["tracks"] for rows in told]
    assert counts == sorted(counts) and counts[-1] > counts[0], "it wrote meanwhile"
    for number, rows in enumerate(told):
        other = Settings(home=tmp_path / f"other-{number}", keep_free_bytes=0)
        restore(tmp_path / f"{number}.zip", other)
        here = Database(other.database)
        here.refuse_damaged()
        assert here.row_counts() == rows
        assert rows["tracks"] == 2 * (rows["genres"] - Database(tmp_path / "fresh.db").row_counts()["genres"])
