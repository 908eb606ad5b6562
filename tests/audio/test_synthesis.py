"""Made-up songs: the same always, clean, and of styles that can be told apart."""

import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest

from core.audio.likeness import SAME, same_recording
from core.audio.spectrogram import log_mel, quantise
from core.audio.synthesis import FADE_S, LOUDEST, N_SYNTHESISERS, SAMPLE_RATE, STYLES, made_up_song, synthesiser
from core.recipes import SpectrogramRecipe


@pytest.fixture(scope="module")
def songs() -> dict[tuple[str, int], np.ndarray]:
    return {(style, number): made_up_song(style, number) for style in STYLES for number in range(1, 13)}


def test_a_song_is_20_seconds_of_mono_in_range(songs: dict[tuple[str, int], np.ndarray]) -> None:
    for y in songs.values():
        assert y.shape == (20 * SAMPLE_RATE,)
        assert y.dtype == np.float32
        assert np.isfinite(y).all()
        assert np.abs(y).max() == pytest.approx(LOUDEST, abs=1e-6)
        assert abs(y.mean()) < 0.02
    assert made_up_song("pixel", 3, duration_s=7.5).shape == (120_000,)


@pytest.mark.parametrize(("style", "number", "duration_s"), [("jazz", 1, 20), ("pixel", 0, 20), ("pixel", 1, 0.5)])
def test_what_is_not_there_is_refused(style: str, number: int, duration_s: float) -> None:
    with pytest.raises(ValueError, match=f"no made-up song {number} of '{style}'"):
        made_up_song(style, number, duration_s=duration_s)


def test_the_same_song_comes_out_again_in_another_process(songs: dict[tuple[str, int], np.ndarray]) -> None:
    told = "from core.audio.synthesis import *; print(*made_up_song('belfry', 5)[::997].tolist())"
    again = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=60)
    np.testing.assert_array_equal(np.array(again.stdout.split(), np.float32), songs["belfry", 5][::997])


def test_no_two_songs_count_as_one_recording(songs: dict[tuple[str, int], np.ndarray]) -> None:
    recipe = SpectrogramRecipe()
    for style in STYLES:
        codes = [quantise(log_mel(songs[style, number], recipe)) for number in range(1, 13)]
        alike = [same_recording(one, other) for one, other in combinations(codes, 2)]
        assert max(alike) < 0.9 * SAME, style


def test_songs_begin_and_end_in_silence(songs: dict[tuple[str, int], np.ndarray]) -> None:
    fade = round(FADE_S * SAMPLE_RATE)
    for name, y in songs.items():
        assert abs(y[0]) < 1e-3, name
        assert np.abs(y[-20:]).max() < 1e-3, name
        assert np.sqrt((y[-fade // 4 :] ** 2).mean()) < 0.3 * np.sqrt((y[: -2 * fade] ** 2).mean()), name


def clicks(y: np.ndarray) -> int:
    """Places of 5 ms whose sound above 5 kHz stands far out of what is around them: short and bright."""
    spectrum = np.fft.rfft(y)
    spectrum[np.fft.rfftfreq(len(y), 1 / SAMPLE_RATE) < 5_000] = 0
    bright = np.abs(np.fft.irfft(spectrum)).reshape(-1, 80).max(axis=1)
    around = np.median(np.lib.stride_tricks.sliding_window_view(bright, 21), axis=1)
    return int((bright[10:-10] > 12 * around + 0.01).sum())


@pytest.mark.parametrize("style", ["drift", "belfry", "pipes"])
def test_where_there_are_no_drums_nothing_clicks(style: str, songs: dict[tuple[str, int], np.ndarray]) -> None:
    assert [clicks(songs[style, number]) for number in range(1, 13)] == [0] * 12
    holes = songs[style, 1].copy()
    for at in range(SAMPLE_RATE, len(holes) - SAMPLE_RATE, SAMPLE_RATE // 2):
        holes[at : at + 800] = 0  # cut without a ramp
    assert clicks(holes) > 5


def test_six_play_in_turn() -> None:
    assert [synthesiser(number) for number in range(1, 13)] == [1, 2, 3, 4, 5, 6] * 2
    assert N_SYNTHESISERS == 6


def test_styles_can_be_told_apart_by_their_mean_spectrum_alone(songs: dict[tuple[str, int], np.ndarray]) -> None:
    """Nearest style by mean and deviation of each band, of songs by synthesisers that were not among the known."""
    recipe = SpectrogramRecipe()
    spectra = {name: log_mel(y, recipe) for name, y in songs.items()}
    features = {name: np.concatenate([S.mean(axis=0), S.std(axis=0)]) for name, S in spectra.items()}
    right = 0
    for (style, number), feature in features.items():
        known = [other for other in range(1, 13) if synthesiser(other) != synthesiser(number)]
        centres = {of: np.mean([features[of, other] for other in known], axis=0) for of in STYLES}
        right += min(STYLES, key=lambda of: float(((centres[of] - feature) ** 2).sum())) == style
    assert 70 <= right < len(songs), right  # of 96; what remains takes rhythm: a network has something to do
