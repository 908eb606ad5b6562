"""SQLite: connections and numbered migrations. `PRAGMA user_version` counts the migrations a file has had."""

import errno
import os
import shlex
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from core.errors import LibraryDamaged, LibraryError, WorkspaceError, disk_trouble
from core.files import whole

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
SQLITE_VERSION = sqlite3.sqlite_version
BUSY_TIMEOUT_S = 30.0
CHECK_S = 0.5
"""The check of a library on opening gives up after this long, seconds; a thorough one does not."""
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)


def now() -> str:
    """The time now, UTC, ISO 8601 with milliseconds: what every `..._at` column holds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Database:
    """A migrated library file. Cheap to pass about: every transaction opens a connection of its own."""

    def __init__(self, path: Path) -> None:
        """Open `path`, creating or migrating it (after a backup) where needed."""
        self.path = path
        self._watching: sqlite3.Connection | None = None
        self._watched = 0
        self._watch_lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.check()
            with self._explaining():
                _migrate(path)
        except OSError as error:
            if (known := _explained(error, path)) is None:
                raise
            raise known from error

    def check(self) -> None:
        """Raise `LibraryDamaged` if the file is damaged. Quick: a file that did not change since is not read again."""
        if fault := damage(self.path):
            raise LibraryDamaged(fault)

    def version(self) -> int:
        """A number that changes whenever any process has written to the library: what was read before is then old."""
        with self._watch_lock, self._explaining():
            file = _identity(self.path)
            if self._watching is None or self._watched != file:  # a file put in its place is another library
                if self._watching is not None:
                    self._watching.close()
                self._watching, self._watched = _connect(self.path, check_same_thread=False), file
            return (file << 32) + int(self._watching.execute("PRAGMA data_version").fetchone()[0])

    def copy_to(self, path: Path) -> None:
        """Write the library as it is at one moment to a new file, while others write on; the file stands by itself."""
        with self._connected() as source, closing(sqlite3.connect(path)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")

    def mark(self, number: int) -> None:
        """Write a number (up to 31 bits) into the file's header, which tells copies of the file apart."""
        with self._connected() as db:
            db.execute(f"PRAGMA application_id = {int(number)}")

    def marked(self) -> int:
        """The number that `mark` wrote; 0 if none."""
        with self.read() as db:
            return int(db.execute("PRAGMA application_id").fetchone()[0])

    def take_over(self, other: "Database") -> None:
        """Become what `other` is, whole or not at all, while others have this file open: they see it as one great write."""
        with other._connected() as source, self._connected() as here:
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
            raise LibraryDamaged(
                f"The library {self.path} is damaged: {told if told != 'ok' else 'rows that hang on nothing'}."
            )

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """SQLite's errors as ours, where the cause is known: a disk, another program, a damaged or moved file."""
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            if known := _explained(error, self.path):
                raise known from error
            if fault := damage(
                self.path, thorough=True
            ):  # what was read makes no sense: a name or JSON in it is broken
                raise LibraryDamaged(fault) from error
            raise

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection; `LibraryDamaged`, or `WorkspaceError` where the disk or another program refuses."""
        with self._explaining(), closing(_connect(self.path)) as connection:
            yield connection

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


def _explained(error: Exception, path: Path) -> LibraryError | WorkspaceError | None:
    """What happened to the library's file, as an error with a sentence; None if it is something else."""
    if isinstance(error, LibraryError | WorkspaceError):
        return error
    if not isinstance(error, sqlite3.Error):
        return disk_trouble(error)
    whole_code = getattr(error, "sqlite_errorcode", 0)
    code = whole_code & 0xFF
    if code in _CORRUPT or "decode to UTF-8" in str(error):
        return LibraryDamaged(damage_text(path))
    if whole_code == sqlite3.SQLITE_READONLY_DBMOVED or (code == sqlite3.SQLITE_CANTOPEN and not os.path.lexists(path)):
        return WorkspaceError(errno.ENOENT, moved_text(path))
    if code == sqlite3.SQLITE_CANTOPEN and path.is_dir():
        return WorkspaceError(
            errno.EISDIR, f"The library {path} is a folder. Move it away, or choose another with --home."
        )
    if code in _OTHERS:
        return WorkspaceError(errno.EBUSY, _OTHERS[code])
    return disk_trouble(OSError(_DISK[code], "")) if code in _DISK else None


