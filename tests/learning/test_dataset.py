"""Random crops: the same for the same seed and epoch, from everywhere in a song, as many as asked for."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from core.audio.store import SpectrogramStore
from core.learning.dataset import CropSampler
from core.music import GenreDistribution, Song

GENRES = ("drone", "hiss")
N_MELS, CROP = 8, 20


def make_songs(store: SpectrogramStore, lengths: list[int]) -> list[Song]:
    """Songs whose frame t holds the song's number in its first band, and t + 1 in the others."""
    songs = []
    for number, n_frames in enumerate(lengths):
        codes = np.repeat(np.arange(1, n_frames + 1, dtype=np.uint8)[:, None], N_MELS, axis=1)
        codes[:, 0] = number + 1
        store.write(f"{number:064x}", codes)
        label = GenreDistribution(((GENRES[number % 2], 0.75), (GENRES[(number + 1) % 2], 0.25)))
        songs.append(Song(number, f"song {number}", "a", 1.0, f"{number:064x}", n_frames, label))
    return songs


@pytest.fixture
def store(tmp_path: Path) -> SpectrogramStore:
    return SpectrogramStore(tmp_path, "recipe")


def sampler(store: SpectrogramStore, songs: list[Song], *, each: int = 4, batch: int = 8, seed: int = 0) -> CropSampler:
    return CropSampler(songs, GENRES, store, crop_frames=CROP, crops_per_song=each, batch_size=batch, seed=seed)


def epoch(sampler: CropSampler, number: int) -> tuple[np.ndarray, np.ndarray]:
    """(all crops, all targets) of an epoch."""
    codes, targets = zip(*sampler.batches(number), strict=True)
    return np.concatenate(codes), np.concatenate(targets)


def test_shapes_types_and_targets(store: SpectrogramStore) -> None:
    songs = make_songs(store, [50, 60, 70, 80])
    for codes, targets in sampler(store, songs).batches(1):
        assert (codes.shape, codes.dtype) == ((8, CROP, N_MELS), np.uint8)
        assert (targets.shape, targets.dtype) == ((8, 2), np.float32)
        for crop, target in zip(codes, targets, strict=True):
            assert target.tolist() == songs[int(crop[0, 0]) - 1].label.vector(GENRES).tolist()
            assert np.array_equal(np.diff(crop[:, 1].astype(int)), np.ones(CROP - 1)), "frames in a row"


def test_the_same_seed_and_epoch_give_the_same_batches(store: SpectrogramStore) -> None:
    songs = make_songs(store, [50, 60, 70, 80])
    codes, targets = epoch(sampler(store, songs), 3)
    again, same_targets = epoch(sampler(store, songs), 3)
    assert np.array_equal(codes, again) and np.array_equal(targets, same_targets)
    assert not np.array_equal(codes, epoch(sampler(store, songs), 4)[0]), "another epoch"
    assert not np.array_equal(codes, epoch(sampler(store, songs, seed=1), 3)[0]), "another seed"


def test_every_song_gives_its_number_of_crops(store: SpectrogramStore) -> None:
    songs = make_songs(store, [50, 60, 70, 30, 20, 25])
    codes, _ = epoch(sampler(store, songs, each=4), 1)
    assert Counter(codes[:, 0, 0].tolist()) == dict.fromkeys(range(1, 7), 4)


def test_first_and_last_frames_are_reached(store: SpectrogramStore) -> None:
    songs = make_songs(store, [CROP + 4])
    codes, _ = epoch(sampler(store, songs, each=200, batch=200), 1)
    starts = Counter(codes[:, 0, 1].tolist())
    assert set(starts) == {1, 2, 3, 4, 5}, "every beginning, the last included"
    assert min(starts.values()) > 20, "each about as often"


def test_a_song_shorter_than_a_crop_is_played_again(store: SpectrogramStore) -> None:
    songs = make_songs(store, [7, 50])
    codes, _ = epoch(sampler(store, songs), 1)
    short = codes[codes[:, 0, 0] == 1]
    assert len(short) == 4
    assert (short[:, :, 1] == np.arange(short.shape[1]) % 7 + 1).all()


@pytest.mark.parametrize(
    ("songs", "each", "batch", "sizes"),
    [(4, 4, 8, [8, 8]), (5, 2, 8, [8, 2]), (3, 3, 8, [8]), (1, 3, 8, [3]), (4, 1, 8, [4])],
    ids=["whole batches", "a smaller last one", "a last one of one is dropped", "less than a batch", "one a song"],
)
def test_batches_of_an_epoch(store: SpectrogramStore, songs: int, each: int, batch: int, sizes: list[int]) -> None:
    made = sampler(store, make_songs(store, [50] * songs), each=each, batch=batch)
    assert [len(codes) for codes, _ in made.batches(1)] == sizes
    assert made.steps_per_epoch == len(sizes)
