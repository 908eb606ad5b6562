"""A library of every earlier version opens in this one, whole and after a backup; a newer one is refused and not harmed."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core import database as rooms
from core.database import MIGRATIONS, Database
from core.errors import LibraryError, ModelError
from core.learning import model
from core.library.genres import Genres
from core.library.runs import Runs
from core.library.store import Library
from tests.models import change_card, make_old, publish

pytestmark = pytest.mark.slow

SCRIPTS = sorted(MIGRATIONS.glob("[0-9]*.sql"))
AT = "2026-01-02T03:04:05.678+00:00"


def made_by(version: int, path: Path) -> Path:
    """A library as the app of an earlier version left it: its own migrations, and rows in its tables."""
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = ON")
        for number, script in enumerate(SCRIPTS[:version], start=1):
            db.executescript(script.read_text(encoding="utf-8"))
            if number == 1:
                fill(db)
        db.execute(f"PRAGMA user_version = {version}")
    return path


def fill(db: sqlite3.Connection) -> None:
    """What a person collected and did with the first version, in every table that it had."""
    put(db, "genres", id=1, name="techno")
    put(db, "genres", id=2, name="house")
    put(db, "playlists", id=1, source="folder", reference="/music/techno", title="techno", created_at=AT)
    for number in range(1, 6):
        put(
            db,
            "tracks",
            id=number,
            title=f"Song {number}",
            artist=f"Artist {number % 2}",
            duration_s=200.0,
            created_at=AT,
        )
        put(db, "playlist_tracks", playlist_id=1, track_id=number)
        put(
            db, "audio_files", id=number, track_id=number, sha256=f"{number:064x}", path=f"/music/{number}.mp3", copied=0,
            container="mp3", codec="mp3", sample_rate=44_100, channels=2, size_bytes=1000, mtime_ns=1, duration_s=200.0,
            state="ok", created_at=AT, reason="",
        )  # fmt: skip
    put(db, "edits", id=1, description="relabel", created_at=AT)
    put(
        db, "votes", id=1, track_id=1, genre_id=1, source="folder", weight=1.0, created_at=AT, reference="/music/techno"
    )
    put(db, "votes", id=2, track_id=2, genre_id=1, source="hand", weight=1.0, created_at=AT, edit_id=1)
    put(db, "votes", id=3, track_id=2, genre_id=2, source="hand", weight=1.0, created_at=AT, edit_id=1)
    put(
        db, "runs", id=1, name="first", recipe="{}", spectrogram_recipe="{}", state="finished", created_at=AT,
        data_fingerprint="d" * 16, split='{"train": [1, 2], "validation": [3], "test": [4]}', request="{}",
    )  # fmt: skip
    put(
        db, "epochs", run_id=1, epoch=1, step=10, train_loss=1.0, validation_loss=1.5, crop_accuracy=0.5, song_accuracy=0.25,
        confusion="[[1, 0], [0, 1]]", learning_rate=0.1, crops_per_second=10.0, seconds=1.0, seconds_left=0.0, best=1,
        created_at=AT,
    )  # fmt: skip
    put(
        db,
        "jobs",
        id=1,
        kind="import",
        key="k",
        parameters="{}",
        state="done",
        done=5,
        total=5,
        message="",
        created_at=AT,
    )


def put(db: sqlite3.Connection, table: str, **row: Any) -> None:
    """Insert what of `row` the table has columns for; what it wants besides gets a plain value."""
    columns = db.execute(f"PRAGMA table_info({table})").fetchall()
    assert columns, f"version 1 had a table {table}"
    given = {name: row[name] for _, name, *_ in columns if name in row}
    for _, name, kind, wanted, default, _ in columns:
        if wanted and default is None and name not in given:
            given[name] = {"TEXT": "{}", "INTEGER": 0, "REAL": 0.0, "BLOB": b""}[kind]
    places = ", ".join("?" * len(given))
    db.execute(f"INSERT INTO {table} ({', '.join(given)}) VALUES ({places})", tuple(given.values()))


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


OLD = (
    "SELECT * FROM votes ORDER BY 1",
    "SELECT id, name, state FROM runs",
    "SELECT id, title, artist FROM tracks ORDER BY 1",
)


@pytest.mark.parametrize("version", range(1, len(SCRIPTS)))
def test_a_library_of_every_earlier_version_opens_with_its_labels_and_runs(tmp_path: Path, version: int) -> None:
    path = made_by(version, tmp_path / "data" / "library.db")
    before = [rows(path, query) for query in OLD]
    database = Database(path)

    with database.read() as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(SCRIPTS)
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    tracks = {track.id: track for track in Library(database).tracks("")}
    assert len(tracks) == 5
    labels = {number: dict(track.label.weights) if track.label else {} for number, track in tracks.items()}
    assert labels[1] == {"techno": 1.0}
    assert labels[2] == {"techno": 0.5, "house": 0.5}, "a hand decides"
    assert {genre.name for genre in Genres(database).all()} == {"techno", "house"}
    known = Library(database).known_files()[1]
    assert {key: file.path for key, file in known.items()} == {f"{n:064x}": f"/music/{n}.mp3" for n in range(1, 6)}
    assert {(file.packets_sha256, file.file_sha256 == file.sha256) for file in known.values()} == {(None, True)}
    [run] = Runs(database).list()
    assert (run.name, run.state) == ("first", "finished") and len(Runs(database).epochs(run)) == 1

    [backup] = (path.parent / "backups").iterdir()
    assert f"-v{version}-" in backup.name
    assert [rows(backup, query) for query in OLD] == before, "what was there lies in the backup"
    assert rows(backup, "PRAGMA user_version") == [(version,)] and rows(backup, "PRAGMA integrity_check") == [("ok",)]

    Database(path)
    assert len(list((path.parent / "backups").iterdir())) == 1, "once"


@pytest.mark.parametrize("newer", [len(SCRIPTS) + 1, 1000])
def test_a_library_of_a_newer_version_is_refused_and_not_harmed(tmp_path: Path, newer: int) -> None:
    path = tmp_path / "data" / "library.db"
    Database(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE of_the_future (id INTEGER PRIMARY KEY, x TEXT)")
        db.execute("INSERT INTO of_the_future (x) VALUES ('kept')")
        db.execute(f"PRAGMA user_version = {newer}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    with pytest.raises(LibraryError, match="newer Genrescope"):
        Database(path)
    assert path.read_bytes() == before
    assert not (path.parent / "backups").exists()


def test_an_upgrade_for_which_there_is_no_room_leaves_the_old_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made_by(1, tmp_path / "data" / "library.db")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(rooms, "_back_up", full)
        with pytest.raises(LibraryError.__mro__[1], match="disk is full"):
            Database(path)
    assert rows(path, "PRAGMA user_version") == [(1,)] and len(rows(path, "SELECT 1 FROM tracks")) == 5
    assert len(Library(Database(path)).tracks("")) == 5


def test_models_of_every_format_load_or_say_why_not(tmp_path: Path) -> None:
    now = publish(tmp_path / "now")
    assert model.load(now).genres
    current = model.read_card(now).format
    for number in range(1, current):
        old = publish(tmp_path / f"of format {number}")
        if number == 1:
            make_old(old)
        else:
            change_card(old, lambda card, number=number: card.update(format=number))
        with pytest.raises(ModelError, match=r"older Genrescope|not a Genrescope model card"):
            model.load(old)
    future = publish(tmp_path / "future")
    change_card(future, lambda card: card.update(format=current + 1))
    with pytest.raises(ModelError) as told:
        model.load(future)
    assert "format" in str(told.value)
