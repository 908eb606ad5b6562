"""Files of the workspace that are not where they were: found again by what is in them, or noted as gone. And what may go."""

import contextlib
import time
from pathlib import Path

from core.audio.store import SpectrogramStore
from core.errors import LibraryError
from core.files import sha256_of
from core.library.collection import Collection
from core.recipes import SpectrogramRecipe
from core.settings import Settings

TURNED_DOWN_S = 86_400.0
"""Sound that a person has turned down is kept for a day after it was fetched, so that undoing costs no second fetch."""


def look_after_files(collection: Collection, settings: Settings, recipe: SpectrogramRecipe) -> None:
    """Find files that were moved within the workspace's folder of songs again, by their hash; note those that are gone.

    Sound that was deleted after its spectrogram was made is gone only if that is gone, too. `LibraryError` if the whole
    folder is not there: that is a disk not plugged in, and no reason to fetch everything again. Sound that a person has
    turned down is removed after a day.
    """
    for path in map(Path, collection.turned_down()):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > TURNED_DOWN_S:
                path.unlink()
    spectrograms = SpectrogramStore(settings.spectrograms, recipe.fingerprint)
    lost = [
        (sha256, size_bytes)
        for _, path, sha256, size_bytes in collection.sounds()
        if not (Path(path) if path else spectrograms.path(sha256)).exists()
    ]
    if not lost:
        return
    if not settings.audio.exists():
        raise LibraryError(
            f"The folder of songs, {settings.audio}, is not there. Is a disk not plugged in? Put it back, then go on."
        )
    by_size: dict[int, list[Path]] = {}
    for path in settings.audio.rglob("*"):
        if path.is_file() and ".partial-" not in str(path.relative_to(settings.audio)):
            by_size.setdefault(path.stat().st_size, []).append(path)
    found = {
        sha256: str(path)
        for sha256, size_bytes in lost
        for path in by_size.get(size_bytes, ())
        if sha256_of(path) == sha256
    }
    collection.moved(found, [sha256 for sha256, _ in lost if sha256 not in found])
