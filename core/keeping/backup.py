"""The library as one file: a zip with a manifest that vouches for every byte of it. Made while jobs run.

What it holds: the library at one moment (SQLite's own copy), the workspace's models, and checkpoints of trainings that have
not ended; if asked for, also spectrograms, or those and the songs that lie in the workspace. Never: secrets, `.env`, logs,
answers of services. How one is taken in is in `restoring`.
"""

import hashlib
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.database import Database, known_version, now
from core.errors import GenrescopeError, LibraryError
from core.files import publish, size_in_words, work_folder
from core.learning.model import CARD, GRAPH, NAME, WEIGHTS
from core.library.collection import Collection
from core.library.runs import Runs
from core.library.store import Library
from core.settings import Settings

MANIFEST, LIBRARY = "manifest.json", "library.db"
Holds = Literal["labels", "spectrograms", "everything"]
HOLDS: dict[Holds, str] = {
    "labels": "playlists, labels, trainings and models",
    "spectrograms": "the same, and spectrograms",
    "everything": "the same, and the songs that lie in the workspace",
}
"""How much a backup holds."""
PLACES = {
    "models": re.compile(rf"models/{NAME.pattern}/({re.escape(CARD)}|{re.escape(GRAPH)}|{re.escape(WEIGHTS)})"),
    "runs": re.compile(r"runs/[1-9]\d{0,17}/(last|best)\.safetensors"),
    "spectrograms": re.compile(r"spectrograms/[0-9a-f]{16}/([0-9a-f]{2})/\1[0-9a-f]{62}\.npy"),
    "audio": re.compile(r"audio/([0-9a-f]{2})/\1[0-9a-f]{62}(\.[a-z0-9]{1,5})?"),
}
"""What a member besides the library and the manifest may be called, by where it belongs."""
PIECE = 1 << 20
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


