"""Make the folder of the pretrained encoder from the authors' own package: reproduces `models/encoder-msd-musicnn`.

    pip download --no-deps musicnn==0.1.0
    python -m core.encoder.build musicnn-0.1.0-py3-none-any.whl FOLDER

The package cannot be installed beside this project (it wants TensorFlow and an old numpy), and need not be: its checkpoint
is read here, and the network written as ONNX with its numbers unchanged. The same wheel gives the same bytes every time.
"""

import hashlib
import io
import struct
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.encoder import front_end
from core.encoder.encoder import CARD, FILTERS, GRAPH, INPUT, OUTPUTS, Card, FrontEnd, Sizes
from core.errors import ModelError
from core.files import whole_folder, write_json
from core.music import FloatArray

WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
CHECKPOINT = "musicnn/MSD_musicnn/"
NOTICE = "musicnn-0.1.0.dist-info/LICENSE.md"
LICENCE = "LICENSE.txt"
TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock", "jazz",
    "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow", "electronica", "80s",
    "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic", "experimental",
    "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy", "catchy", "funk", "electro",
    "heavy metal", "Progressive rock", "60s", "rnb", "indie pop", "sad", "House", "happy",
)  # fmt: skip
TEXTS = {
    "title": "MSD_musicnn",
    "description": (
        "A convolutional network that gives 3 seconds of music 50 tags of genre, instrument, mood and era. Its inner layers "
        "are used as embeddings: numbers that describe how music sounds, from which genres are learned in seconds."
    ),
    "origin": (
        "MSD_musicnn of the package musicnn 0.1.0 on PyPI, by Jordi Pons, Music Technology Group, Universitat Pompeu Fabra. "
        "The numbers are those of the package; core/encoder/build.py wrote them as ONNX."
    ),
    "training_data": (
        "The Million Song Dataset with the 50 most frequent Last.fm tags, by the authors of musicnn. No song of it and no "
        "song of Genrescope is part of this folder. There are no tags for classical music and reggae."
    ),
    "limits": (
        "Known leakage: the artists of GTZAN are famous, and probably in the Million Song Dataset with tags of their genre, "
        "so accuracy measured on GTZAN clips is flattering. Songs that are less known are the better evidence."
    ),
    "licence": "ISC, (c) Music Technology Group, Universitat Pompeu Fabra 2019 (LICENSE.txt): the package, with the weights.",
    "other_licence": (
        "The same group lists its models on the Essentia page under CC BY-NC-SA 4.0. Who uses this encoder commercially "
        "should ask the group which applies."
    ),
}
REFERENCES = (
    "J. Pons, X. Serra: musicnn: Pre-trained convolutional neural networks for music audio tagging. ISMIR late-breaking "
    "session, 2019. arXiv:1909.06654",
    "J. Pons, O. Nieto, M. Prockup, E. Schmidt, A. Ehmann, X. Serra: End-to-end learning for music audio tagging at scale. "
    "ISMIR 2018. arXiv:1711.02520",
)
EPSILON = 1e-3
"""Of every batch normalisation: the default of `tf.layers.batch_normalization`."""
OPSET, IR_VERSION = 17, 8

Variables = dict[str, FloatArray]


def build(wheel: Path, folder: Path) -> None:
    """Write the encoder's folder.

    Raises
    ------
    ModelError
        If `wheel` is not musicnn 0.1.0, or `folder` is there already.

    """
    with zipfile.ZipFile(io.BytesIO(_wheel(wheel))) as archive:
        variables = read_checkpoint(
            archive.read(f"{CHECKPOINT}.index"), archive.read(f"{CHECKPOINT}.data-00000-of-00001")
        )
        notice = archive.read(NOTICE)
    graph, filters = as_onnx(variables), _npy(_mel_filters())
    card = Card(
        **TEXTS,
        references=REFERENCES,
        tags=TAGS,
        front_end=FrontEnd(),
        sizes=Sizes(tags=50, embedding=200, pooled=1506),
        origin_sha256=WHEEL_SHA256,
        onnx_sha256=hashlib.sha256(graph).hexdigest(),
        filters_sha256=hashlib.sha256(filters).hexdigest(),
    )
    try:
        with whole_folder(folder) as partial:
            for name, data in ((GRAPH, graph), (FILTERS, filters), (LICENCE, notice)):
                (partial / name).write_bytes(data)
            write_json(partial / CARD, card.model_dump(mode="json"))
    except FileExistsError:
        raise ModelError(f"{folder} is there already. Remove it first, or name another folder.") from None


