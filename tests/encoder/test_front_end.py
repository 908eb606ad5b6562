"""Front end of the encoder: librosa's numbers, whatever the blocks; patches that cover a sound in bounded memory."""

import tracemalloc
from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.audio import waveform
from core.audio.codes import codes_of
from core.encoder.encoder import FILTERS, SHIPPED
from core.encoder.front_end import CAPACITY, HOP_LENGTH, N_FFT, PATCH_FRAMES, LogMel, PatchReader, evenly_spaced
from core.errors import AudioError
from core.recipes import SpectrogramRecipe
from tests.encoder.rebuild import frames_by_librosa, made_up_sound
from tests.sounds import drone, hiss, tone, write_sound

BANK = np.load(SHIPPED / FILTERS)
CLOSE = {"atol": 2e-6, "rtol": 0}
"""Sums of float32 in other groups of frames."""
NOISE = (0.3 * np.random.default_rng(0).standard_normal(60_000)).astype(np.float32)


def frames_of(*blocks: np.ndarray) -> np.ndarray:
    log_mel = LogMel(BANK)
    return np.concatenate([*[log_mel.add(block) for block in blocks], log_mel.finish()])


def by_definition(y: np.ndarray) -> np.ndarray:
    """Frames of a sound of any length, one by one: numpy reflects again what is shorter than the reflection."""
    padded = np.pad(y.astype(np.float64), N_FFT // 2, mode="reflect")
    window = np.hanning(N_FFT + 1)[:-1]
    frames = [padded[at : at + N_FFT] for at in range(0, y.size + 1, HOP_LENGTH)]
    return np.log10(10_000 * (np.abs(np.fft.rfft(frames * window)) ** 2 @ BANK.T.astype(np.float64)) + 1)


def reader_of(y: np.ndarray, **options: int) -> PatchReader:
    reader = PatchReader(BANK, **options)
    for first in range(0, len(y), 16_000):
        reader.add(y[first : first + 16_000])
    return reader


# -- frames ------------------------------------------------------------------------------------------------------------


def test_the_stored_filter_bank_is_librosas() -> None:
    np.testing.assert_array_equal(BANK, librosa.filters.mel(sr=16_000, n_fft=512, n_mels=96))


@pytest.mark.parametrize("amplitude", [1.0, 0.01, 1e-5])
@pytest.mark.parametrize("make", [drone, hiss, lambda _, s, sample_rate: tone(3_333, s, sample_rate=sample_rate)])
def test_made_up_sounds_equal_librosa(make: object, amplitude: float) -> None:
    y = (amplitude * make(np.random.default_rng(0), 7, sample_rate=16_000)).astype(np.float32)  # type: ignore[operator]
    np.testing.assert_allclose(frames_of(*np.array_split(y, 7)), frames_by_librosa(y), atol=1e-5, rtol=0)


def test_real_songs_equal_librosa(shared_data: Path) -> None:
    for path in sorted((shared_data / "songs").rglob("*.m*"))[::60]:
        blocks = list(waveform.blocks(path))
        np.testing.assert_allclose(frames_of(*blocks), frames_by_librosa(np.concatenate(blocks)), atol=1e-5, rtol=0)


@given(cuts=st.lists(st.integers(0, 60_000), max_size=12), n=st.integers(1, 60_000), times=st.integers(1, 3))
def test_where_blocks_end_changes_nothing(cuts: list[int], n: int, times: int) -> None:
    y = np.tile(NOISE[:n], times)
    np.testing.assert_allclose(frames_of(*np.split(y, sorted(cuts))), frames_of(y), **CLOSE)


@given(
    n=st.one_of(
        st.integers(1, 1_000), st.sampled_from([65_791, 65_792, 66_048, 66_049, 66_050]), st.integers(1, 80_000)
    )
)
def test_a_sound_of_any_length_equals_the_definition(n: int) -> None:
    y = np.resize(NOISE, n)
    frames = frames_of(y)
    assert frames.shape == (1 + n // HOP_LENGTH, 96) and frames.dtype == np.float32
    np.testing.assert_allclose(frames, by_definition(y), atol=1e-5, rtol=0)


@pytest.mark.parametrize("n", [1, 255, 256, 257, 100_000])
def test_silence_is_zero(n: int) -> None:
    assert not frames_of(np.zeros(n, np.float32)).any()


@given(seed=st.integers(0, 2**32 - 1), level=st.floats(0, 100))
def test_frames_are_finite_and_not_negative(seed: int, level: float) -> None:
    y = np.random.default_rng(seed).uniform(-level, level, 5_000).astype(np.float32)
    frames = frames_of(y)
    assert np.isfinite(frames).all() and (frames >= 0).all()


def test_a_finished_sound_leaves_nothing_to_the_next() -> None:
    log_mel = LogMel(BANK)
    log_mel.add(NOISE)
    log_mel.finish()
    np.testing.assert_array_equal(
        np.concatenate([log_mel.add(NOISE[:9_000]), log_mel.finish()]), frames_of(NOISE[:9_000])
    )
    assert log_mel.finish().shape == (0, 96)


# -- patches -----------------------------------------------------------------------------------------------------------


@given(n_frames=st.integers(1, 700), block=st.integers(100, 100_000))
def test_patches_are_the_frames_at_their_starts(n_frames: int, block: int) -> None:
    y = np.resize(NOISE, max(1, (n_frames - 1) * HOP_LENGTH))
    reader = PatchReader(BANK)
    for first in range(0, y.size, block):
        reader.add(y[first : first + block])
    found, frames = reader.patches(), frames_of(y)
    assert found.n_frames == len(frames) == n_frames
    assert found.values.shape == (len(found), PATCH_FRAMES, 96) and found.values.dtype == np.float32
    if n_frames < PATCH_FRAMES:
        assert found.starts.tolist() == [0]
        np.testing.assert_allclose(found.values[0], np.resize(frames, (PATCH_FRAMES, 96)), **CLOSE)
        return
    whole, left = divmod(n_frames, PATCH_FRAMES)
    last = [n_frames - PATCH_FRAMES] if 2 * left >= PATCH_FRAMES else []
    assert found.starts.tolist() == [PATCH_FRAMES * number for number in range(whole)] + last
    for start, patch in zip(found.starts, found.values, strict=True):
        np.testing.assert_allclose(patch, frames[start : start + PATCH_FRAMES], **CLOSE)


@pytest.mark.parametrize("capacity", [1, 2, 3, 4])
@pytest.mark.parametrize("n_patches", [1, 2, 5, 8, 9, 17])
def test_patches_of_a_long_sound_stay_evenly_spaced(capacity: int, n_patches: int) -> None:
    y = np.resize(NOISE, PATCH_FRAMES * HOP_LENGTH * n_patches)  # a frame more than whole patches
    found, frames = reader_of(y, capacity=capacity).patches(), frames_of(y)
    steps = set(np.diff(found.starts).tolist())
    assert found.starts[0] == 0 and len(steps) <= 1
    assert len(found) <= capacity and len(found) >= min(n_patches, (capacity + 1) // 2)
    assert found.starts[-1] + PATCH_FRAMES + max(steps, default=n_patches * PATCH_FRAMES) > n_patches * PATCH_FRAMES
    for start, patch in zip(found.starts, found.values, strict=True):
        np.testing.assert_allclose(patch, frames[start : start + PATCH_FRAMES], **CLOSE)


def test_the_end_of_a_long_sound_has_a_patch() -> None:
    y = np.resize(NOISE, (PATCH_FRAMES * 9 + 100) * HOP_LENGTH)
    found = reader_of(y, capacity=4).patches()
    assert found.starts.tolist() == [0, 4 * 187, 8 * 187, found.n_frames - 187]
    np.testing.assert_allclose(found.values[-1], frames_of(y)[-PATCH_FRAMES:], **CLOSE)


def test_memory_does_not_grow_with_the_sound() -> None:
    reader, block = PatchReader(BANK, capacity=4), NOISE[:16_000]
    tracemalloc.start()
    peaks = []
    for _ in range(3):
        for _ in range(40):
            reader.add(block)
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[-1] < 1.1 * peaks[0] and peaks[-1] < 10e6


def test_a_reader_takes_another_sound_afterwards() -> None:
    reader = reader_of(np.resize(NOISE, 500_000), capacity=4)
    reader.patches()
    reader.add(NOISE[:30_000])
    again, fresh = reader.patches(), reader_of(NOISE[:30_000]).patches()
    np.testing.assert_array_equal(again.values, fresh.values)
    assert (again.starts.tolist(), again.n_frames) == (fresh.starts.tolist(), fresh.n_frames)


def test_a_sound_without_samples_is_refused() -> None:
    with pytest.raises(AudioError, match="no sound"):
        PatchReader(BANK).patches()


@given(n=st.integers(0, 500), count=st.integers(0, 300))
def test_a_choice_is_ascending_even_and_symmetric(n: int, count: int) -> None:
    chosen = evenly_spaced(n, count)
    assert len(chosen) == min(n, count)
    assert len(set(chosen.tolist())) == len(chosen) and set(chosen.tolist()) <= set(range(n))
    gaps = np.diff(chosen)
    assert (gaps > 0).all() and (gaps.size == 0 or gaps.max() - gaps.min() <= 1)
    if len(chosen):
        assert abs(chosen[0] - (n - 1 - chosen[-1])) <= 1


def test_a_few_choices() -> None:
    assert evenly_spaced(20, 8).tolist() == [1, 3, 6, 8, 11, 13, 16, 18]
    assert evenly_spaced(5, 1).tolist() == [2]
    assert evenly_spaced(3, 8).tolist() == [0, 1, 2]
    assert evenly_spaced(CAPACITY, 200).tolist() == list(range(1, CAPACITY, 2))


# -- one decode --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp3", ".webm", ".wav"])
def test_one_decode_feeds_both_spectrograms(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sound(tmp_path / f"a{suffix}", made_up_sound(), sample_rate=48_000)
    alone, _ = codes_of(path, SpectrogramRecipe())
    y = waveform.load(path)
    opened = []
    blocks = waveform.blocks
    monkeypatch.setattr(waveform, "blocks", lambda *given, **options: opened.append(given) or blocks(*given, **options))
    reader = PatchReader(BANK)
    codes, report = codes_of(path, SpectrogramRecipe(), tee=reader.tee)
    assert len(opened) == 1
    np.testing.assert_array_equal(codes, alone)
    found, frames = reader.patches(), frames_by_librosa(y)
    assert found.n_frames == len(frames) and report.duration_s == y.size / 16_000
    for start, patch in zip(found.starts, found.values, strict=True):
        np.testing.assert_allclose(patch, np.resize(frames[start:], (187, 96)), atol=1e-5, rtol=0)
