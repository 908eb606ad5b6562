"""Decoding: the right samples from good files, the truth about bad ones, and never a file or address they name."""

import io
import os
import struct
import threading
import tracemalloc
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.audio.waveform import DecodeReport, TooLongError, as_flac, as_wav, blocks, excerpt, load, probe
from core.errors import AudioError
from tests.sounds import CODECS, edit_tags, encode, pcm_wav, tone, write_float_wav, write_sound

RATE = 16_000
LOSSLESS = (".flac", ".wav", ".aiff")
LOSSY = tuple(sorted(set(CODECS) - set(LOSSLESS)))


def noise(seconds: float, *, seed: int = 0, sample_rate: int = 48_000) -> np.ndarray:
    return 0.2 * np.random.default_rng(seed).standard_normal(int(seconds * sample_rate))


def decoded(path: Path) -> tuple[np.ndarray, DecodeReport]:
    report = DecodeReport()
    return load(path, report=report), report


def level(y: np.ndarray) -> float:
    """Amplitude of the sine that y is, away from its ends."""
    middle = y[RATE // 4 : -RATE // 4]
    return float(middle.std() * np.sqrt(2))


# -- good files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", sorted(CODECS))
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_becomes_mono_float32_at_16_khz(tmp_path: Path, suffix: str, channels: int) -> None:
    path = write_sound(tmp_path / f"song{suffix}", np.tile(tone(440, 3), (channels, 1)))
    y, report = decoded(path)
    assert y.dtype == np.float32
    assert y.ndim == 1
    assert abs(y.size - 3 * RATE) <= (0 if suffix in LOSSLESS else 0.05 * RATE)
    assert report.state == "ok"
    assert report.reason == ""
    assert report.duration_s == y.size / RATE
    assert report.peak == np.abs(y).max()
    spectrum = np.abs(np.fft.rfft(y))
    assert abs(spectrum.argmax() / y.size * RATE - 440) < 1


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_samples_of_a_lossless_file_come_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    y = noise(2, sample_rate=RATE)
    path = write_sound(tmp_path / f"song{suffix}", y, sample_rate=RATE)
    np.testing.assert_allclose(load(path), y, atol=1.01 / 32768)


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("channels", [2, 6])
def test_mono_is_the_mean_of_the_channels(tmp_path: Path, suffix: str, channels: int) -> None:
    planes = np.stack([noise(1, seed=seed, sample_rate=RATE) for seed in range(channels)])
    path = write_sound(tmp_path / f"song{suffix}", planes, sample_rate=RATE)
    np.testing.assert_allclose(load(path), planes.mean(axis=0), atol=1.01 / 32768)


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 48_000, 96_000])
def test_resampling_changes_neither_level_nor_length(tmp_path: Path, channels: int, sample_rate: int) -> None:
    sine = tone(440, 2, sample_rate=sample_rate)
    path = write_sound(tmp_path / "song.flac", np.tile(sine, (channels, 1)), sample_rate=sample_rate)
    y = load(path)
    assert level(y) == pytest.approx(0.5, rel=1e-3)
    assert abs(y.size - 2 * RATE) <= 1


@pytest.mark.parametrize("suffix", [".webm", ".ogg", ".m4a"])
def test_lossy_stereo_is_as_loud_as_it_was(tmp_path: Path, suffix: str) -> None:
    path = write_sound(tmp_path / f"song{suffix}", np.tile(tone(440, 3), (2, 1)))
    assert level(load(path)) == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg", ".m4a"])
@pytest.mark.parametrize("gain", [-1.0, -0.97])
def test_of_channels_that_cancel_each_other_out_one_is_heard(tmp_path: Path, suffix: str, gain: float) -> None:
    sine = tone(440, 3)
    y, report = decoded(write_sound(tmp_path / f"song{suffix}", np.stack([sine, gain * sine])))
    assert report.peak > 0.4 and level(y) == pytest.approx(0.5, rel=0.06)
    silent_side = load(write_sound(tmp_path / f"side{suffix}", np.stack([sine, 0 * sine])))
    assert level(silent_side) == pytest.approx(0.25, rel=0.06), "the mean, as ever"


