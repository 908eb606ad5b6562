"""Networks: codes in, logits out, the standardisation inside."""

import numpy as np
import pytest
import torch

from core.audio.spectrogram import dequantise
from core.learning.networks import NETWORKS, GenreNetwork, as_logits, decibels
from core.recipes import TrainingRecipe

N_MELS = 32


def codes_like(rng: np.random.Generator, n: int, n_frames: int = 48) -> np.ndarray:
    """Codes whose bands differ in level and spread."""
    level, spread = np.linspace(60, 180, N_MELS), np.linspace(4, 20, N_MELS)
    return np.clip(rng.normal(level, spread, (n, n_frames, N_MELS)), 0, 255).astype(np.uint8)


def made(name: str, n_genres: int, *, crop_frames: int = 48, texture: bool = True) -> GenreNetwork:
    torch.manual_seed(0)
    mean, std = np.full(N_MELS, -20, np.float32), np.full(N_MELS, 10, np.float32)
    network = GenreNetwork(name, n_genres, mean, std, crop_frames=crop_frames)
    if network.texture is not None and texture:
        rng = np.random.default_rng(1)
        crops = decibels(torch.from_numpy(codes_like(rng, 40, crop_frames)))
        targets = np.eye(n_genres, dtype=np.float32)[np.arange(40) % n_genres]
        network.texture.fit(network.texture.statistics(crops).numpy(), targets, seed=0)
    return network


def test_every_network_of_a_recipe_is_registered() -> None:
    assert set(NETWORKS) == set(TrainingRecipe.model_fields["network"].annotation.__args__)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("batch", "n_frames", "n_genres"), [(3, 48, 2), (1, 128, 5), (2, 16, 3)])
def test_logits_have_a_row_a_crop_and_a_column_a_genre(name: str, batch: int, n_frames: int, n_genres: int) -> None:
    codes = codes_like(np.random.default_rng(0), batch, n_frames)
    logits = as_logits(made(name, n_genres, crop_frames=n_frames))(codes)
    assert (logits.shape, logits.dtype) == ((batch, n_genres), np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_not_probabilities(name: str) -> None:
    logits = as_logits(made(name, 4))(codes_like(np.random.default_rng(0), 16))
    assert (logits < 0).any()
    assert np.abs(logits.sum(axis=1) - 1).max() > 0.01


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_learns(name: str) -> None:
    network = made(name, 3).train()
    network(torch.from_numpy(codes_like(np.random.default_rng(0), 8))).square().sum().backward()
    learned = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
    still = [name for name, weight in learned if weight.grad is None or not weight.grad.any()]
    assert still == []


@pytest.mark.parametrize("name", NETWORKS)
def test_an_answer_is_the_same_twice_alone_and_in_company(name: str) -> None:
    logits = as_logits(made(name, 3))
    codes = codes_like(np.random.default_rng(0), 6)
    together = logits(codes)
    assert np.array_equal(together, logits(codes)), "no dropout, and nothing is remembered"
    alone = np.concatenate([logits(codes[i : i + 1]) for i in range(6)])
    assert np.allclose(together, alone, atol=1e-4)


def test_standardising_by_its_own_statistics_gives_mean_0_and_deviation_1() -> None:
    codes = codes_like(np.random.default_rng(0), 50)
    S = dequantise(codes)
    network = GenreNetwork("small_resnet", 2, S.mean(axis=(0, 1)), S.std(axis=(0, 1)), crop_frames=48)
    x = network.standardise(decibels(torch.from_numpy(codes)))
    assert x.shape == (50, 1, N_MELS, 48)
    assert torch.allclose(x.mean(dim=(0, 1, 3)), torch.zeros(N_MELS), atol=1e-3)
    assert torch.allclose(x.std(dim=(0, 1, 3)), torch.ones(N_MELS), atol=1e-3)


def test_standardising_keeps_frames_and_bands_apart() -> None:
    network = GenreNetwork("small_resnet", 2, np.zeros(N_MELS, np.float32), np.ones(N_MELS, np.float32), crop_frames=48)
    S = torch.arange(5.0 * N_MELS).reshape(1, 5, N_MELS)
    assert torch.equal(network.standardise(S)[0, 0], S[0].T)


def test_decibels_are_those_of_the_spectrogram_room() -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(1, 8, 32)
    assert np.array_equal(decibels(torch.from_numpy(codes)).numpy(), dequantise(codes))


def test_statistics_are_part_of_what_is_saved() -> None:
    saved = made("small_resnet", 2).state_dict()
    assert torch.equal(saved["band_mean"], torch.full((N_MELS,), -20.0))
    assert torch.equal(saved["band_std"], torch.full((N_MELS,), 10.0))


def test_logits_stay_finite_however_sure_both_voices_are() -> None:
    network = made("genrescope", 3)
    sure = torch.tensor([[1e4, -1e4, -1e4]])
    assert network.together(sure, sure).isfinite().all()
