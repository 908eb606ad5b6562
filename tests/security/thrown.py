"""What is thrown at everything that reads files: mutated real files of every kind, by number. Runs in processes.

What comes back is the outcome in a word, and how long it took: `answered`, or the name of one of our errors. Any other
exception goes on up, and is a fault.
"""

import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.audio import waveform
from core.audio.spectrogram import mel_filters
from core.errors import GenrescopeError
from core.library.importing import read_csv
from core.library.mapping import parse
from core.library.preprocessing import codes_of
from core.music import FloatArray
from core.recipes import SpectrogramRecipe
from core.sources.lists import read_list
from core.sources.tables import preview_table
from tests.mutated import mutated
from tests.sounds import CODECS, drone, write_sound

ODD = Path(__file__).resolve().parents[3] / "shared" / "data" / "uploads" / "odd"

GOOD_ZIP = Path(tempfile.gettempdir(), f"genrescope-{os.getuid()}-good-model.zip")
"""Made by the test: to make one takes torch, and seconds."""

LISTS = {
    "list.csv": "Track Name,Artist Name(s),Album Name,Duration (ms),ISRC,Track URI\r\n"
    + "".join(f'"Song {n}","Artist {n}; Other","Album",{200_000 + n},GBUM7150{n:04d},spotify:track:{n:022d}\r\n' for n in range(40)),
    "list.m3u8": "#EXTM3U\n#PLAYLIST:Mine\n"
    + "".join(f"#EXTINF:{n},Artist {n} - Song {n}\n/music/{n} - Song.mp3\n" for n in range(40)),
    "list.xspf": '<?xml version="1.0" encoding="UTF-8"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><title>Mine</title>'
    "<trackList>"
    + "".join(
        f"<track><location>http://a.b/{n}.mp3</location><title>Song {n}</title><creator>A &amp; B</creator></track>"
        for n in range(40)
    )
    + "</trackList></playlist>",
    "list.txt": "".join(f"{n}. Artist {n} – Song {n} (3:{n:02d})\n" for n in range(40)),
}  # fmt: skip
MAPPINGS = {
    "mapping.yaml": "genres:\n  techno:\n    colour: '#112233'\n    aliases: [tekno, teckno]\n  acid:\n    parent: techno\n"
    "playlists:\n"
    + "".join(f"- source: deezer\n  reference: '{n}'\n  title: List {n}\n  genres: {{techno: 0.5, acid: 1.0}}\n" for n in range(20)),
    "mapping.csv": "source,reference,title,genre,weight\r\n"
    + "".join(f"deezer,{n},List {n},techno,0.5\r\n" for n in range(20)),
}  # fmt: skip
SONGS_CSV = "path,genre,artist,title\n" + "".join(f"{n}.mp3,techno,Artist {n},Song {n}\n" for n in range(40))


@lru_cache(maxsize=1)
def sounds() -> list[bytes]:
    """Real sounds: two seconds in every format, and the odd ones of the shared data that are not large."""
    with tempfile.TemporaryDirectory() as folder:
        y = np.stack([drone(np.random.default_rng(0), 2.0)] * 2)
        tags = {"artist": "A", "title": "T", "genre": "G"}
        made = [write_sound(Path(folder, f"a{suffix}"), y, tags=tags).read_bytes() for suffix in CODECS]
    odd = [path.read_bytes() for path in sorted(ODD.iterdir()) if path.stat().st_size < 500_000] if ODD.is_dir() else []
    return made + odd


@lru_cache(maxsize=1)
def filters() -> FloatArray:
    """To make them takes a library that is slow to load."""
    return mel_filters(SpectrogramRecipe())


def sound(rng: np.random.Generator) -> None:
    good = sounds()
    data = mutated(good[rng.integers(len(good))], rng, good[rng.integers(len(good))])
    told = None
    try:
        waveform.probe(io.BytesIO(data), check_sound=True)
    except GenrescopeError as error:
        told = error
    codes, _ = codes_of(io.BytesIO(data), SpectrogramRecipe(), filters=filters())
    assert (len(codes) and told is None) or isinstance(told, GenrescopeError)


def playlist(rng: np.random.Generator) -> None:
    names = list(LISTS)
    name = names[rng.integers(len(names))]
    data = mutated(LISTS[name].encode(), rng, LISTS[names[rng.integers(len(names))]].encode())
    if name.endswith(".csv"):
        with contextlib.suppress(GenrescopeError):
            preview_table(data)
    read_list(name, data)


def mapping(rng: np.random.Generator) -> None:
    names = list(MAPPINGS)
    name = names[rng.integers(len(names))]
    parse(name, mutated(MAPPINGS[name].encode(), rng, MAPPINGS[names[rng.integers(len(names))]].encode()))


def songs_table(rng: np.random.Generator) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "songs.csv")
        path.write_bytes(mutated(SONGS_CSV.encode(), rng, LISTS["list.csv"].encode()))
        read_csv(path, Path(folder))


def model_zip(rng: np.random.Generator) -> None:
    from core.learning.sharing import import_zip
    from core.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        try:
            import_zip(mutated(GOOD_ZIP.read_bytes(), rng), Settings(home=home), name="given")
        finally:
            left = [path for path in home.rglob("*") if path.is_file() and "given" not in path.parts]
            assert left == [], left


KINDS: dict[str, Callable[[np.random.Generator], None]] = {
    "sound": sound, "playlist": playlist, "mapping": mapping, "songs_table": songs_table, "model_zip": model_zip,
}  # fmt: skip


def throw(thrown: tuple[str, int]) -> tuple[str, float]:
    """Throw the file of this kind and number: (outcome, seconds)."""
    kind, number = thrown
    sounds(), filters()  # once a process, and not the file's doing
    rng = np.random.default_rng([list(KINDS).index(kind), number])
    begun = time.monotonic()
    try:
        KINDS[kind](rng)
        outcome = "answered"
    except GenrescopeError as error:
        assert 20 < len(str(error)) < 2000 and "Traceback" not in str(error), error
        outcome = type(error).__name__
    return outcome, time.monotonic() - begun
