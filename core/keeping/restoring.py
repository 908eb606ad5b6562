"""A backup taken in: looked at whole, and taken over whole or not at all.

Nothing of the file is trusted: names are of a fixed form, sizes and packing are bounded, every byte is hashed, and the
library in it must be built as this Genrescope builds one and have no fault. Only then are files put in their places, and the
library is replaced last, in one great write of SQLite's: who has it open sees it change, and if anything fails before, what
was put in place is taken away again. What was there before is first backed up itself.
"""

import hashlib
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from core.database import Database, known_version, now, version_of
from core.errors import LibraryError
from core.files import size_in_words
from core.jobs.queue import Queue
from core.keeping.backup import LIBRARY, MANIFEST, PIECE, PLACES, Manifest, back_up, new_path
from core.library.collection import Collection
from core.library.runs import Runs
from core.settings import Settings

MAX_MANIFEST_BYTES = 500_000_000
MAX_PACKING = 200
"""A member that unpacks to more than this times its size is no backup's."""
LEFT_S = 3600.0
"""What a killed restore has unpacked is removed by the next one after this long."""
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
    database = Database(settings.database)
    queue = Queue(database, lease_s=settings.lease_s)
    _refuse_at_work(queue)
    for left in settings.data.glob(".partial-restore-*"):  # of one that was killed
        if not left.is_symlink() and time.time() - left.stat().st_mtime > LEFT_S:
            shutil.rmtree(left, ignore_errors=True)
    empty = is_empty(database)
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
        with tempfile.TemporaryDirectory(prefix=".partial-restore-", dir=settings.data) as place:
            unpacked = Path(place)
            _unpack(archive, manifest, unpacked, check, on_progress)
            incoming = _looked_into(unpacked / LIBRARY, manifest, settings)
            kept = None
            if not empty:
                kept = new_path(settings, "labels", begins="before-restore")
                back_up(database, settings, kept, "labels", check=check)
            check()
            files = _put_in_place(unpacked, manifest, database, incoming, queue, settings)
    here = Database(settings.database)
    lost = sum(1 for sound in Collection(here).sounds() if sound.path and not Path(sound.path).exists())
    return {
        "rows": here.row_counts(),
        "files": files,
        "kept": str(kept) if kept else None,
        "made": manifest.created_at,
        "not_in_it": lost,
    }


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


def _put_in_place(
    unpacked: Path, manifest: Manifest, database: Database, incoming: Database, queue: Queue, settings: Settings
) -> int:
    """Move files to where they belong, then become the library of the backup; all of it, or none. Returns how many files."""
    undo: list[Callable[[], object]] = []
    roots = {place: settings.data / place for place in PLACES} | {"models": settings.models}
    try:
        _make_room(unpacked, settings, undo)
        put = 0
        models = dict.fromkeys("/".join(name.split("/")[:2]) for name in manifest.members if name.startswith("models/"))
        for name in (*models, *manifest.members):  # a model is put in place whole
            place, _, rest = name.partition("/")
            if name == LIBRARY or (place == "models" and name not in models):
                continue
            target = roots[place] / rest
            if target.exists():  # named by what is in it, or a model that is the same
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            (unpacked / name).rename(target)
            undo.append(partial(shutil.rmtree, target) if place == "models" else target.unlink)
            put += 1
        sounds = {
            Path(name).stem: str(roots["audio"] / name.partition("/")[2])
            for name in manifest.members
            if name.startswith("audio/")
        }
        Collection(incoming).moved(sounds, [])
        _refuse_at_work(queue)
        database.take_over(incoming)
    except BaseException:
        for step in reversed(undo):
            with suppress(OSError):
                step()
        raise
    return put


def _make_room(unpacked: Path, settings: Settings, undo: list[Callable[[], object]]) -> None:
    """Put into the bin what has a name that something else in the backup has: other models, checkpoints of other runs."""
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
    for here, there in aside:
        there.parent.mkdir(parents=True, exist_ok=True)
        here.rename(there)
        undo.append(partial(there.rename, here))


def _hashes(folder: Path) -> dict[str, str]:
    """The files of a model and what is in them."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir()) if path.is_file()
    }
