"""What a sound file says of itself: title, artists, album, genres. Read by mutagen, which keeps what FFmpeg loses.

FFmpeg takes `80s` for genre number 80, keeps one of several values, and reads no APEv2. mutagen is imported here only, and
`read` is called only in processes with limits on time and memory: tags come from strangers. Text that declares no encoding,
or a wrong one, is left undecided (`core.text_encoding`), as more of it, from the same folder, makes a guess surer.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from core import text_encoding
from core.audio.waveform import Probe, Source

if TYPE_CHECKING:
    from mutagen.id3 import ID3

UNREADABLE = "Its tags are damaged and could not be read."
MAX_VALUES = 50
"""Artists, and genres, of one file."""
READ_S = 5.0
"""Tags that take longer to read are made to (mutagen takes minutes for a million frames): the song comes in without them."""
MAX_TEXT = 4_000
"""Characters of one value; no name needs more."""

_ID3 = {"title": ("TIT2",), "artists": ("TXXX:ARTISTS", "TPE1", "TPE2"), "album": ("TALB",), "genres": ("TCON",)}
_ID3_OLD = ("TT2", "TP1", "TP2", "TAL", "TCO", "TXX")
_NAMED = {
    "title": ("title",),
    "artists": ("artists", "artist", "album artist", "albumartist", "album_artist"),
    "album": ("album",),
    "genres": ("genre",),
}
_MP4 = {
    "title": ("\xa9nam",),
    "artists": ("----:com.apple.iTunes:ARTISTS", "\xa9ART", "aART"),
    "album": ("\xa9alb",),
    "genres": ("\xa9gen",),
}
_ASF = {
    "title": ("Title",),
    "artists": ("Author", "WM/AlbumArtist"),
    "album": ("WM/AlbumTitle",),
    "genres": ("WM/Genre",),
}

Found = dict[str, list[str]]
"""The values of `title`, `artists`, `album`, `genres`; those that are not there are left out."""


@dataclass(frozen=True)
class Tags:
    """The tags of a file; what it does not say is empty.

    Attributes
    ----------
    title, album
        One value each.
    artists, genres
        Every value, in the order of the file.
    encoding
        The encoding that was guessed, a key of `text_encoding.NAMES`; "" where none had to be.
    problem
        Why tags are missing that the file seems to have, as a sentence; "" if all is well.

    """

    title: str = ""
    artists: tuple[str, ...] = ()
    album: str = ""
    genres: tuple[str, ...] = ()
    encoding: str = ""
    problem: str = ""

    @property
    def undecided(self) -> tuple[bytes, ...]:
        """The bytes of the values whose encoding is not known."""
        texts = (self.title, self.album, *self.artists, *self.genres)
        return tuple(text_encoding.bytes_of(text) for text in texts if text_encoding.is_undecided(text))

    def decided(self, encoding: str) -> "Tags":
        """The same, its undecided values decoded."""
        if not self.undecided:
            return self
        artists = tuple(text_encoding.decided(artist, encoding) for artist in self.artists)
        genres = tuple(text_encoding.decided(genre, encoding) for genre in self.genres)
        title, album = (text_encoding.decided(text, encoding) for text in (self.title, self.album))
        return replace(self, title=title, artists=artists, album=album, genres=genres, encoding=encoding)


def read(source: Source, probe: Probe) -> Tags:
    """Read the tags of a file that `waveform.probe` has looked at.

    Never raises for what a file holds: tags that cannot be read leave what FFmpeg made of them, and a `problem`.

    Parameters
    ----------
    source
        The file.
    probe
        What `waveform.probe` found; its tags stand in where mutagen reads none (Matroska, the LIST INFO chunk of WAV), or loses text.

    Returns
    -------
    Tags
        Its values may be undecided text.

    """
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as stream:
        found, problem = _found(stream, probe.container)
    merged = _by_ffmpeg(probe.tags)
    if problem or (found and probe.container not in _containers()):
        merged.pop("genres", None)  # FFmpeg's is no value of ID3 that can be relied on
    for field, values in found.items():
        if field not in merged or not any("\ufffd" in value for value in values):  # mutagen lost what is no UTF-8
            merged[field] = values
    first = {field: (merged.get(field) or [""])[0] for field in ("title", "album")}
    return Tags(
        first["title"],
        tuple(merged.get("artists", ())),
        first["album"],
        tuple(merged.get("genres", ())),
        problem=problem,
    )


def _found(stream: BinaryIO, container: str) -> tuple[Found, str]:
    """What mutagen finds, and what went wrong."""
    found: Found = {}
    problem = ""
    kind = _containers().get(container)
    for reader in (partial(_of_container, kind),) if kind else (_id3v2, _apev2, _id3v1):
        try:
            stream.seek(0)
            with _within(READ_S):
                found = reader(stream) | found
        except Exception:  # noqa: BLE001 - mutagen meets damage with whatever error comes of it, memory's included
            problem = UNREADABLE
    return found, problem


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise `TimeoutError` inside after so much time, where the system can: in the main thread, and not on Windows."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# -- ID3 and APEv2 -----------------------------------------------------------------------------------------------------


def _id3v2(stream: BinaryIO) -> Found:
    from mutagen.id3 import ID3, Frames, Frames_2_2, ID3NoHeaderError

    wanted = {name.partition(":")[0] for names in _ID3.values() for name in names}
    known = {name: Frames[name] for name in wanted} | {name: Frames_2_2[name] for name in _ID3_OLD}
    try:  # untranslated: translated genres are read twice, and "((" escapes once
        tag = ID3(stream, known_frames=known, translate=False, load_v1=False)
    except ID3NoHeaderError:
        return {}
    if not tag and not tag.unknown_frames:
        stream.seek(10)
        if stream.read(max(0, tag.size - 10)).strip(b"\0"):
            raise ValueError("an ID3 tag without one readable frame")
    return _of_id3(tag)


def _id3v1(stream: BinaryIO) -> Found:
    from mutagen.id3 import ID3, ParseID3v1

    stream.seek(0, os.SEEK_END)
    stream.seek(max(0, stream.tell() - 128))
    end = stream.read(128)
    frames = ParseID3v1(end) if end.startswith(b"TAG") else None
    if not frames:
        return {}
    tag = ID3()
    for frame in frames.values():
        tag.add(frame)
    return _of_id3(tag)


def _apev2(stream: BinaryIO) -> Found:
    from mutagen.apev2 import APENoHeaderError, APEv2

    try:
        return _of_mapping(APEv2(stream), _NAMED)
    except APENoHeaderError:
        return {}


def _of_id3(tag: "ID3") -> Found:
    found = {}
    for field, names in _ID3.items():
        readings = [_values(_of_frames(tag.getall(name)), field) for name in names]
        found[field] = _best(readings, field)
    return {field: values for field, values in found.items() if values}


def _of_frames(frames: Iterable[Any]) -> Iterator[str]:
    """The values of text frames; genres as the standard says: `17`, `(17)`, `(51)(39)`, `(17)Text`, `(RX)`, `((text`."""
    from mutagen.id3 import TCON

    for frame in frames:
        texts = [str(text) for text in frame.text]
        if frame.encoding == 0:  # declared as Latin-1, which many programs take for "whatever this computer uses"
            texts = [text_encoding.undecided(text.encode("latin-1", errors="replace")) for text in texts]
        for text in map(_plain, texts):
            numbered = isinstance(frame, TCON) and (text.isascii() or not text.isdecimal())
            yield from TCON(encoding=3, text=[text]).genres if numbered else [text]


# -- containers with tags of their own ---------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _containers() -> dict[str, Callable[[BinaryIO], Any]]:
    """How mutagen opens containers with a place for tags, by FFmpeg's names of them. What else there is may hold ID3 or APEv2."""
    import mutagen
    from mutagen.aiff import AIFF
    from mutagen.asf import ASF
    from mutagen.flac import FLAC
    from mutagen.mp4 import MP4
    from mutagen.oggflac import OggFLAC
    from mutagen.oggopus import OggOpus
    from mutagen.oggspeex import OggSpeex
    from mutagen.oggvorbis import OggVorbis
    from mutagen.wave import WAVE

    ogg = partial(mutagen.File, options=[OggVorbis, OggOpus, OggFLAC, OggSpeex])  # these go by content, not by name
    return {"aiff": AIFF, "asf": ASF, "flac": FLAC, "mov": MP4, "ogg": ogg, "wav": WAVE}