@pytest.mark.parametrize(
    ("suffix", "container", "codec"),
    [(".mkv", "matroska", "flac"), (".mp4", "mp4", "aac"), (".mka", "matroska", "libopus")],
)
def test_where_the_first_track_is_silent_the_one_with_sound_is_heard(
    tmp_path: Path, suffix: str, container: str, codec: str
) -> None:
    sine, silence = np.tile(tone(440, 3), (2, 1)), np.zeros((1, 3 * 48_000))
    late = np.concatenate([np.zeros(2 * 48_000), tone(440, 1)])
    tracks = {
        "second": (silence, sine),
        "third": (silence, silence, sine),
        "first": (sine, np.tile(tone(880, 3), (2, 1))),
    }
    for name, sounds in tracks.items():
        path = encode(tmp_path / f"{name}{suffix}", container, codec, *sounds)
        assert level(load(path)) == pytest.approx(0.5, rel=0.03)
        assert packets(path) == packets(encode(tmp_path / f"alone{suffix}", container, codec, sine))
    y = load(encode(tmp_path / f"late{suffix}", container, codec, late, tone(880, 3)))
    assert np.abs(y[:RATE]).max() < 0.01 and abs(np.abs(np.fft.rfft(y)).argmax() / y.size * RATE - 440) < 3, (
        "it begins late"
    )
    y = load(encode(tmp_path / f"none{suffix}", container, codec, silence, silence))
    assert np.abs(y).max() < 1e-4


