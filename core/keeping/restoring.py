"""A backup taken in: looked at whole, and taken over whole or not at all.

Nothing of the file is trusted: names are of a fixed form, sizes and packing are bounded, every byte is hashed, and the
library in it must be built as this Genrescope builds one and have no fault. What was there before is backed up first. Then one
rename commits the restore: the unpacked backup becomes `data/.restoring`, with a plan of what goes where. Files are moved, and
the library is replaced last, in one SQLite transaction. An error before that moves everything back; a process killed in between
leaves the plan, which the next start completes: every step can be done again.
"""

import hashlib
import re
import secrets
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from core.database import Database, known_version, now, version_of
from core.errors import GenrescopeError, LibraryDamaged, LibraryError
from core.files import size_in_words, work_folder, write_json
from core.jobs.queue import Queue
from core.keeping.backup import LIBRARY, MANIFEST, PIECE, PLACES, Manifest, back_up, new_path
from core.library.collection import Collection
from core.library.runs import Runs
from core.settings import Settings

MAX_MANIFEST_BYTES = 500_000_000
MAX_PACKING = 200
"""A member that unpacks to more than this times its size is no backup's."""
NOTHING = ("tracks", "playlists", "readings", "runs", "evaluations")
"""A library with no rows in these tables is empty: there is nothing to lose."""
STOPPED = "It was at work when the library was backed up. Start it again to go on."
Progress = Callable[[int, int], None]


def is_empty(database: Database) -> bool:
    """Whether nothing would be lost if the library were replaced."""
    rows = database.row_counts()
    return not any(rows[table] for table in NOTHING)


def look(source: Path | BinaryIO) -> Manifest:
    """What a backup says it holds; nothing is unpacked. `LibraryError` if it is none that can be taken in."""
    with _opened(source) as archive:
        return _manifest(archive)


