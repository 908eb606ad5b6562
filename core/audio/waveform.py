"""Decode audio files to y: mono float32, 16,000 Hz by default, nominal range [-1, 1], no gain change.

A file may only be what it is. It is opened as a byte stream, never by name; only the containers listed here are
tried, and only usual codecs; and the decoder is refused every further file or address that a file asks for (playlists do).
Decoding is by blocks, so that memory does not grow with the length of a song; and what a file may ask for is bounded, so
that a small one cannot ask for much.
"""

import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from core.errors import AudioError
from core.files import duration_in_words, size_in_words
from core.music import FloatArray

Source = Path | BinaryIO

CONTAINERS = (
    "mp3", "mov", "matroska", "webm", "ogg", "flac", "wav", "aiff", "aac", "asf", "wv", "au", "caf", "w64", "ape", "tta", "mpc",
    "mpc8", "ac3", "eac3", "amr", "dsf",
)  # fmt: skip
"""FFmpeg's names of the containers that are opened; everything else is refused."""
SUFFIXES = frozenset(
    ".mp3 .mp2 .mpga .m4a .m4b .m4r .m4v .mp4 .mov .3gp .3g2 .aac .adts .webm .weba .mka .mkv .opus .ogg .oga .ogx .spx .flac "  # noqa: SIM905
    ".fla .wav .wave .w64 .aif .aiff .aifc .caf .au .snd .wma .asf .wv .ape .tta .mpc .mpp .ac3 .eac3 .amr .dsf".split()
)
"""File name endings that an import looks at. What a file is, its content decides."""

PLAYABLE = {
    ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".mp4": "audio/mp4", ".aac": "audio/aac", ".webm": "audio/webm",
    ".mka": "audio/webm", ".opus": "audio/ogg", ".ogg": "audio/ogg", ".oga": "audio/ogg", ".flac": "audio/flac",
    ".wav": "audio/wav", ".weba": "audio/webm", ".m4b": "audio/mp4", ".m4r": "audio/mp4",
}  # fmt: skip
"""What browsers play, by file name; the rest is given to them as WAV."""

CODECS = (
    "mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "aac", "aac_latm", "aac_fixed", "alac", "opus", "libopus",
    "vorbis", "flac", "ac3", "eac3", "adpcm_ms", "adpcm_ima_wav", "pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le",
    "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_alaw", "pcm_mulaw",
    "adpcm_ima_qt", "wmav1", "wmav2", "wmapro", "wmalossless", "wavpack", "ape", "tta", "mpc7", "mpc8", "speex", "amrnb", "amrwb",
    "dsd_lsbf", "dsd_msbf", "dsd_lsbf_planar", "dsd_msbf_planar",
)  # fmt: skip
"""FFmpeg's names of the decoders that may run, of its several hundred: containers can hold anything."""
SAMPLE_RATES = 4_000, 768_000
"""Hz. From a rate of 1 Hz every sample would become 16,000."""
MAX_CHANNELS = 64
"""As many as FFmpeg resamples."""
PLANES = 8
"""More channels than these do not come as planes: PyAV reads memory that is not there."""
MIN_BYTES_PER_S, BOMB_S = 400, 600.0
"""No codec plays music from fewer bytes a second (Opus takes 750 at least). A longer file with fewer is hours of nothing,
packed to have a machine unpack it."""
FAR_TOO_LONG = 4
"""A file that does not say how long it is, and goes on as it began, is given up early if it would be so many times too long."""

MAX_AMPLITUDE = 100.0
"""Beyond this (40 dB over full scale) samples are garbage, not a loud mix: float decoders overshoot by a few dB."""
TRUNCATED_SHARE, TRUNCATED_S = 0.95, 1.0
"""A file is cut when both less than this share and over this many seconds less are there than it announces;
durations estimated from a bit rate are off by less."""

UNKNOWN_SIZE = 2_000_000_000
"""From here on, the size in a WAV's head is a filler of programs that could not go back to write the true one."""


