"""Likeness: the same recording is known again, and no other is taken for it."""

import csv
from pathlib import Path

import numpy as np
import pytest

from core.audio import waveform
from core.audio.likeness import SAME, candidate_pairs, likeness, outline, same_recording, signature
from core.audio.spectrogram import log_mel, quantise
from core.music import CodeArray
from core.recipes import SpectrogramRecipe
from tests.sounds import write_sound

RECIPE = SpectrogramRecipe()


def made_up(seed: int, n_frames: int = 900) -> CodeArray:
    """A song of notes: steps in level that differ from band to band."""
    rng = np.random.default_rng(seed)
    notes = rng.normal(120, 25, (n_frames // 6 + 1, 16)).repeat(6, axis=0)[:n_frames].repeat(8, axis=1)
    return np.clip(notes + rng.normal(0, 6, notes.shape), 0, 255).astype(np.uint8)


def test_a_song_is_itself_at_another_level_with_another_tone_and_trimmed() -> None:
    song = made_up(1)
    louder = np.clip(song.astype(int) + 12, 0, 255).astype(np.uint8)
    tilted = np.clip(song + np.linspace(-12, 12, 128), 0, 255).astype(np.uint8)
    for other in (song, louder, tilted, song[101:], song[:-300], song[187:800]):
        assert same_recording(song, other) > 0.8
        assert same_recording(other, song) == pytest.approx(same_recording(song, other), abs=1e-6)


def test_other_songs_are_not_it() -> None:
    songs = [made_up(seed) for seed in range(8)]
    assert max(same_recording(songs[i], songs[j]) for i in range(8) for j in range(i)) < 0.3


def test_a_shift_of_more_than_what_is_tolerated_is_another_song() -> None:
    song = made_up(3, n_frames=2400)
    assert same_recording(song, song[300:]) > 0.9  # 9.6 s
    assert same_recording(song, song[500:]) < SAME  # 16 s


def test_what_is_too_short_or_silent_is_never_certain() -> None:
    short, silence = made_up(4, n_frames=60), np.zeros((900, 128), np.uint8)
    assert same_recording(short, short) < SAME
    assert same_recording(silence, silence) == 0
    assert same_recording(silence[:1], made_up(4)) == 0


def test_a_signature_knows_no_gain_and_little_of_a_trim() -> None:
    song = made_up(5)
    louder = np.clip(song.astype(int) + 12, 0, 255).astype(np.uint8)
    others = [signature(made_up(seed)) for seed in range(6, 20)]
    nearest = min(float(np.abs(signature(song) - other).mean()) for other in others)
    assert signature(song).shape == (32,) and signature(song[:1]).shape == (32,)
    assert np.abs(signature(song) - signature(louder)).mean() < 0.1 < nearest
    assert np.abs(signature(song) - signature(song[100:])).mean() < nearest


def test_near_signatures_are_candidates_also_across_blocks() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(1200, 32)).astype(np.float32)
    points[1100] = points[3] + 0.01
    points[1199] = points[1100] + 0.01
    near = candidate_pairs(points, near=0.3)
    assert {(3, 1100), (3, 1199), (1100, 1199)} == set(near)
    assert candidate_pairs(points[:1]) == candidate_pairs(points[:0]) == []
    assert candidate_pairs(np.ones((2, 32), np.float32)) == [(0, 1)], "no spread, no division by it"


def test_candidates_are_those_that_a_plain_search_finds() -> None:
    points = np.random.default_rng(1).normal(size=(60, 8)).astype(np.float32)
    scaled = (points - points.mean(axis=0)) / points.std(axis=0)
    expected = set()
    for i, one in enumerate(scaled):
        distance = np.sqrt(((scaled - one) ** 2).mean(axis=1))
        expected |= {(min(i, j), max(i, j)) for j in np.argsort(distance)[1:4].tolist() if distance[j] <= 0.9}
    assert candidate_pairs(points, neighbours=3, near=0.9) == sorted(expected)


def test_correlation_is_what_a_plain_loop_finds() -> None:
    a, b = outline(made_up(6, 260)), outline(made_up(6, 260)[34:])
    best = 0.0
    for offset in range(-60, 60):
        begin, end = max(0, offset), min(len(a), len(b) + offset)
        if end - begin >= min(len(a), len(b)) // 2:
            one, other = a[begin:end].ravel(), b[begin - offset : end - offset].ravel()
            norm = float(np.linalg.norm(one) * np.linalg.norm(other))
            best = max(best, float(one @ other) / norm * (1 - 1 / max(1, (end - begin) * 0.064)))
    assert likeness(a, b) == pytest.approx(best, abs=1e-4)


@pytest.mark.slow
def test_real_songs_are_known_again_after_encoding_and_trimming(shared_data: Path, tmp_path: Path) -> None:
    with (shared_data / "songs" / "songs.csv").open(encoding="utf-8", newline="") as stream:
        paths = [shared_data / "songs" / row["path"] for row in csv.DictReader(stream)][::64]
    codes = []
    for number, path in enumerate(paths):
        y = waveform.load(path)
        again = write_sound(tmp_path / f"{number}.mp3", 0.5 * y[48_000:], sample_rate=16_000)
        pair = [quantise(log_mel(sound, RECIPE)) for sound in (y, waveform.load(again))]
        assert same_recording(*pair) > SAME, path
        codes.append(pair[0])
    different = [same_recording(codes[i], codes[j]) for i in range(len(codes)) for j in range(i)]
    assert max(different) < SAME - 0.1
