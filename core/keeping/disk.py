"""What of the workspace takes how much disk, and what of it may go.

Only files of the workspace are looked at, and removed: no symbolic link is followed, neither a file nor a folder. What may go
is what nothing needs: not the library, not an edit that could be undone, not a training that could go on. Nothing is removed
while a job waits or is at work.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.database import Database
from core.errors import LibraryError
from core.jobs.queue import Queue
from core.library import edits
from core.library.collection import Collection
from core.library.evaluations import Evaluations
from core.library.runs import Runs
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from core.settings import Settings

YOUNG_S, YOUNG_SOUND_S = 3600.0, 86_400.0
"""Younger files may be somebody's at work; sound that was turned down is kept for a day, so that undoing costs no fetch."""


@dataclass(frozen=True)
class Found:
    """A file as it was found."""

    path: Path
    size_bytes: int
    mtime: float


@dataclass(frozen=True)
class Use:
    """How much one kind of file takes (`size_bytes`, `files`), and how much of it may go (`free_bytes`, `free_files`)."""

    kind: str
    title: str
    explained: str
    what_may_go: str
    size_bytes: int
    files: int
    free_bytes: int
    free_files: int
    linked: bool = False
    """Its folder is a link to elsewhere: not looked at, and left alone."""


@dataclass(frozen=True)
class _Kind:
    title: str
    explained: str
    what_may_go: str
    folder: Callable[[Settings], Path]
    may_go: Callable[[list[Found], "_Needs"], Iterable[Found]]


