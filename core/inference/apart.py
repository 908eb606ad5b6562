"""A stranger's sound, read in a process of its own, with limits on time and memory.

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from core.audio import codes as sound_codes
from core.audio import tags, waveform
from core.audio.tags import Tags
from core.audio.waveform import DecodeReport, Probe, Source, TooLongError
from core.errors import AudioError
from core.jobs.compute import Limits, limit_memory
from core.music import CodeArray, FloatArray
from core.recipes import SpectrogramRecipe

Answer = TypeVar("Answer")
Read = Callable[[dict[str, Any], BinaryIO], Answer]
"""What the process says, made of its line of JSON and of what follows; raises `ValueError` where that cannot be."""

MAX_LINE = 100_000
MAX_TAGS = 20_000_000
"""Bytes of what a file says of itself: lyrics and a cover may be among it."""
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

    def read(told: dict[str, Any], stdout: BinaryIO) -> tuple[CodeArray, DecodeReport]:
        n_frames, report = int(told["n_frames"]), DecodeReport(**told["report"])
        if not 0 < n_frames <= max_s / recipe.frame_s + 1000:
            raise ValueError
        data = _exactly(stdout, n_frames * recipe.n_mels)
        return np.frombuffer(data, np.uint8).reshape(n_frames, recipe.n_mels), report

    order = {
        "recipe": recipe.model_dump(mode="json"),
        "max_s": max_s,
        "max_bytes": max_bytes,
        "filters": filters.shape,
    }
    given = np.ascontiguousarray(filters, np.float32).tobytes()
    return _asked("codes", order, source, read, limits, keep=keep, given=given)


def probe(source: Source, *, limits: Limits, max_bytes: int = 2_000_000_000, keep: bool = False) -> Probe:
    """As `audio.waveform.probe`, in another process and within `limits`; `keep` and errors as for `codes_of`."""

    def read(told: dict[str, Any], stdout: BinaryIO) -> Probe:
        size = int(told["size"])
        if not 0 < size <= MAX_TAGS:
            raise ValueError
        return Probe(**json.loads(_exactly(stdout, size)))

    return _asked("probe", {"max_bytes": max_bytes}, source, read, limits, keep=keep)


def read_tags(source: Source, *, limits: Limits, max_bytes: int = 2_000_000_000, keep: bool = False) -> Tags:
    """As `audio.tags.read`, in another process and within `limits`; `keep` and errors as for `codes_of`."""

    def read(told: dict[str, Any], stdout: BinaryIO) -> Tags:
        size = int(told["size"])
        if not 0 < size <= MAX_TAGS:
            raise ValueError
        said = json.loads(_exactly(stdout, size))
        return Tags(**said | {several: tuple(said[several]) for several in ("artists", "genres")})

    return _asked("tags", {"max_bytes": max_bytes}, source, read, limits, keep=keep)


def excerpt(
    source: Source,
    start_s: float,
    end_s: float,
    *,
    limits: Limits,
    sample_rate: int = 16_000,
    max_s: float = 4 * 3600,
    keep: bool = False,
) -> FloatArray:
    """As `audio.waveform.excerpt`, y of (n_samples,) float32, in another process; `keep` and errors as for `codes_of`."""

    def read(told: dict[str, Any], stdout: BinaryIO) -> FloatArray:
        n_samples = int(told["n_samples"])
        if not 0 <= n_samples <= (min(end_s, max_s) - max(start_s, 0.0)) * sample_rate + 1:
            raise ValueError
        return np.frombuffer(_exactly(stdout, 4 * n_samples), np.float32)

    order = {"start_s": start_s, "end_s": end_s, "sample_rate": sample_rate, "max_s": max_s}
    return _asked("excerpt", order, source, read, limits, keep=keep)


def _asked(
    what: str,
    order: dict[str, Any],
    source: Source,
    read: Read[Answer],
    limits: Limits,
    *,
    keep: bool,
    given: bytes = b"",
) -> Answer:
    """What a process answers to an order, to which bytes may be `given`. A path it opens itself; all else it is sent."""
    data = b"" if isinstance(source, Path) else _all_of(source)
    order |= {
        "what": what,
        "path": str(source.absolute()) if isinstance(source, Path) else None,
        "size": len(data),
        "given": len(given),
        "seconds": limits.seconds,
        "memory_bytes": limits.memory_bytes and limits.memory_bytes + len(data),
        "last": not keep,
    }
    child, kept = _taken(fresh=not keep), False
    try:
        with _ended_after(child, limits.seconds) as over:
            assert child.stdin is not None and child.stdout is not None
            head = json.dumps(order).encode() + b"\n" + given
            telling = threading.Thread(target=_tell, args=(child.stdin, head, data), daemon=True)
            telling.start()
            answer = _answer(child.stdout, read, limits)
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


def _answer(stdout: Any, read: Read[Answer], limits: Limits) -> Answer | AudioError | None:
    """What the process says; None if it went before it said all, or says what cannot be."""
    try:
        told = json.loads(stdout.readline(MAX_LINE))
        if told.get("too_large"):
            return AudioError(limits.too_large)
        if "error" in told:
            return (TooLongError if told.get("too_long") else AudioError)(str(told["error"]))
        return read(told, stdout)
    except (ValueError, KeyError, TypeError):
        return None


def _exactly(stdout: BinaryIO, size: int) -> bytes:
    data = stdout.read(size)
    if len(data) != size:
        raise ValueError
    return data


def main() -> None:
    """In the process: take orders and answer them, until who started it has gone, or needs it no more."""
    while line := sys.stdin.buffer.readline(MAX_LINE):
        _do(json.loads(line), sys.stdin.buffer, sys.stdout.buffer)


def _do(order: dict[str, Any], stdin: BinaryIO, stdout: BinaryIO) -> None:
    _limit(order["seconds"], order["memory_bytes"], last=order["last"])
    given = stdin.read(order["given"])
    source = Path(order["path"]) if order["path"] else io.BytesIO(stdin.read(order["size"]))
    try:
        told, data = _ORDERS[order["what"]](order, source, given)
    except AudioError as error:
        _say(stdout, {"error": str(error), "too_long": isinstance(error, TooLongError)})
    except MemoryError:
        _say(stdout, {"too_large": True})
    else:
        _say(stdout, told, data)


def _codes(order: dict[str, Any], source: Source, given: bytes) -> tuple[dict[str, Any], bytes]:
    codes, report = sound_codes.codes_of(
        source,
        SpectrogramRecipe.model_validate(order["recipe"]),
        filters=np.frombuffer(given, np.float32).reshape(order["filters"]),
        max_s=order["max_s"],
        max_bytes=order["max_bytes"],
    )
    return {"n_frames": len(codes), "report": asdict(report)}, codes.tobytes()


def _probe(order: dict[str, Any], source: Source, given: bytes) -> tuple[dict[str, Any], bytes]:
    data = json.dumps(asdict(waveform.probe(source, max_bytes=order["max_bytes"]))).encode()
    return {"size": len(data)}, data


def _tags(order: dict[str, Any], source: Source, given: bytes) -> tuple[dict[str, Any], bytes]:
    found = tags.read(source, waveform.probe(source, max_bytes=order["max_bytes"]))
    data = json.dumps(asdict(found)).encode()
    return {"size": len(data)}, data


def _excerpt(order: dict[str, Any], source: Source, given: bytes) -> tuple[dict[str, Any], bytes]:
    y = waveform.excerpt(
        source, order["start_s"], order["end_s"], sample_rate=order["sample_rate"], max_s=order["max_s"]
    )
    return {"n_samples": len(y)}, y.tobytes()


_ORDERS = {"codes": _codes, "probe": _probe, "tags": _tags, "excerpt": _excerpt}


def _say(stdout: BinaryIO, told: dict[str, Any], data: bytes = b"") -> None:
    stdout.write(json.dumps(told).encode() + b"\n")
    stdout.write(data)
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
