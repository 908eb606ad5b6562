"""Sounds decoded in a process of their own: the same codes, and an end to whatever will not end."""

import contextlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.audio import waveform
from core.audio.codes import codes_of
from core.audio.spectrogram import mel_filters
from core.errors import AudioError
from core.inference import apart
from core.jobs.compute import Limits
from core.recipes import SpectrogramRecipe
from tests.sounds import CODECS, tone, write_sound

RECIPE = SpectrogramRecipe()
FILTERS = mel_filters(RECIPE)
LIMITS = Limits(seconds=60.0, memory_bytes=1_000_000_000)


@pytest.mark.parametrize("suffix", CODECS)
def test_codes_are_those_of_this_process(tmp_path: Path, suffix: str) -> None:
    path = write_sound(tmp_path / f"a{suffix}", tone(440, 2.0))
    codes, report = codes_of(path, RECIPE, filters=FILTERS)
    for source in (path, io.BytesIO(path.read_bytes())):
        theirs, told = apart.codes_of(source, RECIPE, filters=FILTERS, limits=LIMITS)
        assert np.array_equal(theirs, codes) and theirs.dtype == np.uint8
        assert told == report


@pytest.mark.parametrize("suffix", CODECS)
def test_so_is_what_a_file_says_of_itself_and_an_excerpt(tmp_path: Path, suffix: str) -> None:
    path = write_sound(tmp_path / f"\udcff é{suffix}", tone(440, 2.0))  # a name that is no UTF-8
    for source in (path, io.BytesIO(path.read_bytes())):
        assert apart.probe(source, limits=LIMITS, keep=True) == waveform.probe(path)
        for start_s, end_s in ((-1.0, 0.3), (0.5, 1.25), (0.0, 100.0), (50.0, 60.0)):
            there = apart.excerpt(source, start_s, end_s, limits=LIMITS, keep=True)
            here = waveform.excerpt(path, start_s, end_s)
            assert np.array_equal(there, here) and there.dtype == np.float32


def test_tags_longer_than_a_line_are_read() -> None:
    tags = {"title": "é" * 300_000, "lyrics": '"\n' * 50_000}
    file = io.BytesIO(waveform.as_flac(tone(440, 1.0), tags=tags))
    assert apart.probe(file, limits=LIMITS) == waveform.probe(file)


Ask = Callable[[Path | io.BytesIO, Limits], object]
ASK: dict[str, Ask] = {
    "codes": lambda source, limits: apart.codes_of(source, RECIPE, filters=FILTERS, limits=limits),
    "probe": lambda source, limits: apart.probe(source, limits=limits),
    "excerpt": lambda source, limits: apart.excerpt(source, 0.0, 1.0, limits=limits),
}


@pytest.mark.parametrize("asked", ASK)
def test_what_is_no_sound_is_told_as_here(tmp_path: Path, asked: str) -> None:
    for source in (io.BytesIO(b""), io.BytesIO(b"no sound at all"), tmp_path / "not there.mp3", tmp_path):
        with pytest.raises(AudioError) as here:
            codes_of(source, RECIPE, filters=FILTERS)
        with pytest.raises(AudioError) as there:
            ASK[asked](source, LIMITS)
        assert str(there.value) == str(here.value)


def test_its_limits_are_kept(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", tone(440, 3.0))
    with pytest.raises(AudioError, match="longer than 2 s"):
        apart.codes_of(path, RECIPE, filters=FILTERS, limits=LIMITS, max_s=2.0)
    with pytest.raises(AudioError, match="more than the limit"):
        apart.codes_of(path, RECIPE, filters=FILTERS, limits=LIMITS, max_bytes=1000)
    with pytest.raises(AudioError, match="longer than 2 s"):
        apart.excerpt(path, 0.0, 3.0, limits=LIMITS, max_s=2.0)
    with pytest.raises(AudioError, match="more than the limit"):
        apart.probe(path, limits=LIMITS, max_bytes=1000)


WILD = """
import os, signal, sys, time
sys.path.insert(0, {project!r})
from core.inference import apart
from core.audio import codes, waveform
def wild(*_, **__):
    what = {what!r}
    if what == "crash": os.kill(os.getpid(), signal.SIGSEGV)
    while what == "loop": pass
    hoard = []
    while what == "eat": hoard.append(bytearray(10_000_000))
    if what == "write": open({file!r}, "wb").write(b"x")
    if what == "lie":
        sys.stdout.write('{{"n_frames": 1000000000, "n_samples": 1000000000, "size": 1000000000, "report": {{}}}}\\n')
        sys.stdout.flush()
        time.sleep(600)
    if what == "babble":
        while True: sys.stdout.write("x" * 100000)
codes.codes_of = waveform.probe = waveform.excerpt = wild
apart.main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("asked", ASK)
@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("crash", "crashed the decoder"),
        ("loop", "longer than 4 s"),
        ("eat", "of memory"),
        ("write", "crashed the decoder"),
        ("lie", "crashed the decoder"),
        ("babble", "crashed the decoder"),
    ],
)
def test_a_decoder_gone_wild_is_contained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, told: str, asked: str
) -> None:
    """The process is real, and so is what it does; only the decoder is another."""
    project, file = str(Path(apart.__file__).parents[2]), tmp_path / "written"
    wild = WILD.format(project=project, what=what, file=str(file))

    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-c", wild], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    monkeypatch.setattr(apart, "_start", start)
    monkeypatch.setattr(apart, "_spare", [])
    begun = time.monotonic()
    with pytest.raises(AudioError, match=told):
        limits = Limits(seconds=4.0 if what == "loop" else 30.0, memory_bytes=400_000_000)
        ASK[asked](io.BytesIO(b"x" * 3_000_000), limits)
    assert time.monotonic() - begun < 25
    assert not file.exists() or file.read_bytes() == b""
    for child in apart._spare:
        child.kill()
        child.wait()


def test_a_process_is_kept_for_the_next_song_of_the_same_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_spare", [])
    monkeypatch.setattr(apart, "_used", [])
    started: list[apart.Child] = []

    def start(start: "Callable[[], apart.Child]" = apart._start) -> apart.Child:
        started.append(start())
        return started[-1]

    monkeypatch.setattr(apart, "_start", start)
    path = write_sound(tmp_path / "a.mp3", tone(440, 2.0))
    expected, _ = codes_of(path, RECIPE, filters=FILTERS)
    for source in (path, io.BytesIO(b"no sound"), path):
        with contextlib.suppress(AudioError):
            codes, _ = apart.codes_of(source, RECIPE, filters=FILTERS, limits=LIMITS, keep=True)
            assert np.array_equal(codes, expected)
    assert len(started) == 1 and apart._used == started and started[0].poll() is None
    started[0].kill()  # as a decoder that crashed after its answer
    started[0].wait()
    codes, _ = apart.codes_of(path, RECIPE, filters=FILTERS, limits=LIMITS, keep=True)
    assert np.array_equal(codes, expected) and len(started) == 2
    apart.codes_of(path, RECIPE, filters=FILTERS, limits=LIMITS)
    assert started[1].poll() is None and apart._used == [started[1]], (
        "a stranger's song is not for what has had another"
    )
    assert started[2].poll() is not None and apart._spare == [started[3]] and len(started) == 4
    for child in started:
        child.kill()
        child.wait()


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_the_process_that_waits_ends_with_who_started_it() -> None:
    script = "from core.inference import apart; apart.make_ready(); print(apart._spare[0].pid, flush=True); input()"
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(apart.__file__).parents[2],
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.communicate()
    assert until(lambda: ended(child))