def restore(
    source: Path | BinaryIO,
    settings: Settings,
    *,
    replace: bool = False,
    check: Callable[[], None] = lambda: None,
    on_progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Make the library what a backup holds. Where it is not empty, only with `replace`; it is then backed up before.

    `on_progress(bytes done, bytes)` follows; `check` may raise to stop, until files are put in place. Returns `rows` (of
    each table), `files` (put in place), `kept` (where the library of before lies, or None), `made` (when the backup was) and
    `not_in_it` (songs whose sound is neither in the backup nor on this computer). `LibraryError`, and nothing changed, if it
    cannot be done.
    """
    complete(settings)
    if settings.restoring.exists():
        raise LibraryError("Another restore is at work in this workspace, or waits for a job. Wait for its end.")
    queue, empty = _standing(settings)
    if not (empty or replace):
        raise LibraryError(
            "The library of this workspace is not empty. Say that it may be replaced (--replace): it is backed up first, so "
            "nothing is lost. Or choose another workspace with --home."
        )
    with _opened(source) as archive:
        manifest = _manifest(archive)
        size = sum(member.size for member in manifest.members.values())
        free = shutil.disk_usage(settings.data).free
        if size + settings.keep_free_bytes > free:
            raise LibraryError(
                f"Unpacked, this backup takes {size_in_words(size)}; {size_in_words(free)} are free, of which "
                f"{size_in_words(settings.keep_free_bytes)} are to be left. Make room first."
            )
        with work_folder(settings.data, ".partial-restore-") as unpacked:
            _unpack(archive, manifest, unpacked, check, on_progress)
            incoming = _looked_into(unpacked / LIBRARY, manifest, settings)
            kept = None
            if queue and not empty:
                kept = new_path(settings, "labels", begins="before-restore")
                try:
                    back_up(Database(settings.database), settings, kept, "labels", check=check)
                except LibraryDamaged:
                    kept = None
            check()
            plan = _plan(unpacked, manifest, incoming, settings, kept)
            if queue:
                _refuse_at_work(queue)
            _commit(unpacked, plan, settings)
            try:
                kept_at, files = _carry_out(plan, settings, undo=True)
            finally:
                settings.restoring.rename(unpacked)  # what is deleted in part must not look like a plan
    here = Database(settings.database)
    lost = sum(1 for sound in Collection(here).sounds() if sound.path and not Path(sound.path).exists())
    return {
        "rows": here.row_counts(),
        "files": files,
        "kept": kept_at,
        "made": manifest.created_at,
        "not_in_it": lost,
    }


def complete(settings: Settings) -> str:
    """Complete a restore that was killed while it changed the workspace. Returns what to tell; '' if there was none.

    Every step of one can be done again. It waits while a job is at work in the library that is to be replaced.
    """
    if not settings.restoring.exists():
        return ""
    with suppress(LibraryDamaged):
        if any(
            job.state == "running" for job in Queue(Database(settings.database), lease_s=settings.lease_s).at_work()
        ):
            return "A restore was cut off. It is completed when the job that is at work has ended."
    try:
        with FileLock(settings.restoring / "lock", timeout=0):
            plan = _Plan.model_validate_json((settings.restoring / PLAN).read_bytes())
            kept, _ = _carry_out(plan, settings)
            over = settings.data / f".partial-restore-{plan.mark}"
            settings.restoring.rename(over)
            shutil.rmtree(over, ignore_errors=True)
    except Timeout:  # it is alive
        return ""
    except FileNotFoundError:
        if not settings.restoring.exists():  # another process completed it meanwhile
            return ""
        raise
    told = f"A restore that was cut off is complete now: the library is that of {plan.made[:16].replace('T', ' ')} UTC."
    return told + (f" The library of before is in {kept}." if kept else "")


def _standing(settings: Settings) -> tuple[Queue | None, bool]:
    """The workspace's queue (None if its library is damaged), in which nothing is at work, and whether it is empty."""
    settings.data.mkdir(parents=True, exist_ok=True)
    try:
        database = Database(settings.database)
        queue = Queue(database, lease_s=settings.lease_s)
        _refuse_at_work(queue)
        return queue, is_empty(database)
    except LibraryDamaged:
        return None, False


def _refuse_at_work(queue: Queue) -> None:
    if jobs := queue.at_work():
        told = f"a job ({jobs[0].kind})" if len(jobs) == 1 else f"{len(jobs)} jobs"
        raise LibraryError(
            f"There {'is' if len(jobs) == 1 else 'are'} {told} at work. Stop what runs, or wait for its end."
        )


# -- looking ---------------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[zipfile.ZipFile]:
    """A zip file; whatever is wrong with it becomes one sentence."""
    try:
        with zipfile.ZipFile(source) as archive:
            yield archive
    except FileNotFoundError as error:
        raise LibraryError(f"There is no file {source}.") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, zlib.error, ValueError) as error:
        raise LibraryError(f"This is no backup of Genrescope, or it is damaged: {error}.") from error
    except GenrescopeError:
        raise
    except OSError as error:
        raise LibraryError(f"The backup cannot be read or unpacked: {error.strerror or error}.") from error


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    """The manifest, once every entry of the archive is of the form that it speaks of."""
    entries = {entry.filename: entry for entry in archive.infolist()}
    if len(entries) != len(archive.infolist()) or not {MANIFEST, LIBRARY} <= set(entries):
        raise LibraryError("This is no backup of Genrescope: it holds no library, or a name twice.")
    for entry in entries.values():
        _refuse_odd(entry)
    if entries[MANIFEST].file_size > MAX_MANIFEST_BYTES:
        raise LibraryError("This is no backup of Genrescope: its list of contents is too long.")
    try:
        manifest = Manifest.model_validate_json(archive.read(MANIFEST))
    except ValidationError as error:
        raise LibraryError(
            f"The list of contents of this backup cannot be understood: {error.errors()[0]['msg']}."
        ) from None
    if set(manifest.members) != set(entries) - {MANIFEST}:
        raise LibraryError("This backup is damaged: it does not hold what its list of contents names.")
    for name, member in manifest.members.items():
        if entries[name].file_size != member.size:
            raise LibraryError(f"This backup is damaged: {name} is not as long as its list of contents says.")
    if manifest.library_version > known_version():
        raise LibraryError(
            f"This backup was made by a newer Genrescope (library version {manifest.library_version}, this one knows "
            f"{known_version()}). Update Genrescope first."
        )
    return manifest


