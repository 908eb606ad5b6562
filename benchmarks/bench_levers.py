"""Levers that were tried and are not pulled: each against what is done, in one run, with what it costs in answers.

A training step compiled (torch.compile), and in bfloat16; the network of the shipped model without graph optimisation, and in
8-bit whole numbers (static quantisation, calibrated on other crops), with how far its answers about real songs move.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import made_up, samples
from benchmarks.timing import Row, compare
from core.audio.crops import crop_starts, padded, predict_song
from core.learning import model as models
from core.learning.graph import INPUT, OUTPUTS
from core.library.preprocessing import codes_of
from core.music import CodeArray, FloatArray
from core.settings import PROJECT

NUMBER = 0
BATCH = 64
SONGS = 40
FEW = 8
"""Songs that the quantisation is calibrated on; none of those that are answered about."""
STARTER = PROJECT / "models" / "genrescope-starter"


def measure(songs: Path) -> list[Row]:
    return [*training(), *asking(songs)]


def training() -> Iterator[Row]:
    """Whole steps of the default network."""
    import torch

    known = made_up.songs(200)
    with tempfile.TemporaryDirectory() as scratch:
        for _ in made_up.write(Path(scratch), known):
            pass

        def step(change: Callable[[Any], None] = lambda trainer: None, *, bfloat16: bool = False) -> Callable[[], None]:
            trainer = made_up.trainer(Path(scratch), known, steps=1000)
            change(trainer)
            batches, numbers = made_up.batches(trainer), count()

            def run() -> None:
                codes, targets = next(batches)
                with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                    trainer._step(1, next(numbers), torch.from_numpy(codes), torch.from_numpy(targets))

            return run

        def compiled(trainer: Any) -> None:
            trainer.network.body.features = torch.compile(trainer.network.body.features)

        yield told("a training step, compiled by torch.compile", *compare(step(compiled), step()), "as it is")
        yield told("a training step in bfloat16 (autocast)", *compare(step(bfloat16=True), step()), "in float32")


def asking(songs: Path) -> Iterator[Row]:
    """A batch of crops, asked of the shipped model's network."""
    import onnxruntime

    model = models.load(STARTER)
    files = [path for path in samples._files(songs) if path.suffix != ".txt"][: SONGS + FEW]
    codes = [codes_of(path, model.recipe, filters=model.filters)[0] for path in files]
    crops = [
        np.stack([padded(one, model.crop_frames)[start : start + model.crop_frames] for start in starts])
        for one in codes
        for starts in [crop_starts(len(padded(one, model.crop_frames)), model.crop_frames, stride=model.crop_frames)]
    ]
    graph = STARTER / models.GRAPH
    plain = onnxruntime.SessionOptions()
    plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    batch = np.concatenate(crops)[:BATCH]
    with tempfile.TemporaryDirectory() as scratch:
        small = quantised(graph, Path(scratch), crops[SONGS:])
        size = small.stat().st_size / graph.stat().st_size
        usual, bare, whole = (session(graph), session(graph, plain), session(small))
        told_without = told(
            f"{len(batch)} crops asked, graph not optimised",
            *compare(lambda: bare(batch), lambda: usual(batch)),
            "optimised, as it is",
        )
        yield told_without
        row = told(
            f"{len(batch)} crops asked, in 8 bits", *compare(lambda: whole(batch), lambda: usual(batch)), "float32"
        )
        spectra = [
            np.stack(
                [
                    predict_song(
                        one, lambda x, net=net: net(x)[0], crop_frames=model.crop_frames, stride=model.crop_frames // 2
                    ).spectrum
                    for one in codes[:SONGS]
                ]
            )
            for net in (usual, whole)
        ]
        moved = np.abs(spectra[1] - spectra[0])
        other = (spectra[0].argmax(axis=1) != spectra[1].argmax(axis=1)).mean()
        yield row._replace(
            measured=f"{row.measured}; file {size:.2f} x; shares move by {moved.mean():.3f} on average, {moved.max():.2f} at most; "
            f"another first genre for {other:.0%} of {SONGS} songs"
        )


def session(graph: Path, options: Any = None) -> Callable[[CodeArray], tuple[FloatArray, FloatArray]]:
    """A network, to be asked."""
    import onnxruntime

    opened = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])

    def ask(codes: CodeArray) -> tuple[FloatArray, FloatArray]:
        logits, features = opened.run(list(OUTPUTS), {INPUT: codes})
        return logits, features

    return ask


def quantised(graph: Path, scratch: Path, crops: list[CodeArray]) -> Path:
    """The network in 8-bit whole numbers, its ranges measured on `crops`."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(crops)

        def get_next(self) -> dict[str, CodeArray] | None:
            given = next(self.left, None)
            return None if given is None else {INPUT: given}

    copied, prepared, made = (scratch / f"{name}.onnx" for name in ("copied", "prepared", "small"))
    shutil.copy(graph, copied)
    quant_pre_process(str(copied), str(prepared), skip_symbolic_shape=True)
    quantization.quantize_static(
        str(prepared), str(made), Reader(), per_channel=True, op_types_to_quantize=["Conv", "Gemm", "MatMul"]
    )
    return made


def told(claim: str, ours_s: float, reference_s: float, ratio: float, reference: str) -> Row:
    """A lever, which nothing is claimed of."""
    return Row(
        NUMBER,
        f"tried, not used: {claim}",
        f"{ours_s * 1000:.0f} ms",
        f"{reference}: {reference_s * 1000:.0f} ms",
        float(ratio),
        "",
        None,
    )
