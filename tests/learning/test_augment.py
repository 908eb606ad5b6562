"""Augmentations: what they hide, blend and tilt; the same by seed."""

import numpy as np
import pytest
import torch

from core.errors import TrainingRefused
from core.learning import augment
from core.learning.augment import SpecAugment, drawn, gain, mixup, require_torchaudio, shift, stretch, tilt

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
    for hole in stretches:
        assert len(hole) <= longest
        assert hole == list(range(hole[0], hole[-1] + 1)) if hole else True
    assert len({tuple(hole) for hole in stretches}) > BATCH // 2, "not the same for all"
    assert max(len(hole) for hole in stretches) > longest // 2
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
    targets = torch.eye(4)[torch.arange(BATCH) % 4]
    x = targets.reshape(BATCH, 1, 4, 1).repeat(1, 1, 1, 5)
    other = torch.arange(BATCH).flip(0)
    mixed, labels = mixup(x, targets, share=0.75, other=other)
    assert torch.allclose(labels, 0.75 * targets + 0.25 * targets[other])
    assert torch.allclose(mixed, labels.reshape(BATCH, 1, 4, 1).expand_as(mixed)), "by the same share"
    whole, same = mixup(x, targets, share=1.0, other=other)
    assert torch.equal(whole, x) and torch.equal(same, targets)


def test_gain_and_tilt_add_a_level_and_a_straight_slope() -> None:
    S = torch.randn(3, FRAMES, BANDS) * 20
    amounts = torch.tensor([-6.0, 0.0, 4.0])
    louder = gain(S, amounts) - S
    assert torch.allclose(louder, amounts[:, None, None].expand_as(S), atol=1e-4)
    brighter = tilt(S, amounts) - S
    assert torch.allclose(brighter, (amounts[:, None] * torch.linspace(-1, 1, BANDS))[:, None].expand_as(S), atol=1e-4)


def test_stretch_plays_a_ramp_faster_and_slower() -> None:
    ramp = torch.arange(FRAMES, dtype=torch.float32)[None, :, None].repeat(3, 1, BANDS)
    played = stretch(ramp, torch.tensor([1.0, 1.25, 0.8]), crop_frames=40)
    for speed, one in zip((1.0, 1.25, 0.8), played, strict=True):
        assert torch.allclose(one[:, 0], speed * torch.arange(40), atol=1e-4)
    assert torch.equal(stretch(ramp, torch.ones(3), crop_frames=40), ramp[:, :40])


def test_shift_moves_a_partial_by_its_semitones_and_nothing_else() -> None:
    frequencies = np.geomspace(100, 6400, 73).astype(np.float32)  # twelve bands an octave
    S = torch.full((3, FRAMES, 73), -60.0)
    S[:, :, 30] = 0.0
    moved = shift(S, torch.tensor([0.0, 2.0, -3.0]), frequencies)
    assert moved.argmax(dim=2)[:, 0].tolist() == [30, 32, 27]
    assert torch.allclose(moved[0], S[0], atol=1e-3)
    assert moved[1, 0, 32] == pytest.approx(0.0, abs=0.1) and moved[1, 0, 30] == pytest.approx(-60.0, abs=0.1)


def test_what_is_drawn_is_the_same_by_its_generator_and_within_its_bounds() -> None:
    one, two, three = (drawn(np.random.default_rng(seed), 1000, up_to=2.0) for seed in (1, 1, 2))
    assert torch.equal(one, two) and not torch.equal(one, three)
    assert -2 <= one.min() < -1.9 and 1.9 < one.max() <= 2
    assert drawn(np.random.default_rng(1), 3, up_to=0.0).tolist() == [0, 0, 0]


def test_without_torchaudio_training_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "_missing", OSError("libcudart.so.13: cannot open\nmore"))
    with pytest.raises(TrainingRefused, match=r"doctor --repair.*libcudart\.so\.13: cannot open\)"):
        require_torchaudio()
    with pytest.raises(TrainingRefused):
        SpecAugment(time_mask_frames=1, freq_mask_bands=1)
