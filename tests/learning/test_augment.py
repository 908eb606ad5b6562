"""Augmentations: what they hide, blend and tilt; the same by seed."""

import numpy as np
import pytest
import torch

from core.errors import TrainingRefused
from core.learning import augment
from core.learning.augment import SpecAugment, mixup, require_torchaudio, tilt

BATCH, BANDS, FRAMES = 16, 40, 60


def hidden(x: torch.Tensor, *, axis: int) -> list[list[int]]:
    """For each crop of `x` (batch, 1, n_mels, crop_frames), which places along `axis` are all zero."""
    other = 5 - axis
    return [row.nonzero().flatten().tolist() for row in (x == 0).all(dim=other)[:, 0]]


@pytest.mark.parametrize(("time", "freq", "axis", "longest"), [(24, 0, 3, 24), (0, 16, 2, 16)], ids=["time", "bands"])
def test_each_crop_loses_one_stretch_of_its_own(time: int, freq: int, axis: int, longest: int) -> None:
    torch.manual_seed(1)
    x = SpecAugment(time_mask_frames=time, freq_mask_bands=freq)(torch.ones(BATCH, 1, BANDS, FRAMES))
    assert set(x.unique().tolist()) == {0.0, 1.0}
    stretches = hidden(x, axis=axis)
    for stretch in stretches:
        assert len(stretch) <= longest
        assert stretch == list(range(stretch[0], stretch[-1] + 1)) if stretch else True
    assert len({tuple(stretch) for stretch in stretches}) > BATCH // 2, "not the same for all"
    assert max(len(stretch) for stretch in stretches) > longest // 2
    assert hidden(x, axis=5 - axis) == [[]] * BATCH, "and nothing else"


def test_it_is_the_same_by_torchs_seed_and_leaves_its_input() -> None:
    mask = SpecAugment(time_mask_frames=24, freq_mask_bands=16)
    x = torch.ones(BATCH, 1, BANDS, FRAMES)
    outs = []
    for seed in (7, 7, 8):
        torch.manual_seed(seed)
        outs.append(mask(x))
    assert torch.equal(outs[0], outs[1]) and not torch.equal(outs[0], outs[2])
    assert (x == 1).all()


def test_masks_of_nothing_change_nothing() -> None:
    x = torch.randn(BATCH, 1, BANDS, FRAMES)
    assert torch.equal(SpecAugment(time_mask_frames=0, freq_mask_bands=0)(x), x)


def test_mixup_blends_crops_and_labels_alike() -> None:
    rng = np.random.default_rng(0)
    targets = torch.eye(4)[torch.arange(BATCH) % 4]
    x = targets.reshape(BATCH, 1, 4, 1).repeat(1, 1, 1, 5)
    mixed, labels = mixup(x, targets, alpha=0.3, rng=rng)
    assert torch.allclose(labels.sum(dim=1), torch.ones(BATCH))
    assert torch.allclose(mixed, labels.reshape(BATCH, 1, 4, 1).expand_as(mixed)), "by the same share"
    assert ((labels > 0).sum(dim=1) <= 2).all() and ((labels > 0).sum(dim=1) == 2).any(), "of two crops each"
    assert len(labels[labels > 0].round(decimals=5).unique()) <= 3, "one share a batch: s, 1 - s, and both together"


def test_mixup_is_the_same_by_its_generator_and_off_at_zero() -> None:
    x, targets = torch.randn(BATCH, 3), torch.softmax(torch.randn(BATCH, 4), dim=1)
    one, two, three = (mixup(x, targets, alpha=0.3, rng=np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1])
    assert not torch.equal(one[0], three[0])
    off = mixup(x, targets, alpha=0, rng=np.random.default_rng(5))
    assert torch.equal(off[0], x) and torch.equal(off[1], targets)


def test_tilt_adds_a_level_and_a_slope_to_each_crop() -> None:
    torch.manual_seed(2)
    S = torch.randn(BATCH, FRAMES, BANDS) * 20
    added = tilt(S, gain_db=6.0, tilt_db=4.0) - S
    assert torch.allclose(added, added[:, :1].expand_as(added), atol=1e-4), "the same for every frame"
    profile = added[:, 0]
    level = (profile[:, 0] + profile[:, -1]) / 2
    slope = (profile[:, -1] - profile[:, 0]) / 2
    straight = level[:, None] + slope[:, None] * torch.linspace(-1, 1, BANDS)
    assert torch.allclose(profile, straight, atol=1e-4), "a straight line over the bands"
    assert level.abs().max() <= 6 and slope.abs().max() <= 4
    assert level.min() < 0 < level.max() and slope.min() < 0 < slope.max()
    assert len(level.unique()) == BATCH
    assert torch.equal(tilt(S, gain_db=0.0, tilt_db=0.0), S)


def test_tilt_is_the_same_by_torchs_seed() -> None:
    S = torch.zeros(BATCH, FRAMES, BANDS)
    outs = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        outs.append(tilt(S, gain_db=6.0, tilt_db=6.0))
    assert torch.equal(outs[0], outs[1]) and not torch.equal(outs[0], outs[2])


def test_without_torchaudio_training_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "_missing", OSError("libcudart.so.13: cannot open\nmore"))
    with pytest.raises(TrainingRefused, match=r"doctor --repair.*libcudart\.so\.13: cannot open\)"):
        require_torchaudio()
    with pytest.raises(TrainingRefused):
        SpecAugment(time_mask_frames=1, freq_mask_bands=1)
