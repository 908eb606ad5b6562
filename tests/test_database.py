"""The database file: migrated once, backed up before, refused if it is too new, whole after every error."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from core import database as ground
from core.database import Database, now
from core.errors import LibraryError

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


# -- many at once ------------------------------------------------------------------------------------------------------


def test_threads_that_open_a_new_file_together_all_succeed(tmp_path: Path) -> None:
    for attempt in range(5):
        path = tmp_path / str(attempt) / "library.db"
        together, errors = threading.Barrier(6), []

        def begin(path: Path = path, together: threading.Barrier = together, errors: list = errors) -> None:
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