SILENCE = 10 ** (-80 / 20)
"""A song whose loudest sample is under -80 dB of full scale has no sound in it."""
CANCELLED = 0.01
"""The mean of channels cancels them if it has less than this share of their power: of 64, one with sound leaves more."""
ESTIMATED = ("mp3", "aac", "ac3", "eac3")
"""Containers that are bare packets and do not announce a length: FFmpeg estimates it from the first bit rate."""
VBR_HEADERS = (b"Xing", b"Info", b"VBRI")
"""One of these in the first frame of an mp3 says that it holds the number of frames."""
MAX_ID3V2 = 10
"""ID3v2 tags before the sound that are looked behind: more than two are a mistake."""
FIRST_FRAME = 1024
"""Bytes that are looked at where the sound begins: with those marks in the first 200."""
TAIL = 256
"""Bytes at the end of a file that show whether it ends with a tag."""
READ_APE = (b"wvpk", b"TTA1", b"MPCK", b"MP+")
"""Beginnings of files whose APEv2 tags FFmpeg reads and keeps apart from the sound itself."""


BEGINNINGS = (
    b"ID3", b"fLaC", b"OggS", b"\x1aE\xdf\xa3", b"wvpk", b"MAC ", b"TTA1", b"MPCK", b"MP+", b".snd", b"caff", b"DSD ", b"#!AMR",
    b"riff.\x91\xcf\x11", b"0&\xb2u\x8ef\xcf\x11", b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"\xff\xf9",
)  # fmt: skip
"""First bytes of audio files; for those of RIFF, AIFF and MP4, which hold other things, too, see `begins_as_audio`."""


class TooLongError(AudioError):
    """The sound is longer than what is decoded."""


@dataclass(frozen=True)
class Probe:
    """What a file says of itself, before decoding. `duration_s` is None where it does not say.

    `packets_sha256` identifies the recording whatever its tags (see `packets_digest`); '' if it was not asked for.
    `tags` are FFmpeg's (`audio.tags` reads them better), and may be undecided text (`core.text_encoding`).
    """

    container: str
    codec: str
    sample_rate: int
    channels: int
    duration_s: float | None
    tags: dict[str, str] = field(default_factory=dict)
    packets_sha256: str = ""


@dataclass
class DecodeReport:
    """What decoding a file came to: fills as blocks are read, complete when they end.

    `state` is `ok`, `truncated` (clearly shorter than announced) or `damaged` (parts could not be decoded).
    `packets_sha256` is that of `Probe`.
    """

    duration_s: float = 0.0
    peak: float = 0.0
    state: str = "ok"
    reason: str = ""
    packets_sha256: str = ""


@dataclass(frozen=True)
class _Opened:
    """An open file: its container, the audio stream that is decoded, its bytes, and its length as it announces it."""

    container: InputContainer
    stream: AudioStream
    bytes: "_Seekable"
    announced_s: float | None


def begins_as_audio(head: bytes) -> bool:
    """Whether a file that begins with `head`, 16 bytes, is probably audio: for files whose names do not say."""
    if head[:4] == b"RIFF":
        return head[8:12] == b"WAVE"
    if head[:4] == b"FORM":
        return head[8:12] in (b"AIFF", b"AIFC")
    if head[4:8] == b"ftyp":
        return head[8:11] in (b"M4A", b"M4B", b"mp4", b"iso", b"qt ", b"3gp", b"3g2", b"das")
    return head.startswith(BEGINNINGS)


def probe(
    source: Source, *, max_bytes: int = 2_000_000_000, check_sound: bool = False, read_packets: bool = False
) -> Probe:
    """Read container, codec and tags; with `check_sound` also decode the first frame.

    With `read_packets` all packets are read, though not decoded: for `packets_sha256`, and for the duration where the
    container does not tell it. Raises `AudioError` if `source` is not audio in one of `CONTAINERS`.
    """
    with _opened(source, max_bytes) as opened:
        codec, digest, ticks = opened.stream.codec_context, _packets_digest(opened.stream), 0
        found = Probe(
            container=opened.container.format.name.split(",")[0],
            codec=codec.codec.canonical_name,
            sample_rate=codec.sample_rate or 0,
            channels=codec.channels or 0,
            duration_s=opened.announced_s,
            tags=_tags(opened),
        )
        has_sound = not check_sound
        if check_sound or read_packets:
            with suppress(av.FFmpegError, OSError):  # the container breaks off: decoding will tell
                for packet in _packets(opened, digest):
                    has_sound = has_sound or _holds_samples(packet)
                    if has_sound and not read_packets:
                        break
                    if opened.announced_s is None:
                        ticks += packet.duration or 0
        if not has_sound:
            raise AudioError("There is no sound in this file: it announces audio, but holds no samples.")
    if not read_packets:
        return found
    if ticks and opened.stream.time_base:
        found = replace(found, duration_s=float(ticks * opened.stream.time_base))
    return replace(found, packets_sha256=digest.hexdigest())


