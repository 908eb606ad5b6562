"""Files that commands read and write.

A command opens no path by itself: what it reads goes through `source`, what it writes through `target`. So no command
waits for a pipe or a device, and none replaces a file unasked, nor one of the workspace's own or of its inputs at all.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from core.database import Database
from core.errors import GenrescopeError
from core.files import whole
from core.library.store import Library
from core.settings import PROJECT, Settings

Force = Annotated[bool, typer.Option("--force", help="Replace a file that exists.")]


def source(path: Path) -> Path:
    """The absolute path of a file to read. `GenrescopeError` unless it is a regular file that exists."""
    with _named(path, "read"):
        found = path.expanduser().absolute()
        mode = found.stat().st_mode
    if not stat.S_ISREG(mode):
        raise GenrescopeError(f"{path} cannot be read: it is {_kind(mode)}, not a file.")
    return found


def folder(path: Path) -> Path:
    """The resolved path of a folder to read. `GenrescopeError` unless it exists."""
    with _named(path, "read"):
        found = path.expanduser().resolve()
        is_folder = found.is_dir()
    if not is_folder:
        raise GenrescopeError(f"{path} is not a folder on this computer.")
    return found


@dataclass(frozen=True)
class Target:
    """A file that may be written: its resolved `path`, and whether what exists there may be replaced."""

    path: Path
    replace: bool

    def write(self, content: str | bytes) -> None:
        """Write the file, whole or not at all."""
        with self.published() as partial:
            partial.write_bytes(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)

    @contextmanager
    def published(self) -> Iterator[Path]:
        """Yield a temporary file that is renamed to `path` at the end. `GenrescopeError` if that cannot be."""
        try:
            with whole(self.path, replace=self.replace) as partial:
                yield partial
        except FileExistsError as error:
            raise GenrescopeError(_exists(self.path)) from error
        except GenrescopeError:
            raise
        except OSError as error:
            raise GenrescopeError(f"{self.path} cannot be written: {error.strerror or error}.") from error


def target(path: Path, settings: Settings, *, force: bool, inputs: Iterable[Path] = ()) -> Target:
    """A file for a command to write; call it before the work begins.

    Parameters
    ----------
    path : Path
        As it was given.
    settings : Settings
        Its workspace's files are never replaced or added to, `backups` apart, which may get new zip files.
    force : bool
        Whether another file that exists may be replaced.
    inputs : iterable of Path
        Files and folders that the command reads: never replaced or written into.

    Raises
    ------
    GenrescopeError
        If the file may not be written, with the reason. Links and other spellings of a path change nothing.

    """
    with _named(path, "written"):
        found = path.expanduser().resolve()
        there = _stat(found)
    if there is not None and not stat.S_ISREG(there.st_mode):
        raise GenrescopeError(f"{path} cannot be written: it is {_kind(there.st_mode)}. Name a file to write.")
    if (own := _own(found, settings)) and not _is_new_backup(found, there, settings):
        raise GenrescopeError(f"{path} belongs to Genrescope's own files ({own}). Choose another file to write.")
    inputs = [one.expanduser() for one in inputs]
    for one in inputs:
        if _is_or_is_in(found, one):
            raise GenrescopeError(f"{path} is what this command reads ({one}). Choose another file to write.")
    if there is None:
        return Target(found, replace=False)
    if not force:
        raise GenrescopeError(_exists(path))
    if there.st_nlink > 1 and any(_same(there, file) for file in _files_of(settings, inputs)):
        raise GenrescopeError(
            f"{path} is another name of a file of the workspace, or of one that this command reads. Choose another file to write."
        )
    if settings.database.exists() and any(_same(there, song) for song in _songs(settings)):
        raise GenrescopeError(f"{path} is a song of the library. Choose another file to write.")
    return Target(found, replace=True)


def _kind(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"


def _exists(path: Path) -> str:
    return f"{path} exists already. Choose another name, or replace it with --force."


@contextmanager
def _named(path: Path, what: str) -> Iterator[None]:
    """What the system says against a path, in a sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise GenrescopeError(f"{path} cannot be {what}: it does not exist.") from error
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a link to itself, or nobody's home
        raise GenrescopeError(
            f"{path} cannot be {what}: {getattr(error, 'strerror', None) or str(error).rstrip('.')}."
        ) from error


def _stat(path: Path) -> os.stat_result | None:
    """What is at a path; None for nothing."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _same(there: os.stat_result, path: Path) -> bool:
    with suppress(OSError):
        return os.path.samestat(there, path.stat())
    return False


def _is_or_is_in(path: Path, place: Path) -> bool:
    """Whether a resolved path is a file or folder, or in that folder, under whatever name."""
    with suppress(OSError, RuntimeError):
        at = place.expanduser().resolve()
        if path == at or at in path.parents:
            return True
        told = at.stat()
        return any(_same(told, one) for one in (path, *path.parents))
    return False


def _own(path: Path, settings: Settings) -> str:
    """Which part of the workspace a resolved path belongs to; '' for none."""
    places = [settings.data, *settings.model_folders, PROJECT / ".env", PROJECT / ".streamlit" / "secrets.toml"]
    return next((str(place) for place in places if _is_or_is_in(path, place)), "")


def _is_new_backup(path: Path, there: os.stat_result | None, settings: Settings) -> bool:
    return there is None and path.suffix == ".zip" and path.parent == (settings.data / "backups").resolve()


def _files_of(settings: Settings, inputs: Iterable[Path]) -> Iterator[Path]:
    """Every file of the workspace, and those a command reads, for a file that has several names."""
    for place in (settings.data, *settings.model_folders, *inputs):
        if place.is_dir():
            for where, _, names in os.walk(place):
                yield from (Path(where, name) for name in names)
        else:
            yield place


def _songs(settings: Settings) -> Iterator[Path]:
    """Songs of the library, wherever they are."""
    yield from (Path(path) for path in Library(Database(settings.database)).known_files()[0])