def mp3_frames(y: np.ndarray, bit_rate: int) -> bytes:
    """The bare frames of an mp3, without a head that counts them."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream("libmp3lame", rate=48_000, layout="mono")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(np.asarray(y[None], np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        for converted in av.AudioResampler(format=stream.format, layout="mono", rate=48_000).resample(frame):
            container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize("rates", [(32_000, 192_000), (192_000, 32_000), (64_000, 320_000)])
def test_an_mp3_of_varying_rate_without_a_head_is_not_cut_off(tmp_path: Path, rates: tuple[int, int]) -> None:
    """FFmpeg estimates its length from the first frames: far too long, or too short."""
    path = tmp_path / "a.mp3"
    path.write_bytes(b"".join(mp3_frames(noise(8), rate) for rate in rates))
    with av.open(str(path)) as container:
        assert abs(container.duration / av.time_base - 16) > 2, "the estimate is wrong, or this test shows nothing"
    y, report = decoded(path)
    assert (report.state, report.reason) == ("ok", "") and report.duration_s == pytest.approx(16, abs=0.2)
    assert load(path, max_s=17).size == y.size
    assert probe(path).duration_s is None
    assert probe(path, read_packets=True).duration_s == pytest.approx(16, abs=0.2)


def test_frequencies_above_the_new_limit_do_not_fold_down(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.flac", tone(11_000, 2, sample_rate=96_000), sample_rate=96_000)
    assert level(load(path)) < 0.5e-3


def test_another_sample_rate_can_be_asked_for(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.flac", tone(440, 1))
    assert load(path, sample_rate=22_050).size == 22_050


def test_a_float_file_somewhat_over_full_scale_is_not_clipped(tmp_path: Path) -> None:
    y, report = decoded(
        write_float_wav(tmp_path / "loud.wav", tone(440, 1, sample_rate=RATE, amplitude=1.8), sample_rate=RATE)
    )
    assert level(y) == pytest.approx(1.8, rel=1e-3)
    assert report.state == "ok"


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.flac", tone(440, 1)).rename(tmp_path / "song.mp3")
    assert probe(path).container == "flac"
    assert load(path).size == RATE


def test_a_file_whose_format_changes_in_mid_stream_is_decoded_whole(tmp_path: Path) -> None:
    first = write_sound(tmp_path / "a.mp3", np.tile(tone(440, 2, sample_rate=44_100), (2, 1)), sample_rate=44_100)
    second = write_sound(tmp_path / "b.mp3", tone(880, 3, sample_rate=22_050), sample_rate=22_050)
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    y = load(joined)
    assert y.size / RATE == pytest.approx(5, abs=0.3)
    assert level(y[: 2 * RATE]) == pytest.approx(level(y[-2 * RATE :]), rel=0.05)


def test_a_cover_picture_is_passed_over(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "song.flac", tone(440, 2)).read_bytes()
    picture = png()
    block = struct.pack(">II", 3, 9) + b"image/png" + struct.pack(">6I", 0, 4, 4, 24, 0, len(picture)) + picture
    with_cover = tmp_path / "cover.flac"
    first_block_end = 4 + 4 + 34
    header = bytes([6]) + len(block).to_bytes(3, "big")
    with_cover.write_bytes(sound[:first_block_end] + header + block + sound[first_block_end:])
    with av.open(str(with_cover)) as container:
        assert len(container.streams.video) == 1
    assert load(with_cover).size == 2 * RATE


def test_probe_tells_what_the_file_says_of_itself(tmp_path: Path) -> None:
    tags = {"artist": "Ärtist\nof two lines", "title": "Títle", "genre": "Drone"}
    path = write_sound(tmp_path / "song.ogg", np.tile(tone(440, 3), (2, 1)), tags=tags)
    found = probe(path)
    assert (found.container, found.codec, found.sample_rate, found.channels) == ("ogg", "opus", 48_000, 2)
    assert found.duration_s == pytest.approx(3, abs=0.05)
    assert (found.tags["artist"], found.tags["title"], found.tags["genre"]) == ("Ärtist of two lines", "Títle", "Drone")


@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".webm", ".ogg", ".flac", ".wav", ".aiff"])
def test_tags_are_read_from_every_format(tmp_path: Path, suffix: str) -> None:
    path = write_sound(tmp_path / f"song{suffix}", tone(440, 1), tags={"title": "Títle"})
    assert probe(path).tags["title"] == "Títle"


# -- streams and blocks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".webm", ".flac"])
def test_bytes_in_memory_work_like_a_file(tmp_path: Path, suffix: str) -> None:
    path = write_sound(tmp_path / f"song{suffix}", noise(2))
    stream = io.BytesIO(path.read_bytes())
    stream.seek(0, os.SEEK_END)
    np.testing.assert_array_equal(load(stream), load(path))
    assert not stream.closed
    assert probe(stream) == probe(path)


def test_blocks_joined_are_the_whole(tmp_path: Path) -> None:
    y = noise(5, sample_rate=RATE)
    path = write_sound(tmp_path / "song.wav", y, sample_rate=RATE)
    pieces = list(blocks(path))
    assert len(pieces) > 1
    assert all(piece.dtype == np.float32 and 0 < piece.size <= 3 * RATE for piece in pieces)
    np.testing.assert_allclose(np.concatenate(pieces), y, atol=1.01 / 32768)


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "long.flac", np.zeros(5 * 60 * 8_000, np.float32), sample_rate=8_000)
    whole_bytes = 5 * 60 * RATE * 4
    tracemalloc.start()
    try:
        n_samples = sum(block.size for block in blocks(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert abs(n_samples - 5 * 60 * RATE) <= 1
    assert peak < whole_bytes / 10


def test_leaving_half_way_closes_the_file(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.flac", noise(5))
    pieces = blocks(path)
    next(pieces)
    held = [fd for fd in _open_files() if fd == path]
    pieces.close()
    assert held == [path]
    assert path not in _open_files()


def _open_files() -> list[Path]:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("this system does not tell which files a process holds open")
    return [link.readlink() for link in folder.iterdir() if link.is_symlink()]


# -- limits ------------------------------------------------------------------------------------------------------------


def test_a_file_that_announces_too_much_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.flac", noise(5))
    report = DecodeReport()
    with pytest.raises(AudioError, match=r"longer than 4 s \(at least 5 s\)"):
        load(path, max_s=4, report=report)
    assert report.duration_s == 0


def test_a_file_that_turns_out_too_long_is_refused(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.flac", noise(20))
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # STREAMINFO: the number of samples in all is 0, unknown
    data[22:26] = bytes(4)
    path.write_bytes(data)
    report = DecodeReport()
    with pytest.raises(AudioError, match="longer than 4 s"):
        load(path, max_s=4, report=report)
    assert report.duration_s < 8


def test_a_file_as_long_as_allowed_is_decoded(tmp_path: Path) -> None:
    assert load(write_sound(tmp_path / "song.flac", noise(4)), max_s=4).size == 4 * RATE


def test_a_file_with_too_many_bytes_is_refused(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.wav", noise(1))
    size = path.stat().st_size
    with pytest.raises(AudioError, match="limit"):
        next(blocks(path, max_bytes=size - 1))
    with pytest.raises(AudioError, match="limit"):
        probe(path, max_bytes=size - 1)
    assert next(blocks(path, max_bytes=size)).size


# -- cut and damaged files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp3", ".webm", ".flac", ".aiff", ".wav"])
def test_a_cut_file_is_used_and_marked(tmp_path: Path, suffix: str) -> None:
    path = write_sound(tmp_path / f"song{suffix}", noise(8))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    y, report = decoded(path)
    assert y.size / RATE == pytest.approx(4, abs=0.6)
    assert report.state == "truncated"
    assert "announces 8 s" in report.reason


@pytest.mark.parametrize("suffix", [".mp3", ".webm", ".flac", ".aiff", ".wav"])
def test_a_few_missing_bytes_are_no_cut(tmp_path: Path, suffix: str) -> None:
    path = write_sound(tmp_path / f"song{suffix}", noise(8))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.97)])
    assert decoded(path)[1].state != "truncated"


@pytest.mark.parametrize("filler", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_a_wav_of_unknown_length_is_not_taken_for_a_cut_one(tmp_path: Path, filler: int) -> None:
    data = bytearray(write_sound(tmp_path / "song.wav", noise(3)).read_bytes())
    where = data.index(b"data") + 4
    data[4:8] = data[where : where + 4] = struct.pack(
        "<I", filler
    )  # as programs write it that cannot go back to the start
    (tmp_path / "piped.wav").write_bytes(data)
    y, report = decoded(tmp_path / "piped.wav")
    assert y.size == 3 * RATE
    assert report.state == "ok"


def test_an_m4a_without_its_index_is_refused(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.m4a", noise(8))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError):
        load(path)


@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".flac"])
def test_damage_in_the_middle_is_decoded_around_and_marked(tmp_path: Path, suffix: str) -> None:
    path = write_sound(tmp_path / f"song{suffix}", np.stack([noise(10), noise(10, seed=1)]))
    data = bytearray(path.read_bytes())
    hurt = len(data) // 8
    data[len(data) // 2 : len(data) // 2 + hurt] = np.random.default_rng(0).bytes(hurt)
    path.write_bytes(data)
    y, report = decoded(path)
    assert 8 < y.size / RATE < 10
    assert report.state in ("truncated", "damaged")
    assert report.reason
    assert np.isfinite(y).all()


@pytest.mark.parametrize("suffix", [".mp3", ".m4a"])
def test_slight_damage_is_marked_too(tmp_path: Path, suffix: str) -> None:
    path = write_sound(tmp_path / f"song{suffix}", np.stack([noise(10), noise(10, seed=1)]))
    data = bytearray(path.read_bytes())
    hurt = len(data) // 100
    data[len(data) // 2 : len(data) // 2 + hurt] = np.random.default_rng(0).bytes(hurt)
    path.write_bytes(data)
    y, report = decoded(path)
    assert y.size / RATE > 9.5
    assert report.state == "damaged"


@given(seed=st.integers(0, 2**32 - 1), suffix=st.sampled_from([".mp3", ".m4a", ".webm", ".ogg", ".flac", ".wav"]))
def test_no_damage_gives_anything_but_numbers_or_an_audio_error(
    small_songs: dict[str, bytes], seed: int, suffix: str
) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(small_songs[suffix])
    for _ in range(rng.integers(1, 4)):
        at, count = int(rng.integers(len(data))), int(rng.integers(1, 400))
        data[at : at + count] = rng.bytes(min(count, len(data) - at))
    try:
        y = load(io.BytesIO(bytes(data[: rng.integers(1, len(data) + 1)])), max_s=60)
    except AudioError as error:
        assert str(error)
    else:
        assert y.size > 0
        assert np.isfinite(y).all()


@pytest.fixture(scope="module")
def small_songs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("small")
    return {suffix: write_sound(folder / f"song{suffix}", noise(0.5)).read_bytes() for suffix in CODECS}


# -- what is not sound -------------------------------------------------------------------------------------------------


def png() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes(12) for _ in range(4)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


HEADER_ONLY = (
    b"RIFF"
    + struct.pack("<I", 36 + 1_764_000)
    + b"WAVEfmt "
    + struct.pack("<IHHIIHH", 16, 1, 2, 44_100, 176_400, 4, 16)
) + (b"data" + struct.pack("<I", 1_764_000))

NOT_SOUND = {
    "empty.mp3": b"",
    "one_byte.mp3": b"\xff",
    "text.mp3": b"This is not a song. " * 60,
    "zeros.mp3": bytes(100_000),
    "tag_only.mp3": b"ID3\x03\x00\x00\x00\x00\x00\x24TIT2"
    + struct.pack(">IH", 26, 0)
    + b"\x00"
    + b"A song without any sound "
    + b"\0",
    "picture.ogg": png(),
    "page.mp3": b"<!DOCTYPE html><html><body>Please log in.</body></html>" * 20,
    "archive.mp3": b"PK\x03\x04" + bytes(3_000),
    "header_only.wav": HEADER_ONLY,
}


@pytest.mark.parametrize("name", NOT_SOUND)
def test_what_is_not_sound_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(NOT_SOUND[name])
    for attempt in (
        lambda: load(path),
        lambda: load(io.BytesIO(NOT_SOUND[name])),
        lambda: probe(path, check_sound=True),
    ):
        with pytest.raises(AudioError) as told:
            attempt()
        assert str(told.value).endswith(".")
        assert len(str(told.value)) > 30


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pictures.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match="pictures or video only"):
        load(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30, 1000.0])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    y = tone(440, 3, sample_rate=44_100)
    y[100_000] = bad
    with pytest.raises(AudioError, match="not usable numbers"):
        load(write_float_wav(tmp_path / "bad.wav", y))


def test_an_absent_file_or_a_folder_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.mp3", tmp_path):
        with pytest.raises(AudioError, match="cannot be read"):
            load(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp3"
    os.mkfifo(pipe)
    told: list[str] = []

    def attempt() -> None:
        try:
            load(pipe)
        except AudioError as error:
            told.append(str(error))

    reader = threading.Thread(target=attempt, daemon=True)
    reader.start()
    reader.join(timeout=10)
    if reader.is_alive():  # let it go: it waits for a writer
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        reader.join()
        pytest.fail("the decoder waited for a named pipe")
    assert told


# -- small files that ask for much -------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [9, 12, 16, 63, 64])
def test_many_channels_are_read_and_become_their_mean(channels: int) -> None:
    y = load(io.BytesIO(pcm_wav(channels, RATE, RATE)))
    assert y.size == RATE
    np.testing.assert_allclose(y, 3000 / 32768 * ((channels + 1) // 2) / channels, atol=1e-6)


@pytest.mark.parametrize(
    ("channels", "sample_rate", "told"),
    [
        (65, 44_100, "65 channels"),
        (255, 44_100, "255 channels"),
        (1, 1, "1 samples a second"),
        (2, 3_999, "3,999 samples"),
        (1, 768_001, "768,001 samples"),
        (1, 2**31 - 1, "2,147,483,647 samples"),
        (0, 44_100, "no sound"),
        (1, 0, "not a sound file"),
        (65_535, 44_100, "no sound"),
    ],
)
def test_absurd_channels_and_rates_are_refused(channels: int, sample_rate: int, told: str) -> None:
    with pytest.raises(AudioError, match=told):
        load(io.BytesIO(pcm_wav(channels, sample_rate, 4000 if channels < 1000 else 40)))


@pytest.mark.parametrize("sample_rate", [4_000, 768_000])
def test_the_rates_at_the_limits_are_read(sample_rate: int) -> None:
    assert load(io.BytesIO(pcm_wav(1, sample_rate, sample_rate))).size == pytest.approx(RATE, abs=2)


def flac_of_unsaid_length(path: Path, seconds: float, *, sample_rate: int, level: int = 0) -> bytearray:
    """Noise, or silence that takes about 190 bytes a second; it does not say how long it is."""
    y = np.random.default_rng(0).integers(-level, level + 1, (1, 65_536)).astype(np.int16)
    with av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=sample_rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(y, format="s16", layout="mono")
        frame.sample_rate = sample_rate
        for _ in range(round(seconds * sample_rate / 65_536)):
            frame.pts = None
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # its number of samples, 36 bits
    data[22:26] = bytes(4)
    return data


def test_a_day_of_silence_in_a_small_file_is_given_up_early(tmp_path: Path) -> None:
    data = flac_of_unsaid_length(tmp_path / "a.flac", 3600, sample_rate=8_000)
    assert len(data) < 1_000_000
    report = DecodeReport()
    with pytest.raises(AudioError, match="no music is packed so small"):
        list(blocks(io.BytesIO(data), report=report))
    assert report.duration_s > 600
    assert len(data) / report.duration_s < 1_200, "the first seconds past ten minutes were enough"


def test_what_would_become_far_too_long_is_given_up_early(tmp_path: Path) -> None:
    data = flac_of_unsaid_length(tmp_path / "a.flac", 3600, sample_rate=4_000, level=8)
    report = DecodeReport()
    with pytest.raises(TooLongError, match="at least"):
        list(blocks(io.BytesIO(data), max_s=800, report=report))
    assert 600 < report.duration_s < 620


def test_unusual_codecs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream("adpcm_yamaha", rate=44_100, layout="mono")
        for _ in range(50):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
            frame.sample_rate = 44_100
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    for attempt in (load, probe):
        with pytest.raises(AudioError, match="packed in a way that Genrescope does not read"):
            attempt(path)


def test_a_codec_that_nobody_knows_is_refused() -> None:
    data = bytearray(pcm_wav(1, 44_100, 4_000))
    data[20:22] = b"\x99\x99"
    for attempt in (load, probe):
        with pytest.raises(AudioError):
            attempt(io.BytesIO(data))


# -- files that name other files ---------------------------------------------------------------------------------------

PLAYLISTS = {
    "m3u": "#EXTM3U\n#EXTINF:10,Song\n{target}\n",
    "plain list": "{target}\n",
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\n{target}\n#EXT-X-ENDLIST\n",
    "hls master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=128000\n{target}\n",
    "hls key": '#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:10.0,\n{target}\n#EXT-X-ENDLIST\n',
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "pls": "[playlist]\nFile1={target}\nNumberOfEntries=1\nVersion=2\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=Song\nc=IN IP4 127.0.0.1\nt=0 0\na=control:{target}\nm=audio 9 RTP/AVP 0\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT10S" '
    'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="audio/mp4"><Representation '
    'id="1" bandwidth="128000"><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>\n',
    "xspf": '<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList><track><location>{target}'
    "</location></track></trackList></playlist>\n",
    "cue": 'FILE "{target}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "rtsp redirect": "RTSPtext\n{target}\n",
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """An address on this computer where a song lies, and the paths that were asked for there."""
    song = write_sound(tmp_path / "served" / "song.wav", tone(440, 1)).read_bytes()
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "audio/wav")
            self.send_header("Content-Length", str(len(song)))
            self.end_headers()
            self.wfile.write(song)

        do_HEAD = do_GET  # noqa: N815 - http.server's own way of naming

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", asked
        http.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("suffix", [".mp3", ".m3u8"])
def test_a_playlist_opens_no_address(tmp_path: Path, server: tuple[str, list[str]], kind: str, suffix: str) -> None:
    address, asked = server
    path = tmp_path / f"list{suffix}"
    path.write_text(PLAYLISTS[kind].format(target=f"{address}/song.wav"))
    for source in (path, io.BytesIO(path.read_bytes())):
        with pytest.raises(AudioError, match="not a sound file"):
            load(source)
        with pytest.raises(AudioError, match="not a sound file"):
            probe(source)
    assert asked == []
    with urlopen(f"{address}/control") as answer:  # it would have been counted
        assert answer.status == 200
    assert asked == ["/control"]


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("by", ["name", "path", "url"])
def test_a_playlist_opens_no_other_file(tmp_path: Path, kind: str, by: str) -> None:
    song = write_sound(tmp_path / "song.wav", tone(440, 1))
    target = {"name": song.name, "path": str(song), "url": song.as_uri()}[by]
    path = tmp_path / "list.mp3"
    path.write_text(PLAYLISTS[kind].format(target=target))
    with pytest.raises(AudioError, match="not a sound file"):
        load(path)


def test_an_unguarded_decoder_would_follow_such_a_list(tmp_path: Path) -> None:
    song = write_sound(tmp_path / "song.wav", tone(440, 1))
    path = tmp_path / "list.mp3"
    path.write_text(PLAYLISTS["concat"].format(target=song.name))
    with av.open(str(path)) as container:
        assert container.format.name == "concat"
        assert len(container.streams.audio) == 1


# -- drawing and playing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 100, RATE, 100_000])
def test_a_wav_of_y_decodes_to_y(n: int) -> None:
    y = noise(10, sample_rate=RATE)[:n].astype(np.float32)
    np.testing.assert_allclose(load(io.BytesIO(as_wav(y))), y.clip(-1, 1), atol=1e-4)


def test_a_wav_of_too_loud_sound_is_clipped_and_does_not_wrap() -> None:
    y = np.array([2.0, -2.0] * 100, np.float32)
    np.testing.assert_allclose(load(io.BytesIO(as_wav(y))), y.clip(-1, 1), atol=1e-4)


@pytest.mark.parametrize("n", [1, 100, RATE, 100_000])
def test_a_flac_of_y_decodes_to_y_and_says_what_it_is(n: int) -> None:
    y = noise(10, sample_rate=RATE)[:n].astype(np.float32)
    flac = as_flac(y, tags={"artist": "Somebody", "title": "Söng"})
    np.testing.assert_allclose(load(io.BytesIO(flac)), y.clip(-1, 1), atol=1e-4)
    told = probe(io.BytesIO(flac))
    assert (told.container, told.codec, told.sample_rate, told.channels) == ("flac", "flac", RATE, 1)
    assert (told.tags["artist"], told.tags["title"]) == ("Somebody", "Söng")
    assert as_flac(y, tags={"artist": "Somebody", "title": "Söng"}) == flac


# -- real files --------------------------------------------------------------------------------------------------------

REFUSED = {
    "empty.mp3": "empty",
    "text.mp3": "not a sound file",
    "tag_only.mp3": "not a sound file",
    "picture.ogg": "not a sound file",
    "playlist.mp3": "not a sound file",
    "hls.mp3": "not a sound file",
    "header_only.wav": "no sound",
    "cover_no_audio.m4a": "pictures or video only",
    "nan_float.wav": "not usable numbers",
}
USED = {
    "truncated.mp3": 10.34,
    "damaged_middle.mp3": 10.58,
    "half_second.wav": 0.5,
    "mono_8khz.wav": 20,
    "silence_10s.flac": 10,
    "six_channel_96khz.flac": 3,
    "flac_inside.mp3": 8,
    "cover_and_audio.mp3": 10,
}


@pytest.mark.parametrize("name", REFUSED)
def test_odd_real_files_are_refused(shared_data: Path, name: str) -> None:
    with pytest.raises(AudioError, match=REFUSED[name]):
        load(shared_data / "uploads" / "odd" / name)


@pytest.mark.parametrize("name", USED)
def test_odd_real_files_are_used(shared_data: Path, name: str) -> None:
    y, report = decoded(shared_data / "uploads" / "odd" / name)
    assert y.size / RATE == pytest.approx(USED[name], abs=0.05)
    assert np.isfinite(y).all()
    assert (report.state == "ok") == (name != "damaged_middle.mp3")


def test_real_songs_of_every_format_have_their_length_and_tags(shared_data: Path) -> None:
    for suffix in (".mp3", ".m4a", ".webm"):
        path = sorted((shared_data / "songs").rglob(f"*{suffix}"))[7]
        y, report = decoded(path)
        announced = probe(path)
        assert report.state == "ok"
        assert announced.duration_s is not None
        assert y.size / RATE == pytest.approx(announced.duration_s, abs=0.15)
        assert announced.tags["artist"]
        assert announced.tags["title"]
        assert 0.01 < report.peak < 2


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 1.0), (1.25, 4.5), (4.5, 99.0), (-3.0, 0.5), (0.9, 1.1)])
def test_an_excerpt_is_a_part_of_the_whole(tmp_path: Path, start_s: float, end_s: float) -> None:
    sound = write_sound(tmp_path / "a.wav", tone(220, 5.0, sample_rate=16_000), sample_rate=16_000)
    whole = load(sound)
    part = excerpt(sound, start_s, end_s)
    assert np.array_equal(part, whole[max(0, round(start_s * 16_000)) : round(end_s * 16_000)])


def test_an_excerpt_reads_no_further_than_it_must(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "a.wav", tone(220, 20.0, sample_rate=16_000), sample_rate=16_000)
    sound.write_bytes(sound.read_bytes()[:400_000])  # cut off after 12 s, which nobody asked about
    assert len(excerpt(sound, 1.0, 2.0)) == 16_000


# -- the same recording with other tags ----------------------------------------------------------------------------------

PICTURE = b"\xff\xfb\x90\x64\xff\xf1\x50\x80" * 40_000
"""320 KB that look like the beginnings of mp3 and AAC frames, as the bytes of any large cover do here and there."""


def packets(path: Path) -> str:
    """The digest of a file's packets, which decoding it has to give as well."""
    told = probe(path, read_packets=True).packets_sha256
    assert decoded(path)[1].packets_sha256 == told and len(told) == 64
    return told


