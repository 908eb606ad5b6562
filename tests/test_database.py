"""The database file: migrated once, backed up before, refused if it is too new, whole after every error."""

import contextlib
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from core import database as ground
from core.database import Database, now
from core.errors import LibraryError
from core.library.edits import latest_edit
from core.library.genres import Genres
from core.library.labels import resolve
from core.library.playlists import Playlists
from core.library.store import Library
from core.music import GenreDistribution, ListedTrack, Playlist, Vote
from tests.lists import undo_latest

ONE = "CREATE TABLE songs (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE) STRICT;\n"
TWO = (
    "-- a comment; with a semicolon\n"
    "CREATE TABLE plays (song INTEGER NOT NULL REFERENCES songs) STRICT;\n"
    "ALTER TABLE songs ADD COLUMN artist TEXT\n    NOT NULL DEFAULT ';';\n"
    "CREATE TRIGGER first_play AFTER INSERT ON songs BEGIN\n  INSERT INTO plays VALUES (NEW.id);\nEND;\n"
)
BROKEN = "CREATE TABLE half (id INTEGER);\nINSERT INTO songs (title) VALUES ('from the migration');\nINSERT INTO nowhere VALUES (1);\n"


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of migrations of the test's own; it begins with one."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_songs.sql").write_text(ONE)
    (folder / "README.md").write_text("not a migration")
    monkeypatch.setattr(ground, "MIGRATIONS", folder)
    return folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "workspace" / "data" / "library.db"


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def titles(database: Database) -> list[str]:
    with database.read() as db:
        return [row["title"] for row in db.execute("SELECT title FROM songs ORDER BY id")]


def add(database: Database, *new: str) -> None:
    with database.write() as db:
        db.executemany("INSERT INTO songs (title) VALUES (?)", [(title,) for title in new])


def backups(path: Path) -> list[Path]:
    return sorted((path.parent / "backups").glob("*"))


# -- migrations --------------------------------------------------------------------------------------------------------


def test_a_new_file_has_every_migration_and_needs_no_backup(migrations: Path, path: Path) -> None:
    (migrations / "0002_plays.sql").write_text(TWO)
    Database(path)
    assert version(path) == 2
    assert tables(path) == {"songs", "plays"}
    assert backups(path) == []


def test_migrations_run_once(migrations: Path, path: Path) -> None:
    add(Database(path), "one")
    assert titles(Database(path)) == ["one"]
    assert version(path) == 1
    assert backups(path) == []


def test_an_older_file_is_backed_up_and_then_migrated(migrations: Path, path: Path) -> None:
    add(Database(path), "one", "two")
    (migrations / "0002_plays.sql").write_text(TWO)
    newer = Database(path)
    assert version(path) == 2
    assert titles(newer) == ["one", "two"]
    add(newer, "three")
    with newer.read() as db:
        assert [tuple(row) for row in db.execute("SELECT * FROM plays")] == [(3,)]
        assert {row["artist"] for row in db.execute("SELECT artist FROM songs")} == {";"}
    (backup,) = backups(path)
    assert backup.name.startswith("library-v1-")
    assert version(backup) == 1
    assert tables(backup) == {"songs"}
    with closing(sqlite3.connect(backup)) as connection:
        assert [row[0] for row in connection.execute("SELECT title FROM songs")] == ["one", "two"]


def test_a_newer_file_is_refused_and_left_alone(migrations: Path, path: Path) -> None:
    (migrations / "0002_plays.sql").write_text(TWO)
    add(Database(path), "one")
    (migrations / "0002_plays.sql").unlink()
    with pytest.raises(LibraryError, match=r"newer Genrescope \(version 2, this one knows 1\)"):
        Database(path)
    assert version(path) == 2
    assert tables(path) == {"songs", "plays"}


def test_a_broken_migration_leaves_the_old_version(migrations: Path, path: Path) -> None:
    add(Database(path), "one")
    (migrations / "0002_broken.sql").write_text(BROKEN)
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            Database(path)
    assert version(path) == 1
    assert tables(path) == {"songs"}
    (migrations / "0002_broken.sql").write_text(TWO)
    assert titles(Database(path)) == ["one"]
    assert version(path) == 2


def test_of_two_migrations_both_or_none_take_place(migrations: Path, path: Path) -> None:
    Database(path)
    (migrations / "0002_plays.sql").write_text(TWO)
    (migrations / "0003_broken.sql").write_text(BROKEN)
    with pytest.raises(sqlite3.OperationalError):
        Database(path)
    assert version(path) == 1
    assert tables(path) == {"songs"}


