"""Songs of a library that are one recording by their sound."""

from pathlib import Path

import numpy as np
import pytest

from core.audio.store import SpectrogramStore
from core.errors import AudioError, JobStopped
from core.library import likenesses
from tests.audio.test_likeness import made_up


@pytest.fixture
def store(tmp_path: Path) -> SpectrogramStore:
    """Ten songs, `0` to `9`, and two of them again: `a` is `3` trimmed and louder, `b` is `7`."""
    store = SpectrogramStore(tmp_path, "recipe")
    for seed in range(10):
        store.write(f"{seed:02d}", made_up(seed))
    store.write("a0", np.clip(made_up(3)[80:].astype(int) + 8, 0, 255).astype(np.uint8))
    store.write("b0", made_up(7))
    return store


NAMES = [*(f"{seed:02d}" for seed in range(10)), "b0", "a0"]


def test_pairs_are_found_the_most_alike_first(store: SpectrogramStore) -> None:
    seen: list[tuple[int, int]] = []
    pairs = likenesses.alike(NAMES, store, on_progress=lambda done, total: seen.append((done, total)))
    assert [(a, b) for a, b, _ in pairs] == [("07", "b0"), ("03", "a0")]
    assert 1 >= pairs[0][2] > pairs[1][2] > 0.7
    assert seen[-1] == (12, 12)


def test_outlines_that_were_let_go_are_made_again(store: SpectrogramStore, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = likenesses.alike(NAMES, store)
    monkeypatch.setattr(likenesses, "HELD", 2)
    assert likenesses.alike(NAMES, store) == whole


def test_nothing_to_compare(store: SpectrogramStore) -> None:
    assert likenesses.alike([], store) == likenesses.alike(["00"], store) == likenesses.alike(["00", "00"], store) == []


def test_a_missing_spectrogram_is_told(store: SpectrogramStore) -> None:
    with pytest.raises(AudioError, match="missing"):
        likenesses.alike(["00", "zz"], store)


def test_it_can_be_stopped(store: SpectrogramStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likenesses, "CHECKED_EVERY", 5)

    def check() -> None:
        raise JobStopped("Stopped.")

    with pytest.raises(JobStopped):
        likenesses.alike(NAMES, store, check=check)
