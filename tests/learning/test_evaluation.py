"""Evaluation on whole songs: of the library, and of any labelled folder."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.audio.crops import softmax
from core.audio.spectrogram import mel_filters
from core.audio.store import SpectrogramStore
from core.errors import JobStopped, LibraryError, ModelError
from core.learning.evaluation import evaluate_folder, evaluate_songs, evaluate_test_songs
from core.learning.model import Card, Model
from core.music import CodeArray, FloatArray, GenreDistribution, Song
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings
from tests.sounds import GENRES, write_library, write_sound

RECIPE = SpectrogramRecipe(n_mels=32)
N_LOW = 8
"""Bands below about 600 Hz, where a drone is and hiss is not."""


class ByPitch(torch.nn.Module):
    """Answers drone or hiss by whether the low or the high bands are louder; in `always`, that genre instead."""

    def __init__(self, genres: tuple[str, ...], always: str | None) -> None:
        super().__init__()
        self.genres, self.always = genres, always

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        levels = codes.to(torch.float32).mean(dim=1)
        low, high = levels[:, :N_LOW].mean(dim=1), levels[:, N_LOW:].mean(dim=1)
        logits = torch.full((len(codes), len(self.genres)), -50.0)
        if self.always:
            logits[:, self.genres.index(self.always)] = 0
        else:
            logits[:, self.genres.index("drone")] = low
            logits[:, self.genres.index("hiss")] = high
        return logits


def model(
    genres: tuple[str, ...] = ("drone", "hiss", "jazz"),
    *,
    always: str | None = None,
    test: tuple[dict[str, Any], ...] | list[dict[str, Any]] = (),
) -> Model:
    training = TrainingRecipe(crop_frames=64, steps=1)
    card = Card(
        genres=genres,
        spectrogram=RECIPE,
        spectrogram_fingerprint=RECIPE.fingerprint,
        network="small_resnet",
        crop_frames=64,
        training=training.model_dump(mode="json"),
        training_fingerprint=training.fingerprint,
        steps=1,
        split={"train": [], "validation": [], "test": list(test)},
        seed=0,
        data_fingerprint="d",
        metrics=None,
        weights_sha256="w",
        onnx_sha256="o",
        run="r",
        versions={},
        created_at="2026-01-01T00:00:00+00:00",
    )
    network = ByPitch(genres, always)

    def answer(codes: CodeArray) -> tuple[FloatArray, FloatArray]:
        logits = network(torch.from_numpy(codes)).numpy()
        return logits, logits

    return Model("by pitch", card, mel_filters(RECIPE), np.zeros(RECIPE.n_mels, np.float32), answer)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drones, three hisses, a polka, and what is no song."""
    folder = write_library(tmp_path_factory.mktemp("labelled"), songs=3, seconds=3.0, suffixes=(".wav", ".flac"))
    rng = np.random.default_rng(0)
    write_sound(folder / "Polka" / "p.wav", GENRES["drone"](rng, 3.0))
    (folder / "hiss" / "text.mp3").write_text("no sound")
    (folder / "drone" / "empty.flac").touch()
    (folder / "drone" / "notes.txt").write_text("not looked at")
    return folder


# -- a labelled folder -------------------------------------------------------------------------------------------------


def test_a_folder_is_evaluated_and_what_cannot_count_is_told(labelled: Path, settings: Settings) -> None:
    progress: list[tuple[int, int]] = []
    told = evaluate_folder(model(), labelled, settings, on_progress=lambda *at: progress.append(at))
    assert (told["songs"], told["accuracy"], told["genres"]) == (6, 1.0, ["drone", "hiss", "jazz"])
    assert told["confusion"] == [[3, 0, 0], [0, 3, 0], [0, 0, 0]]
    skipped = {Path(file["path"]).relative_to(labelled).as_posix(): file["reason"] for file in told["skipped"]}
    assert set(skipped) == {"Polka/p.wav", "hiss/text.mp3", "drone/empty.flac"}
    assert skipped["Polka/p.wav"] == "The model does not know the genre 'Polka'."
    assert "empty" in skipped["drone/empty.flac"] and "not a sound file" in skipped["hiss/text.mp3"]
    assert progress == [(done, 8) for done in range(1, 9)]
    assert not settings.data.exists(), "nothing was imported"


def test_genres_that_no_folder_has_are_never_masked(labelled: Path, settings: Settings) -> None:
    told = evaluate_folder(model(always="jazz"), labelled, settings)
    assert (told["songs"], told["accuracy"], told["macro_f1"]) == (6, 0.0, 0.0)
    assert told["confusion"] == [[0, 0, 3], [0, 0, 3], [0, 0, 0]]


