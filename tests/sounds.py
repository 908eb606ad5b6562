"""Sounds made for tests: encoded by PyAV, as real files are, with tags."""

import struct
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

CODECS = {
    ".mp3": ("mp3", "libmp3lame"),
    ".m4a": ("ipod", "aac"),
    ".webm": ("webm", "libopus"),
    ".ogg": ("ogg", "libopus"),
    ".opus": ("ogg", "libopus"),
    ".flac": ("flac", "flac"),
    ".wav": ("wav", "pcm_s16le"),
    ".aiff": ("aiff", "pcm_s16be"),
}
MORE_CODECS = {
    ".oga": ("ogg", "vorbis"),
    ".mka": ("matroska", "libopus"),
    ".aac": ("adts", "aac"),
    ".mp2": ("mp2", "mp2"),
    ".wv": ("wv", "wavpack"),
    ".au": ("au", "pcm_s16be"),
    ".tta": ("tta", "tta"),
}
"""Rarer ones, to be given by name: most tests need not go through these."""
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def write_sound(
    path: Path, y: npt.NDArray[np.floating], *, sample_rate: int = 48_000, tags: dict[str, str] | None = None
) -> Path:
    """Encode y, (n_samples,) or (channels, n_samples) in [-1, 1], as the ending of `path` says."""
    container_format, codec = (CODECS | MORE_CODECS)[path.suffix]
    return encode(path, container_format, codec, y, sample_rate=sample_rate, tags=tags)


def encode(
    path: Path,
    container_format: str,
    codec: str,
    *tracks: npt.NDArray[np.floating],
    sample_rate: int = 48_000,
    tags: dict[str, str] | None = None,
) -> Path:
    """Encode one or more tracks of sound, each as `y` of `write_sound`, one after the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=container_format) as container:
        container.metadata.update(tags or {})
        all_planes = [np.atleast_2d(np.asarray(y, np.float32)) for y in tracks]
        streams = [
            container.add_stream(
                codec, rate=sample_rate, layout=LAYOUTS[planes.shape[0]], options={"strict": "experimental"}
            )
            for planes in all_planes
        ]
        for stream, planes in zip(streams, all_planes, strict=True):
            if codec.startswith("wma"):
                stream.bit_rate = 128_000  # it has no rate of its own
            layout = LAYOUTS[planes.shape[0]]
            resampler = av.AudioResampler(
                format=stream.format, layout=layout, rate=sample_rate, frame_size=stream.codec_context.frame_size or 0
            )
            for first in range(0, planes.shape[1], sample_rate):
                piece = np.ascontiguousarray(planes[:, first : first + sample_rate])
                frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
                frame.sample_rate = sample_rate
                frame.pts = first
                for converted in resampler.resample(frame):
                    container.mux(stream.encode(converted))
            for converted in resampler.resample(None):
                container.mux(stream.encode(converted))
            container.mux(stream.encode(None))
    return path


def tone(frequency: float, seconds: float, *, sample_rate: int = 48_000, amplitude: float = 0.5):
    """A sine, (n_samples,)."""
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(int(seconds * sample_rate)) / sample_rate)


def drone(rng: np.random.Generator, seconds: float, sample_rate: int = 48_000):
    """Low, slow, harmonic: one of the two made-up genres."""
    base = rng.uniform(80, 140)
    harmonics = [tone(base * k, seconds, sample_rate=sample_rate, amplitude=0.25 / k) for k in range(1, 6)]
    return sum(harmonics) + 0.002 * rng.standard_normal(int(seconds * sample_rate))


def hiss(rng: np.random.Generator, seconds: float, sample_rate: int = 48_000):
    """Bursts of noise: the other."""
    n = int(seconds * sample_rate)
    beat = (np.arange(n) / sample_rate * rng.uniform(3, 5)) % 1 < 0.3
    return np.diff(0.2 * rng.standard_normal(n + 1)) * (0.1 + beat)


GENRES = {"drone": drone, "hiss": hiss}


def write_library(
    folder: Path,
    *,
    songs: int = 12,
    artists: int = 6,
    seconds: float = 6.0,
    seed: int = 0,
    suffixes: tuple[str, ...] = (".mp3", ".m4a", ".webm", ".flac"),
) -> Path:
    """`folder/genre/Artist - Title.ext`: for each made-up genre `songs` tagged songs by `artists` artists."""
    rng = np.random.default_rng(seed)
    for genre, make in GENRES.items():
        for number in range(songs):
            artist, title = f"{genre.title()} Artist {number % artists}", f"{genre.title()} Song {number}"
            suffix = suffixes[number % len(suffixes)]
            tags = {"artist": artist, "title": title, "album": f"{genre} album", "genre": genre.title()}
            write_sound(folder / genre / f"{artist} - {title}{suffix}", make(rng, seconds), tags=tags)
    return folder


def write_float_wav(path: Path, y: npt.NDArray[np.floating], *, sample_rate: int = 44_100) -> Path:
    """A 32-bit float mono WAV of exactly these samples, NaN and infinity included."""
    data = np.asarray(y, "<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 1, sample_rate, 4 * sample_rate, 4, 32)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return path


def pcm_wav(channels: int, sample_rate: int, n_samples: int, *, level: int = 3000) -> bytes:
    """A 16-bit WAV with any head; its channels alternate between `level` and 0."""
    samples = np.zeros((n_samples, channels), "<i2")
    samples[:, ::2] = level
    data = samples.tobytes()
    rate = struct.pack("<II", sample_rate, sample_rate * channels * 2 & 0xFFFFFFFF)
    head = struct.pack("<HH", 1, channels) + rate + struct.pack("<HH", channels * 2 & 0xFFFF, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def edit_tags(path: Path, text: str, *, cover: bytes = b"", genre: str = "Retagged") -> Path:
    """Give a file other tags and a picture, as a tag editor does: by mutagen, or where that cannot, by a copy of its packets."""
    import mutagen
    from mutagen import flac, id3, mp4

    if path.suffix in (".webm", ".mka"):
        return _remuxed(path, {"title": text, "artist": text, "genre": genre})
    if path.suffix in (".mp3", ".mp2", ".aac"):
        _id3(id3.ID3(), text, genre, cover).save(path, v1=2)
        return path
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, id3.ID3):
        _id3(file.tags, text, genre, cover)
    elif isinstance(file, mp4.MP4):
        file.tags.update({"\xa9nam": [text], "\xa9ART": [text], "\xa9gen": [genre], "covr": [mp4.MP4Cover(cover)]})
    else:
        file.tags.update({"title": [text], "artist": [text], "genre": [genre]})
    if isinstance(file, flac.FLAC) and cover:
        picture = flac.Picture()
        picture.data, picture.mime, picture.type = cover, "image/png", 3
        file.add_picture(picture)
    file.save()
    return path


def _id3(tags, text: str, genre: str, cover: bytes):
    from mutagen import id3

    tags.add(id3.TIT2(encoding=3, text=text))
    tags.add(id3.TPE1(encoding=3, text=text))
    tags.add(id3.TCON(encoding=3, text=genre))
    if cover:
        tags.add(id3.APIC(encoding=3, mime="image/png", type=3, desc="", data=cover))
    return tags


def _remuxed(path: Path, tags: dict[str, str]) -> Path:
    other = path.with_name(f"other {path.name}")
    with av.open(str(path)) as source, av.open(str(other), "w", format="webm") as target:
        target.metadata.update(tags)
        stream = source.streams.audio[0]
        copied = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copied
                target.mux(packet)
    return other.replace(path)