def test_a_migration_that_ends_in_mid_statement_is_refused(migrations: Path, path: Path) -> None:
    (migrations / "0002_cut.sql").write_text("CREATE TABLE whole (id INTEGER);\nCREATE TABLE half (id")
    with pytest.raises(LibraryError, match="middle of a statement"):
        Database(path)
    assert version(path) == 0
    assert tables(path) == set()


def test_the_real_migrations_are_numbered_without_gaps() -> None:
    numbers = [int(script.name.split("_")[0]) for script in sorted(ground.MIGRATIONS.glob("[0-9]*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers


@pytest.mark.parametrize("content", [b"This is not a library. " * 100, b"SQLite format 3\x00" + b"\xff" * 4_000])
def test_a_file_that_is_no_library_is_refused_in_a_sentence(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(LibraryError, match=r"library\.db"):
        Database(path)
    assert path.read_bytes() == content


# -- libraries of the first version ------------------------------------------------------------------------------------


class First:
    """A library as Genrescope 0.1 wrote it: votes that an edit replaced stay in their table, withdrawn."""

    def __init__(self, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        folder = tmp_path / "first"
        folder.mkdir()
        shutil.copy(ground.MIGRATIONS / "0001_library.sql", folder)
        with monkeypatch.context() as patch:
            patch.setattr(ground, "MIGRATIONS", folder)
            self.database = Database(path)
        for number in (1, 2, 3):
            self.do(
                "INSERT INTO tracks VALUES (?, ?, 'Artist', '', 60.5, NULL, NULL, 'then')", number, f"Song {number}"
            )
            self.vote(number, "Rock", "folder", 0.3, None)
        self.vote(3, "jazz", "tag", 1 / 3, None)

    def do(self, statement: str, *values: object) -> int:
        with self.database.write() as db:
            return int(db.execute(statement, values).lastrowid or 0)

    def vote(self, track: int, genre: str, source: str, weight: float, edit: int | None) -> None:
        self.do("INSERT OR IGNORE INTO genres (name) VALUES (?)", genre)
        self.do(
            "INSERT INTO votes (track_id, genre_id, source, reference, weight, edit_id, created_at) "
            "SELECT ?, id, ?, 'me', ?, ?, 'then' FROM genres WHERE name = ?",
            *(track, source, weight, edit, genre),
        )

    def label(self, tracks: list[int], genres: dict[str, float]) -> int:
        edit = self.do("INSERT INTO edits (description, created_at) VALUES (?, 'then')", " + ".join(genres))
        for track in tracks:
            self.do(
                "UPDATE votes SET withdrawn_by = ? WHERE source = 'hand' AND withdrawn_by IS NULL AND track_id = ?",
                *(edit, track),
            )
            for genre, weight in genres.items():
                self.vote(track, genre, "hand", weight, edit)
        return edit

    def undo(self, edit: int) -> None:
        self.do("UPDATE votes SET withdrawn_by = edit_id WHERE edit_id = ?", edit)
        self.do("UPDATE votes SET withdrawn_by = NULL WHERE withdrawn_by = ? AND edit_id IS NOT ?", edit, edit)
        self.do("UPDATE edits SET undone_at = 'then' WHERE id = ?", edit)

    def labels(self) -> list[dict[str, float]]:
        with self.database.read() as db:
            rows = db.execute(
                "SELECT track_id, name, source, weight FROM votes JOIN genres ON genres.id = genre_id "
                "WHERE withdrawn_by IS NULL ORDER BY votes.id"
            ).fetchall()
        votes = [[Vote(*row[1:]) for row in rows if row["track_id"] == track] for track in (1, 2, 3)]
        return [shares(resolve(given)) for given in votes]


def shares(label: GenreDistribution | None) -> dict[str, float]:
    return dict(label.weights) if label else {}


def labels_now(database: Database) -> list[dict[str, float]]:
    return [shares(row.label) for row in Library(database).tracks("any")]


@pytest.fixture
def first(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> First:
    return First(path, tmp_path, monkeypatch)


def test_labels_and_edits_of_the_first_version_are_kept(first: First) -> None:
    states = [first.labels()]
    first.label([1, 2], {"jazz": 1 / 3, "pop": 1.0})
    states.append(first.labels())
    first.undo(first.label([1, 3], {"folk": 1.0}))
    assert first.labels() == states[-1]
    first.label([2, 3], {"dub": 0.1})  # replaces what the first edit said of 2
    states.append(first.labels())
    first.label([2], {"jazz": 1.0, "dub": 2.0})
    states.append(first.labels())

    database = Database(first.path)
    assert version(first.path) > 1
    assert labels_now(database) == states.pop()
    while states:
        undo_latest(database)
        assert labels_now(database) == states.pop()
    assert latest_edit(database) is None
    (backup,) = backups(first.path)
    assert version(backup) == 1


@pytest.mark.parametrize("seed", range(12))
def test_any_history_of_the_first_version_can_be_undone_as_before(first: First, seed: int) -> None:
    rng = random.Random(seed)
    states, edits = [first.labels()], []
    for _ in range(12):
        if edits and rng.random() < 0.4:
            first.undo(edits.pop())
            states.pop()
            assert first.labels() == states[-1]
        else:
            genres = rng.sample(["jazz", "pop", "Rock", "dub", "hip hop"], rng.randint(1, 3))
            told = {genre: rng.choice([1.0, 1 / 3, 0.1]) for genre in genres}
            edits.append(first.label(rng.sample([1, 2, 3], rng.randint(1, 3)), told))
            states.append(first.labels())
    database = Database(first.path)
    assert labels_now(database) == states[-1]
    Library(database).label_by_hand([1, 2], {"salsa": 1.0}, who="me")  # an edit of this version on top
    for state in reversed(states):
        undo_latest(database)
        assert labels_now(database) == state
    assert latest_edit(database) is None


def test_a_genre_that_an_old_edit_named_twice_counts_with_all_its_weight(first: First) -> None:
    before = first.labels()
    first.label([1], {"Pop": 1.0, "pop": 2.0, "jazz": 1.0})  # two votes for one genre
    twice = first.labels()
    first.label([1], {"folk": 1.0})
    database = Database(first.path)
    assert labels_now(database)[0] == {"folk": 1.0}
    undo_latest(database)
    assert labels_now(database) == twice
    assert labels_now(database)[0] == {"Pop": 0.75, "jazz": 0.25}
    undo_latest(database)
    assert labels_now(database) == before


def test_old_genres_that_compare_as_one_stay_two_until_they_are_merged(first: First) -> None:
    first.vote(1, "Hip-Hop", "tag", 1.0, None)
    first.vote(2, "hip hop", "tag", 1.0, None)
    before = first.labels()
    database = Database(first.path)
    assert labels_now(database) == before
    genres = Genres(database)
    assert [genres.canonical(name) for name in ("Hip-Hop", "hip hop")] == ["Hip-Hop", "hip hop"]
    genres.merge(["Hip-Hop"], "hip hop")
    assert [genre.name for genre in genres.all() if "ip" in genre.name] == ["hip hop"]
    assert genres.canonical("Hip-Hop") == "hip hop"
    undo_latest(database)
    assert labels_now(database) == before


def test_songs_of_the_first_version_are_found_by_playlists(first: First) -> None:
    database = Database(first.path)
    listed = Playlist("csv", "a", "A", (ListedTrack("song 1", ("artist",), "", 60.0), ListedTrack("New", ("artist",))))
    compared = Playlists(database).compare(listed)
    assert (compared.tracks, compared.new) == (2, 1)
    taken = Playlists(database).take_in(listed)
    assert (taken.tracks, taken.new) == (2, 1)


# -- has anything changed? ---------------------------------------------------------------------------------------------


def test_the_version_changes_with_every_write_and_only_then(path: Path) -> None:
    database, other = Database(path), Database(path)
    seen = [database.version()]
    for writer in (other, database, other):
        with writer.write() as db:
            db.execute("INSERT INTO genres (name) VALUES (?)", (f"genre {len(seen)}",))
        seen.append(database.version())
        with writer.read() as db:
            db.execute("SELECT * FROM genres").fetchall()
        assert database.version() == seen[-1]
        assert other.version() == other.version()
    assert len(set(seen)) == len(seen)
    with contextlib.suppress(ZeroDivisionError), database.write() as db:
        db.execute("INSERT INTO genres (name) VALUES ('taken back')")
        raise ZeroDivisionError
    assert database.version() == seen[-1]


def test_the_version_changes_when_another_process_writes(path: Path) -> None:
    database = Database(path)
    before = database.version()
    program = (
        "import sys; from pathlib import Path; from core.database import Database\n"
        "with Database(Path(sys.argv[1])).write() as db: db.execute(sys.argv[2])"
    )
    for statement, changes in (
        ("SELECT count(*) FROM genres", False),
        ("INSERT INTO genres (name) VALUES ('x')", True),
    ):
        subprocess.run([sys.executable, "-c", program, str(path), statement], check=True, timeout=60)
        assert (database.version() != before) == changes


def test_threads_may_ask_for_the_version_together(path: Path) -> None:
    database = Database(path)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: database.version(), range(64)))) == 1


# -- many at once ------------------------------------------------------------------------------------------------------


def test_threads_that_open_a_new_file_together_all_succeed(tmp_path: Path) -> None:
    for attempt in range(30):
        path = tmp_path / str(attempt) / "library.db"
        together, errors = threading.Barrier(8), []

        def begin(path: Path = path, together: threading.Barrier = together, errors: list = errors) -> None:
            together.wait()
            try:
                Database(path)
            except Exception as error:  # noqa: BLE001 - told below
                errors.append(error)

        threads = [threading.Thread(target=begin) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert version(path) == len(list(ground.MIGRATIONS.glob("[0-9]*.sql")))


def test_processes_that_open_a_new_file_together_all_succeed(path: Path) -> None:
    program = "import sys; from pathlib import Path; from core.database import Database; Database(Path(sys.argv[1]))"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    told = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, told
    assert version(path) > 0


def test_threads_that_migrate_an_old_file_together_do_it_once(migrations: Path, path: Path) -> None:
    add(Database(path), "one")
    (migrations / "0002_plays.sql").write_text(TWO)
    together, errors = threading.Barrier(6), []

    def begin() -> None:
        together.wait()
        try:
            Database(path)
        except Exception as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert version(path) == 2
    assert titles(Database(path)) == ["one"]
    assert backups(path)
    assert {version(backup) for backup in backups(path)} == {1}


# -- transactions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_takes_everything_back(migrations: Path, path: Path, error: type[BaseException]) -> None:
    database = Database(path)
    add(database, "one")
    with pytest.raises(error), database.write() as db:
        db.execute("INSERT INTO songs (title) VALUES ('two')")
        db.execute("DELETE FROM songs WHERE title = 'one'")
        raise error
    assert titles(database) == ["one"]
    add(database, "three")  # and the lock is free
    assert titles(database) == ["one", "three"]


def test_a_refused_statement_takes_everything_back(migrations: Path, path: Path) -> None:
    database = Database(path)
    add(database, "one")
    with pytest.raises(sqlite3.IntegrityError):
        add(database, "two", "one")
    assert titles(database) == ["one"]


def test_foreign_keys_are_held(migrations: Path, path: Path) -> None:
    (migrations / "0002_plays.sql").write_text(TWO)
    database = Database(path)
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"), database.write() as db:
        db.execute("INSERT INTO plays VALUES (99)")


def test_a_reader_sees_one_state_throughout(migrations: Path, path: Path) -> None:
    database = Database(path)
    add(database, "one")
    with database.read() as db:
        before = db.execute("SELECT count(*) FROM songs").fetchone()[0]
        add(database, "two")  # is not kept waiting by the reader
        assert db.execute("SELECT count(*) FROM songs").fetchone()[0] == before == 1
    assert titles(database) == ["one", "two"]


def test_what_a_reader_writes_is_not_kept(migrations: Path, path: Path) -> None:
    database = Database(path)
    with database.read() as db:
        db.execute("INSERT INTO songs (title) VALUES ('stray')")
    assert titles(database) == []


def test_writers_take_turns(migrations: Path, path: Path) -> None:
    database = Database(path)
    add(database, "0")

    def count_on() -> None:
        for _ in range(10):
            with database.write() as db:
                highest = db.execute("SELECT max(CAST(title AS INTEGER)) FROM songs").fetchone()[0]
                db.execute("INSERT INTO songs (title) VALUES (?)", (str(highest + 1),))

    threads = [threading.Thread(target=count_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert titles(database) == [str(number) for number in range(41)]


def test_the_time_is_utc_and_sorts_as_text() -> None:
    times = [now() for _ in range(3)]
    assert times == sorted(times)
    moment = datetime.fromisoformat(times[0])
    assert moment.utcoffset() is not None
    assert moment.utcoffset().total_seconds() == 0  # type: ignore[union-attr]
    assert len(times[0]) == len("2026-01-01T00:00:00.000+00:00")
