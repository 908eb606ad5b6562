"""Preprocessing: from audio files to spectrogram files, on all cores, each song once."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.audio import spectrogram, waveform
from core.audio.codes import codes_of
from core.audio.store import SpectrogramStore
from core.errors import AudioError, GenrescopeError, WorkspaceError
from core.files import sha256_of
from core.jobs.compute import Limits, fan_out
from core.library.store import AudioToDo, Library
from core.music import CodeArray, FloatArray
from core.recipes import SpectrogramRecipe
from core.settings import Settings

CHANGED = "The file has changed since it was imported. Import the folder it is in again."
GONE = "Its sound was deleted after its spectrogram was made, and the spectrogram is lost. Collect the song again."


@dataclass(frozen=True)
class Order:
    """All that a process needs to make one spectrogram."""

    todo: AudioToDo
    root: Path
    recipe: SpectrogramRecipe
    max_s: float
    max_bytes: int


@dataclass(frozen=True)
class Made:
    """One spectrogram, made and in its place; arrays (n_mels,) float32, dB. `packets_sha256` is '' where it was not read."""

    n_frames: int
    band_mean: FloatArray
    band_std: FloatArray
    duration_s: float
    state: str
    reason: str
    packets_sha256: str = ""


@dataclass(frozen=True)
class Unread:
    """An audio file of which it is not known what its packets are; its bytes are to have `file_sha256`, if that is given."""

    path: Path
    max_bytes: int
    file_sha256: str = ""


class MissingFileError(AudioError):
    """The file is not where it was."""


def make(order: Order) -> Made:
    """Make one spectrogram file, unless it is there already. Runs in a process of its own."""
    store = SpectrogramStore(order.root, order.recipe.fingerprint)
    path = Path(order.todo.path)
    if not path.exists():
        raise MissingFileError(
            f"The file is not at {path} any more. Put it back, or import the folder it is in now: it is recognised."
        )
    todo = order.todo
    if not store.is_whole(todo.sha256):
        _adopt(store, path, todo, order.max_bytes)
    report = waveform.DecodeReport()
    try:  # made just before a crash, or for a library since lost
        codes = store.read(todo.sha256)
        report.duration_s = _duration_s(codes, order.recipe)
        waveform.compare_with_announced(report, waveform.probe(path).duration_s)
    except AudioError:
        if todo.packets_sha256 is None and sha256_of(path) != todo.sha256:
            raise AudioError(CHANGED) from None
        codes, report = codes_of(path, order.recipe, max_s=order.max_s, max_bytes=order.max_bytes)
        if report.packets_sha256 != (todo.packets_sha256 or report.packets_sha256):
            raise AudioError(CHANGED) from None
        store.write(todo.sha256, codes)
    S = spectrogram.dequantise(codes)
    duration_s = _duration_s(codes, order.recipe)
    said = report.state, report.reason, report.packets_sha256
    return Made(codes.shape[0], S.mean(axis=0), S.std(axis=0), duration_s, *said)


def _adopt(store: SpectrogramStore, path: Path, todo: AudioToDo, max_bytes: int) -> None:
    """Take the spectrogram that an earlier version made of the very same file, for a library since lost: under its SHA-256."""
    if todo.packets_sha256 is None:
        return
    file_sha256 = sha256_of(path)
    if store.is_whole(file_sha256) and read_packets(Unread(path, max_bytes)) == todo.packets_sha256:
        store.rename(file_sha256, todo.sha256)


def read_packets(unread: Unread) -> str:
    """The SHA-256 of a file's audio packets. Runs in a process of its own."""
    if unread.file_sha256 and sha256_of(unread.path) != unread.file_sha256:
        raise AudioError(CHANGED)
    return waveform.probe(unread.path, max_bytes=unread.max_bytes, read_packets=True).packets_sha256


def packets_of(
    paths: Sequence[Path], settings: Settings, *, check: Callable[[], None] = lambda: None
) -> dict[Path, str]:
    """The SHA-256 of the audio packets of those files that are readable as audio."""
    if not paths:
        return {}
    answers = fan_out(
        read_packets,
        (Unread(path, settings.max_audio_bytes) for path in paths),
        processes=max(1, min(settings.processes, len(paths))),
        check=check,
        limits=Limits.of(settings),
    )
    return {order.path: packets for order, packets in answers if isinstance(packets, str)}


