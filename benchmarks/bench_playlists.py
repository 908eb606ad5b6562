"""A library of 20,000 playlist tracks in 20 genres: time to add, and server time of every page per rerun.

Nine in ten have sound, half of these by collecting; of the others some are doubtful, some failed, some wait. A page is run as Streamlit runs it, without a browser (`AppTest`): the first run reads the library, the ten after it are
reruns as a click makes them. The reference is a library of 200 tracks.
"""

import os
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from core.database import Database
from core.library.candidates import Found, Sound
from core.library.collection import Collection
from core.library.playlists import Playlists
from core.library.store import FoundFile, Library
from core.music import Candidate, ListedTrack, Playlist
from core.recipes import SpectrogramRecipe
from core.settings import PROJECT

GENRES = 20
RERUNS = 10
VIEWS = {
    "home": None,
    "playlists": None,
    "genres": ["Vocabulary", "Charts", "Several genres", "Balance", "Same song twice?", "MusicBrainz"],
    "collect": ["progress", "review", "problems", "collected"],
    "library": None,
    "explore": ["One song", "The whole library"],
    "label": None,
    "train": None,
    "evaluate": None,
    "predict": None,
}


def measure(songs: Path) -> list[tuple[str, str, str, float]]:
    os.environ["STREAMLIT_LOGGER_LEVEL"] = "error"
    with tempfile.TemporaryDirectory() as scratch:
        large, small = Path(scratch) / "large", Path(scratch) / "small"
        large_s, n = _fill(large, 20_000)
        small_s, few = _fill(small, 200)
        rows = [
            (
                f"add {n:,} playlist tracks in {GENRES} genres",
                f"{large_s:.1f} s ({n / large_s:,.0f} a second)",
                f"{few} tracks {small_s:.2f} s",
                large_s / n / (small_s / few),
            )
        ]
        for page, views in VIEWS.items():
            for view in views or [None]:
                first_ms, large_ms = _rerun(large, page, view)
                _, small_ms = _rerun(small, page, view)
                name = f"{page}, {view}" if view else page
                rows.append(
                    (
                        f"page {name}: rerun with {n:,} tracks",
                        f"{large_ms:.0f} ms (first run {first_ms:.0f} ms)",
                        f"{few} tracks {small_ms:.0f} ms",
                        large_ms / small_ms,
                    )
                )
    return rows


def _fill(home: Path, n: int) -> tuple[float, int]:
    """A library of about `n` tracks: (seconds that adding its playlists took, distinct tracks). Then sound for all."""
    rng = random.Random(0)
    database = Database(home / "data" / "library.db")
    playlists = Playlists(database)
    words = [
        f"{a}{b}" for a in ("ka", "lo", "mi", "ru", "sen", "tor") for b in ("dan", "mar", "nel", "sky", "vo", "zen")
    ]
    tracks = [
        ListedTrack(
            f"{rng.choice(words).title()} {rng.choice(words)} {number % 997}",
            (f"{rng.choice(words).title()} {rng.randrange(n // 5)}",),
            "Album",
            float(rng.randrange(120, 420)),
            f"QZAAA{number:07d}",
            str(number),
            f"https://example.org/track/{number}",
        )
        for number in range(n)
    ]
    lists = 3 * GENRES
    begun = time.perf_counter()
    for number in range(lists):
        own = tracks[number * n // lists : (number + 1) * n // lists]
        shared = rng.sample(tracks, len(own) // 10)
        playlist = Playlist("deezer", str(number), f"Playlist {number}", (*own, *shared))
        playlists.take_in(playlist, {f"genre {number % GENRES:02d}": 1.0})
    seconds = time.perf_counter() - begun
    library = Library(database)
    rows = library.tracks("")
    _give_sound(library, rows[: len(rows) * 9 // 10])
    _collect(Collection(database), [row.id for row in rows[len(rows) // 2 :]], n_with_sound=len(rows) * 4 // 10)
    return seconds, len(rows)


def _collect(collection: Collection, track_ids: list[int], *, n_with_sound: int) -> None:
    """Candidates for tracks, and what became of them: the first have sound, the last wait."""
    with_sound, others = track_ids[:n_with_sound], track_ids[n_with_sound:]
    third = len(others) // 3
    for track_id in track_ids[: n_with_sound + 2 * third]:
        found = [
            Found(Candidate(f"https://example.org/{track_id}/{n}", str(n), "A title", "A channel", duration_s=200.0), 0.7, {"title": 0.7}, 1)
            for n in range(5)
        ]  # fmt: skip
        collection.searched(track_id, found, job_id=1)
    for track_id in others[:third]:
        collection.doubtful(track_id, f"https://example.org/{track_id}/0", None, message="", job_id=1)
    for track_id in others[third : 2 * third]:
        collection.failed(track_id, reason="gone", message="Gone.", job_id=1)
    for track_id in with_sound:
        sound = Sound(f"/music/{track_id}.webm", f"{track_id:064x}", 1, 1, "matroska", "opus", 48_000, 2, 200.0)
        collection.fetched(track_id, f"https://example.org/{track_id}/0", sound, None, job_id=1)


def _give_sound(library: Library, rows: list) -> None:
    """A row of audio and of its spectrogram for every track, as if all were collected."""
    recipe = SpectrogramRecipe()
    band = np.full(recipe.n_mels, -40, np.float32)
    for start in range(0, len(rows), 500):
        files = [
            FoundFile(
                f"/music/{row.id}.mp3", f"{row.id:064x}", 1, 1, False, "mp3", "mp3", 44100, 2, row.duration_s,
                row.title, row.artist, row.album, (),
            )
            for row in rows[start : start + 500]
        ]  # fmt: skip
        library.add_files(files, playlist=("folder", "/music", "music"), job_id=None)
    for todo in library.without_spectrogram(recipe.fingerprint):
        library.spectrogram_made(
            todo, recipe.fingerprint, n_frames=7000, band_mean=band, band_std=band, duration_s=224.0, state="ok",
            reason="", job_id=None,
        )  # fmt: skip


def _rerun(home: Path, page: str, view: str | None) -> tuple[float, float]:
    """(milliseconds of the first run, median of the reruns)."""
    os.environ["GENRESCOPE_HOME"] = str(home)
    import streamlit as st
    from streamlit.testing.v1 import AppTest

    from app import state

    st.cache_resource.clear()
    st.cache_data.clear()
    app = AppTest.from_file(str(PROJECT / "pages" / f"{page}.py"), default_timeout=120)
    if view:
        keys = {"genres": state.VIEW, "explore": state.EXPLORE_VIEW, "collect": state.COLLECT_VIEW}
        app.session_state[keys[page]] = view
    times, main = [], sys.modules["__main__"]
    for _ in range(RERUNS + 1):
        begun = time.perf_counter()
        app.run()
        times.append((time.perf_counter() - begun) * 1000)
        if app.exception:
            raise RuntimeError(f"{page}: {app.exception[0].message}")
    sys.modules["__main__"] = main  # which Streamlit replaces; processes that are started would run the page
    return times[0], median(times[1:])
