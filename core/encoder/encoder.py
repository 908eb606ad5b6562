"""The pretrained encoder: patches of a log-mel spectrogram to tags and embeddings, run by onnxruntime. No torch.

It is a folder: `card.json` says everything; `encoder.onnx` is the network, `mel_filters.npy` the mel filter bank of its
front end. A folder that is damaged, foreign or does not fit is refused with the reason.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.encoder import front_end
from core.errors import ModelError
from core.files import fingerprint
from core.graphs import open_session, quiet_run, tried
from core.music import FloatArray
from core.settings import PROJECT

SHIPPED = PROJECT / "models" / "encoder-msd-musicnn"
"""The encoder that comes with the project. No model has the name of its folder."""
CARD, GRAPH, FILTERS = "card.json", "encoder.onnx", "mel_filters.npy"
MAX_BYTES = {CARD: 100_000, GRAPH: 100_000_000, FILTERS: 1_000_000}
INPUT, OUTPUTS = "patches", ("tags", "embedding", "pooled")

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=10_000)]


class FrontEnd(BaseModel):
    """What the encoder is given: all fields are fixed, as `core.encoder.front_end` computes nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate: Literal[16_000] = 16_000
    n_fft: Literal[512] = 512
    hop_length: Literal[256] = 256
    n_mels: Literal[96] = 96
    patch_frames: Literal[187] = 187
    window: Literal["hann"] = "hann"
    padding: Literal["reflect"] = "reflect"
    mel_scale: Literal["slaney"] = "slaney"
    scaling: Literal["log10(10000 S + 1)"] = "log10(10000 S + 1)"


class Sizes(BaseModel):
    """Width of each output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tags: Annotated[int, Field(ge=1, le=10_000)]
    embedding: Annotated[int, Field(ge=1, le=10_000)]
    pooled: Annotated[int, Field(ge=1, le=100_000)]


class Card(BaseModel):
    """What an encoder is, where it comes from, and what is known about its limits. The texts are for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["encoder"] = "encoder"
    format: Literal[1] = 1
    title: Text
    description: Text
    origin: Text
    training_data: Text
    limits: Text
    licence: Text
    other_licence: Text
    references: tuple[Text, ...]
    tags: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(min_length=1)]
    front_end: FrontEnd
    sizes: Sizes
    origin_sha256: Sha256
    onnx_sha256: Sha256
    filters_sha256: Sha256

    @model_validator(mode="after")
    def _consistent(self) -> "Card":
        if len(set(self.tags)) != len(self.tags):
            raise ValueError("a tag is named twice")
        if len(self.tags) != self.sizes.tags:
            raise ValueError(f"it names {len(self.tags)} tags, but its network has {self.sizes.tags}")
        return self


@dataclass(frozen=True)
class Encoding:
    """Answers about n patches; a row is a patch.

    Attributes
    ----------
    tags
        (n, 50) float32, the probability of each tag of the card, 0 to 1; they do not add up to 1.
    embedding
        (n, 200) float32, the penultimate layer.
    pooled
        (n, 1506) float32, maximum and mean over time of each of 753 channels: channel 0's maximum, its mean, channel 1's
        maximum, and so on.

    """

    tags: FloatArray
    embedding: FloatArray
    pooled: FloatArray


class Encoder:
    """A loaded encoder. It works on one core, one patch after another: batches are no faster and take more memory.

    Attributes
    ----------
    card
        What it is; `card.tags` names the columns of `Encoding.tags`.
    filters
        Mel filter bank of the front end, (96, 257) float32, for `front_end.PatchReader`.
    fingerprint
        16 hex digits; different for another network or another front end, so it names what was computed with it.

    """

    def __init__(self, card: Card, filters: FloatArray, graph: bytes) -> None:
        self.card, self.filters = card, filters
        self.fingerprint = fingerprint(
            {"onnx": card.onnx_sha256, "filters": card.filters_sha256, "front_end": card.front_end.model_dump()}
        )
        self._session = open_session(graph, threads=1)
        _check_interface(self._session, card)
        self._quiet = quiet_run()
        blank = tried(lambda: self.encode(np.zeros((1, front_end.PATCH_FRAMES, front_end.N_MELS), np.float32)))
        for name in OUTPUTS:
            values, width = getattr(blank, name), getattr(card.sizes, name)
            if values.shape != (1, width) or not np.isfinite(values).all():
                raise ModelError(f"Its {name} for a patch of silence are not {width} finite numbers.")

    def encode(self, patches: FloatArray) -> Encoding:
        """Tags and embeddings of patches. About 50 ms of one core per patch; safe to call from several threads.

        Parameters
        ----------
        patches
            (n, 187, 96) float32, n from 0, as `front_end.Patches.values`.

        Raises
        ------
        ValueError
            If `patches` has another shape or type, or holds NaN or infinity.

        """
        shape = (front_end.PATCH_FRAMES, front_end.N_MELS)
        if patches.shape[1:] != shape or patches.dtype != np.float32 or not np.isfinite(patches).all():
            raise ValueError(f"patches must be finite float32 of shape (n, {shape[0]}, {shape[1]})")
        sizes = self.card.sizes
        answers = [np.empty((len(patches), width), np.float32) for width in (sizes.tags, sizes.embedding, sizes.pooled)]
        for row in range(len(patches)):
            found = self._session.run(list(OUTPUTS), {INPUT: patches[row : row + 1]}, self._quiet)
            for answer, values in zip(answers, found, strict=True):
                answer[row : row + 1] = values
        return Encoding(*answers)


