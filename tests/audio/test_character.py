"""Tempo, level, dynamics: of sounds whose figures are known."""

import numpy as np
import pytest

from core.audio.character import Character, Spread, character, course, dynamics, frame_levels, level, spread, tempo
from core.audio.spectrogram import log_mel, quantise
from core.audio.synthesis import made_up_song
from core.recipes import DB_FLOOR, SpectrogramRecipe
from tests.sounds import tone

RECIPE = SpectrogramRecipe()
RATE = RECIPE.sample_rate


def spectrogram(y: np.ndarray) -> np.ndarray:
    return log_mel(y.astype(np.float32), RECIPE)


def clicks(bpm: float, seconds: float = 20.0) -> np.ndarray:
    y = np.zeros(int(seconds * RATE))
    for beat in np.arange(0, seconds - 0.1, 60 / bpm):
        at = int(beat * RATE)
        y[at : at + 200] += np.hanning(200) * np.sin(0.7 * np.arange(200))
    return y


@pytest.mark.parametrize("bpm", [60, 83, 97, 120, 128, 141, 174])
def test_the_tempo_of_a_click_track_is_its_own_within_one_percent(bpm: float) -> None:
    assert tempo(spectrogram(clicks(bpm)), RECIPE) == pytest.approx(bpm, rel=0.01)


def test_a_fast_click_track_may_be_counted_at_half() -> None:
    told = tempo(spectrogram(clicks(200)), RECIPE)
    assert told is not None
    assert min(abs(told / 200 - 1), abs(told / 100 - 1)) < 0.01


@pytest.mark.parametrize("y", [np.zeros(10 * RATE), clicks(120, seconds=3.0)], ids=["silence", "too short"])
def test_where_there_is_no_beat_to_count_none_is_told(y: np.ndarray) -> None:
    assert tempo(spectrogram(y), RECIPE) is None


@pytest.mark.parametrize("hertz", [60, 440, 3_000])
@pytest.mark.parametrize("amplitude", [1.0, 0.1, 0.01])
def test_the_level_of_a_sine_is_that_of_its_root_mean_square(hertz: float, amplitude: float) -> None:
    levels = frame_levels(spectrogram(tone(hertz, 4.0, sample_rate=RATE, amplitude=amplitude)), RECIPE)
    expected = 20 * np.log10(amplitude / np.sqrt(2))
    assert level(levels[4:-4]) == pytest.approx(expected, abs=0.3)
    np.testing.assert_allclose(levels[4:-4], expected, atol=0.5)


def test_the_level_of_noise_is_that_of_its_root_mean_square() -> None:
    y = 0.1 * np.random.default_rng(0).standard_normal(10 * RATE)
    assert level(frame_levels(spectrogram(y), RECIPE)) == pytest.approx(-20, abs=0.3)


def test_the_level_of_a_song_is_that_of_its_samples() -> None:
    y = made_up_song("pixel", 3)
    expected = 10 * np.log10(np.mean(y.astype(float) ** 2))
    assert level(frame_levels(spectrogram(y), RECIPE)) == pytest.approx(expected, abs=0.3)


def test_half_loud_and_half_soft_is_the_difference() -> None:
    y = tone(440, 20.0, sample_rate=RATE) * np.repeat([1.0, 0.1], 10 * RATE)
    levels = frame_levels(spectrogram(y), RECIPE)
    assert dynamics(levels) == pytest.approx(20, abs=0.2)
    assert dynamics(frame_levels(spectrogram(tone(440, 20.0, sample_rate=RATE)), RECIPE)) < 0.2
    assert level(levels) == pytest.approx(-9.03 - 2.97, abs=0.1)  # of the mean power


@pytest.mark.parametrize("n_frames", [1, 7, 100, 101, 2_500])
def test_a_course_is_the_mean_of_hundredths(n_frames: int) -> None:
    S = np.repeat(np.arange(n_frames, dtype=np.float32)[:, None], 3, axis=1)
    told = course(S)
    assert told.shape == (100, 3)
    assert (np.diff(told[:, 0]) >= 0).all()
    assert told.mean() == pytest.approx(S.mean(), abs=0.5)
    if n_frames == 100:
        np.testing.assert_array_equal(told, S)


def test_codes_give_the_same_figures() -> None:
    S = spectrogram(made_up_song("stomp", 3))
    told, mean_course = character(quantise(S), RECIPE)
    assert told.tempo_bpm == pytest.approx(131.6, abs=0.7)
    assert told.level_db == pytest.approx(level(frame_levels(S, RECIPE)), abs=0.05)
    assert told.dynamics_db == pytest.approx(dynamics(frame_levels(S, RECIPE)), abs=0.3)
    np.testing.assert_allclose(mean_course, course(np.maximum(S, DB_FLOOR)), atol=0.26)
    assert isinstance(told, Character)


def test_a_spread_is_of_what_is_told() -> None:
    assert spread([100, None, 110, 120, 130, 140]) == Spread(120, 110, 130)
    assert spread([None, None]) is None