def _of_container(kind: Callable[[BinaryIO], Any], stream: BinaryIO) -> Found:
    from mutagen.asf import ASFTags
    from mutagen.id3 import ID3
    from mutagen.mp4 import MP4Tags

    file = kind(stream)
    if file is None or file.tags is None:
        return {}
    if isinstance(file.tags, ID3):
        return _of_id3(file.tags)
    names = {MP4Tags: _MP4, ASFTags: _ASF}.get(type(file.tags), _NAMED)
    return _of_mapping(file.tags, names)


def _of_mapping(tags: Any, names: Mapping[str, tuple[str, ...]]) -> Found:
    found = {}
    for field, keys in names.items():
        readings = [_values(_texts(tags[key]), field) if key in tags else [] for key in keys]
        found[field] = _best(readings, field)
    return {field: values for field, values in found.items() if values}


def _texts(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) or not isinstance(value, str) else [value]:
        yield text_encoding.undecided(bytes(one)) if isinstance(one, bytes) else str(one)


def _by_ffmpeg(tags: Mapping[str, str]) -> Found:
    names = {field: [tags[name] for name in keys if name in tags][:1] for field, keys in _NAMED.items()}
    return {field: values for field, texts in names.items() if (values := _values(texts, field))}


def _best(readings: list[list[str]], field: str) -> list[str]:
    """Of the fields that may hold something the first that does; one that lists the artists singly only if there are several."""
    if field == "artists" and len(readings[0]) == 1:
        readings = [*readings[1:], readings[0]]
    return next((values for values in readings if values), [])


def _values(texts: Iterable[str], field: str) -> list[str]:
    """Values on one line, each once, without empty ones; `;` separates several artists or genres."""
    several = field in ("artists", "genres")
    parts = (part for text in texts for part in (text.replace("\0", ";").split(";") if several else [text]))
    return list(dict.fromkeys(filter(None, map(_plain, parts))))[:MAX_VALUES]


def _plain(text: str) -> str:
    return " ".join(text[:MAX_TEXT].split())
