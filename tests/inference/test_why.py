"""Reasons: what is covered and was what the network heard, is found."""

import numpy as np
import pytest
import torch

from core.audio.crops import cut
from core.audio.spectrogram import dequantise, mel_filters
from core.errors import JobStopped
from core.inference.why import BAND_GROUPS, MAX_SLOTS, Reasons, heard_alone, log_odds, reasons, strongest_stretch
from core.learning.networks import GenreNetwork, as_logits
from core.music import CodeArray, FloatArray
from core.recipes import SpectrogramRecipe

RECIPE = SpectrogramRecipe()
FILTERS = mel_filters(RECIPE)
GENRES = ("hum", "rest")
FRAMES = 64
SECOND = round(1 / RECIPE.frame_s)
USUAL = dequantise(np.full(RECIPE.n_mels, 80, np.uint8))
N_GROUP = RECIPE.n_mels // BAND_GROUPS


def noise(rng: np.random.Generator, n_frames: int) -> CodeArray:
    return rng.integers(60, 100, (n_frames, RECIPE.n_mels)).astype(np.uint8)


def asked(codes: CodeArray, logits: object, **options: object) -> Reasons:
    return reasons(codes, logits, "hum", GENRES, RECIPE, USUAL, FILTERS, crop_frames=FRAMES, **options)  # type: ignore[arg-type]


def hears(low: int, high: int) -> object:
    """A network to which only some bands matter: the louder, the more it is a hum."""

    def logits(crops: CodeArray) -> FloatArray:
        level = crops[:, :, low:high].astype(np.float32).mean(axis=(1, 2))
        return np.stack([(level - 80) / 10, np.zeros(len(crops))], axis=1).astype(np.float32)

    return logits


@pytest.mark.parametrize("group", [0, 3, 7])
def test_one_band_that_carries_the_genre_is_found(group: int) -> None:
    codes = noise(np.random.default_rng(group), 10 * SECOND)
    low, high = group * N_GROUP, (group + 1) * N_GROUP
    codes[:, low:high] = 200
    told = asked(codes, hears(low, high))
    assert told.by_band.argmax() == group and set(told.influence.argmax(axis=1)) == {group}
    others = np.delete(told.influence, group, axis=1)
    assert np.abs(others).max() == 0, "what is not heard spoke for nothing"
    assert told.influence[:, group].min() > 0
    low_hz, high_hz = told.strongest[2:]
    centres = FILTERS.argmax(axis=1)[low:high] * RECIPE.sample_rate / RECIPE.n_fft
    assert low_hz <= centres[0] and centres[-1] <= high_hz


@pytest.mark.parametrize("second", [0, 4, 9])
def test_one_second_that_carries_the_genre_is_found(second: int) -> None:
    codes = noise(np.random.default_rng(second), 10 * SECOND)
    codes[second * SECOND : (second + 1) * SECOND] = 200
    told = asked(codes, hears(0, RECIPE.n_mels), begin_s=30.0)
    found = told.edges_s[int(told.by_time.argmax())]
    assert 30 + second - 0.55 <= found <= 30 + second + 1
    begin = 30 + second * SECOND * RECIPE.frame_s
    outside = (told.edges_s[1:] <= begin + 1e-6) | (told.edges_s[:-1] >= begin + SECOND * RECIPE.frame_s)
    assert told.by_time.max() > 10 * np.abs(told.by_time[outside]).max()


