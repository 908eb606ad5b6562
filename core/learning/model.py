"""A model: one folder, published whole, and used without torch.

`card.json` says everything; `model.onnx` is the network that answers; `weights.safetensors` holds its numbers, to go on
from, and the mel filter bank. Nothing is unpickled. A folder that is damaged, foreign or does not fit is refused with the
reason. How a folder comes about is in `export`, how it is handed on in `sharing`.
"""

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from core.audio.crops import Answer
from core.database import now
from core.encoder.encoder import SHIPPED
from core.errors import ModelError
from core.learning.graph import open_graph
from core.learning.space import FeatureSpace
from core.music import CodeArray, FloatArray
from core.names import MAX_NAME
from core.recipes import SpectrogramRecipe
from core.settings import Settings

CARD, WEIGHTS, GRAPH = "card.json", "weights.safetensors", "model.onnx"
MAX_BYTES = {CARD: 50_000_000, WEIGHTS: 1_000_000_000, GRAPH: 1_000_000_000}
"""The files of a model, and how large each may be."""
FILTERS = "mel_filters"
"""The mel filter bank lies with the weights, so that a prediction needs no librosa."""
USUAL = "band_mean"
"""What the network subtracts, among its weights: the mean of each band over the songs that it learned from."""

ENCODER = SHIPPED.name
"""A folder beside the models that is none: it ships with the project, and is neither listed, backed up nor replaced."""
NAME = re.compile(rf"(?!(?i:{re.escape(ENCODER)})(?:/|$))" r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}(?<![ .])")
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Tested:
    """How a model did on songs by artists it had not heard: the share it got right, and its 95 % interval."""

    songs: int
    accuracy: float
    low: float
    high: float


Line = Annotated[str, Field(max_length=300)]
Told = Annotated[str, Field(max_length=10_000)]
GenreName = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]