@pytest.mark.parametrize("suffix", [*sorted(CODECS), ".oga", ".mp2", ".aac"])
def test_the_digest_of_the_packets_outlives_edits_of_tags(tmp_path: Path, suffix: str) -> None:
    path = write_sound(tmp_path / f"a{suffix}", np.tile(noise(2), (2, 1)), tags={"title": "before"})
    before, y, bytes_before = packets(path), load(path), path.read_bytes()
    for text, cover in (("after", b""), ("much longer " * 500, PICTURE), ("x", b"")):
        edit_tags(path, text, cover=cover)
        assert path.read_bytes() != bytes_before
        assert packets(path) == before
        assert probe(path).tags["title"][:30] == text.strip()[:30]
        np.testing.assert_array_equal(load(path), y)


def mp3_tags(path: Path, kind: str) -> None:
    from mutagen import apev2, id3

    if kind.startswith("APEv2"):
        tags = apev2.APEv2()
        tags["Title"], tags["Cover"] = "ape" * 50, apev2.APEValue(PICTURE, apev2.BINARY)
        tags.save(path)
    elif kind == "none":
        id3.delete(path)
        apev2.delete(path)
    elif kind == "Lyrics3":
        text = b"LYRICSBEGIN" + PICTURE[:5000]
        path.write_bytes(path.read_bytes() + text + f"{len(text):06d}LYRICS200".encode() + b"TAG" + bytes(125))
    else:
        id3.ID3().save(path)
        tags = id3.ID3()
        tags.add(id3.TIT2(encoding=1, text="id3" * 300))
        tags.save(path, v1=2, v2_version=3 if kind == "ID3v2.3" else 4)


