"""The network of a published model: an ONNX graph, checked, then run by onnxruntime on the CPU. No torch.

A graph from outside is data, and is held to what a network needs: standard operators one after another, all numbers
inside the file, the input and outputs that the card speaks of. What could read another file, or run for ever, is refused.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from core.audio.crops import Answer
from core.errors import ModelError
from core.music import CodeArray, FloatArray

INPUT, OUTPUTS = "codes", ("logits", "features")
DOMAINS = ("", "ai.onnx")
"""Where operators come from: the ONNX standard, and nothing that a runtime adds to it."""


def open_graph(data: bytes, *, crop_frames: int, n_mels: int, n_genres: int) -> Answer:
    """The network in `data`, checked by a first run. `ModelError` with the reason if it is not one, or of other shapes."""
    check_contents(data)
    import onnxruntime  # half a second: only where a model is really asked

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = _threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a page that waits keeps no core busy
    session = _tried(lambda: onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"]))
    _check_interface(session, crop_frames, n_mels)
    quiet = onnxruntime.RunOptions()
    quiet.log_severity_level = 4

    def answer(codes: CodeArray) -> tuple[FloatArray, FloatArray]:
        logits, features = session.run(list(OUTPUTS), {INPUT: codes}, quiet)
        return logits, features

    blank = np.zeros((2, crop_frames, n_mels), np.uint8)
    for name, values in zip(OUTPUTS, _tried(lambda: answer(blank)), strict=True):
        if values.ndim != 2 or len(values) != 2 or not np.isfinite(values).all():
            raise ModelError(f"Its {name} for 2 crops are no 2 rows of numbers.")
        if name == OUTPUTS[0] and values.shape[1] != n_genres:
            raise ModelError(f"It tells {values.shape[1]} genres apart, its card {n_genres}.")
    return answer


def check_contents(data: bytes) -> None:
    """Raise `ModelError` for a graph that is more than a chain of standard operators with their numbers. Runs nothing."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError:
        raise ModelError("It is no ONNX file.") from None
    graph = model.graph
    foreign = {entry.domain for entry in (*model.opset_import, *graph.node)} - set(DOMAINS)
    if foreign:
        raise ModelError(f"It wants operators of {sorted(foreign)[0][:80]!r}; only those of the ONNX standard are run.")
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    if model.functions or model.training_info or any(one.HasField("g") or one.graphs for one in attributes):
        raise ModelError("It holds a program (loops, branches or functions); only a plain chain of operators is run.")
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data for tensor in _tensors(graph)):
        raise ModelError("It keeps numbers in another file; only a file that holds all of them itself is opened.")


def _tensors(graph: Any) -> Iterator[Any]:
    """Every tensor that is written in a graph without graphs in it."""
    sparse = [*graph.sparse_initializer]
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    for one in sparse:
        yield from (one.values, one.indices)


def _check_interface(session: Any, crop_frames: int, n_mels: int) -> None:
    """Raise `ModelError` unless input and outputs are those that are asked for, with any number of crops at once."""
    inputs = {one.name: (one.type, list(one.shape)) for one in session.get_inputs()}
    outputs = {one.name: (one.type, list(one.shape)) for one in session.get_outputs()}
    kind, shape = inputs.get(INPUT, ("", []))
    is_any_number = shape and not isinstance(shape[0], int)
    if len(inputs) != 1 or kind != "tensor(uint8)" or not is_any_number or shape[1:] != [crop_frames, n_mels]:
        raise ModelError(
            f"Its input is {str(inputs)[:200]}, but should be {INPUT!r}: any number of {crop_frames} x {n_mels} bytes."
        )
    if tuple(outputs) != OUTPUTS or any(kind != "tensor(float)" for kind, _ in outputs.values()):
        raise ModelError(f"Its outputs are {str(outputs)[:200]}, but should be {' and '.join(OUTPUTS)}, of float32.")


def _tried(run: Callable[[], Any]) -> Any:
    """What `run` gives; what onnxruntime does not like is a `ModelError`."""
    try:
        return run()
    except Exception as error:  # onnxruntime's errors have no root of their own
        if not (type(error).__module__.startswith("onnxruntime") or isinstance(error, ValueError | RuntimeError)):
            raise
        raise ModelError(f"It cannot be run: {(str(error).splitlines() or [''])[0][:300]}") from error


def _threads() -> int:
    """As many threads as numpy's arithmetic uses here: all cores, or what the surroundings or a pool of processes allow."""
    from threadpoolctl import threadpool_info

    return max((int(library["num_threads"]) for library in threadpool_info()), default=1)
