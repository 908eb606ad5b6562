"""The network of a published model: an ONNX graph, checked, then run by onnxruntime on the CPU. No torch.

Beyond what `core.graphs` checks of any graph, it has the input and outputs that the card speaks of.
"""

from typing import Any

import numpy as np

from core.audio.crops import Answer
from core.errors import ModelError
from core.graphs import open_session, quiet_run, tried
from core.music import CodeArray, FloatArray

INPUT, OUTPUTS = "codes", ("logits", "features")


def open_graph(data: bytes, *, crop_frames: int, n_mels: int, n_genres: int) -> Answer:
    """The network in `data`, checked by a first run. `ModelError` with the reason if it is not one, or of other shapes."""
    session = open_session(data, threads=_threads())
    _check_interface(session, crop_frames, n_mels)
    quiet = quiet_run()

    def answer(codes: CodeArray) -> tuple[FloatArray, FloatArray]:
        logits, features = session.run(list(OUTPUTS), {INPUT: codes}, quiet)
        return logits, features

    blank = np.zeros((2, crop_frames, n_mels), np.uint8)
    for name, values in zip(OUTPUTS, tried(lambda: answer(blank)), strict=True):
        if values.ndim != 2 or len(values) != 2 or not np.isfinite(values).all():
            raise ModelError(f"Its {name} for 2 crops are no 2 rows of numbers.")
        if name == OUTPUTS[0] and values.shape[1] != n_genres:
            raise ModelError(f"It tells {values.shape[1]} genres apart, its card {n_genres}.")
    return answer


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


def _threads() -> int:
    """As many threads as numpy's arithmetic uses here: all cores, or what the surroundings or a pool of processes allow."""
    from threadpoolctl import threadpool_info

    return max((int(library["num_threads"]) for library in threadpool_info()), default=1)
