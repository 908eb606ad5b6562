"""ONNX graphs: checked as untrusted data, then run by onnxruntime on the CPU.

A graph is held to what a network needs: standard operators one after another, and all numbers inside the file. What could
read another file, or run for ever, is refused. Messages begin with "It": the caller names the model.
"""

from collections.abc import Callable, Iterator
from typing import Any

from core.errors import ModelError

DOMAINS = ("", "ai.onnx")
"""Where operators come from: the ONNX standard, and nothing that a runtime adds to it."""


def open_session(data: bytes, *, threads: int) -> Any:
    """An `onnxruntime.InferenceSession` of a checked graph. `ModelError` with the reason if it cannot be run."""
    check_contents(data)
    import onnxruntime  # half a second: only where a model is really asked

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a page that waits keeps no core busy
    return tried(lambda: onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"]))


def quiet_run() -> Any:
    """Options of a run that logs nothing: what goes wrong is raised."""
    import onnxruntime

    quiet = onnxruntime.RunOptions()
    quiet.log_severity_level = 4
    return quiet


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


def tried(run: Callable[[], Any]) -> Any:
    """What `run` gives; what onnxruntime does not like is a `ModelError`."""
    try:
        return run()
    except Exception as error:  # onnxruntime's errors have no root of their own
        if not (type(error).__module__.startswith("onnxruntime") or isinstance(error, ValueError | RuntimeError)):
            raise
        raise ModelError(f"It cannot be run: {(str(error).splitlines() or [''])[0][:300]}") from error
