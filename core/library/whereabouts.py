"""Files of the workspace that are not where they were: found again by what is in them, or noted as gone. And what may go."""

import contextlib
import time
from pathlib import Path

from core.audio.store import SpectrogramStore
from core.errors import LibraryError
from core.files import sha256_of
from core.library.collection import Collection
from core.library.preprocessing import packets_of
from core.recipes import SpectrogramRecipe
from core.settings import Settings

TURNED_DOWN_S = 86_400.0
"""Sound that a person has turned down is kept for a day after it was fetched, so that undoing costs no second fetch."""


def look_after_files(collection: Collection, settings: Settings, recipe: SpectrogramRecipe) -> None:
    """Find files that were moved within the workspace's folder of songs again, by what they hold; note those that are gone.

    Tags may have been edited, too: a recording is known by its audio packets, or by its bytes where these were not read yet.

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
        sound
        for sound in collection.sounds()
        if not (Path(sound.path) if sound.path else spectrograms.path(sound.sha256)).exists()
    ]
    if not lost:
        return
    if not settings.audio.exists():
        raise LibraryError(
            f"The folder of songs, {settings.audio}, is not there. Is a disk not plugged in? Put it back, then go on."
        )
    in_place = collection.needed()
    strays = [
        path
        for path in sorted(settings.audio.rglob("*"))
        if path.is_file() and str(path) not in in_place and ".partial-" not in str(path.relative_to(settings.audio))
    ]
    by_size: dict[int, list[Path]] = {}
    for path in strays:
        by_size.setdefault(path.stat().st_size, []).append(path)
    packets = packets_of(strays, settings) if any(sound.packets_sha256 for sound in lost) else {}
    by_packets = {packets_sha256: path for path, packets_sha256 in packets.items()}
    found: dict[str, str] = {}
    for sound in lost:
        if sound.packets_sha256 in by_packets:
            found[sound.sha256] = str(by_packets[sound.packets_sha256])
        elif not sound.packets_sha256:
            for path in by_size.get(sound.size_bytes, ()):
                if sha256_of(path) == sound.sha256:
                    found[sound.sha256] = str(path)
    collection.moved(found, [sound.sha256 for sound in lost if sound.sha256 not in found])