def blocks(
    source: Source,
    *,
    sample_rate: int = 16_000,
    max_s: float = 4 * 3600,
    max_bytes: int = 2_000_000_000,
    report: DecodeReport | None = None,
) -> Iterator[FloatArray]:
    """Yield consecutive pieces of y, each (n,) float32, about a second long.

    `report`, if given, is complete when the iterator ends. Raises `AudioError` if the file cannot be decoded, is
    larger than `max_bytes`, longer than `max_s`, or holds samples that are not numbers.
    """
    report = report if report is not None else DecodeReport()
    with _opened(source, max_bytes) as opened:
        announced_s = opened.announced_s
        if announced_s is not None and announced_s > max_s:
            _too_long(announced_s, max_s)
        n_samples = 0
        for block in _resampled(_frames(opened, report), sample_rate):
            peak = float(np.max(np.abs(block), initial=0.0))
            if not peak <= MAX_AMPLITUDE:  # also true of NaN
                raise AudioError(
                    "This file holds samples that are not usable numbers (NaN, infinite or far beyond full scale). "
                    "Export it again from the program it came from."
                )
            n_samples += block.size
            report.peak = max(report.peak, peak)
            report.duration_s = n_samples / sample_rate
            if report.duration_s > max_s:
                _too_long(report.duration_s, max_s)
            if report.duration_s > BOMB_S:
                _check_density(report.duration_s, opened.bytes, max_s)
            yield block
    if n_samples == 0:
        raise AudioError("There is no sound in this file: not one sample could be decoded.")
    compare_with_announced(report, announced_s)


def compare_with_announced(report: DecodeReport, announced_s: float | None) -> None:
    """Mark `report` as truncated if clearly less was decoded than the container announced."""
    announced_s = announced_s or 0.0
    missing_s = announced_s - report.duration_s
    if missing_s > TRUNCATED_S and report.duration_s < TRUNCATED_SHARE * announced_s:
        report.state = "truncated"
        report.reason = (
            f"The file announces {duration_in_words(announced_s)}, but only "
            f"{duration_in_words(report.duration_s)} could be decoded: it is cut off or damaged."
        )


def load(
    source: Source, *, sample_rate: int = 16_000, max_s: float = 4 * 3600, report: DecodeReport | None = None
) -> FloatArray:
    """The whole of y, (n_samples,) float32, mono, nominal range [-1, 1]. Errors as `blocks`."""
    return np.concatenate(list(blocks(source, sample_rate=sample_rate, max_s=max_s, report=report)))


def excerpt(
    source: Source, start_s: float, end_s: float, *, sample_rate: int = 16_000, max_s: float = 4 * 3600
) -> FloatArray:
    """Y from one second to another, (n_samples,) float32; what is past the end is missing. Errors as `blocks`."""
    first, last = max(0, round(start_s * sample_rate)), round(end_s * sample_rate)
    kept: list[FloatArray] = []
    at = 0
    for block in blocks(source, sample_rate=sample_rate, max_s=max_s):
        kept.append(block[max(0, first - at) : max(0, last - at)])
        at += block.size
        if at >= last:
            break
    return np.concatenate(kept)


def as_wav(y: FloatArray, *, sample_rate: int = 16_000) -> bytes:
    """A 16-bit WAV of y: for browsers, which cannot play every file that can be decoded."""
    return _written(y, sample_rate, "wav", "pcm_s16le", {})


def as_flac(y: FloatArray, *, sample_rate: int = 16_000, tags: Mapping[str, str] | None = None) -> bytes:
    """A 16-bit FLAC of y, with `tags` such as `artist` and `title`. The same sound gives the same bytes."""
    return _written(y, sample_rate, "flac", "flac", tags or {})


def _written(y: FloatArray, sample_rate: int, container: str, codec: str, tags: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=container) as written:
        written.metadata.update(tags)
        stream = cast(AudioStream, written.add_stream(codec, rate=sample_rate, layout="mono"))
        samples = (np.clip(y, -1, 1) * 32767).astype(np.int16)
        block = stream.codec_context.frame_size or len(samples)  # some codecs take so many samples at a time
        for first in range(0, len(samples), max(block, 1)):
            frame = AudioFrame.from_ndarray(samples[None, first : first + block], format="s16", layout="mono")
            frame.sample_rate, frame.pts = sample_rate, first
            written.mux(stream.encode(frame))
        written.mux(stream.encode(None))
    return out.getvalue()


