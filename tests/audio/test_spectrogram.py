"""Log-mel spectrograms: librosa's numbers, whatever the pieces, and codes that lose a quarter of a dB at most."""

from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.audio import waveform
from core.audio.spectrogram import AMIN, dequantise, log_mel, log_mel_blocks, mel_filters, mel_frequencies, quantise
from core.recipes import DB_FLOOR, DB_STEP, SpectrogramRecipe
from tests.sounds import drone, hiss, tone

RECIPE = SpectrogramRecipe()
SMALL = SpectrogramRecipe(n_fft=256, hop_length=64, n_mels=16)


def reference(y: np.ndarray, recipe: SpectrogramRecipe = RECIPE) -> np.ndarray:
    power = librosa.feature.melspectrogram(
        y=y, sr=recipe.sample_rate, n_fft=recipe.n_fft, hop_length=recipe.hop_length, n_mels=recipe.n_mels
    )
    return librosa.power_to_db(power, ref=1.0, amin=AMIN, top_db=None).T


def noise(n: int, seed: int = 0) -> np.ndarray:
    return (0.3 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".webm"])
def test_real_songs_equal_librosa(shared_data: Path, suffix: str) -> None:
    for path in sorted((shared_data / "songs").rglob(f"*{suffix}"))[::50]:
        y = waveform.load(path)
        np.testing.assert_allclose(log_mel(y, RECIPE), reference(y), atol=1e-4, rtol=0)


@pytest.mark.parametrize("make", [drone, hiss])
def test_made_up_songs_equal_librosa(make: object) -> None:
    y = make(np.random.default_rng(0), 10, sample_rate=16_000).astype(np.float32)  # type: ignore[operator]
    np.testing.assert_allclose(log_mel(y, RECIPE), reference(y), atol=1e-4, rtol=0)


@pytest.mark.parametrize("frequency", [50, 440, 1_000, 3_333.3, 7_500])
@pytest.mark.parametrize("amplitude", [1.0, 0.01])
def test_pure_tones_equal_librosa_within_80_db_of_the_peak(frequency: float, amplitude: float) -> None:
    y = tone(frequency, 5, sample_rate=16_000, amplitude=amplitude).astype(np.float32)
    S, expected = log_mel(y, RECIPE), reference(y)
    heard = expected > expected.max() - 80
    np.testing.assert_allclose(S[heard], expected[heard], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "recipe",
    [SMALL, SpectrogramRecipe(sample_rate=22_050, n_fft=1024, hop_length=300, n_mels=64)],
    ids=["small", "other"],
)
def test_other_recipes_equal_librosa(recipe: SpectrogramRecipe) -> None:
    y = noise(30_000)
    np.testing.assert_allclose(log_mel(y, recipe), reference(y, recipe), atol=1e-4, rtol=0)


def test_a_full_scale_sine_stays_inside_the_code_range() -> None:
    S = log_mel(tone(1_000, 2, sample_rate=16_000, amplitude=1.0).astype(np.float32), RECIPE)
    assert 30 < S.max() < DB_FLOOR + 255 * DB_STEP


def test_the_reference_is_fixed_so_a_tenfold_sound_is_20_db_more() -> None:
    y = noise(20_000)
    np.testing.assert_allclose(log_mel(10 * y, RECIPE) - log_mel(y, RECIPE), 20, atol=1e-3)


def test_silence_is_the_floor() -> None:
    S = log_mel(np.zeros(10_000, np.float32), RECIPE)
    np.testing.assert_allclose(S, 10 * np.log10(AMIN), atol=1e-4)
    assert (quantise(S) == 0).all()


def test_frames_are_centred() -> None:
    y = np.zeros(16_000, np.float32)
    y[10 * RECIPE.hop_length] = 1.0
    assert log_mel(y, RECIPE).mean(axis=1).argmax() == 10