def _refuse_odd(entry: zipfile.ZipInfo) -> None:
    """Raise unless this is a plain file, of a name that a backup has, packed in a usual way."""
    name = entry.filename
    if name not in (MANIFEST, LIBRARY) and not any(form.fullmatch(name) for form in PLACES.values()):
        raise LibraryError(f"This is no backup of Genrescope: {name[:100]!r} does not belong in one.")
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG) or entry.flag_bits & 0x1:
        raise LibraryError(f"{name} in this backup is a link, or is locked with a password.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise LibraryError(f"{name} in this backup is packed in an unusual way.")
    if entry.file_size > MAX_PACKING * entry.compress_size + PIECE:
        raise LibraryError(f"{name} in this backup would unpack to {size_in_words(entry.file_size)}: it is a trap.")


def _unpack(
    archive: zipfile.ZipFile, manifest: Manifest, folder: Path, check: Callable[[], None], on_progress: Progress
) -> None:
    """Write every member into `folder`, and compare its hash."""
    total, done = sum(member.size for member in manifest.members.values()), 0
    for name, member in manifest.members.items():
        check()
        on_progress(done, total)
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with archive.open(name) as packed, target.open("xb") as out:  # never longer than the directory says
            while piece := packed.read(PIECE):
                check()
                digest.update(piece)
                out.write(piece)
        if digest.hexdigest() != member.sha256:
            raise LibraryError(f"This backup is damaged: {name} is not what it was when the backup was made.")
        done += member.size
    on_progress(total, total)


def _looked_into(path: Path, manifest: Manifest, settings: Settings) -> Database:
    """The library of a backup: brought up to date, found without fault, and at rest."""
    if version_of(path) != manifest.library_version:
        raise LibraryError("This backup is damaged: its library is of another version than its list of contents says.")
    incoming = Database(path)
    if manifest.library_version == known_version() and incoming.row_counts() != manifest.rows:
        raise LibraryError("This backup is damaged: its library does not hold what its list of contents says.")
    with tempfile.TemporaryDirectory() as place:
        ours = Database(Path(place, LIBRARY)).build()
    if incoming.build() != ours:
        raise LibraryError("The library in this backup is not built as Genrescope builds one, so it is not taken in.")
    incoming.refuse_damaged()
    Queue(incoming, lease_s=settings.lease_s).stop_all(STOPPED)
    Runs(incoming).stop_all(STOPPED)
    return incoming


# -- taking over -----------------------------------------------------------------------------------------------------------


class _Plan(BaseModel):
    """What is left to do when a backup is unpacked and found good; paths are relative to the workspace."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mark: int
    """The number in the header of the library that is put in place."""
    made: str
    kept: str | None
    aside: dict[str, str]
    """Folders to move away, and where to."""
    put: dict[str, str]
    """Files and folders, relative to the unpacked backup, and where they belong."""


PLAN = "plan.json"


def _plan(unpacked: Path, manifest: Manifest, incoming: Database, settings: Settings, kept: Path | None) -> _Plan:
    """Decide what to move, and bring the library of the backup into its last form."""
    roots = {place: settings.data / place for place in PLACES} | {"models": settings.models}
    models = dict.fromkeys("/".join(name.split("/")[:2]) for name in manifest.members if name.startswith("models/"))
    put = {}
    for name in (*models, *manifest.members):  # a model is put in place whole
        place, _, rest = name.partition("/")
        if name != LIBRARY and (place != "models" or name in models):
            put[name] = _inside(roots[place] / rest, settings)
    sounds = {
        Path(name).stem: str(roots["audio"] / name.partition("/")[2])
        for name in manifest.members
        if name.startswith("audio/")
    }
    Collection(incoming).moved(sounds, [])
    mark = secrets.randbelow(2**31 - 1) + 1
    incoming.mark(mark)
    aside = {_inside(here, settings): _inside(there, settings) for here, there in _aside(unpacked, settings)}
    return _Plan(mark=mark, made=manifest.created_at, kept=str(kept) if kept else None, aside=aside, put=put)


def _inside(path: Path, settings: Settings) -> str:
    return path.relative_to(settings.home).as_posix()


def _commit(unpacked: Path, plan: _Plan, settings: Settings) -> None:
    """From this rename on the restore is completed, by the next start if need be."""
    write_json(unpacked / PLAN, plan.model_dump())
    unpacked.rename(settings.restoring)


def _carry_out(plan: _Plan, settings: Settings, *, undo: bool = False) -> tuple[str | None, int]:
    """Do what is left of a plan; with `undo`, take it back after an error. Returns where the old library is, and moved files."""
    done: list[tuple[Path, Path]] = []
    put = 0
    try:
        for here, there in plan.aside.items():
            _move(settings.home / here, settings.home / there, done)
        for name, place in plan.put.items():  # what exists is named by its content, or is the same model
            put += _move(settings.restoring / name, settings.home / place, done)
        damaged = _become(settings.restoring / LIBRARY, plan.mark, settings)
    except BaseException:
        if undo and not _is_marked(settings.database, plan.mark):
            for was, at in reversed(done):
                with suppress(OSError):
                    at.rename(was)
        raise
    return damaged or plan.kept, put


def _move(here: Path, there: Path, done: list[tuple[Path, Path]]) -> bool:
    """Rename, unless that was done before or something is there."""
    if there.exists() or not here.exists():
        return False
    there.parent.mkdir(parents=True, exist_ok=True)
    here.rename(there)
    done.append((here, there))
    return True


def _become(incoming: Path, mark: int, settings: Settings) -> str | None:
    """Make the library what `incoming` is, in one transaction; a damaged one is moved aside: then returns where it is."""
    if _is_marked(settings.database, mark):
        return None
    try:
        Database(settings.database).take_over(Database(incoming))
        return None
    except LibraryDamaged:
        stamp = re.sub(r"\D", "", now())[:17]
        aside = settings.data / "backups" / f"library-damaged-{stamp}.db"
        aside.parent.mkdir(exist_ok=True)
        for ending in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                Path(f"{settings.database}{ending}").rename(f"{aside}{ending}")
        incoming.rename(settings.database)
        return str(aside)


def _is_marked(path: Path, mark: int) -> bool:
    """Whether a library is the one with this mark."""
    try:
        return path.exists() and Database(path).marked() == mark
    except LibraryError:
        return False


def _aside(unpacked: Path, settings: Settings) -> list[tuple[Path, Path]]:
    """What goes to the bin, and where: models of a name that another one in the backup has, and checkpoints of other runs."""
    stamp = now().replace(":", "").replace("+", "_")
    aside: list[tuple[Path, Path]] = []
    for folder in sorted((unpacked / "models").glob("*")):
        here = settings.models / folder.name
        if here.exists() and _hashes(here) != _hashes(folder):
            aside.append((here, settings.data / "bin" / "models" / stamp / folder.name))
    aside += [
        (here, settings.data / "bin" / "checkpoints" / stamp / here.name)
        for here in (sorted(settings.runs.iterdir()) if settings.runs.is_dir() else ())
    ]
    return aside


def _hashes(folder: Path) -> dict[str, str]:
    """The files of a model and what is in them."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir()) if path.is_file()
    }
