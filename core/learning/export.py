"""How a model folder comes about: published whole from a trained network, or brought up to date. Here torch is needed.

The network goes into the folder twice: its weights (`weights.safetensors`, with the mel filter bank), to be trained on or
looked into; and as an ONNX graph (`model.onnx`), by which all predictions and evaluations are made.
"""

import logging
import platform
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import Tensor, nn

from core.database import now
from core.errors import ModelError
from core.files import sha256_of, whole, whole_folder, write_json
from core.graphs import check_contents
from core.learning import model
from core.learning.graph import INPUT, OUTPUTS
from core.learning.model import CARD, FILTERS, GRAPH, WEIGHTS, Card
from core.learning.networks import NETWORKS, GenreNetwork
from core.learning.space import PREFIX, FeatureSpace
from core.music import FloatArray
from core.recipes import SpectrogramRecipe, TrainingRecipe

OPSET = 18
"""Version of the ONNX operators: of 2022, so that any runtime of today reads it."""


class _Answering(nn.Module):
    """A network whose forward is its `answer`: that is what is traced."""

    def __init__(self, network: GenreNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, crop_frames, n_mels) uint8 -> logits (batch, n_genres), features (batch, n_features)."""
        return self.network.answer(codes)


def as_onnx(network: GenreNetwork, *, crop_frames: int) -> bytes:
    """The network as an ONNX file: `codes` (batch, crop_frames, n_mels) uint8 -> `logits`, `features` (float32).

    The same network gives the same bytes. What the exporter notes of this machine (paths, lines of code) is left out.
    """
    example = torch.zeros((2, crop_frames, network.band_mean.numel()), dtype=torch.uint8)
    batch = {0: "batch"}
    with _quiet(), torch.no_grad(), tempfile.TemporaryDirectory() as place:
        file = Path(place, GRAPH)
        torch.onnx.export(
            _Answering(network).eval(),
            (example,),
            file,
            dynamo=False,  # by tracing: twenty times quicker than torch.export, and exact for a network without branches
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes=dict.fromkeys((INPUT, *OUTPUTS), batch),
            opset_version=OPSET,
            do_constant_folding=False,  # numbers kept in one byte stay so in the file; onnxruntime unfolds them
            verbose=False,
        )
        made = onnx.ModelProto.FromString(file.read_bytes())
    graph = made.graph
    del graph.value_info[:]  # shapes in between, which onnxruntime finds itself
    for noted in (made, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        noted.doc_string = ""
        del noted.metadata_props[:]
    data: bytes = made.SerializeToString(deterministic=True)
    check_contents(data)
    return data


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
    graph: bytes | None = None,
    space: FeatureSpace | None = None,
    told: Mapping[str, str] | None = None,
) -> None:
    """Write a model folder, whole; `ModelError` if the name is taken.

    `graph` as from `as_onnx`, where it was made before; `space` of its features, if it is to know what it does not know;
    `told` are texts for people, by their name on the card.
    """
    model.check_name(folder.name)
    try:
        with whole_folder(folder) as partial:
            tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
            arrays = {FILTERS: filters, **(space.as_arrays() if space else {})}
            tensors |= {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
            save_file(tensors, partial / WEIGHTS)
            (partial / GRAPH).write_bytes(graph or as_onnx(network, crop_frames=training.crop_frames))
            card = Card(
                **(told or {}),
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
                onnx_sha256=sha256_of(partial / GRAPH),
                run=run,
                versions={
                    "python": platform.python_version(),
                    **{name: version(name) for name in ("genrescope", "torch", "onnx", "numpy", "av", "librosa")},
                },
                created_at=now(),
            )
            write_json(partial / CARD, card.model_dump(mode="json"))
    except FileExistsError:
        raise ModelError(f"There is a model named {folder.name!r} already. Choose another name.") from None


def upgrade(folder: Path) -> bool:
    """Give a model folder of format 1 its `model.onnx`, from its weights; False if it is up to date.

    `ModelError` if it cannot be. The card is replaced last, so a folder that was cut off in between is as it was.
    """
    said = model.read_raw_card(folder)
    if said.get("format") != 1:
        model.read_card(folder)
        return False
    try:
        card = Card.model_validate({**said, "format": 2, "onnx_sha256": ""})
    except ValidationError as error:
        raise ModelError(f"{folder / CARD} is not a Genrescope model card: {model.first_fault(error)}") from None
    network = _network_of(folder, card)
    with whole(folder / GRAPH) as partial:
        partial.write_bytes(as_onnx(network, crop_frames=card.crop_frames))
    sha256 = sha256_of(folder / GRAPH)
    write_json(folder / CARD, card.model_copy(update={"onnx_sha256": sha256}).model_dump(mode="json"))
    return True


def _network_of(folder: Path, card: Card) -> GenreNetwork:
    """The network with the weights of a folder, which must be those that its card speaks of."""
    if card.network not in NETWORKS:
        raise ModelError(
            f"The network {card.network!r} of the model {folder.name!r} is not known to this Genrescope "
            f"({', '.join(NETWORKS)} are)."
        )
    blank = np.zeros(card.spectrogram.n_mels, np.float32)
    network = GenreNetwork(card.network, len(card.genres), blank, blank, crop_frames=card.crop_frames)
    try:
        tensors = load_tensors(model.checked(folder, WEIGHTS, card.weights_sha256))
        del tensors[FILTERS]
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(PREFIX)}
        network.load_state_dict({"temperature": torch.ones(()), **tensors})  # older weights have no temperature
    except (SafetensorError, KeyError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"The weights of the model {folder.name!r} do not fit its card: {reason}") from error
    return network


@contextmanager
def _quiet() -> Iterator[None]:
    """What the exporter warns of, all of it about itself, is told to nobody."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
