"""Adding 20,000 playlist tracks in 20 genres to an empty library: time, and memory."""

import random
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import children
from benchmarks.timing import REPEATS, Row, within
from core.database import Database
from core.library.playlists import Playlists
from core.library.store import Library
from core.music import ListedTrack, Playlist
from core.settings import Settings

NUMBER = 12
MANY, FEW = 20_000, 200
GENRES = 20
LISTS = 3 * GENRES


def measure(songs: Path) -> list[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        homes = iter(Path(scratch) / f"home-{number}" for number in range(2 * REPEATS))
        many, few = listed(MANY), listed(FEW)
        both = [(add(next(homes), many), add(next(homes), few)) for _ in range(REPEATS)]
        peak_mb = children.call(
            "benchmarks.bench_playlists:add_in_a_process", str(Path(scratch) / "child"), MANY
        ).peak_mb
    (_, n), (_, n_few) = both[0]
    many_s, few_s = (statistics.median(pair[place][0] for pair in both) for place in (0, 1))
    return [
        Row(
            NUMBER,
            f"adding {n:,} playlist tracks in {GENRES} genres",
            f"{many_s:.1f} s ({n / many_s:,.0f} a second), peak memory {peak_mb:.0f} MB",
            f"{n_few} tracks {few_s:.2f} s ({n_few / few_s:,.0f} a second)",
            *within(many_s, 20, "s"),
        )
    ]


def listed(n: int) -> list[Playlist]:
    """Playlists of about `n` tracks, each with a tenth of others' tracks."""
    rng = random.Random(0)
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
    playlists = []
    for number in range(LISTS):
        own = tracks[number * n // LISTS : (number + 1) * n // LISTS]
        shared = rng.sample(tracks, len(own) // 10)
        playlists.append(Playlist("deezer", str(number), f"Playlist {number}", (*own, *shared)))
    return playlists


def add(home: Path, playlists: list[Playlist]) -> tuple[float, int]:
    """Take playlists into a library: (seconds, distinct tracks)."""
    database = Database(Settings(home=home).database)
    begun = time.perf_counter()
    for number, playlist in enumerate(playlists):
        Playlists(database).take_in(playlist, {f"genre {number % GENRES:02d}": 1.0})
    return time.perf_counter() - begun, Library(database).counts("")["tracks"]


def add_in_a_process(home: str, n: int) -> None:
    """Once, for the memory that takes."""
    add(Path(home), listed(n))