def test_a_folder_may_write_a_genre_in_its_own_way(labelled: Path, settings: Settings, tmp_path: Path) -> None:
    for genre, name in (("drone", "  DRONE "), ("hiss", "HiSs")):
        (tmp_path / "deep" / name).mkdir(parents=True)
        song = next((labelled / genre).glob("*.wav"))
        shutil.copy(song, tmp_path / "deep" / name)
    told = evaluate_folder(model(), tmp_path, settings)
    assert (told["songs"], told["accuracy"], told["skipped"]) == (2, 1.0, [])


def test_a_folder_without_a_usable_song_is_refused(labelled: Path, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No song in"):
        evaluate_folder(model(("drone", "hiss")), tmp_path, settings)
    with pytest.raises(ModelError, match=r"genres of the model \(drone, hiss, jazz\)"):
        evaluate_folder(model(), labelled / "Polka", settings)
    with pytest.raises(LibraryError, match="is not a folder"):
        evaluate_folder(model(), tmp_path / "nowhere", settings)


def test_a_stop_is_heard(labelled: Path, settings: Settings) -> None:
    def stop() -> None:
        raise JobStopped("Stopped.")

    with pytest.raises(JobStopped):
        evaluate_folder(model(), labelled, settings, check=stop)


# -- songs of the library ----------------------------------------------------------------------------------------------


def song(number: int, label: dict[str, float], *, n_frames: int = 100) -> Song:
    weights = GenreDistribution(tuple(label.items()))
    return Song(number, f"song {number}", "a", 3.0, f"{number:064x}", n_frames, weights)


@pytest.fixture
def store(settings: Settings) -> Callable[[Song, bool], Song]:
    """Puts a spectrogram in its place that sounds low or high."""
    files = SpectrogramStore(settings.spectrograms, RECIPE.fingerprint)

    def put(song: Song, low: bool) -> Song:
        codes = np.zeros((song.n_frames, 32), np.uint8)
        codes[:, :N_LOW] = 100 if low else 20
        codes[:, N_LOW:] = 20 if low else 100
        files.write(song.sha256, codes)
        return song

    return put


def test_a_models_own_test_songs_are_labelled_as_when_it_was_trained(
    settings: Settings, store: Callable[[Song, bool], Song]
) -> None:
    now = [
        store(song(0, {"jazz": 1.0}), True),
        store(song(1, {"drone": 1.0}), False),
        store(song(2, {"hiss": 1.0}), True),
    ]
    then = [{"sha256": now[0].sha256, "label": {"drone": 1.0}}, {"sha256": now[1].sha256, "label": {"drone": 1.0}}]
    gone = {"sha256": "f" * 64, "label": {"hiss": 1.0}}
    told = evaluate_test_songs(model(test=then), now, settings)
    assert (told["songs"], told["accuracy"], told["skipped"]) == (2, 0.5, [])
    assert told["confusion"] == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    with_one_gone = evaluate_test_songs(model(test=[*then, gone]), now, settings)
    assert with_one_gone["songs"] == 2
    assert [file["reason"] for file in with_one_gone["skipped"]] == ["1 of the 3 test songs are not in this library."]
    with pytest.raises(ModelError, match="None of the test songs of 'by pitch' is in this library"):
        evaluate_test_songs(model(test=[gone]), now, settings)


def test_every_frame_of_a_song_counts_the_last_included(settings: Settings) -> None:
    """A song whose only loud frames are its last is still heard as loud there."""
    files = SpectrogramStore(settings.spectrograms, RECIPE.fingerprint)
    codes = np.zeros((200, 32), np.uint8)
    codes[-1] = 255
    files.write("0" * 64, codes)
    heard: list[CodeArray] = []

    def logits(crops: CodeArray) -> FloatArray:
        heard.append(crops)
        return np.stack([crops.max(axis=(1, 2)) / 25.5, np.full(len(crops), 5.0)], axis=1).astype(np.float32)

    told = evaluate_songs([song(0, {"loud": 1.0}, n_frames=200)], ("loud", "quiet"), files, logits, crop_frames=64)
    crops = np.concatenate(heard)
    assert crops.shape == (6, 64, 32), "at 0, 32, 64, 96, 128, and one that ends with the song"
    assert (crops.max(axis=(1, 2)) == 255).tolist() == [False] * 5 + [True]
    mean = softmax(np.array([[0, 5]] * 5 + [[10, 5]], np.float32)).mean(axis=0)
    assert told["accuracy"] == float(mean[0] > mean[1]) == 0.0