class Member(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What a backup holds; `rows` counts the rows of each table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    library_version: Annotated[int, Field(ge=1)]
    created_at: Annotated[str, Field(max_length=40)]
    holds: Holds
    rows: dict[str, int]
    members: dict[str, Member]
    left_out: Annotated[int, Field(ge=0)] = 0
    """Files that were to go along and were not there."""


@dataclass(frozen=True)
class Source:
    """A file to go along, and its name in the backup."""

    path: Path
    name: str


def new_path(settings: Settings, holds: Holds, *, begins: str = "genrescope") -> Path:
    """A file name that no backup in the workspace has, for one that is made now."""
    stamp = re.sub(r"\D", "", now())[:14]
    name = f"{begins}-{stamp[:8]}-{stamp[8:]}-{holds}"
    numbered = (settings.data / "backups" / f"{name}{f'-{n}' if n > 1 else ''}.zip" for n in count(1))
    return next(path for path in numbered if not path.exists())


def kept(settings: Settings) -> list[Path]:
    """Backups that lie in the workspace, the latest first."""
    found = [path for path in (settings.data / "backups").glob("*.zip") if not path.name.startswith(".")]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def back_up(
    database: Database,
    settings: Settings,
    target: Path,
    holds: Holds,
    *,
    replace: bool = False,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Manifest:
    """Write a backup to `target`, whole or not at all. `on_progress(bytes done, bytes)` follows; `check` may raise to stop.

    `LibraryError` if `target` exists, unless it is to be replaced.
    """
    try:
        if target.exists() and not replace:
            raise FileExistsError(target)
        with work_folder(target.parent, ".partial-backup-") as place:
            copy, partial = place / LIBRARY, place / "backup.zip"
            database.copy_to(copy)
            frozen = Database(copy)
            rows = frozen.row_counts()
            sources = [Source(copy, LIBRARY), *_sources(frozen, settings, holds)]
            total, done = sum(map(_size, sources)), 0
            members: dict[str, Member] = {}
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                for source in sources:
                    check()
                    on_progress(done, total)
                    with suppress(FileNotFoundError):  # ended or removed since: told as left out
                        members[source.name] = _add(archive, source, check)
                        done += members[source.name].size
                manifest = Manifest(
                    library_version=known_version(),
                    created_at=now(),
                    holds=holds,
                    rows=rows,
                    members=members,
                    left_out=len(sources) - len(members),
                )
                archive.writestr(_entry(MANIFEST, zipfile.ZIP_DEFLATED), manifest.model_dump_json())
            publish(partial, target, replace=replace)
            on_progress(total, total)
    except FileExistsError as error:
        raise LibraryError(f"There is a file {target} already. Choose another name.") from error
    except GenrescopeError:
        raise
    except OSError as error:
        raise LibraryError(f"The backup {target} cannot be written: {error.strerror or error}.") from error
    return manifest


def sizes(database: Database, settings: Settings) -> dict[Holds, int]:
    """Bytes that each kind of backup would take, about; looks at every file."""
    every: tuple[Holds, ...] = ("labels", "spectrograms", "everything")
    library = settings.database.stat().st_size if settings.database.exists() else 0
    return {holds: library + sum(map(_size, _sources(database, settings, holds))) for holds in every}


def in_words(manifest: Manifest) -> str:
    """What a backup holds, in a sentence."""
    count, places = manifest.rows, [name.split("/")[0] for name in manifest.members]
    models = len({name.split("/")[1] for name in manifest.members if name.startswith("models/")})
    told = [f"{count.get('tracks', 0):,} tracks", f"{count.get('playlists', 0):,} playlists"]
    told += [f"{count.get('runs', 0):,} trainings", f"{models:,} models"]
    told += [
        f"{places.count(place):,} {word}"
        for place, word in (("spectrograms", "spectrograms"), ("audio", "songs"))
        if place in places
    ]
    size = size_in_words(sum(member.size for member in manifest.members.values()))
    return f"{', '.join(told[:-1])} and {told[-1]}; {size}, made {manifest.created_at[:16].replace('T', ' ')} UTC"


def _sources(database: Database, settings: Settings, holds: Holds) -> Iterator[Source]:
    """Files that go along with the library."""
    yield from _models(settings)
    unfinished = [name for name, state in Runs(database).states().items() if state != "finished"]
    for run in map(Runs(database).get, unfinished):
        for name in ("last", "best"):
            path = settings.runs / str(run.id) / f"{name}.safetensors"
            if path.is_file():
                yield Source(path, f"runs/{run.id}/{path.name}")
    if holds == "labels":
        return
    known = Library(database).known_files()[1]
    for folder in sorted(settings.spectrograms.iterdir()) if settings.spectrograms.is_dir() else ():
        if re.fullmatch("[0-9a-f]{16}", folder.name):
            for sha256 in known:
                path = folder / sha256[:2] / f"{sha256}.npy"
                if path.is_file():
                    yield Source(path, f"spectrograms/{folder.name}/{sha256[:2]}/{path.name}")
    if holds == "everything":
        for sound in Collection(database).sounds():
            ending, sha256 = Path(sound.path).suffix.lower(), sound.sha256
            name = f"audio/{sha256[:2]}/{sha256}{ending if re.fullmatch(r'[.][a-z0-9]{1,5}', ending) else ''}"
            if sound.path and Path(sound.path).is_relative_to(settings.audio):
                yield Source(Path(sound.path), name)


def _models(settings: Settings) -> Iterator[Source]:
    for folder in sorted(settings.models.iterdir()) if settings.models.is_dir() else ():
        if NAME.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            for name in (CARD, GRAPH, WEIGHTS):
                if (folder / name).is_file():
                    yield Source(folder / name, f"models/{folder.name}/{name}")


def _size(source: Source) -> int:
    with suppress(OSError):
        return source.path.stat().st_size
    return 0


def _entry(name: str, packed: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.create_system, entry.external_attr, entry.compress_type = 3, (stat.S_IFREG | 0o644) << 16, packed
    return entry


def _add(archive: zipfile.ZipFile, source: Source, check: Callable[[], None]) -> Member:
    """Put a file into the archive, piece by piece; sound and weights cannot be packed smaller, so only the library is."""
    entry = _entry(source.name, zipfile.ZIP_DEFLATED if source.name == LIBRARY else zipfile.ZIP_STORED)
    digest, size = hashlib.sha256(), 0
    with source.path.open("rb") as stream:
        entry.file_size = source.path.stat().st_size
        with archive.open(entry, "w") as out:
            while piece := stream.read(PIECE):
                check()
                digest.update(piece)
                size += len(piece)
                out.write(piece)
    return Member(size=size, sha256=digest.hexdigest())
