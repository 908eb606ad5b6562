"""A model: one folder, published whole. `card.json` says everything; `weights.safetensors` holds every number.

Nothing is unpickled. A folder that is damaged, foreign or does not fit is refused with the reason.
"""

import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file

from core.audio.crops import Logits
from core.database import now
from core.errors import ModelError
from core.files import sha256_of, whole_folder, write_json
from core.learning.networks import NETWORKS, GenreNetwork, as_logits
from core.music import FloatArray
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings

CARD, WEIGHTS = "card.json", "weights.safetensors"
MAX_CARD_BYTES, MAX_WEIGHTS_BYTES = 50_000_000, 1_000_000_000
FILTERS = "mel_filters"
"""The mel filter bank lies with the weights, so that a prediction needs no librosa."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}(?<![ .])")
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class Card(BaseModel):
    """What a model is, where it comes from, and how well it did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    genres: Annotated[tuple[str, ...], Field(min_length=2, max_length=1000)]
    spectrogram: SpectrogramRecipe
    spectrogram_fingerprint: str
    network: str
    crop_frames: Annotated[int, Field(ge=1, le=100_000)]
    training: dict[str, Any]
    training_fingerprint: str
    steps: int
    split: dict[str, Any]
    seed: int
    data_fingerprint: str
    metrics: dict[str, Any] | None
    weights_sha256: str
    run: str
    versions: dict[str, str]
    created_at: str

    @model_validator(mode="after")
    def _consistent(self) -> "Card":
        if self.spectrogram.fingerprint != self.spectrogram_fingerprint:
            raise ValueError(
                f"its spectrogram recipe has the fingerprint {self.spectrogram.fingerprint}, "
                f"but the card says {self.spectrogram_fingerprint}"
            )
        if self.network not in NETWORKS:
            raise ValueError(
                f"the network {self.network!r} is not known to this Genrescope ({', '.join(NETWORKS)} are)"
            )
        if len(set(self.genres)) != len(self.genres):
            raise ValueError("a genre is named twice")
        return self


@dataclass(frozen=True)
class Model:
    """A loaded model. `filters` is its mel filter bank, (n_mels, 1 + n_fft // 2)."""

    name: str
    card: Card
    network: GenreNetwork
    filters: FloatArray

    @property
    def genres(self) -> tuple[str, ...]:
        """The genre vocabulary, in class order."""
        return self.card.genres

    @property
    def recipe(self) -> SpectrogramRecipe:
        """The spectrograms it was trained on, and needs."""
        return self.card.spectrogram

    @property
    def crop_frames(self) -> int:
        """Length of the crops it takes, frames."""
        return self.card.crop_frames

    @cached_property
    def logits(self) -> Logits:
        """Codes (batch, crop_frames, n_mels) uint8 -> logits (batch, n_genres)."""
        return as_logits(self.network)


@dataclass(frozen=True)
class Entry:
    """A model folder that is there; `problem` says why it cannot be used, if it cannot."""

    name: str
    folder: Path
    card: Card | None
    problem: str = ""
    own: bool = True
    """Whether it is the workspace's, to rename or delete; others came with the project."""


def check_name(name: str) -> str:
    """`name`, if a model may have it; `ModelError` if not. Safe as a folder name on every system."""
    if not NAME.fullmatch(name) or RESERVED.fullmatch(name):
        raise ModelError(
            f"{name[:80]!r} cannot be a model's name. Use up to 60 letters, digits, spaces, dots, dashes and underscores, "
            "beginning with a letter or digit."
        )
    return name


def publish(
    folder: Path,
    network: GenreNetwork,
    filters: FloatArray,
    *,
    genres: tuple[str, ...],
    spectrogram: SpectrogramRecipe,
    training: TrainingRecipe,
    steps: int,
    split: dict[str, Any],
    data_fingerprint: str,
    metrics: dict[str, Any] | None,
    run: str,
) -> None:
    """Write a model folder, whole; `ModelError` if the name is taken."""
    check_name(folder.name)
    try:
        with whole_folder(folder) as partial:
            tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
            save_file({**tensors, FILTERS: torch.from_numpy(np.array(filters))}, partial / WEIGHTS)
            card = Card(
                genres=genres,
                spectrogram=spectrogram,
                spectrogram_fingerprint=spectrogram.fingerprint,
                network=training.network,
                crop_frames=training.crop_frames,
                training=training.model_dump(mode="json"),
                training_fingerprint=training.fingerprint,
                steps=steps,
                split=split,
                seed=training.seed,
                data_fingerprint=data_fingerprint,
                metrics=metrics,
                weights_sha256=sha256_of(partial / WEIGHTS),
                run=run,
                versions={
                    "python": platform.python_version(),
                    **{name: version(name) for name in ("genrescope", "torch", "numpy", "av", "librosa")},
                },
                created_at=now(),
            )
            write_json(partial / CARD, card.model_dump(mode="json"))
    except FileExistsError:
        raise ModelError(f"There is a model named {folder.name!r} already. Choose another name.") from None


