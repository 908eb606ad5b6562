"""A stranger's sound, decoded in a process of its own, with limits on time and memory.

What a decoder does with a file made for it (crash, never end, eat memory) ends that process, and nothing else. The process
is told what to do on its standard input, and answers on its standard output: a line of JSON and bytes, both ways, of which
nothing is believed unchecked. One is kept ready, as it takes half a second to start; and where all songs are one person's,
a process that answered may take the next.
"""

import contextlib
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from core.audio import codes as sound_codes
from core.audio.waveform import DecodeReport, Source, TooLongError
from core.errors import AudioError
from core.jobs.compute import Limits, limit_memory
from core.music import CodeArray, FloatArray
from core.recipes import SpectrogramRecipe

MAX_LINE = 100_000
CRASHED = "Reading this file crashed the decoder. It is damaged in an unusual way; export it again."
_PROJECT = Path(__file__).resolve().parents[2]

Child = subprocess.Popen[bytes]
KEPT = 2
"""So many processes are kept for the next song: as many songs are listened to side by side."""
_spare: list[Child] = []
"""Ready, and without a song so far."""
_used: list[Child] = []
"""Kept after a song."""
_lock = threading.Lock()


def codes_of(
    source: Source,
    recipe: SpectrogramRecipe,
    *,
    filters: FloatArray,
    limits: Limits,
    max_s: float = 4 * 3600,
    max_bytes: int = 2_000_000_000,
    keep: bool = False,
) -> tuple[CodeArray, DecodeReport]:
    """As `audio.codes.codes_of`, (n_frames, n_mels) uint8, in another process and within `limits`.

    With `keep`, a process that has answered takes the next song, which spares half a second each: not for songs of several
    people, as it could tell one of another's. Raises `AudioError` also where the file takes that process down, or asks for
    too much.
    """
    data = source.read_bytes() if isinstance(source, Path) else _all_of(source)
    told = {
        "recipe": recipe.model_dump(mode="json"),
        "max_s": max_s,
        "max_bytes": max_bytes,
        "seconds": limits.seconds,
        "memory_bytes": limits.memory_bytes and limits.memory_bytes + len(data),
        "filters": filters.shape,
        "size": len(data),
        "last": not keep,
    }
    child, kept = _taken(fresh=not keep), False
    try:
        with _ended_after(child, limits.seconds) as over:
            assert child.stdin is not None and child.stdout is not None
            head = json.dumps(told).encode() + b"\n" + np.ascontiguousarray(filters, np.float32).tobytes()
            telling = threading.Thread(target=_tell, args=(child.stdin, head, data), daemon=True)
            telling.start()
            answer = _answer(child.stdout, recipe, max_s)
            if answer is None or not keep:
                child.kill()
            telling.join()
        kept = keep and answer is not None and not over.is_set() and _kept(child)
    finally:
        if not kept:
            _end(child)
    if answer is None:
        raise AudioError(limits.too_slow if over.is_set() else CRASHED)
    if isinstance(answer, AudioError):
        raise answer
    return answer


def make_ready() -> None:
    """Start a process that waits for the next file, unless one waits."""
    with _lock:
        _spare[:] = [child for child in _spare if child.poll() is None]
        if not _spare:
            _spare.append(_start())


def _start() -> Child:
    return subprocess.Popen(
        [sys.executable, "-m", "core.inference.apart"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_PROJECT,
    )


def _taken(*, fresh: bool) -> Child:
    """A process for a song. One that must be `fresh` has had none before, and ends with it: the next is made ready meanwhile."""
    with _lock:
        ready = [] if fresh else _used
        child = (ready or _spare).pop() if ready or _spare else None
    if child is None or child.poll() is not None:
        child = _start()
    if fresh:
        make_ready()
    return child


def _kept(child: Child) -> bool:
    """Keep a process for the next song, unless there are enough."""
    with _lock:
        if len(_used) < KEPT:
            _used.append(child)
        return child in _used


def _end(child: Child) -> None:
    child.kill()
    for pipe in (child.stdin, child.stdout):
        with contextlib.suppress(OSError):
            pipe.close()  # type: ignore[union-attr]
    child.wait()


@contextmanager
def _ended_after(child: Child, seconds: float) -> Iterator[threading.Event]:
    over = threading.Event()

    def end() -> None:
        over.set()
        child.kill()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()


def _all_of(source: BinaryIO) -> bytes:
    source.seek(0)
    return source.read()


def _tell(stdin: Any, head: bytes, data: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):  # it has gone: that is seen where its answer is read
        stdin.write(head)
        stdin.write(data)
        stdin.flush()


def _answer(stdout: Any, recipe: SpectrogramRecipe, max_s: float) -> tuple[CodeArray, DecodeReport] | AudioError | None:
    """What the process says; None if it went before it said all."""
    try:
        told = json.loads(stdout.readline(MAX_LINE))
        if "error" in told:
            return (TooLongError if told.get("too_long") else AudioError)(str(told["error"]))
        n_frames, report = int(told["n_frames"]), DecodeReport(**told["report"])
        if not 0 < n_frames <= max_s / recipe.frame_s + 1000:
            return None
        data = stdout.read(n_frames * recipe.n_mels)
    except (ValueError, KeyError, TypeError):
        return None
    if len(data) != n_frames * recipe.n_mels:
        return None
    return np.frombuffer(data, np.uint8).reshape(n_frames, recipe.n_mels), report


def main() -> None:
    """In the process: take orders and answer them, until who started it has gone, or needs it no more."""
    while line := sys.stdin.buffer.readline(MAX_LINE):
        _do(json.loads(line), sys.stdin.buffer, sys.stdout.buffer)


def _do(told: dict[str, Any], stdin: BinaryIO, stdout: BinaryIO) -> None:
    _limit(told["seconds"], told["memory_bytes"], last=told["last"])
    rows, columns = told["filters"]
    filters = np.frombuffer(stdin.read(4 * rows * columns), np.float32).reshape(rows, columns)
    data = io.BytesIO(stdin.read(told["size"]))
    recipe = SpectrogramRecipe.model_validate(told["recipe"])
    try:
        codes, report = sound_codes.codes_of(
            data, recipe, filters=filters, max_s=told["max_s"], max_bytes=told["max_bytes"]
        )
    except AudioError as error:
        _say(stdout, {"error": str(error), "too_long": isinstance(error, TooLongError)})
    except MemoryError:
        _say(stdout, {"error": Limits(told["seconds"], told["memory_bytes"]).too_large})
    else:
        _say(stdout, {"n_frames": len(codes), "report": asdict(report)})
        stdout.write(codes.tobytes())
        stdout.flush()


def _say(stdout: BinaryIO, told: dict[str, Any]) -> None:
    stdout.write(json.dumps(told).encode() + b"\n")
    stdout.flush()


def _limit(seconds: float, memory_bytes: int | None, *, last: bool) -> None:
    """Also where nobody is left to end it: so much time on a processor, so much memory, and not one file written."""
    if memory_bytes:
        limit_memory(memory_bytes)
    with contextlib.suppress(ImportError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        most = int(used.ru_utime + used.ru_stime + seconds) + 5
        resource.setrlimit(resource.RLIMIT_CPU, (most, most if last else resource.getrlimit(resource.RLIMIT_CPU)[1]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


if __name__ == "__main__":
    main()
