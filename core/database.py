"""SQLite: connections and numbered migrations. `PRAGMA user_version` counts the migrations a file has had."""

import errno
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from core.errors import LibraryError, WorkspaceError, disk_trouble

_DISK = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
}
"""What SQLite says of a disk, as the system would say it."""
_OTHERS = {
    sqlite3.SQLITE_BUSY: "The library is held by another program. Close that, or wait for it, and do it again.",
    sqlite3.SQLITE_LOCKED: "The library is held by another program. Close that, or wait for it, and do it again.",
    sqlite3.SQLITE_IOERR: "The library could not be read or written: the disk is full or faulty. Nothing half-done is kept.",
}

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_S = 30.0


def now() -> str:
    """The time now, UTC, ISO 8601 with milliseconds: what every `..._at` column holds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Database:
    """A migrated library file. Cheap to pass about: every transaction opens a connection of its own."""

    def __init__(self, path: Path) -> None:
        """Open `path`, creating or migrating it (after a backup) where needed."""
        self.path = path
        self._watching: sqlite3.Connection | None = None
        self._watch_lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _migrate(path)
        except (sqlite3.DatabaseError, OSError) as error:
            if trouble := _trouble(error):
                raise trouble from error
            if getattr(error, "sqlite_errorcode", None) not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise
            raise LibraryError(
                f"{path} is damaged, or not a Genrescope library. Put a backup in its place (see {path.parent / 'backups'}), "
                "or move it away to begin anew."
            ) from error

    def version(self) -> int:
        """A number that changes whenever any process has written to the library: what was read before is then old."""
        with self._watch_lock:
            if self._watching is None:
                self._watching = _connect(self.path, check_same_thread=False)
            return int(self._watching.execute("PRAGMA data_version").fetchone()[0])

    def copy_to(self, path: Path) -> None:
        """Write the library as it is at one moment to a new file, while others write on; the file stands by itself."""
        with closing(_connect(self.path)) as source, closing(sqlite3.connect(path)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")

    def take_over(self, other: "Database") -> None:
        """Become what `other` is, whole or not at all, while others have this file open: they see it as one great write."""
        with closing(_connect(other.path)) as source, closing(_connect(self.path)) as here:
            source.backup(here)

    def row_counts(self) -> dict[str, int]:
        """How many rows each table has."""
        with self.read() as db:
            tables = [
                row["name"] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            ]
            return {name: int(db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for name in tables}  # noqa: S608

    def build(self) -> dict[tuple[str, str], str]:
        """How the library is built: the statement behind each table, index, view and trigger, by kind and name."""
        with self.read() as db:
            rows = db.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
        return {(row["type"], row["name"]): row["sql"] for row in rows}

    def refuse_damaged(self) -> None:
        """Look at every page and every reference. `LibraryError` with the first fault."""
        with self.read() as db:
            told = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            dangling = db.execute("PRAGMA foreign_key_check").fetchone()
        if told != "ok" or dangling is not None:
            raise LibraryError(
                f"The library {self.path} is damaged: {told if told != 'ok' else 'rows that hang on nothing'}."
            )

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection; `WorkspaceError` where the disk, or another program, does not let us."""
        try:
            with closing(_connect(self.path)) as connection:
                yield connection
        except sqlite3.OperationalError as error:
            trouble = _trouble(error)
            if trouble is None:
                raise
            raise trouble from error

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection for queries; it sees one state of the library throughout."""
        with self._connected() as connection:
            connection.execute("BEGIN")
            yield connection
            connection.rollback()

    @contextmanager
    def many_writes(self) -> Iterator[None]:
        """While many small transactions are made: each would else end SQLite's last connection, and move its whole log.

        That takes ten times as long as a small write. In the block, this process must not open the file otherwise, not even
        to copy it: that takes SQLite's locks away.
        """
        with self._connected():
            yield

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A connection that holds the write lock; committed at the end, rolled back on an error."""
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise


def _trouble(error: Exception) -> WorkspaceError | None:
    """What a disk, or another program, did to the library, in a sentence; None if it is something else."""
    if not isinstance(error, sqlite3.OperationalError):
        return disk_trouble(error)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _OTHERS:
        return WorkspaceError(errno.EBUSY, _OTHERS[code])
    return disk_trouble(OSError(_DISK[code], "")) if code in _DISK else None


def _connect(path: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=check_same_thread
    )
    connection.row_factory = sqlite3.Row
    _keep_a_log(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _keep_a_log(connection: sqlite3.Connection) -> None:
    """Readers and a writer side by side (WAL). SQLite does not wait while another makes this change in a new file: we do."""
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)


def known_version() -> int:
    """The number of migrations that this Genrescope knows: a library that has had more is of a newer one."""
    return len(list(MIGRATIONS.glob("[0-9]*.sql")))


def version_of(path: Path) -> int:
    """How many migrations a library file has had. `LibraryError` if it is no library."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return _version(connection)
    except sqlite3.DatabaseError as error:
        raise LibraryError(f"{path.name} is no library: {error}.") from error


def _migrate(path: Path) -> None:
    scripts = sorted(MIGRATIONS.glob("[0-9]*.sql"))
    with closing(_connect(path)) as connection:
        version = _version(connection)
        if version == len(scripts):
            return
        if version > len(scripts):
            raise LibraryError(
                f"The library {path} was made by a newer Genrescope (version {version}, this one knows "
                f"{len(scripts)}). Update Genrescope, or choose another workspace with --home."
            )
        connection.execute("BEGIN EXCLUSIVE")
        version = _version(connection)  # another process may have been here first
        if 0 < version < len(scripts):
            _back_up(path, version)
        for number, script in enumerate(scripts[version:], start=version + 1):
            for statement in _statements(script.read_text(encoding="utf-8")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.commit()


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _back_up(path: Path, version: int) -> None:
    folder = path.parent / "backups"
    folder.mkdir(exist_ok=True)
    stamp = now().replace(":", "").replace(".", "")[:17]
    with (
        closing(_connect(path)) as source,
        closing(sqlite3.connect(folder / f"{path.stem}-v{version}-{stamp}.db")) as copy,
    ):
        source.backup(copy)


def _statements(script: str) -> Iterator[str]:
    """Split a script at its statements (`executescript` would commit the transaction we are in)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise LibraryError(f"A migration ends in the middle of a statement: {statement.strip()[:60]}")