@pytest.mark.parametrize("suffix", [".mp3", ".mp2", ".aac", ".flac"])
@pytest.mark.parametrize(
    "kinds",
    [("ID3v2.3", "ID3v2.4"), ("ID3v2.4", "APEv2", "none"), ("APEv2", "ID3v2.3"), ("Lyrics3", "APEv2 behind")],
    ids=" ".join,
)
def test_tags_of_every_kind_before_and_behind_the_sound_are_no_sound(
    tmp_path: Path, suffix: str, kinds: tuple[str, ...]
) -> None:
    path = write_sound(tmp_path / f"a{suffix}", noise(2))
    before, y = packets(path), load(path)
    for kind in kinds:
        mp3_tags(path, kind)
        report = DecodeReport()
        np.testing.assert_array_equal(load(path, report=report), y)
        assert (report.state, report.reason) == ("ok", "")
        assert packets(path) == before


def test_another_sound_has_another_digest(tmp_path: Path) -> None:
    sounds = [write_sound(tmp_path / f"{seed}{suffix}", noise(1, seed=seed)) for seed in range(2) for suffix in CODECS]
    slow = tmp_path / "slow.wav"
    data = (tmp_path / "0.wav").read_bytes()
    slow.write_bytes(
        data[:24] + struct.pack("<II", 24_000, 48_000) + data[32:]
    )  # the same bytes, played at half the rate
    quiet = tmp_path / "byte.wav"
    quiet.write_bytes(data[:-2] + b"\x01\x02")
    told = [packets(path) for path in (*sounds, slow, quiet)]
    same = {".ogg", ".opus", ".webm"}  # the very same Opus packets in another container: the same recording
    assert len(set(told)) == len(told) - 2 * (len(same) - 1)


def test_a_digest_is_the_same_for_bytes_in_memory_and_costs_no_decoding(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.flac", noise(1))
    assert probe(io.BytesIO(path.read_bytes()), read_packets=True).packets_sha256 == packets(path)
    assert probe(path).packets_sha256 == ""
    broken = bytearray(path.read_bytes())
    broken[len(broken) // 2] ^= 0xFF  # no decoder takes this, but it is read as it is
    path.write_bytes(broken)
    assert len(probe(path, read_packets=True).packets_sha256) == 64