@given(n=st.integers(1, 5_000))
def test_the_shape_follows_from_the_length(n: int) -> None:
    for recipe in (RECIPE, SMALL):
        S = log_mel(noise(5_000)[:n], recipe)
        assert S.shape == (1 + n // recipe.hop_length, recipe.n_mels) == (recipe.n_frames(n), recipe.n_mels)
        assert S.dtype == np.float32
        assert np.isfinite(S).all()


@given(
    n_fft=st.integers(64, 160),
    hop_share=st.sampled_from([0, 0.25, 0.5, 0.9, 1]),
    hops=st.sampled_from([0, 1, 7, 256, 257, 300]),
    more=st.integers(0, 20),
    share=st.floats(0, 1),
)
@pytest.mark.filterwarnings("ignore:Empty filters", "ignore:n_fft=")
def test_every_recipe_that_is_accepted_works(n_fft: int, hop_share: float, hops: int, more: int, share: float) -> None:
    try:
        recipe = SpectrogramRecipe(n_fft=n_fft, hop_length=16 + int(hop_share * (n_fft - 16)), n_mels=8)
    except ValueError:
        return
    y = noise(50_000)[: max(1, hops * recipe.hop_length + more)]
    S = np.concatenate(list(log_mel_blocks(np.split(y, [int(share * y.size)]), recipe)))
    assert S.shape == (recipe.n_frames(y.size), 8)
    np.testing.assert_allclose(S, reference(y, recipe), atol=1e-3, rtol=0)


@given(cuts=st.lists(st.integers(0, 60_000), max_size=12), n=st.integers(1, 60_000))
def test_the_pieces_a_sound_comes_in_change_nothing(cuts: list[int], n: int) -> None:
    y = noise(60_000)[:n]
    joined = np.concatenate(list(log_mel_blocks(np.split(y, sorted(cuts)), SMALL)))
    np.testing.assert_allclose(joined, log_mel(y, SMALL), atol=1e-5, rtol=0)


def test_many_small_pieces_equal_one_large() -> None:
    y = noise(RECIPE.n_fft + RECIPE.hop_length * 1_000)
    pieces = np.array_split(y, 999)
    joined = np.concatenate(list(log_mel_blocks(pieces, RECIPE)))
    np.testing.assert_allclose(joined, log_mel(y, RECIPE), atol=1e-5, rtol=0)


def test_blocks_come_as_the_sound_comes() -> None:
    asked = 0

    def pieces():
        nonlocal asked
        for _ in range(100):
            asked += 1
            yield noise(16_000)

    first = next(log_mel_blocks(pieces(), RECIPE))
    assert asked < 15
    assert first.shape[0] <= 256


def test_a_crop_of_a_song_equals_the_crop_of_its_spectrogram() -> None:
    y = noise(60_000)
    first, margin = 20, RECIPE.n_fft // RECIPE.hop_length
    alone = log_mel(y[first * RECIPE.hop_length : 80 * RECIPE.hop_length], RECIPE)
    np.testing.assert_allclose(alone[margin:-margin], log_mel(y, RECIPE)[first + margin : 81 - margin], atol=1e-4)


@given(seed=st.integers(0, 2**32 - 1))
def test_codes_lose_a_quarter_of_a_db_at_most(seed: int) -> None:
    S = np.random.default_rng(seed).uniform(DB_FLOOR, DB_FLOOR + 255 * DB_STEP, (9, 7)).astype(np.float32)
    assert np.abs(dequantise(quantise(S)) - S).max() <= DB_STEP / 2 + 1e-5


def test_every_code_comes_back_as_itself() -> None:
    codes = np.arange(256, dtype=np.uint8)
    S = dequantise(codes)
    np.testing.assert_array_equal(quantise(S), codes)
    np.testing.assert_allclose(np.diff(S), DB_STEP)
    assert S.dtype == np.float32
    assert (S[0], S[-1]) == (DB_FLOOR, DB_FLOOR + 255 * DB_STEP)


def test_levels_outside_the_range_are_clipped() -> None:
    S = np.array([-np.inf, -1e9, DB_FLOOR - 0.3, 47.9, 1e9, np.inf], np.float32)
    assert quantise(S).tolist() == [0, 0, 0, 255, 255, 255]


def test_mel_frequencies_ascend_and_lie_below_half_the_sample_rate() -> None:
    frequencies = mel_frequencies(RECIPE)
    assert frequencies.shape == (128,)
    assert (np.diff(frequencies) > 0).all()
    assert 0 < frequencies[0] < 50
    assert 7_000 < frequencies[-1] < 8_000


@pytest.mark.parametrize("frequency", [200, 1_000, 4_000])
def test_a_tone_is_loudest_in_the_band_that_bears_its_frequency(frequency: float) -> None:
    S = log_mel(tone(frequency, 1, sample_rate=16_000).astype(np.float32), RECIPE)
    band = S.mean(axis=0).argmax()
    assert mel_frequencies(RECIPE)[band] == pytest.approx(frequency, rel=0.06)


def test_a_model_may_bring_its_own_filters() -> None:
    y = noise(10_000)
    np.testing.assert_array_equal(log_mel(y, RECIPE, filters=mel_filters(RECIPE).copy()), log_mel(y, RECIPE))
    half = log_mel(y, RECIPE, filters=mel_filters(RECIPE) / 2)
    np.testing.assert_allclose(log_mel(y, RECIPE) - half, 10 * np.log10(2), atol=1e-4)


def test_the_filters_are_shared_and_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        mel_filters(RECIPE)[0, 0] = 1