class _Needs:
    """What is needed, asked of the library once."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database, self.settings, self.at = database, settings, time.time()

    def old(self, found: Iterable[Found], seconds: float) -> Iterator[Found]:
        """Those that nobody can be writing now."""
        return (one for one in found if self.at - one.mtime > seconds)


def measure(database: Database, settings: Settings) -> list[Use]:
    """Every kind of file, the largest first; looks at all files once."""
    needs = _Needs(database, settings)
    uses = []
    for name, kind in KINDS.items():
        files = list(_files(kind.folder(settings), name))
        free = list(kind.may_go(files, needs))
        uses.append(
            Use(
                name, kind.title, kind.explained, kind.what_may_go,
                sum(one.size_bytes for one in files), len(files), sum(one.size_bytes for one in free), len(free),
                kind.folder(settings).is_symlink(),
            )
        )  # fmt: skip
    return sorted(uses, key=lambda use: -use.size_bytes)


def clean(database: Database, settings: Settings, kind: str) -> tuple[int, int]:
    """Remove what may go of a kind: (bytes, files) that went. `LibraryError` while a job is at work."""
    if kind not in KINDS:
        raise LibraryError(f"There is nothing to clean up that is called {kind!r}. There is: {', '.join(KINDS)}.")
    if Queue(database, lease_s=settings.lease_s).at_work():
        raise LibraryError("A job waits or is at work. Stop it, or wait for its end, then clean up.")
    root = KINDS[kind].folder(settings)
    freed = gone = 0
    for one in list(KINDS[kind].may_go(list(_files(root, kind)), _Needs(database, settings))):
        with suppress(FileNotFoundError):
            one.path.unlink()
            freed, gone = freed + one.size_bytes, gone + 1
    if kind != "library":
        _remove_empty(root)
    return freed, gone


def _files(root: Path, kind: str) -> Iterator[Found]:
    """Plain files below a folder; links are passed over. Of the library, only its own files."""
    if root.is_symlink() or not root.is_dir():
        return
    if kind == "library":
        yield from (one for one in _in(root, deep=False) if one.path.name.startswith("library.db"))
    else:
        yield from _in(root, deep=True)


def _in(folder: Path, *, deep: bool) -> Iterator[Found]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return  # gone since, or not ours to read
    for entry in entries:
        with suppress(OSError):
            if entry.is_file(follow_symlinks=False):
                told = entry.stat(follow_symlinks=False)
                yield Found(Path(entry.path), told.st_size, told.st_mtime)
            elif deep and entry.is_dir(follow_symlinks=False):
                yield from _in(Path(entry.path), deep=True)


def _remove_empty(root: Path) -> None:
    """Folders in which nothing is left."""
    if root.is_symlink():
        return
    for folder, _, _ in os.walk(root, topdown=False, followlinks=False):
        if Path(folder) != root and not Path(folder).is_symlink():
            with suppress(OSError):  # not empty
                Path(folder).rmdir()


# -- what may go -----------------------------------------------------------------------------------------------------------


def _nothing(files: list[Found], needs: _Needs) -> Iterable[Found]:
    return ()


def _everything(files: list[Found], needs: _Needs) -> Iterable[Found]:
    return files


def _sounds(files: list[Found], needs: _Needs) -> Iterable[Found]:
    """Sound of no track, nor of one that undoing an edit would bring back."""
    needed = Collection(needs.database).needed() | edits.sounds_to_come_back(needs.database)
    kept_names = {Path(path).name for path in needed}  # wherever the workspace lay before
    return (one for one in needs.old(files, YOUNG_SOUND_S) if one.path.name not in kept_names)


def _spectrograms(files: list[Found], needs: _Needs) -> Iterable[Found]:
    """Those of songs that the library does not know, and of recipes that neither the app nor an unfinished training uses."""
    known = set(Library(needs.database).known_files()[1]) | edits.recordings_to_come_back(needs.database)
    runs = Runs(needs.database)
    unfinished = [runs.get(name) for name, state in runs.states().items() if state != "finished"]
    recipes = {SpectrogramRecipe().fingerprint}
    recipes |= {SpectrogramRecipe(**run.plan["spectrogram"]).fingerprint for run in unfinished if run.plan}
    root = needs.settings.spectrograms
    return (
        one
        for one in needs.old(files, YOUNG_S)
        if one.path.stem not in known or one.path.relative_to(root).parts[0] not in recipes
    )


def _checkpoints(files: list[Found], needs: _Needs) -> Iterable[Found]:
    """Those of trainings and cross-validations that have finished, or are gone."""
    runs = Runs(needs.database)
    unfinished = {str(runs.get(name).id) for name, state in runs.states().items() if state != "finished"}
    evaluations = Evaluations(needs.database)

    def needed(folder: str) -> bool:
        if number := re.fullmatch(r"cv-(\d+)", folder):
            with suppress(LibraryError):
                return evaluations.get(int(number[1])).report is None
            return False
        return folder in unfinished

    root = needs.settings.runs
    wanted = {folder: needed(folder) for folder in {one.path.relative_to(root).parts[0] for one in files}}
    return (one for one in needs.old(files, YOUNG_S) if not wanted[one.path.relative_to(root).parts[0]])


def _answers(files: list[Found], needs: _Needs) -> Iterable[Found]:
    """All but the pauses that services ask for, and how often each was asked: those are kept to."""
    return (one for one in files if not one.path.name.endswith(".pause.json") and ".pace.sqlite" not in one.path.name)


def _backups(files: list[Found], needs: _Needs) -> Iterable[Found]:
    """All but the newest of each kind: names of a kind differ in their digits."""

    def kind(one: Found) -> str:
        return re.sub(r"\d+", "", one.path.name)

    newest: dict[str, float] = {}
    for one in files:
        newest[kind(one)] = max(one.mtime, newest.get(kind(one), 0.0))
    return (one for one in files if one.mtime < newest[kind(one)])


KINDS = {
    "songs": _Kind(
        "Songs", "Songs that were collected, and copies of imported ones.",
        "sound of no track, older than a day", lambda settings: settings.audio, _sounds,
    ),
    "spectrograms": _Kind(
        "Spectrograms", "What networks learn from; can be made again from the songs.",
        "those of songs that are not in the library, and of old settings", lambda settings: settings.spectrograms, _spectrograms,
    ),
    "checkpoints": _Kind(
        "Checkpoints", "Where trainings that have not finished go on from.",
        "those of trainings that have finished or are gone", lambda settings: settings.runs, _checkpoints,
    ),
    "models": _Kind(
        "Models", "Finished networks. They are deleted on the Predict page.", "", lambda settings: settings.models, _nothing,
    ),
    "answers": _Kind(
        "Answers of services", "Kept so as not to ask twice.",
        "all; they are asked for again when needed", lambda settings: settings.answers, _answers,
    ),
    "logs": _Kind("Logs", "What workers wrote.", "all", lambda settings: settings.logs, _everything),
    "library": _Kind(
        "Library", "Tracks, labels, playlists, trainings, jobs: the database.", "", lambda settings: settings.data, _nothing,
    ),
    "backups": _Kind(
        "Backups", "Backups made here, and the database before each update.",
        "all but the newest of each kind", lambda settings: settings.data / "backups", _backups,
    ),
    "bin": _Kind(
        "Bin", "Deleted models and trainings, to be brought back.",
        "all; they cannot be brought back then", lambda settings: settings.data / "bin", _everything,
    ),
}  # fmt: skip
"""Every kind of file in a workspace."""