def _wheel(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(data).hexdigest() != WHEEL_SHA256:
        raise ModelError(f"{path} is not the wheel of musicnn 0.1.0: its SHA-256 is not {WHEEL_SHA256}.")
    return data


def _mel_filters() -> FloatArray:
    from librosa.filters import mel

    filters: FloatArray = mel(
        sr=front_end.SAMPLE_RATE, n_fft=front_end.N_FFT, n_mels=front_end.N_MELS, dtype=np.float32
    )
    return filters


def _npy(values: FloatArray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, values, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


# -- TensorFlow's checkpoint -------------------------------------------------------------------------------------------

TABLE_MAGIC = 0xDB4775248B80FB57
"""Last eight bytes of a LevelDB table, little-endian."""
FLOAT = 1
"""TensorFlow's number of float32 (`DT_FLOAT`)."""


def read_checkpoint(index: bytes, data: bytes) -> Variables:
    """Every float32 variable of a checkpoint of one shard, by name.

    `index` is a LevelDB table of names and `BundleEntryProto`s, which say where in `data` the numbers are.

    References
    ----------
    tensorflow/core/protobuf/tensor_bundle.proto; LevelDB's doc/table_format.md.

    """
    if int.from_bytes(index[-8:], "little") != TABLE_MAGIC:
        raise ModelError("The index of the checkpoint is not a LevelDB table.")
    footer = index[-48:]
    _, at = _handle(footer, 0)  # of the meta index
    (top_at, top_size), _ = _handle(footer, at)
    found: Variables = {}
    for _, handle in _block(index, top_at, top_size):
        for name, value in _block(index, *_handle(handle, 0)[0]):
            entry = dict(_fields(value))
            if name and entry.get(1) == FLOAT:  # the entry without a name is the header
                shape = [int(dict(_fields(dim)).get(1, 0)) for field, dim in _fields(entry.get(2, b"")) if field == 2]
                first = entry.get(4, 0)
                numbers = np.frombuffer(data[first : first + entry[5]], "<f4")
                found[name.decode()] = numbers.reshape(shape).astype(np.float32)
    return found


def _block(table: bytes, at: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block: of each key, only what differs from the key before is written."""
    if table[at + size] != 0:
        raise ModelError("The index of the checkpoint is compressed.")
    block = table[at : at + size]
    end = size - 4 * (struct.unpack("<I", block[-4:])[0] + 1)  # restart points and their number follow
    key, at = b"", 0
    while at < end:
        shared, at = _varint(block, at)
        added, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + added]
        at += added
        yield key, block[at : at + length]
        at += length


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Offset and size of a block, and where the next handle begins."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Fields of a protobuf message: numbers, or bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        size, at = _varint(message, at) if tag & 7 == 2 else ({1: 8, 5: 4}[tag & 7], at)
        yield tag >> 3, message[at : at + size]
        at += size


# -- the network -------------------------------------------------------------------------------------------------------


class _Graph:
    """Nodes and numbers of the network; each method adds an operator and returns the name of its output."""

    def __init__(self, variables: Variables) -> None:
        self.variables = variables
        self.nodes: list[Any] = []
        self.numbers: list[Any] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def number(self, name: str, values: npt.NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.numbers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def variable(self, name: str) -> str:
        return self.number(name, self.variables[name])

    def normalise(self, x: str, number: int, *, output: str = "") -> str:
        name = f"batch_normalization{f'_{number}' if number else ''}"
        parts = [self.variable(f"{name}/{part}") for part in ("gamma", "beta", "moving_mean", "moving_variance")]
        return self.add("BatchNormalization", x, *parts, output=output, epsilon=EPSILON)

    def convolve(self, x: str, number: int, axes: tuple[int, ...], **attributes: Any) -> str:
        """Convolution and ReLU; TensorFlow's kernel is transposed by `axes`."""
        name = f"conv2d{f'_{number}' if number else ''}"
        kernel = self.variables[f"{name}/kernel"]
        kernel = np.transpose(kernel[:, :, 0] if len(axes) == 3 else kernel, axes)
        x = self.add("Conv", x, self.number(f"{name}/kernel", kernel), self.variable(f"{name}/bias"), **attributes)
        return self.add("Relu", x)

    def dense(self, x: str, number: int, *, output: str = "") -> str:
        name = f"dense{f'_{number}' if number else ''}"
        return self.add("Gemm", x, self.variable(f"{name}/kernel"), self.variable(f"{name}/bias"), output=output)


def as_onnx(variables: Variables) -> bytes:
    """The network as an ONNX file: patches (n, 187, 96) -> tags (n, 50), embedding (n, 200), pooled (n, 1506).

    References
    ----------
    `musicnn/models.py` of the package: `build_musicnn`.

    """
    from onnx import TensorProto, helper

    graph = _Graph(variables)
    x = graph.normalise(graph.add("Unsqueeze", INPUT, graph.number("channel", np.array([1], np.int64))), 0)
    found = []
    for number in range(5):  # two over timbre, three over time
        length = len(variables[f"conv2d{f'_{number}' if number else ''}/kernel"])
        pads = [(length - 1) // 2, 0, length // 2, 0]  # as TensorFlow's "same", in time alone
        y = graph.normalise(graph.convolve(x, number, (3, 2, 0, 1), pads=pads), number + 1)
        found.append(graph.add("ReduceMax", y, axes=[3], keepdims=0))
    x = graph.add("Concat", *found, axis=1)
    layers = [x]
    for number in (5, 6, 7):
        y = graph.normalise(graph.convolve(x, number, (2, 1, 0), pads=[3, 3]), number + 1)
        x = y if number == 5 else graph.add("Add", y, x)
        layers.append(x)
    x = graph.add("Concat", *layers, axis=1)
    pooled = [graph.add(operator, x, axes=[2], keepdims=1) for operator in ("ReduceMax", "ReduceMean")]
    tags, embedding, flat = OUTPUTS
    x = graph.add("Flatten", graph.add("Concat", *pooled, axis=2), output=flat, axis=1)
    x = graph.add("Relu", graph.dense(graph.normalise(x, 9), 0))
    x = graph.normalise(x, 10, output=embedding)
    graph.add("Sigmoid", graph.dense(x, 1), output=tags)

    def value(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])

    widths = {
        tags: variables["dense_1/bias"].size,
        embedding: variables["dense/bias"].size,
        flat: len(variables["dense/kernel"]),
    }
    outputs = [value(name, width) for name, width in widths.items()]
    inputs = [value(INPUT, front_end.PATCH_FRAMES, front_end.N_MELS)]
    made = helper.make_graph(graph.nodes, "msd_musicnn", inputs, outputs, graph.numbers)
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="genrescope"
    )
    data: bytes = model.SerializeToString(deterministic=True)
    return data


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m core.encoder.build WHEEL FOLDER")
    try:
        build(Path(sys.argv[1]), Path(sys.argv[2]))
    except ModelError as error:
        sys.exit(str(error))
