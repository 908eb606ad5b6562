"""What is done for one song, in a process of its own that may be ended at any moment: search for it; fetch it.

A fetched song lies in a folder of its own, named after its address, below `settings.audio`. A note beside it says that it
was decoded without fault; so a song whose fetching was cut off goes on where it was, and one that was whole is never
fetched twice. Only what the note vouches for is moved into the library, by the job's own process.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from core.audio import waveform
from core.audio.codes import SilenceError, codes_of
from core.audio.store import SpectrogramStore
from core.collecting import matching
from core.collecting.download import download
from core.collecting.failures import NotFetched, Reason
from core.collecting.matching import Match
from core.errors import AudioError
from core.files import duration_in_words, write_json
from core.library import preprocessing
from core.library.candidates import Sound
from core.library.collection import Spectrogram
from core.library.preprocessing import make
from core.library.store import AudioToDo
from core.music import Candidate, FloatArray, ListedTrack
from core.recipes import SpectrogramRecipe
from core.settings import Settings

NOTE = "whole.json"
SUFFIXES = {
    "mp3": ".mp3", "mov": ".m4a", "matroska": ".webm", "webm": ".webm", "ogg": ".ogg", "flac": ".flac", "wav": ".wav",
    "aiff": ".aiff", "aac": ".aac", "asf": ".wma",
}  # fmt: skip
"""Endings of files by their container: what a song is, its content says, not its address."""


@dataclass(frozen=True)
class Order:
    """All that a process needs to fetch one song.

    `listed_s` is how long it should be; None if that is not known, or if a person says that this is the song. `filters`
    is the recipe's bank, (n_mels, 1 + n_fft // 2): making it takes a library of 100 MB, which need not be in every process.
    """

    url: str
    settings: Settings
    listed_s: float | None
    recipe: SpectrogramRecipe
    filters: FloatArray
    make_spectrogram: bool

    @property
    def folder(self) -> Path:
        """Where the song lies until it is taken into the library. `files.sweep` removes old ones."""
        return self.settings.audio / f".partial-{hashlib.sha256(self.url.encode()).hexdigest()[:24]}"


def search(track: ListedTrack, settings: Settings) -> list[Match]:
    """What is found for a track, best first; asks no further once a match is sure. Raises `NotFetched`, `RateLimited`."""
    from core.collecting.search import TrackSearch  # loads yt-dlp, which takes a third of a second

    candidates: dict[str, Candidate] = {}
    ranked: list[Match] = []
    for found in TrackSearch(settings).stages(track):
        candidates |= {candidate.url: candidate for candidate in found}
        ranked = matching.rank(track, candidates.values())
        if ranked and ranked[0].is_sure:
            break
    return ranked


def fetch(order: Order) -> tuple[Sound, Spectrogram | None]:
    """The song at an address, in `order.folder`, found whole; its spectrogram, if asked for, in its place.

    Raises `NotFetched` if it cannot be had, or is no whole song of the right length.
    """
    sound = whole_sound(order.folder) or _fetched(order)
    if order.listed_s and not matching.same_length(order.listed_s, sound.duration_s):
        raise NotFetched(
            "wrong length",
            f"It lasts {duration_in_words(sound.duration_s)} instead of {duration_in_words(order.listed_s)}.",
        )
    return sound, _spectrogram(order, sound) if order.make_spectrogram else None


def whole_sound(folder: Path) -> Sound | None:
    """The sound that lies in a song's folder, fetched and decoded without fault before; None if there is none."""
    try:
        sound = Sound(**json.loads((folder / NOTE).read_text(encoding="utf-8")))
        return sound if Path(sound.path).stat().st_size == sound.size_bytes else None
    except (OSError, ValueError, TypeError):
        return None


def _fetched(order: Order) -> Sound:
    """Fetch, decode, and vouch for it with a note."""
    settings, max_bytes = order.settings, order.settings.max_audio_bytes
    order.folder.mkdir(parents=True, exist_ok=True)
    got = download(order.url, order.folder, settings)
    try:
        probe = waveform.probe(got.path, max_bytes=max_bytes)
        codes, report = codes_of(
            got.path, order.recipe, filters=order.filters, max_s=settings.max_audio_s, max_bytes=max_bytes
        )
        if report.state != "ok":
            raise NotFetched("damaged", report.reason)
    except (AudioError, NotFetched) as error:
        got.path.unlink(missing_ok=True)  # the next try must not go on from it
        raise NotFetched(_reason(error), str(error)) from error
    if order.make_spectrogram:
        SpectrogramStore(settings.spectrograms, order.recipe.fingerprint).write(report.packets_sha256, codes)
    path = got.path.replace(order.folder / f"song{SUFFIXES.get(probe.container, f'.{probe.container}')}")
    with path.open("rb") as stream:
        os.fsync(stream.fileno())  # before the note says that it is there
    stat = path.stat()
    sound = Sound(
        path=str(path),
        sha256=report.packets_sha256,
        packets_sha256=report.packets_sha256,
        size_bytes=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        container=probe.container,
        codec=probe.codec,
        sample_rate=probe.sample_rate,
        channels=probe.channels,
        duration_s=report.duration_s,
    )
    write_json(order.folder / NOTE, asdict(sound))
    return sound


def _spectrogram(order: Order, sound: Sound) -> Spectrogram:
    """What the library keeps of the spectrogram, which is made if it is not there."""
    settings = order.settings
    todo = AudioToDo(0, sound.path, sound.sha256, sound.packets_sha256)
    made = make(
        preprocessing.Order(todo, settings.spectrograms, order.recipe, settings.max_audio_s, settings.max_audio_bytes)
    )
    return Spectrogram(order.recipe.fingerprint, made.n_frames, made.band_mean, made.band_std)


def _reason(error: AudioError | NotFetched) -> Reason:
    match error:
        case NotFetched():
            return error.reason
        case SilenceError():
            return "silent"
        case waveform.TooLongError():
            return "too long"
    return "wrong format"
