"""Preprocessing: from audio files to spectrogram files, on all cores, each song once."""

from collections.abc import Callable, Iterable, Sequence
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
    """One spectrogram, made and in its place; arrays (n_mels,) float32, dB."""

    n_frames: int
    band_mean: FloatArray
    band_std: FloatArray
    duration_s: float
    state: str
    reason: str


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
    report = waveform.DecodeReport()
    try:  # made just before a crash, or for a library since lost
        codes = store.read(order.todo.sha256)
        report.duration_s = _duration_s(codes, order.recipe)
        waveform.compare_with_announced(report, waveform.probe(path).duration_s)
    except AudioError:
        if sha256_of(path) != order.todo.sha256:
            raise AudioError("The file has changed since it was imported. Import the folder it is in again.") from None
        codes, report = codes_of(path, order.recipe, max_s=order.max_s, max_bytes=order.max_bytes)
        store.write(order.todo.sha256, codes)
    S = spectrogram.dequantise(codes)
    duration_s = _duration_s(codes, order.recipe)
    return Made(codes.shape[0], S.mean(axis=0), S.std(axis=0), duration_s, report.state, report.reason)


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