def moved_text(path: Path) -> str:
    """The sentence for a library that was here and is not any more."""
    return (
        f"The library {path} is not there any more: the workspace was moved, renamed or deleted. Move it back, or start "
        "Genrescope again with its new folder (--home, or GENRESCOPE_HOME)."
    )


def damage_text(path: Path, *, empty: bool = False) -> str:
    """The sentence for a damaged library: what to do, with the newest backup beside it if there is one."""
    folder = path.parent / "backups"
    if empty:
        return f"{path} is empty, though there are files beside it that belong to a library. {_remedy(folder)}"
    return f"{path} is damaged, or not a Genrescope library. {_remedy(folder)}"


def _remedy(backups: Path) -> str:
    newest = newest_backup(backups)
    if newest is None:
        return (
            f"There is no backup in {backups}. If you have one elsewhere, run `python -m core restore FILE --replace`; else "
            "move the file away to begin anew."
        )
    if newest.suffix == ".zip":
        again = f"python -m core restore {shlex.quote(str(newest))} --replace"
        return f"The newest backup is {newest}: run `{again}` (the damaged file is kept)."
    return f"The newest backup is {newest}, a copy made before an update: put it in the library's place."


def newest_backup(folder: Path) -> Path | None:
    """The newest backup in a folder; copies made before a migration only where there is no other."""
    for pattern in ("*.zip", "library-v*.db"):
        with suppress(OSError):
            found = [path for path in folder.glob(pattern) if not path.name.startswith(".") and path.is_file()]
            if found:
                return max(found, key=lambda path: path.stat().st_mtime_ns)
    return None


def damage(path: Path, *, thorough: bool = False) -> str:
    """What is wrong with a library file, in a sentence with its remedy; '' if nothing was found, or there is no file.

    The quick check gives up after `CHECK_S` and remembers its answer until the file changes. A thorough one reads every row.
    """
    try:
        files = [path.with_name(path.name + suffix) for suffix in ("", "-wal")]
        state = tuple(
            (told.st_ino, told.st_size, told.st_mtime_ns) for told in (file.stat() for file in files if file.exists())
        )
        if not path.is_file():
            return ""
    except OSError:
        return ""  # opening it says why
    if not thorough and _checked.get(path) == state:
        return ""
    if sum(size for _, size, _ in state) == 0:
        return damage_text(path, empty=True) if _belongings(path) else ""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S)) as db:
            db.text_factory = bytes
            if not thorough:
                end = time.monotonic() + CHECK_S
                db.set_progress_handler(lambda: time.monotonic() > end, 10_000)
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != b"ok":
                return damage_text(path)
            if thorough:
                db.text_factory = str
                for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
                    for _ in db.execute(f'SELECT * FROM "{name}"'):  # noqa: S608
                        pass
    except UnicodeDecodeError:  # in a name or a message of SQLite's
        return damage_text(path)
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _CORRUPT or "decode to UTF-8" in str(error):
            return damage_text(path)
        if code != sqlite3.SQLITE_INTERRUPT:
            return ""  # locked or unreadable: opening it reports that
    _checked[path] = state
    return ""


_checked: dict[Path, tuple[tuple[int, int, int], ...]] = {}
"""Libraries in which no damage was found: their files then (inode, size, time)."""


def _belongings(path: Path) -> bool:
    """Whether files lie beside a library that only a library with rows leaves behind."""
    return any(
        next((path.parent / folder).rglob(pattern), None) is not None
        for folder, pattern in (
            ("spectrograms", "*.npy"),
            ("audio", "*.*"),
            ("runs", "*.safetensors"),
            ("backups", "*.*"),
        )
    )


def _identity(path: Path) -> int:
    """The inode of a library file; `WorkspaceError` if it is gone."""
    try:
        return path.stat().st_ino
    except FileNotFoundError as error:
        raise WorkspaceError(errno.ENOENT, moved_text(path)) from error


def _connect(path: Path, *, create: bool = False, check_same_thread: bool = True) -> sqlite3.Connection:
    """A connection. Only with `create` to a file that is not there: one that was moved away must not be begun anew."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=check_same_thread,
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
    with closing(_connect(path, create=True)) as connection:
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
        whole(folder / f"{path.stem}-v{version}-{stamp}.db") as partial,
        closing(_connect(path)) as source,
        closing(sqlite3.connect(partial)) as copy,
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
