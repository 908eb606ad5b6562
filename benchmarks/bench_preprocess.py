"""Preprocessing a folder with two processes, against one. Real songs where they are; made-up ones elsewhere."""

import tempfile
from pathlib import Path

from benchmarks.timing import compare
from core.database import Database
from core.library.importing import import_folder
from core.library.preprocessing import preprocess
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.sounds import write_library


def measure(songs: Path) -> list[tuple[str, str, str, float]]:
    with tempfile.TemporaryDirectory() as scratch:
        if not songs.is_dir():
            songs = write_library(Path(scratch) / "songs", songs=20, seconds=60)
        chosen = Path(scratch) / "chosen"
        for number, path in enumerate(sorted(songs.rglob("*.*"))):
            if number % 8 == 0 and path.suffix in {".mp3", ".m4a", ".webm", ".flac"}:
                (chosen / path.parent.name).mkdir(parents=True, exist_ok=True)
                (chosen / path.parent.name / path.name).symlink_to(path)
        rounds = iter(range(1000))
        audio_s = 0.0

        def make(processes: int) -> None:
            nonlocal audio_s
            settings = Settings(home=Path(scratch) / f"home{next(rounds)}", processes=processes)
            library = Library(Database(settings.database))
            import_folder(library, settings, chosen, genre_from="folder")
            preprocess(library, settings, SpectrogramRecipe(), job_id=1)
            audio_s = library.spectrograms_of_job(1)[1]

        two_s, one_s, ratio = compare(lambda: make(2), lambda: make(1), repeats=3)
    return [
        (
            f"import and preprocess {audio_s / 60:.0f} minutes of songs, 2 processes",
            f"{two_s:.1f} s ({audio_s / two_s:.0f} s of audio a second)",
            f"1 process {one_s:.1f} s",
            ratio,
        )
    ]
