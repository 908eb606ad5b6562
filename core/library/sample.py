"""The sample library: made-up songs to walk the whole way with. Made in seconds, called synthetic, removed at once.

Its songs are files like anybody's, in the workspace's folder `data/samples`, a folder a genre; they are imported, and
learned from, as all others are. Making it again changes nothing; a making that was cut off goes on.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.audio import waveform
from core.audio.synthesis import SAMPLE_RATE, STYLES, made_up_song, synthesiser
from core.database import Database
from core.errors import LibraryError
from core.files import sha256_of, whole
from core.jobs.queue import MAIN, Queue
from core.library import removal
from core.library.importing import audio_files_in, import_folder
from core.library.preprocessing import packets_of, preprocess
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from core.settings import Settings

SONGS_OF_STYLE = 12
N_SONGS = SONGS_OF_STYLE * len(STYLES)
PLAYLIST = ("folder", "sample library", "Sample library (made-up songs)")
"""Source, reference and title of the list that holds them: it tells them from all others."""
ALBUM = "Genrescope sample library"

FIRST = (
    "Copper", "Paper", "Velvet", "Hollow", "Crooked", "Silver", "Sleepy", "Plastic", "Northern", "Borrowed", "Sunday", "Lunar",
)  # fmt: skip
SECOND = {
    "stomp": "Piston", "drift": "Fog", "carousel": "Fairground", "rattle": "Gravel", "pixel": "Joystick", "belfry": "Steeple",
    "pipes": "Chapel", "swoop": "Comet",
}  # fmt: skip
"""What titles are made of: no two songs may be called alike, for they would count as one recording."""


def genre_of(style: str) -> str:
    """What a made-up style is called as a genre."""
    return f"made-up {style}"


def tags_of(style: str, number: int) -> dict[str, str]:
    """What the file of a song says of itself."""
    return {
        "title": f"{FIRST[number - 1]} {SECOND[style]}",
        "artist": f"Genrescope synthesiser {synthesiser(number)} (made-up)",
        "album": ALBUM,
        "genre": genre_of(style),
        "comment": "Synthetic: made by Genrescope's own synthesiser, not by musicians.",
    }


def make(
    database: Database,
    settings: Settings,
    recipe: SpectrogramRecipe,
    *,
    job_id: int | None = None,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[int, int, str], None] = lambda done, total, message: None,
) -> dict[str, Any]:
    """Write the songs that are not there, take all of them in, make their spectrograms.

    `on_progress(songs done, songs, what is being done)` may raise to stop. Returns `songs`, `imported` (new tracks) and
    `failed` (path and reason).
    """
    places = list(_places(settings))

    def part(number: int, message: str) -> Callable[[int, int], None]:
        """Tell of one of three parts of the work as of a third of each song."""
        return lambda done, total: on_progress(
            round(len(places) * (number + (done / total if total else 1)) / 3), len(places), message
        )

    tell = part(0, "Making songs up")
    for done, (style, number, path) in enumerate(places):
        tell(done, len(places))
        if not path.exists():
            with whole(path) as partial:
                partial.write_bytes(
                    waveform.as_flac(made_up_song(style, number), sample_rate=SAMPLE_RATE, tags=tags_of(style, number))
                )
    library = Library(database)
    answer = import_folder(
        library,
        settings,
        settings.samples,
        genre_from="folder",
        playlist=PLAYLIST,
        job_id=job_id,
        on_progress=part(1, "Taking them in"),
    )
    preprocess(
        library,
        settings,
        recipe,
        track_ids=track_ids(database, settings),
        job_id=job_id,
        check=check,
        on_progress=part(2, "Making spectrograms"),
    )
    return {"songs": len(places), "imported": answer["imported"], "failed": answer["failed"]}


def track_ids(database: Database, settings: Settings) -> list[int]:
    """The tracks of the sample library; empty where there is none."""
    return removal.tracks_of(database, _place(settings))


def remove(database: Database, settings: Settings, queue: Queue) -> removal.Removed:
    """Remove the sample library: its tracks with all that hangs on them, its genres, its files. For good: it can be made again.

    Models that learned from it stay. `LibraryError` while other work is being done, which may need the songs.
    """
    if queue.unfinished(lane=MAIN):
        raise LibraryError(
            "Something else is being done, perhaps with these songs. Wait for it to end, or stop it; then remove them."
        )
    files = audio_files_in(settings.samples) if settings.samples.is_dir() else []
    removed = removal.remove(database, _place(settings))
    keys = set(removed.sha256s)
    if len(files) > len(keys):  # a removal that was cut off, or songs that were never taken in
        keys |= {sha256_of(path) for path in files} | set(packets_of(files, settings).values())
    for sha256 in keys:
        for made in settings.spectrograms.glob(f"*/{sha256[:2]}/{sha256}.npy"):
            made.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # others lie there
                made.parent.rmdir()
    shutil.rmtree(settings.samples, ignore_errors=True)
    return removed


def _place(settings: Settings) -> removal.Place:
    return removal.Place(*PLAYLIST[:2], settings.samples)


def _places(settings: Settings) -> Iterator[tuple[str, int, Path]]:
    """(style, number, path) of every song."""
    for number in range(1, SONGS_OF_STYLE + 1):
        for style in STYLES:
            title = tags_of(style, number)["title"]
            yield style, number, settings.samples / genre_of(style) / f"{number:02d} {title}.flac"