def _too_long(duration_s: float, max_s: float) -> NoReturn:
    raise TooLongError(
        f"This file is longer than {duration_in_words(max_s)} (at least {duration_in_words(duration_s)}). "
        "Cut it, or raise GENRESCOPE_MAX_AUDIO_S."
    )


def _check_density(duration_s: float, stream: "_Seekable", max_s: float) -> None:
    """Raise `AudioError` if so much sound came of so few bytes that this file is, or would become, far too long."""
    if stream.size < MIN_BYTES_PER_S * duration_s:
        raise AudioError(
            f"This file makes over {duration_in_words(duration_s)} of sound from {size_in_words(stream.size)}: no music is "
            "packed so small. It is silence, or made to keep a machine busy."
        )
    expected_s = duration_s * stream.size / max(1, stream.tell())
    if expected_s > FAR_TOO_LONG * max_s:
        _too_long(expected_s, max_s)


@contextmanager
def _opened(source: Source, max_bytes: int) -> Iterator[_Opened]:
    """Open a file as sound."""
    if isinstance(source, Path) and source.is_fifo():
        raise AudioError("The file cannot be read: it is a pipe between programs, not a file.")
    try:
        stream: BinaryIO = source.open("rb") if isinstance(source, Path) else source
    except OSError as error:
        raise AudioError(f"The file cannot be read: {error.strerror or error}.") from error
    try:
        size = stream.seek(0, os.SEEK_END)
        if size == 0:
            raise AudioError("The file is empty (0 bytes). Download or copy it again.")
        if size > max_bytes:
            raise AudioError(
                f"The file is {size_in_words(size)}, more than the limit of {size_in_words(max_bytes)}. "
                "Raise GENRESCOPE_MAX_AUDIO_BYTES if you trust it."
            )
        opened = _open(stream, size)
        try:
            if len(opened.container.streams.audio) > 1:
                number = _with_sound(opened)
                opened.container.close()
                opened = _open(stream, size, number)
            yield opened
        finally:
            opened.container.close()
    finally:
        if isinstance(source, Path):
            stream.close()


def _open(stream: BinaryIO, size: int, number: int = 0) -> _Opened:
    """Open the bytes of a file, of which the audio stream `number` is meant."""
    start, head = _after_id3v2(stream)
    seekable = _Seekable(stream, *_end_of_sound(stream, start, size, head))
    try:
        container = av.open(
            seekable,
            format=_behind_id3v2(head) if start else None,
            options={
                "format_whitelist": ",".join(CONTAINERS),
                "codec_whitelist": ",".join(CODECS),
                "protocol_whitelist": "none",
            },
            io_open=_refuse,
            metadata_errors="surrogateescape",
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise AudioError(
            "This is not a sound file that Genrescope knows, whatever its name says. It reads mp3, m4a/AAC, webm/Opus, ogg, "
            "flac, wav, aiff, wma and other usual formats."
        ) from error
    assert isinstance(container, InputContainer)
    try:
        if not container.streams.audio:
            raise AudioError("There is no sound in this file: it holds pictures or video only.")
        audio = container.streams.audio[number]
        codec = audio.codec_context
        if codec is None or codec.name not in CODECS:
            raise AudioError(
                f"The sound in this file is packed in a way that Genrescope does not read ({codec.name if codec else 'unknown'}). "
                "Export it as mp3, m4a, ogg, flac or wav."
            )
        return _Opened(container, audio, seekable, _announced_s(container, audio, head, size))
    except BaseException:
        container.close()
        raise


def _with_sound(opened: _Opened) -> int:
    """Which audio stream of several is decoded: the first that is not silent from beginning to end, else the first."""
    silent = {stream.index: True for stream in opened.container.streams.audio}
    order = list(silent)
    with suppress(av.FFmpegError, OSError):
        for packet in opened.container.demux(*opened.container.streams.audio):
            if not silent[packet.stream.index]:
                continue
            with suppress(av.FFmpegError, ValueError):
                silent[packet.stream.index] = all(map(_is_silent, packet.decode()))
            if not silent[order[0]]:
                return 0
    return next((number for number, index in enumerate(order) if not silent[index]), 0)


def _is_silent(frame: object) -> bool:
    """Whether a decoded frame holds nothing that can be heard."""
    if not isinstance(frame, AudioFrame) or not frame.samples:
        return True
    if frame.layout.nb_channels > PLANES:
        return False
    samples = frame.to_ndarray()
    full_scale = 1.0 if samples.dtype.kind == "f" else 256.0**samples.dtype.itemsize / 2
    middle = full_scale if samples.dtype.kind == "u" else 0.0
    return bool(np.max(np.abs(samples.astype(np.float64) - middle)) < SILENCE * full_scale)


class _Seekable:
    """The bytes of a file up to `end`, then `tail`, for the decoder: seeks before the start are harmless."""

    def __init__(self, stream: BinaryIO, end: int, tail: bytes) -> None:
        self._stream, self._end, self._tail = stream, end, tail
        self.size, self._at = end + len(tail), 0

    def read(self, n: int = -1) -> bytes:
        n = self.size - self._at if n < 0 else n
        if self._at >= self._end:
            data = self._tail[self._at - self._end :][:n]
        else:
            self._stream.seek(self._at)
            data = self._stream.read(min(n, self._end - self._at))
        self._at += len(data)
        return data

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence] + offset)
        return self._at