def _bounded(value: Any, depth: int = 0) -> Any:
    """A free part of a card, if no text in it is too long and it is not nested too deep."""
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise ValueError(f"a text in it has {len(value):,} characters; {MAX_TEXT:,} are the most")
    if isinstance(value, dict):
        for key, part in value.items():
            _bounded(key, depth)
            _bounded(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            _bounded(part, depth + 1)
    return value


MAX_TEXT, MAX_DEPTH = 10_000, 20
"""Of the free parts of a card: the longest text, characters, and how deep lists and objects are nested."""
Free = Annotated[dict[str, Any], BeforeValidator(_bounded)]


class Card(BaseModel):
    """What a model is, where it comes from, and how well it did. The first texts are for people, and may be empty.

    Folders of format 1 had no `model.onnx`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[2] = 2
    title: Line = ""
    description: Told = ""
    data_origin: Told = ""
    intended_use: Told = ""
    limits: Told = ""
    licence: Told = ""
    genres: Annotated[tuple[GenreName, ...], Field(min_length=2, max_length=1000)]
    spectrogram: SpectrogramRecipe
    spectrogram_fingerprint: Line
    network: Line
    crop_frames: Annotated[int, Field(ge=1, le=100_000)]
    training: Free
    training_fingerprint: Line
    steps: int
    split: Free
    seed: int
    data_fingerprint: Line
    metrics: Free | None
    weights_sha256: Line
    onnx_sha256: Line
    run: Line
    versions: Annotated[dict[Line, Line], Field(max_length=100)]
    created_at: Line

    @model_validator(mode="after")
    def _consistent(self) -> "Card":
        if self.spectrogram.fingerprint != self.spectrogram_fingerprint:
            raise ValueError(
                f"its spectrogram recipe has the fingerprint {self.spectrogram.fingerprint}, "
                f"but the card says {self.spectrogram_fingerprint}"
            )
        if len(set(self.genres)) != len(self.genres):
            raise ValueError("a genre is named twice")
        return self

    @property
    def tested(self) -> Tested | None:
        """The first of its figures; None where it was not tested, or tells them in another way."""
        told = self.metrics or {}
        songs, accuracy, interval = (told.get(name) for name in ("songs", "accuracy", "interval_95"))
        figures = [accuracy, *interval] if isinstance(interval, list) else []
        if not (isinstance(songs, int) and songs > 0 and len(figures) == 3):
            return None
        if not all(isinstance(one, int | float) and 0 <= one <= 1 for one in figures):
            return None
        return Tested(songs, *map(float, figures))


@dataclass(frozen=True)
class Model:
    """A loaded model.

    `filters` is its mel filter bank, (n_mels, 1 + n_fft // 2); `usual` (n_mels,) dB is the mean of each band over the songs
    that it learned from. `answer` is its network: codes (batch, crop_frames, n_mels)
    uint8 -> logits (batch, n_genres), divided by the temperature, and features (batch, n_features). `space` tells what it
    does not know; models of before had none.
    """

    name: str
    card: Card
    filters: FloatArray
    usual: FloatArray
    answer: Answer
    space: FeatureSpace | None = None

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

    def logits(self, codes: CodeArray) -> FloatArray:
        """Codes (batch, crop_frames, n_mels) uint8 -> logits (batch, n_genres)."""
        return self.answer(codes)[0]


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
    if name.lower() == ENCODER:
        raise ModelError(f"{name!r} is the folder of the pretrained encoder. Choose another name.")
    if not NAME.fullmatch(name) or RESERVED.fullmatch(name):
        raise ModelError(
            f"{name[:80]!r} cannot be a model's name. Use up to 60 letters, digits, spaces, dots, dashes and underscores, "
            "beginning with a letter or digit."
        )
    return name


def read_card(folder: Path) -> Card:
    """The card of a model folder. `ModelError` with the reason if it is absent, not a card, or of an older format."""
    said = read_raw_card(folder)
    if said.get("format") == 1:
        raise ModelError(
            f"The model {folder.name!r} was made by an older Genrescope, which kept no {GRAPH}. Bring it up to date: "
            f"`python -m core models upgrade {quoted(folder.name)}`."
        )
    try:
        return Card.model_validate(said)
    except ValidationError as error:
        raise ModelError(f"{folder / CARD} is not a Genrescope model card: {first_fault(error)}") from None


def read_raw_card(folder: Path) -> dict[str, Any]:
    """What a card says, whatever it is; `ModelError` if it is absent, or no card of anything."""
    try:
        said = json.loads(read_file(folder, CARD))
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise ModelError(f"{folder / CARD} is not a Genrescope model card: it is no JSON object.")
    return said


def read_file(folder: Path, name: str) -> bytes:
    """One of a model's three files. `ModelError` if it is absent, too large, or cannot be read."""
    path = folder / name
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ModelError(f"{path} cannot be read: it is a pipe or a device.")
        if path.stat().st_size > MAX_BYTES[name]:
            raise ModelError(f"{path} is too large: {name} of a model has {MAX_BYTES[name] // 1_000_000} MB at most.")
        return path.read_bytes()
    except FileNotFoundError:
        lacks = "There is no model in" if name == CARD else "The model is not whole in"
        raise ModelError(f"{lacks} {folder}: it has no {name}.") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error


def first_fault(error: ValidationError) -> str:
    """What is wrong with a card, in a sentence."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])[:200]
    return f"{where + ': ' if where else ''}{first['msg']}."


def quoted(name: str) -> str:
    """A model's name as it is typed in a command."""
    return f'"{name}"' if " " in name else name


def load(folder: Path) -> Model:
    """Load and check a model folder. `ModelError` with the reason if it cannot be used."""
    card = read_card(folder)
    weights = checked(folder, WEIGHTS, card.weights_sha256)
    graph = checked(folder, GRAPH, card.onnx_sha256)
    recipe = card.spectrogram
    try:
        tensors = load_tensors(weights)
        filters, usual = tensors[FILTERS], tensors[USUAL]
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"The weights of the model {folder.name!r} cannot be read: {reason}") from error
    expected = (recipe.n_mels, 1 + recipe.n_fft // 2)
    if filters.shape != expected or filters.dtype != "float32":
        raise ModelError(
            f"The model {folder.name!r} has mel filters of {filters.shape}, {filters.dtype}; its card wants {expected}, "
            "float32."
        )
    if usual.shape != (recipe.n_mels,) or usual.dtype != "float32" or not np.isfinite(usual).all():
        raise ModelError(f"The model {folder.name!r} has no mean of each of its {recipe.n_mels} bands.")
    try:
        answer = open_graph(graph, crop_frames=card.crop_frames, n_mels=recipe.n_mels, n_genres=len(card.genres))
        space = FeatureSpace.from_arrays(tensors, n_genres=len(card.genres))
        if space is not None:
            n_features = answer(np.zeros((1, card.crop_frames, recipe.n_mels), np.uint8))[1].shape[1]
            if len(space.mean) != n_features:
                raise ModelError(f"Its space is of {len(space.mean)} features, the network has {n_features}.")
    except ModelError as error:
        raise ModelError(f"The network of the model {folder.name!r} cannot be used. {error}") from error
    return Model(folder.name, card, filters, usual, answer, space)


@lru_cache(maxsize=2)
def load_once(folder: Path, weights_sha256: str) -> Model:
    """`load`, once a process. `ModelError` if the folder, as it is seen from here, holds other weights."""
    loaded = load(folder)
    if loaded.card.weights_sha256 != weights_sha256:
        raise ModelError(f"The model in {folder} is not the one that was asked for: it was replaced, or is another's.")
    return loaded


def checked(folder: Path, name: str, sha256: str) -> bytes:
    """One of a model's files, whose hash is the one the card tells; `ModelError` if it is not."""
    data = read_file(folder, name)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(f"The model {folder.name!r} is damaged: its {name} is not the one its card speaks of.")
    return data


def list_models(settings: Settings) -> list[Entry]:
    """All models of the workspace and those shipped with the project, newest first, unusable ones last."""
    entries: dict[str, Entry] = {}
    card: Card | None
    for root in settings.model_folders:
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if folder.name.startswith(".") or not folder.is_dir() or folder.name in (ENCODER, *entries):
                continue
            try:
                card, problem = read_card(folder), ""
            except ModelError as error:
                card, problem = None, str(error)
            entries[folder.name] = Entry(folder.name, folder, card, problem, own=root == settings.models)
    return sorted(entries.values(), key=lambda entry: entry.card.created_at if entry.card else "", reverse=True)


def stamps(settings: Settings) -> tuple[tuple[str, int], ...]:
    """What changes whenever `list_models` would tell something else: each folder's card, and when it was written (ns)."""
    found = []
    for root in settings.model_folders:
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            card = folder / CARD
            found.append((str(folder), card.stat().st_mtime_ns if card.is_file() else 0))
    return tuple(found)


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
    with contextlib.suppress(OSError, ValueError):  # no name that the system could know
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
