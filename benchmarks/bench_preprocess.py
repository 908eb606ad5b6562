"""Preprocessing a folder with two processes, against one. Real songs where they are; made-up ones elsewhere."""

import tempfile
from pathlib import Path

from benchmarks.timing import Row, at_least, compare
from core.database import Database
from core.library.importing import import_folder
from core.library.preprocessing import preprocess
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.sounds import write_library

NUMBER = 3
EVERY = 2
"""Of the real songs, one in so many is taken."""


def measure(songs: Path) -> list[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen(Path(scratch), songs, every=EVERY)
        rounds = Rounds(Path(scratch), folder)
        two_s, one_s, ratio = compare(lambda: rounds.make(processes=2), lambda: rounds.make(processes=1))
    claim = f"preprocessing {rounds.audio_s / 60:.0f} minutes of songs, 2 processes, times as quick as one"
    told = f"{two_s:.1f} s ({rounds.audio_s / two_s:.0f} s of audio a second)"
    return [Row(NUMBER, claim, told, f"1 process {one_s:.1f} s", *at_least(1 / ratio, 1.7))]


def chosen(scratch: Path, songs: Path, *, every: int) -> Path:
    """A folder of links to some of the real songs, or of made-up ones."""
    if not songs.is_dir():
        return write_library(scratch / "songs", songs=20, seconds=60)
    folder = scratch / "chosen"
    for path in [path for path in sorted(songs.rglob("*")) if path.suffix in (".mp3", ".m4a", ".webm", ".flac")][
        ::every
    ]:
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        (folder / path.parent.name / path.name).symlink_to(path)
    return folder


class Rounds:
    """Makes the spectrograms of a folder, in a new workspace each time; only that is timed, and not the import."""

    def __init__(self, scratch: Path, folder: Path) -> None:
        self._scratch, self._folder = scratch, folder
        self._ready = Settings(home=scratch / "imported")
        import_folder(Library(Database(self._ready.database)), self._ready, folder, genre_from="folder")
        self._done = 0
        self.audio_s = 0.0

    def make(self, **settings: object) -> Path:
        """Once, with these settings; the workspace that was made."""
        self._done += 1
        told = Settings(home=self._scratch / f"home-{self._done}", **settings)  # type: ignore[arg-type]
        told.database.parent.mkdir(parents=True)
        told.database.write_bytes(self._ready.database.read_bytes())
        library = Library(Database(told.database))
        preprocess(library, told, SpectrogramRecipe(), job_id=1)
        _, self.audio_s, failed = library.spectrograms_of_job(1)
        if failed:
            raise RuntimeError(f"{len(failed)} songs have no spectrogram: {failed[0]['reason']}")
        return told.spectrograms