def _after_id3v2(stream: BinaryIO) -> tuple[int, bytes]:
    """(where the sound begins after any ID3v2 tags, the first bytes there)."""
    at, head = 0, b""
    for _ in range(MAX_ID3V2):
        stream.seek(at)
        head = stream.read(FIRST_FRAME)
        if head[:3] != b"ID3" or len(head) < 10:
            break
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        at += 10 + size + (10 if head[5] & 0x10 else 0)  # a footer repeats the head
    return at, head


def _behind_id3v2(head: bytes) -> str | None:
    """The container whose bytes `head` is, where FFmpeg would give up looking behind a large tag; None: it finds mp3 itself."""
    if head[:4] == b"fLaC":
        return "flac"
    return "aac" if head[:1] == b"\xff" and head[1:2] and head[1] & 0xF6 == 0xF0 else None


def _end_of_sound(stream: BinaryIO, start: int, size: int, head: bytes) -> tuple[int, bytes]:
    """(where APEv2, Lyrics3 and ID3v1 tags behind the sound begin, the ID3v1 tag).

    FFmpeg takes what is in these tags for sound: the bytes of a cover look like it. Only ID3v1 it reads, but not in FLAC.
    """
    end, id3v1 = size, b""
    while True:
        stream.seek(max(start, end - TAIL))
        tail = stream.read(min(TAIL, end - start))
        footer = tail[-32:]
        if footer[:8] == b"APETAGEX" and len(footer) == 32 and not head.startswith(READ_APE):
            length = int.from_bytes(footer[12:16], "little") + (32 if footer[23] & 0x80 else 0)  # without its head
        elif tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
            length = int(tail[-15:-9]) + 15
        elif tail[-128:-125] == b"TAG":
            id3v1, length = tail[-128:], 128
        elif tail[-227:-223] == b"TAG+":
            length = 227
        else:
            length = 0
        if not 32 <= length <= end - start:
            return end, b"" if head[:4] == b"fLaC" else id3v1
        end -= length


def _refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError(f"a sound file asked for another file or address: {url!r}")


def _announced_s(container: InputContainer, stream: AudioStream, head: bytes, size: int) -> float | None:
    """The length that a file announces, seconds; None where FFmpeg only estimates it from the first bit rate."""
    if container.format.name in ESTIMATED and not any(mark in head for mark in VBR_HEADERS):
        return None
    announced_s = container.duration / av.time_base if container.duration else None
    if stream.duration is not None and stream.time_base is not None:
        announced_s = float(stream.duration * stream.time_base)
    if announced_s and head[:4] == b"RIFF" and (riff_size := int.from_bytes(head[4:8], "little")) < UNKNOWN_SIZE:
        announced_s *= max(1.0, (riff_size + 8) / size)  # FFmpeg tells what is there; the file's own count is RIFF's
    return announced_s


def _tags(opened: _Opened) -> dict[str, str]:
    """Tags by lower-case name; Ogg keeps them with the stream, others with the container."""
    both = {**opened.stream.metadata, **opened.container.metadata}
    return {name.lower(): " ".join(str(value).split()) for name, value in both.items()}


def _packets_digest(stream: AudioStream) -> "hashlib._Hash":
    """The SHA-256 that identifies a recording: of its codec, rate and channels, then of the payload of all its packets.

    Tags and pictures are not among packets, so it outlives every edit of them. The codec's own header (extradata) is left
    out, since in Ogg it holds the tags; where it shapes the sound (Vorbis, ALAC), packets are of no use with another.
    How packets are cut does not enter, since FFmpeg may cut PCM otherwise in another version.
    """
    codec = stream.codec_context
    return hashlib.sha256(f"{codec.codec.canonical_name} {codec.sample_rate} {codec.channels}\n".encode())