def read_card(folder: Path) -> Card:
    """The card of a model folder. `ModelError` with the reason if it is absent or not a card."""
    path = folder / CARD
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            raise ModelError(f"{path} is too large for a model card.")
        return Card.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ModelError(f"There is no model in {folder}: it has no {CARD}.") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            f"{path} is not a Genrescope model card: {where + ': ' if where else ''}{first['msg']}."
        ) from None


def load(folder: Path) -> Model:
    """Load and check a model folder. `ModelError` with the reason if it cannot be used."""
    card = read_card(folder)
    path = folder / WEIGHTS
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_WEIGHTS_BYTES else b""
    except OSError as error:
        raise ModelError(f"The weights of the model {folder.name!r} cannot be read: {error.strerror}.") from error
    if not data or sha256_of(path) != card.weights_sha256:
        raise ModelError(
            f"The weights of the model {folder.name!r} are damaged: they are not those its card speaks of."
        )
    try:
        tensors = load_tensors(data)
        filters = tensors.pop(FILTERS).numpy()
        expected = (card.spectrogram.n_mels, 1 + card.spectrogram.n_fft // 2)
        if filters.shape != expected:
            raise ModelError(f"The model {folder.name!r} has mel filters of {filters.shape}, its card says {expected}.")
        blank = np.zeros(card.spectrogram.n_mels, np.float32)
        network = GenreNetwork(card.network, len(card.genres), blank, blank)
        network.load_state_dict(tensors)
    except (SafetensorError, KeyError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"The weights of the model {folder.name!r} do not fit its card: {reason}") from error
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Model(folder.name, card, network, filters)


def list_models(settings: Settings) -> list[Entry]:
    """All models of the workspace and those shipped with the project, newest first, unusable ones last."""
    entries: dict[str, Entry] = {}
    card: Card | None
    for root in settings.model_folders:
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if folder.name.startswith(".") or not folder.is_dir() or folder.name in entries:
                continue
            try:
                card, problem = read_card(folder), ""
            except ModelError as error:
                card, problem = None, str(error)
            entries[folder.name] = Entry(folder.name, folder, card, problem, own=root == settings.models)
    return sorted(entries.values(), key=lambda entry: entry.card.created_at if entry.card else "", reverse=True)


def find(settings: Settings, name: str | None = None) -> Path:
    """Folder of the model `name` (also a path to a folder), or of the newest one."""
    if name is None:
        usable = [entry for entry in list_models(settings) if entry.card]
        if not usable:
            raise ModelError("There is no model yet. Train one first: `python -m core train --name NAME`.")
        return usable[0].folder
    for root in settings.model_folders:
        if NAME.fullmatch(name) and (root / name).is_dir():
            return root / name
    if Path(name, CARD).is_file():
        return Path(name)
    known: Sequence[str] = [entry.name for entry in list_models(settings)]
    raise ModelError(
        f"There is no model named {name!r}. There {'are: ' + ', '.join(known) if known else 'is none yet'}."
    )


def rename(settings: Settings, name: str, new_name: str) -> None:
    """Give a model of the workspace another name."""
    target = settings.models / check_name(new_name)
    if target.exists():
        raise ModelError(f"There is a model named {new_name!r} already. Choose another name.")
    _own(settings, name).rename(target)


def delete(settings: Settings, name: str) -> Path:
    """Move a model of the workspace to the bin; returns where it lies now, for `restore`."""
    folder = _own(settings, name)
    binned = settings.data / "bin" / "models" / now().replace(":", "").replace("+", "_") / name
    binned.parent.mkdir(parents=True)
    folder.rename(binned)
    return binned


def restore(settings: Settings, binned: Path) -> None:
    """Undo `delete`."""
    target = settings.models / binned.name
    if target.exists():
        raise ModelError(f"There is another model named {binned.name!r} by now. Rename it, then undo.")
    binned.rename(target)
    shutil.rmtree(binned.parent, ignore_errors=True)


def binned(settings: Settings) -> list[Path]:
    """Deleted models that can be restored, the latest first."""
    return sorted((settings.data / "bin" / "models").glob("*/*"), key=lambda folder: folder.parent.name, reverse=True)


def _own(settings: Settings, name: str) -> Path:
    folder = settings.models / name
    if not NAME.fullmatch(name) or not folder.is_dir():
        raise ModelError(f"There is no model named {name!r} in this workspace.")
    return folder