@pytest.mark.slow
def test_a_network_that_learned_it_is_seen_through() -> None:
    """Two genres that differ in one band, in one second of three: what a real network hears of it is told."""
    rng = np.random.default_rng(1)
    band = slice(5 * N_GROUP, 6 * N_GROUP)
    n = 48

    def song(hums: bool) -> CodeArray:
        codes = noise(rng, FRAMES)
        if hums:
            codes[32:48, band] = 170
        return codes

    crops = np.stack([song(i % 2 == 0) for i in range(n)])
    torch.manual_seed(0)
    network = GenreNetwork("small_resnet", 2, USUAL, np.full_like(USUAL, 8), crop_frames=FRAMES)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    targets = torch.arange(n) % 2
    network.train()
    for _ in range(25):
        loss = torch.nn.functional.cross_entropy(network(torch.from_numpy(crops)), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    codes = song(hums=True)
    told = asked(codes, as_logits(network))
    assert told.share > 0.8
    assert told.strongest[:2] == pytest.approx((32 * RECIPE.frame_s, 48 * RECIPE.frame_s))
    assert told.influence[2].argmax() == 5 == told.by_band.argmax() and told.by_time.argmax() == 2


def test_what_speaks_against_a_genre_is_below_nothing() -> None:
    codes = noise(np.random.default_rng(0), 4 * SECOND)
    codes[:SECOND] = 10
    assert asked(codes, hears(0, RECIPE.n_mels)).by_time[0] < 0


@pytest.mark.parametrize("n_frames", [1, 10, FRAMES - 1, FRAMES, FRAMES + 1, 2000, 20_000])
def test_stretches_of_any_length(n_frames: int) -> None:
    codes = np.full((n_frames, RECIPE.n_mels), 120, np.uint8)
    shares: list[float] = []
    told = asked(codes, hears(0, 16), on_progress=shares.append)
    n_slots = len(told.by_time)
    assert n_slots <= MAX_SLOTS and told.influence.shape == (n_slots, BAND_GROUPS)
    assert told.edges_s[0] == 0 and told.edges_s[-1] == pytest.approx(n_frames * RECIPE.frame_s)
    assert len(told.edges_s) == n_slots + 1 and (np.diff(told.edges_s) > 0).all()
    assert told.edges_hz[0] == 0 and told.edges_hz[-1] == 8000 and (np.diff(told.edges_hz) > 0).all()
    assert shares == sorted(shares) and shares[-1] == 1
    assert (told.influence[:, 0] > 0).all()
    assert told.share == pytest.approx(float(1 / (1 + np.exp(-4))))


def test_it_can_be_stopped() -> None:
    def stop() -> None:
        raise JobStopped("Stopped.")

    with pytest.raises(JobStopped):
        asked(np.zeros((FRAMES, RECIPE.n_mels), np.uint8), hears(0, 16), check=stop)


def test_log_odds_are_those_of_the_probability() -> None:
    logits = np.random.default_rng(0).normal(0, 5, (20, 6)).astype(np.float32)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(log_odds(logits, 2), np.log(p[:, 2] / (1 - p[:, 2])), atol=1e-3)
    assert np.isfinite(log_odds(np.array([[900.0, 0, 0]], np.float32), 0)).all()


def test_the_strongest_stretch_is_where_the_genre_is() -> None:
    starts = np.arange(0, 100, 4.0)
    taggram = np.full((25, 2), 0.1, np.float32)
    taggram[12:16, 1] = 0.9  # from 48 to 60, crops of 8 s: they hear up to 68
    begin = strongest_stretch(taggram, starts, 8.0, 1, seconds=30)
    assert begin <= 48 and begin + 30 >= 68
    assert strongest_stretch(taggram[:1], starts[:1], 8.0, 1, seconds=30) == 0
    assert cut(np.zeros((3, 4), np.uint8), crop_frames=8, stride=4).shape == (1, 8, 4)


def test_a_stretch_shorter_than_a_crop_begins_where_the_strongest_crop_does() -> None:
    taggram = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], np.float32)
    assert strongest_stretch(taggram, np.array([0.0, 4.0, 8.0]), 8.0, 1, seconds=6) == 4


def test_some_frequencies_are_heard_without_the_rest() -> None:
    t = np.arange(2 * 16_000) / 16_000
    y = (0.3 * np.sin(2 * np.pi * 200 * t) + 0.1 * np.sin(2 * np.pi * 3000 * t)).astype(np.float32)
    alone = heard_alone(y, 2000.0, 4000.0)
    assert len(alone) == len(y) and np.abs(alone).max() == pytest.approx(0.9, abs=0.01)
    spectrum = np.abs(np.fft.rfft(alone))
    assert spectrum.argmax() * 16_000 / len(alone) == pytest.approx(3000, abs=2)
    assert spectrum[:1000].max() < 0.01 * spectrum.max()
    assert not heard_alone(np.zeros(100, np.float32), 0.0, 100.0).any()