def _packets(opened: _Opened, digest: "hashlib._Hash") -> "Iterator[Packet[AudioStream]]":
    """The packets of the audio stream, added to `digest`; the last one flushes the decoder. Errors as `demux`."""
    for packet in opened.container.demux(opened.stream):
        if packet.size:
            digest.update(packet)
        yield packet


def _holds_samples(packet: "Packet[AudioStream]") -> bool:
    """Whether samples come of a packet; False also if it cannot be decoded."""
    with suppress(av.FFmpegError):
        return any(isinstance(frame, AudioFrame) and frame.samples for frame in packet.decode())
    return False


def _frames(opened: _Opened, report: DecodeReport) -> Iterator[AudioFrame]:
    """Decoded frames; packets that cannot be decoded are skipped and reported as damage."""
    bad = 0
    digest = _packets_digest(opened.stream)
    packets = _packets(opened, digest)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except (av.FFmpegError, OSError):  # the container itself breaks off here
            bad += 1
            break
        try:
            frames = packet.decode()
        except av.FFmpegError:
            bad += 1
            continue
        for frame in frames:
            if isinstance(frame, AudioFrame) and frame.samples:
                yield frame
    report.packets_sha256 = digest.hexdigest()
    if bad:
        report.state = "damaged"
        report.reason = f"{bad} part{'s' * (bad > 1)} of the file could not be decoded and {_were(bad)} left out."


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _resampled(frames: Iterator[AudioFrame], sample_rate: int) -> Iterator[FloatArray]:
    """Mono blocks of a second at `sample_rate`.

    The resampler keeps the channels, and the mean is ours: asked for mono in float, FFmpeg would scale by sqrt(2).
    It also refuses a change of format in mid-stream, which some files have: a new one is made then.
    """
    resampler: AudioResampler | None = None
    made_for: tuple[str, str, int, int] | None = None
    for frame in frames:
        frame.pts = None  # gaps in a damaged file's clock are not filled with silence
        kind = (frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate)
        try:
            if kind != made_for:
                yield from _mixed(resampler, None)
                _check_kind(frame)
                form = "fltp" if frame.layout.nb_channels <= PLANES else "flt"
                # a whole second at once: each piece that leaves FFmpeg costs as much as resampling it
                resampler = AudioResampler(format=form, layout=frame.layout, rate=sample_rate, frame_size=sample_rate)
                made_for = kind
            yield from _mixed(resampler, frame)
        except (av.FFmpegError, ValueError, MemoryError) as error:
            raise AudioError(
                f"The sound in this file ({frame.layout.nb_channels} channels at {frame.sample_rate:,} Hz) cannot be "
                "converted. Export it again, in stereo."
            ) from error
    yield from _mixed(resampler, None)


def _check_kind(frame: AudioFrame) -> None:
    """Raise `AudioError` unless sound of this kind can be, and can be converted at a bounded cost."""
    low, high = SAMPLE_RATES
    if not low <= frame.sample_rate <= high:
        raise AudioError(
            f"This file says that its sound has {frame.sample_rate:,} samples a second. Between {low:,} and {high:,} are read."
        )
    if not 1 <= frame.layout.nb_channels <= MAX_CHANNELS:
        raise AudioError(f"This file has {frame.layout.nb_channels} channels; at most {MAX_CHANNELS} are read.")


def _mixed(resampler: AudioResampler | None, frame: AudioFrame | None) -> Iterator[FloatArray]:
    """What comes out when `frame` goes in (None: what is left), the mean of its channels."""
    for out in resampler.resample(frame) if resampler else ():
        if out.samples:
            samples = np.asarray(out.to_ndarray(), np.float32)
            channels = samples if out.format.is_planar else samples.reshape(-1, out.layout.nb_channels).T
            yield _mono(channels)


def _mono(channels: FloatArray) -> FloatArray:
    """The mean of channels (n_channels, n); where they cancel each other out, as inverted stereo does, one of them."""
    mean: FloatArray = channels.mean(axis=0)
    if len(channels) == 1:
        return mean
    power = np.array([np.dot(channel, channel) for channel in channels])
    if np.dot(mean, mean) >= CANCELLED * power.mean():
        return mean
    loud: FloatArray = channels[int(np.argmax(power >= power.max() / 2))]  # the first that is: always the same one
    return loud
