"""Texture: statistics that hear what they should, and machines that learn from them."""

import numpy as np
import pytest
import torch

from core.learning.texture import CropStatistics, TextureMachine, support_vector_machines

FRAMES, BANDS = 128, 32
FRAME_S = 0.032


def noise(n: int, *, seed: int = 0, level_db: float = -20.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return level_db + 5 * torch.randn(n, FRAMES, BANDS, generator=generator)


def pulsed(period: int, *, bands: slice = slice(None)) -> torch.Tensor:
    """A crop with an onset every `period` frames."""
    S = torch.full((1, FRAMES, BANDS), -50.0)
    S[:, ::period, bands] = 0.0
    return S


@pytest.fixture(scope="module")
def statistics() -> CropStatistics:
    return CropStatistics(n_mels=BANDS, crop_frames=FRAMES)


def test_statistics_are_finite_whatever_is_heard(statistics: CropStatistics) -> None:
    crops = torch.cat(
        [noise(2), torch.full((1, FRAMES, BANDS), -80.0), torch.full((1, FRAMES, BANDS), 47.5), pulsed(8)]
    )
    assert statistics(crops).isfinite().all()


@pytest.mark.parametrize("n_mels", [8, 20, 128])
@pytest.mark.parametrize("crop_frames", [16, 100])
def test_any_size_of_crop_is_told_of(n_mels: int, crop_frames: int) -> None:
    made = CropStatistics(n_mels=n_mels, crop_frames=crop_frames)(torch.randn(2, crop_frames, n_mels))
    assert made.shape[0] == 2 and made.isfinite().all()


def test_a_crop_is_told_of_alone_as_in_company(statistics: CropStatistics) -> None:
    crops = torch.cat([noise(3), pulsed(9)])
    alone = torch.cat([statistics(crops[i : i + 1]) for i in range(4)])
    assert torch.allclose(statistics(crops), alone, atol=1e-4)


@pytest.mark.parametrize("period", [8, 11, 16])
def test_a_beat_repeats_at_its_own_period(statistics: CropStatistics, period: int) -> None:
    repeats = statistics._rhythm(pulsed(period))[2][0]  # of all bands: strength, spread, repeats, the most
    lags = list(statistics.lags)
    assert lags[int(repeats.argmax())] in (period, period * 2)
    assert repeats[lags.index(period)] > repeats[lags.index(period) + 3] + 0.3


def test_a_beat_of_the_treble_is_none_of_the_bass(statistics: CropStatistics) -> None:
    told = statistics._rhythm(pulsed(8, bands=slice(BANDS // 2, None)))
    of_all, of_bass = told[1], told[5]
    assert of_all.item() > 1 and of_bass.item() < 0.1


def test_a_tremolo_is_found_at_its_frequency(statistics: CropStatistics) -> None:
    hertz = 3.0
    wave = 10 * torch.sin(2 * np.pi * hertz * FRAME_S * torch.arange(FRAMES))
    S = (-20 + wave)[None, :, None].expand(1, FRAMES, BANDS)
    told = statistics._fluctuation(S).reshape(8, -1)
    edges = [(low, high) for low, high in ((1.9, 2.5), (2.5, 3.4), (3.4, 4.5))]
    strongest = told.mean(dim=0).argmax().item()
    kept = torch.arange(1, FRAMES // 2 + 1) / (FRAMES * FRAME_S)
    assert told.shape[1] == statistics.bands.shape[1]
    assert any(low <= hertz < high for low, high in edges)
    assert kept[statistics.bands[:, strongest] > 0].sub(hertz).abs().min() < 0.3


# -- machines ----------------------------------------------------------------------------------------------------------


def two_kinds(n: int, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    """Crops that pulse, and crops that do not; (crops, which)."""
    plain, beating = noise(n, seed=seed), noise(n, seed=seed + 100)
    beating[:, ::8] += 12
    return torch.cat([plain, beating]), np.repeat([0, 1], n)


def taught(crops: torch.Tensor, targets: np.ndarray) -> TextureMachine:
    machine = TextureMachine(2, n_mels=BANDS, crop_frames=FRAMES)
    machine.fit(machine.statistics(crops).numpy(), targets.astype(np.float32), seed=0)
    return machine


@pytest.fixture(scope="module")
def fitted() -> TextureMachine:
    crops, kind = two_kinds(20, 1)
    return taught(crops, np.eye(2)[kind])


@pytest.mark.slow
def test_it_knows_crops_that_it_never_heard(fitted: TextureMachine) -> None:
    crops, kind = two_kinds(20, 7)
    assert (fitted(crops).argmax(dim=1).numpy() == kind).mean() > 0.9


def test_the_machines_decide_as_the_librarys_own() -> None:
    from sklearn.svm import SVC

    rng = np.random.default_rng(0)
    z, others = rng.normal(size=(60, 8)).astype(np.float32), rng.normal(size=(20, 8)).astype(np.float32)
    kind = np.arange(60) % 2
    z[kind == 1] += 1
    reference = SVC(C=3.0, gamma=1 / 8).fit(z, kind == 1)
    decided = support_vector_machines(z, np.eye(2, dtype=np.float32)[kind])(others)
    np.testing.assert_allclose(decided[:, 1], reference.decision_function(others), atol=1e-3)


def test_the_layers_answer_as_the_machines_did(fitted: TextureMachine) -> None:
    crops, kind = two_kinds(20, 1)
    z = fitted._standardised(fitted.statistics(crops)).numpy()
    decided = support_vector_machines(z, np.eye(2, dtype=np.float32)[kind])
    others, _ = two_kinds(30, 9)
    expected = decided(fitted._standardised(fitted.statistics(others)).numpy())
    assert np.corrcoef(fitted(others).numpy().ravel(), expected.ravel())[0, 1] > 0.95


def test_the_same_seed_teaches_the_same(fitted: TextureMachine) -> None:
    crops, kind = two_kinds(20, 1)
    again = taught(crops, np.eye(2)[kind])
    assert all(
        torch.equal(one, two)
        for one, two in zip(fitted.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_its_size_does_not_tell_of_how_many_crops_it_learned(fitted: TextureMachine) -> None:
    other = TextureMachine(2, n_mels=BANDS, crop_frames=FRAMES)
    assert fitted.is_fitted and not other.is_fitted
    other.load_state_dict(fitted.state_dict())
    crops = noise(3)
    assert other.is_fitted and torch.equal(other(crops), fitted(crops))


def test_a_label_of_two_genres_lies_between_them() -> None:
    crops, kind = two_kinds(20, 1)
    targets = np.eye(2)[kind]
    targets[kind == 1] = [0.5, 0.5]
    others, which = two_kinds(20, 7)
    logits = taught(crops, targets)(others).numpy()
    lead = logits[:, 0] - logits[:, 1]
    assert lead[which == 0].mean() > lead[which == 1].mean() + 0.2


@pytest.mark.slow
def test_a_genre_of_few_crops_is_heard() -> None:
    crops, kind = two_kinds(40, 1)
    few = np.r_[0:40, 40:44]
    others, which = two_kinds(20, 7)
    machine = taught(crops[few], np.eye(2)[kind[few]])
    assert (machine(others).argmax(dim=1).numpy() == which).mean() > 0.8
