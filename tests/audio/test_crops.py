"""Crops: every frame is heard, and a song's answer is the plain mean of its crops'."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.audio.crops import BATCH, crop_starts, padded, predict_song, softmax


def codes(n_frames: int, n_mels: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n_frames, n_mels), dtype=np.uint8)


def network(crops: np.ndarray) -> np.ndarray:
    """Three logits that depend on every code of a crop, and on its place."""
    weights = np.linspace(0.5, 1.5, crops[0].size).reshape(crops[0].shape)
    levels = (crops * weights).mean(axis=(1, 2)) / 50
    return np.stack([levels, -levels, np.sin(levels)], axis=1).astype(np.float32)


lengths = st.integers(0, 3_000)
sizes = st.integers(16, 300)


@given(n_frames=lengths, crop_frames=sizes, share=st.floats(0, 1))
def test_every_frame_is_in_a_crop_and_no_crop_reaches_beyond(n_frames: int, crop_frames: int, share: float) -> None:
    stride = 1 + int(share * (crop_frames - 1))
    starts = crop_starts(n_frames, crop_frames, stride=stride)
    length = max(n_frames, crop_frames)
    assert (np.diff(starts) > 0).all()
    assert (np.diff(starts) <= stride).all()
    assert starts[0] == 0
    assert starts[-1] + crop_frames == length
    covered = np.zeros(length, bool)
    for start in starts:
        covered[start : start + crop_frames] = True
    assert covered.all()


@pytest.mark.parametrize(
    ("n_frames", "expected"),
    [(0, [0]), (1, [0]), (128, [0]), (129, [0, 1]), (192, [0, 64]), (193, [0, 64, 65]), (256, [0, 64, 128])],
)
def test_crops_of_some_songs(n_frames: int, expected: list[int]) -> None:
    assert crop_starts(n_frames, 128, stride=64).tolist() == expected


@given(n_frames=st.integers(0, 300), crop_frames=sizes)
def test_a_short_song_is_played_again_and_a_long_one_left_alone(n_frames: int, crop_frames: int) -> None:
    song = codes(n_frames)
    longer = padded(song, crop_frames)
    assert longer.shape == (max(n_frames, crop_frames), 4)
    expected = song[np.arange(len(longer)) % n_frames] if n_frames else np.zeros_like(longer)
    np.testing.assert_array_equal(longer, expected)


@given(n_frames=st.integers(0, 1_500), crop_frames=st.integers(16, 128), share=st.floats(0.05, 1))
def test_a_songs_answer_is_the_mean_of_its_crops(n_frames: int, crop_frames: int, share: float) -> None:
    song, stride = codes(n_frames), max(1, int(share * crop_frames))
    answer = predict_song(song, network, crop_frames=crop_frames, stride=stride)
    whole = padded(song, crop_frames)
    crops = np.stack([whole[start : start + crop_frames] for start in answer.starts])
    rows = np.exp(network(crops).astype(np.float64))
    rows /= rows.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answer.taggram, rows, atol=1e-5)
    np.testing.assert_allclose(answer.spectrum, rows.mean(axis=0), atol=1e-5)
    assert answer.starts.tolist() == crop_starts(n_frames, crop_frames, stride=stride).tolist()
    assert answer.spectrum.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(answer.taggram.sum(axis=1), 1, atol=1e-5)
    assert answer.spectrum.dtype == answer.taggram.dtype == np.float32


def test_the_last_frames_count() -> None:
    quiet = np.zeros((1_000, 4), np.uint8)
    ending = quiet.copy()
    ending[-1] = 255
    one, other = (predict_song(song, network, crop_frames=128, stride=64).spectrum for song in (quiet, ending))
    assert not np.allclose(one, other)


@pytest.mark.parametrize("n_crops", [1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 5])
def test_the_network_is_given_bounded_batches_and_every_crop_once(n_crops: int) -> None:
    given_at_once: list[int] = []

    def watched(crops: np.ndarray) -> np.ndarray:
        assert crops.flags.c_contiguous
        assert crops.dtype == np.uint8
        assert crops.shape[1:] == (16, 4)
        given_at_once.append(len(crops))
        return network(crops)

    answer = predict_song(codes(16 * n_crops), watched, crop_frames=16, stride=16)
    assert max(given_at_once) <= BATCH
    assert sum(given_at_once) == n_crops == len(answer.taggram)


@pytest.mark.parametrize("n_crops", [1, BATCH, 3 * BATCH + 5])
def test_progress_rises_to_one(n_crops: int) -> None:
    told: list[float] = []
    predict_song(codes(16 * n_crops), network, crop_frames=16, stride=16, on_progress=told.append)
    assert told == sorted(told)
    assert told[0] > 0
    assert told[-1] == 1


def test_the_song_itself_is_not_changed() -> None:
    song = codes(500)
    song.setflags(write=False)
    predict_song(song, network, crop_frames=128, stride=64)


@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.1, 1.0, 100.0, 1e30]))
def test_softmax_gives_probabilities_in_the_order_of_the_logits(seed: int, scale: float) -> None:
    logits = (scale * np.random.default_rng(seed).standard_normal((5, 6))).astype(np.float32)
    shares = softmax(logits)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-6)
    assert (shares >= 0).all()
    np.testing.assert_array_equal(shares.argmax(axis=-1), logits.argmax(axis=-1))


def test_softmax_of_known_logits() -> None:
    np.testing.assert_allclose(softmax(np.log(np.array([[1.0, 2.0, 5.0]]))), [[0.125, 0.25, 0.625]], atol=1e-6)