def learn_packets(
    library: Library,
    settings: Settings,
    *,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Read the packets of audio files that an earlier version imported; nothing is decoded, and no derived file changes.

    Each is noted as it is read. A file that is not as it was is passed over, until it is imported again.
    """
    unread = {}
    for file in library.without_packets():
        with suppress(OSError):
            if Path(file.path).stat().st_size == file.size_bytes:
                unread[file.sha256] = Unread(Path(file.path), settings.max_audio_bytes, file.sha256)
    if not unread:
        return
    with library.many_writes():
        answers = fan_out(
            read_packets,
            unread.values(),
            processes=max(1, min(settings.processes, len(unread))),
            check=check,
            scheduler=settings.dask_scheduler,
            limits=Limits.of(settings),
        )
        for done, (order, packets) in enumerate(answers, start=1):
            if isinstance(packets, str):
                library.packets_read(order.file_sha256, packets)
            elif not isinstance(packets, GenrescopeError | OSError) or isinstance(packets, WorkspaceError):
                raise packets
            on_progress(done, len(unread))


def _duration_s(codes: CodeArray, recipe: SpectrogramRecipe) -> float:
    """Length told by a spectrogram: whole hops, so at most one frame short, and the same whenever it is asked."""
    return float((codes.shape[0] - 1) * recipe.frame_s)


def preprocess(
    library: Library,
    settings: Settings,
    recipe: SpectrogramRecipe,
    *,
    track_ids: Iterable[int] | None = None,
    retry_failed: bool = True,
    job_id: int | None = None,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Make the spectrograms that are missing; rows are written as each is done, by this process only.

    `check` is called often and may raise to stop; `on_progress(done, to do in this call)` follows each song.
    """
    learn_packets(library, settings, check=check)
    store = SpectrogramStore(settings.spectrograms, recipe.fingerprint)
    todos = library.without_spectrogram(
        recipe.fingerprint,
        track_ids=track_ids,
        retry_failed=retry_failed,
        is_there=store.is_whole,
    )
    _make_all(todos, library, settings, recipe, job_id, check, on_progress)


def mend(
    library: Library,
    settings: Settings,
    recipe: SpectrogramRecipe,
    *,
    job_id: int | None = None,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Make again what is missing or damaged of the spectrograms that were made, before something works with them all.

    Those that cannot be made again count as failed from then on. Arguments as `preprocess`.
    """
    learn_packets(library, settings, check=check)
    store = SpectrogramStore(settings.spectrograms, recipe.fingerprint)
    lost = []
    for todo in library.with_spectrogram(recipe.fingerprint):
        check()
        if not store.is_whole(todo.sha256):
            lost.append(todo)
    for todo in lost:
        if not todo.path:
            library.spectrogram_failed(todo, recipe.fingerprint, missing=True, reason=GONE, job_id=job_id)
    _make_all([todo for todo in lost if todo.path], library, settings, recipe, job_id, check, on_progress)


def _make_all(
    todos: Sequence[AudioToDo],
    library: Library,
    settings: Settings,
    recipe: SpectrogramRecipe,
    job_id: int | None,
    check: Callable[[], None],
    on_progress: Callable[[int, int], None],
) -> None:
    orders = (
        Order(todo, settings.spectrograms, recipe, settings.max_audio_s, settings.max_audio_bytes) for todo in todos
    )
    on_progress(0, len(todos))
    if not todos:
        return
    processes = max(1, min(settings.processes, len(todos)))
    with library.many_writes():
        answers = fan_out(
            make,
            orders,
            processes=processes,
            check=check,
            scheduler=settings.dask_scheduler,
            limits=Limits.of(settings),
        )
        for done, (order, made) in enumerate(answers, start=1):
            if isinstance(made, Made):
                library.spectrogram_made(order.todo, recipe.fingerprint, **vars(made), job_id=job_id)
            elif isinstance(made, GenrescopeError | OSError) and not isinstance(made, WorkspaceError):
                library.spectrogram_failed(
                    order.todo,
                    recipe.fingerprint,
                    missing=isinstance(made, MissingFileError),
                    reason=str(made),
                    job_id=job_id,
                )
            else:
                raise made
            on_progress(done, len(todos))
