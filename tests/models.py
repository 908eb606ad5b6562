"""Made-up models, published in a moment: a network of random weights, exported once however often it is published."""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.audio.spectrogram import mel_filters
from core.files import sha256_of
from core.learning import export
from core.learning.model import CARD, GRAPH, WEIGHTS
from core.learning.networks import GenreNetwork
from core.recipes import SpectrogramRecipe, TrainingRecipe

RECIPE = SpectrogramRecipe(n_fft=128, hop_length=64, n_mels=16)
TRAINING = TrainingRecipe(network="small_resnet", steps=3, crop_frames=32)
GENRES = ("drone", "hiss", "jazz")
METRICS = {"songs": 20, "accuracy": 0.5, "interval_95": [0.299, 0.701]}


def network(
    seed: int = 0, *, n_mels: int = RECIPE.n_mels, n_genres: int = len(GENRES), crop_frames: int = TRAINING.crop_frames
) -> GenreNetwork:
    torch.manual_seed(seed)
    mean, std = np.full(n_mels, -30, np.float32), np.full(n_mels, 9, np.float32)
    return GenreNetwork("small_resnet", n_genres, mean, std, crop_frames=crop_frames)


@lru_cache(maxsize=8)
def graph(seed: int, n_mels: int, n_genres: int, crop_frames: int) -> bytes:
    made = network(seed, n_mels=n_mels, n_genres=n_genres, crop_frames=crop_frames)
    return export.as_onnx(made, crop_frames=crop_frames)


def publish(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """A model folder as a training publishes it; `changes` are arguments of `export.publish`."""
    given: dict[str, Any] = {
        "genres": GENRES,
        "spectrogram": RECIPE,
        "training": TRAINING,
        "steps": 3,
        "split": {"train": [], "validation": [], "test": []},
        "data_fingerprint": "d" * 16,
        "metrics": METRICS,
        "run": "1",
    } | changes
    n_mels, n_genres = given["spectrogram"].n_mels, len(given["genres"])
    crop_frames = given["training"].crop_frames
    given.setdefault("graph", graph(seed, n_mels, n_genres, crop_frames))
    made = network(seed, n_mels=n_mels, n_genres=n_genres, crop_frames=crop_frames)
    export.publish(folder, made, mel_filters(given["spectrogram"]), **given)
    return folder


def change_card(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    card = json.loads((folder / CARD).read_text())
    change(card)
    (folder / CARD).write_text(json.dumps(card))


def put(folder: Path, name: str, data: bytes) -> None:
    """Replace weights or graph, and make the card agree: a forgery, not an accident."""
    (folder / name).write_bytes(data)
    told = {WEIGHTS: "weights_sha256", GRAPH: "onnx_sha256"}[name]
    change_card(folder, lambda card: card.update({told: sha256_of(folder / name)}))


def make_old(folder: Path) -> Path:
    """Turn a folder into one of format 1: no graph, and no temperature with the weights."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / WEIGHTS)
    del tensors["temperature"]
    save_file(tensors, folder / WEIGHTS)
    (folder / GRAPH).unlink()

    def older(card: dict[str, Any]) -> None:
        for name in ("onnx_sha256", "title", "description", "data_origin", "intended_use", "limits", "licence"):
            del card[name]
        card.update(format=1, weights_sha256=sha256_of(folder / WEIGHTS))

    change_card(folder, older)
    return folder
