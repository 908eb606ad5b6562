"""The sound behind a link that a person pasted, to be answered and forgotten: one process, ended when its time is over.

As in `collect`: only songs of known sites and of allowed hosts, behind the guard, and pauses that a site asked for are kept.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from core.collecting.download import Downloaded, download
from core.collecting.failures import REASONS, REMEDIES, NotFetched, Reason
from core.collecting.places import pause_of, place_of
from core.errors import SourceError
from core.files import duration_in_words
from core.settings import Settings

LOOK_EVERY_S = 0.3
PAUSE_S = 60.0
"""Where a site wants a pause and does not say how long."""
_WHAT_TO_DO: dict[Reason, str] = {
    reason: "Paste another link, or drop the file itself."
    for reason in REASONS
    if "candidate" in REMEDIES[reason].what_to_do or "paste a link" in REMEDIES[reason].what_to_do.lower()
}
"""Where the remedy speaks of a track of the library."""
TIME_LIMIT_S = 180.0
"""A person waits: what takes longer is better collected."""


def fetched(
    url: str, settings: Settings, *, on_progress: Callable[[int], object] = lambda size_bytes: None
) -> tuple[str, bytes]:
    """(name, file) of the one song behind `url`. `on_progress` is told again and again how many bytes have come, and may raise.

    Nothing stays behind on the disk. `SourceError`, with what to do, if the song cannot be had; `RateLimited` if its site asked for a pause.
    """
    place = place_of(url, settings)
    if place is None:
        raise SourceError(
            "This is no single song of a site that Genrescope knows: YouTube, SoundCloud, Bandcamp, Jamendo, Audius or "
            "archive.org. Paste the address of one song."
        )
    pause = pause_of(place.name, place.title, settings)
    pause.check()
    with tempfile.TemporaryDirectory(prefix="genrescope-link-") as folder:
        try:
            got = _in_a_process(url, Path(folder), settings, on_progress)
        except NotFetched as error:
            if REMEDIES[error.reason].pauses_host:
                raise pause.begin(error.retry_after_s or PAUSE_S) from error
            raise SourceError(f"{error} {_WHAT_TO_DO.get(error.reason, REMEDIES[error.reason].what_to_do)}") from error
        return f"{got.title or place.title}{got.path.suffix}", got.path.read_bytes()


def _in_a_process(url: str, folder: Path, settings: Settings, on_progress: Callable[[int], object]) -> Downloaded:
    limit_s = min(TIME_LIMIT_S, settings.song_time_limit_s)
    safe = settings.model_copy(update={"spotify_client_id": None, "spotify_client_secret": None})
    pool = ProcessPool(max_workers=1, context=multiprocessing.get_context("spawn"))
    try:
        asked = pool.schedule(download, args=(url, folder, safe), timeout=limit_s)
        while not asked.done():
            on_progress(sum(path.stat().st_size for path in folder.glob("song-*")))
            time.sleep(LOOK_EVERY_S)
        got: Downloaded = asked.result()
        return got
    except TimeoutError:
        raise NotFetched("stuck", f"It did not come within {duration_in_words(limit_s)}.") from None
    except ProcessExpired:
        raise NotFetched("unexpected", "Reading it crashed the process that did.") from None
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()