def load(folder: Path) -> Encoder:
    """Load and check an encoder folder.

    Raises
    ------
    ModelError
        If a file is missing, too large, damaged or does not fit; the text says which and why.

    """
    card = read_card(folder)
    graph = _checked(folder, GRAPH, card.onnx_sha256)
    filters = _filters(_checked(folder, FILTERS, card.filters_sha256), folder)
    if not np.isfinite(filters).all() or (filters < 0).any():
        raise ModelError(f"The mel filter bank of the encoder {folder.name!r} holds negative or unusable numbers.")
    try:
        return Encoder(card, filters, graph)
    except ModelError as error:
        raise ModelError(f"The encoder {folder.name!r} cannot be used. {error}") from error


@lru_cache(maxsize=1)
def shipped() -> Encoder:
    """The encoder that comes with the project, loaded once per process. Errors as `load`."""
    return load(SHIPPED)


def read_card(folder: Path) -> Card:
    """The card of an encoder folder, without loading the network. `ModelError` if it is missing or not a card."""
    try:
        return Card.model_validate_json(_read(folder, CARD))
    except ValidationError as error:
        first = error.errors()[0]
        where: Sequence[Any] = first["loc"]
        name = ".".join(map(str, where))
        raise ModelError(
            f"{folder / CARD} is not the card of an encoder: {name + ': ' if name else ''}{first['msg'][:300]}."
        ) from None


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        if path.stat().st_size > MAX_BYTES[name]:
            raise ModelError(f"{path} is too large: at most {MAX_BYTES[name]:,} bytes are read.")
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError(
            f"The encoder in {folder} is incomplete: it has no {name}. Install Genrescope again."
        ) from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error


def _checked(folder: Path, name: str, sha256: str) -> bytes:
    data = _read(folder, name)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(
            f"The encoder {folder.name!r} is damaged: its {name} does not have the SHA-256 on its card. Install Genrescope again."
        )
    return data


def _filters(data: bytes, folder: Path) -> FloatArray:
    """The mel filter bank in a .npy file, whose head must say what is expected before any number is read."""
    expected = (front_end.N_MELS, 1 + front_end.N_FFT // 2)
    stream = io.BytesIO(data)
    try:
        np.lib.format.read_magic(stream)
        head = np.lib.format.read_array_header_1_0(stream)
        values = np.frombuffer(data, "<f4", offset=stream.tell())
    except ValueError as error:
        raise ModelError(f"The mel filter bank of the encoder {folder.name!r} cannot be read: {error}") from None
    if head != (expected, False, np.dtype("<f4")) or values.size != expected[0] * expected[1]:
        raise ModelError(f"The mel filter bank of the encoder {folder.name!r} is not {expected}, float32.")
    return values.reshape(expected)  # read-only, as the bytes are


def _check_interface(session: Any, card: Card) -> None:
    inputs = {one.name: (one.type, list(one.shape)) for one in session.get_inputs()}
    outputs = {one.name: (one.type, list(one.shape)[1:]) for one in session.get_outputs()}
    kind, shape = inputs.get(INPUT, ("", []))
    if len(inputs) != 1 or kind != "tensor(float)" or shape[1:] != [front_end.PATCH_FRAMES, front_end.N_MELS]:
        raise ModelError(f"Its input is {str(inputs)[:200]}, but should be {INPUT!r}: float32 (n, 187, 96).")
    expected = {name: ("tensor(float)", [getattr(card.sizes, name)]) for name in OUTPUTS}
    if outputs != expected:
        raise ModelError(f"Its outputs are {str(outputs)[:200]}, but its card says {expected}.")
