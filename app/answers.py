"""Models, uploads and what was answered about them: every cache and session key of that. Knows no library."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.session import get, is_guest, on_close, put, settings
from core.audio import waveform
from core.audio.waveform import TooLongError
from core.errors import AudioError, GenrescopeError
from core.files import duration_in_words, size_in_words
from core.inference import apart
from core.inference.prediction import Decode, Prediction, predict_each
from core.inference.turns import BusyError, Turns
from core.inference.why import Reasons, heard_alone
from core.inference.why import why as why_of
from core.jobs.compute import Limits
from core.learning import model as models
from core.music import CodeArray, FloatArray
from core.text_encoding import readable

UPLOADER = "uploader"
"""Boxes that songs are given in: their keys begin so."""
MICROPHONE, DROPPED = "microphone", "dropped"
"""Kinds of boxes."""
GIVEN = "given"
"""How often songs were given: counted up to empty the boxes."""
COUNTED = "counted"
"""How many songs were given in this session."""
REFUSED = "refused"
"""Why songs just given were not taken."""
LATEST = "latest"
"""How many songs there were before the latest were given."""
UPLOADS = "uploads"
"""The songs that were given, as `Upload`s: an own copy, so that they are still there after a look at another page."""
PREDICTIONS = "predictions"
"""Answers given in this session, by upload and model."""
REMEMBERED = 50
"""So many of them are kept; more if more lie in the box."""

REASONS = "reasons"
"""What spoke for genres of uploads, by upload, model, genre and beginning."""

AROUND_S = 0.75
"""What is heard before and after a patch, seconds: alone it would be too short to tell."""


@st.cache_resource(show_spinner=False, max_entries=2)
def _models(cards: tuple[tuple[str, int], ...]) -> list[models.Entry]:
    return models.list_models(settings())


def model_entries() -> list[models.Entry]:
    """All models, the newest first; read again only where one was made, taken in, changed or removed."""
    return _models(models.stamps(settings()))


@st.cache_resource(show_spinner="Loading the model …", max_entries=3)
def _model(folder: str, created_at: str) -> models.Model:
    return models.load(Path(folder))


def model(entry: models.Entry) -> models.Model:
    """A loaded model; the card's date tells a new one under an old name."""
    return _model(str(entry.folder), entry.card.created_at if entry.card else "")


@dataclass
class Upload:
    """A song that was given: its name, the SHA-256 of its file, and the file itself, until it is let go."""

    name: str
    key: str
    data: bytes | None

    @classmethod
    def of(cls, name: str, data: bytes) -> "Upload":
        """A song just given."""
        return cls(name, upload_key(data), data)


def _let_all_go(songs: list[Upload]) -> None:
    for one in songs:
        one.data = None


_TURNS: dict[tuple[int, int], Turns] = {}
"""Not in a cache of Streamlit's, which any guest could clear for all."""


def uploads() -> list[Upload]:
    """The songs given in this session, in their order."""
    return list(get(UPLOADS) or [])


def box(kind: str) -> str:
    """The key of a box that songs are given in: another after each time, so that the box is empty again."""
    return f"{UPLOADER}-{kind}-{get(GIVEN, 0)}"


def keep_uploads(kind: str) -> None:
    """Take over what lies in a box now. The box is emptied, and its files are let go."""
    files = get(box(kind)) or []
    files = files if isinstance(files, list) else [files]
    files = [file for file in files if isinstance(file, UploadedFile)]  # not what the server no longer has
    names = [f"Recording {get(GIVEN, 0) + 1}.wav" if kind == MICROPHONE else file.name for file in files]
    give([(name, file.getvalue()) for name, file in zip(names, files, strict=True)])
    if (context := get_script_run_ctx()) and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        for file in files:
            context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def give(files: Sequence[tuple[str, bytes]]) -> None:
    """Songs to be answered, (name, file) each, beside those that are there; which were refused is told."""
    there = uploads()
    known = {(one.name, one.key) for one in there}
    refused, at_once = [], 0
    put(LATEST, len(there))
    for name, data in files:
        one = Upload.of(name, data)
        if (one.name, one.key) in known:
            continue
        if is_guest() and (why_not := _refusal(len(data), at_once)):
            refused.append(f"{name} {why_not}")
            continue
        there.append(one)
        known.add((one.name, one.key))
        at_once += len(data)
        put(COUNTED, get(COUNTED, 0) + 1)
    put(UPLOADS, there)
    if is_guest():
        on_close(partial(_let_all_go, there))
        _let_go(there)
    put(GIVEN, get(GIVEN, 0) + 1)
    put(REFUSED, [*(get(REFUSED) or []), *refused])


def _refusal(size_bytes: int, at_once: int) -> str:
    """Why a guest's song of a size is not taken, after others of `at_once` bytes that were given with it; '' if it is."""
    limits = settings()
    if size_bytes > limits.guest_upload_bytes:
        return f"is larger than {size_in_words(limits.guest_upload_bytes)}, the most that is taken here."
    if get(COUNTED, 0) >= limits.guest_uploads:
        return f"was not taken: {limits.guest_uploads} songs a visit are enough here."
    if at_once + size_bytes > limits.guest_keep_bytes:
        return f"was not taken: {size_in_words(limits.guest_keep_bytes)} at a time are enough here. Drop it after the others."
    return ""


def _let_go(songs: Sequence[Upload]) -> None:
    """Let go of a guest's sounds, the oldest first, until no more is kept than may be."""
    left = settings().guest_keep_bytes
    for one in reversed(songs):
        left -= len(one.data or b"")
        if left < 0:
            one.data = None


def remove(*places: int) -> None:
    """Let the songs at these places go, with what was answered about them; all of them without a place."""
    there = uploads()
    kept = [one for place, one in enumerate(there) if places and place not in places]
    keys = {one.key for one in kept}
    put(UPLOADS, kept)
    _let_all_go([one for one in there if one not in kept])
    for memory in (PREDICTIONS, REASONS):
        put(memory, {asked: told for asked, told in (get(memory) or {}).items() if asked[0] in keys})


def turns() -> Turns:
    """The turns of all guests together."""
    limits = settings()
    bounds = limits.guest_at_once, limits.guest_waiting
    return _TURNS.setdefault(bounds, Turns(limits.guest_at_once, waiting=limits.guest_waiting))


def upload_key(data: bytes) -> str:
    """SHA-256 of an upload."""
    return hashlib.sha256(data).hexdigest()


def predictions(entry: models.Entry, uploads: Sequence[Upload]) -> list[Prediction | GenrescopeError]:
    """What a model says of each upload, or why it cannot; shows progress, and answers twice at once.

    A guest who got no turn is told so, and can ask again.
    """
    weights = entry.card.weights_sha256 if entry.card else ""
    keys = [(one.key, weights) for one in uploads]
    answered: dict[tuple[str, str], Prediction | GenrescopeError] = dict(get(PREDICTIONS) or {})
    new = {key: one.data for key, one in zip(keys, uploads, strict=True) if key not in answered}
    if new:
        bar = st.empty()
        try:
            for key, answer in zip(new, _listened(entry, list(new.values()), bar), strict=True):
                answered[key] = answer
                told = {key: answer for key, answer in answered.items() if not isinstance(answer, BusyError)}
                put(PREDICTIONS, dict(list(told.items())[-max(REMEMBERED, len(uploads)) :]))
        finally:
            bar.empty()
    return [answered[key] for key in keys]


def _listened(
    entry: models.Entry, sounds: Sequence[bytes | None], bar: DeltaGenerator
) -> Iterator[Prediction | GenrescopeError]:
    """The answers to `sounds`, in their order, while `bar` shows how far they are."""
    limits, asked = settings(), model(entry)

    def tell(done: float) -> None:
        song = f"song {int(done) + 1} of {len(sounds)}" if len(sounds) > 1 else "it"
        bar.progress(min(done / len(sounds), 1.0), f"Listening to {song} …")

    tell(0.0)
    if not is_guest():
        max_s, max_bytes = limits.max_audio_s, limits.max_audio_bytes
        given = (BytesIO(data or b"") for data in sounds)
        yield from predict_each(given, asked, max_s=max_s, max_bytes=max_bytes, on_progress=tell, decode=_apart())
        return
    for number, data in enumerate(sounds):
        yield _in_turn(data, asked, bar, partial(_plus, number, tell))


def _apart() -> Decode:
    """Decoding in a process of its own, within what the settings allow: uploads are strangers' files. Guests share none."""
    return partial(apart.codes_of, **_means())


def _means() -> dict[str, Any]:
    """How a sound is read: within which limits, and whether by a process that has read others."""
    if is_guest():
        return {"limits": Limits.of_guests(settings()), "keep": False}
    return {"limits": Limits.of(settings()), "keep": True}


def _plus(number: int, tell: Callable[[float], object], share: float) -> None:
    tell(number + share)


def _in_turn(
    data: bytes | None, asked: models.Model, bar: DeltaGenerator, tell: Callable[[float], object]
) -> Prediction | GenrescopeError:
    """The answer to one song of a guest, when it is its turn."""

    def wait(before: int) -> None:
        others = f"{before} other{'s' * (before > 1)} before you" if before else "you are next"
        bar.progress(0.0, f"Many are asking just now: {others} …")

    if data is None:
        return AudioError("Its sound is not kept here any more. Drop it again.")
    limits = settings()
    max_s, max_bytes = limits.guest_sound_s, limits.guest_upload_bytes
    try:
        with turns().turn(patience_s=limits.guest_patience_s, on_wait=wait):
            (answer,) = predict_each(
                [BytesIO(data)], asked, max_s=max_s, max_bytes=max_bytes, on_progress=tell, decode=_apart()
            )
    except BusyError as error:
        return error
    if isinstance(answer, TooLongError):
        return AudioError(f"It is longer than {duration_in_words(max_s)}, the most that is listened to here.")
    return answer


@st.cache_data(show_spinner="Preparing the sound …", max_entries=8)
def _upload_wav(data: bytes) -> bytes:
    return _as_wav(data)


def upload_wav(data: bytes) -> bytes:
    """An upload as WAV, for files that browsers cannot play. What a guest gave is not kept."""
    return _as_wav(data) if is_guest() else _upload_wav(data)


def _as_wav(data: bytes) -> bytes:
    return waveform.as_wav(_excerpt(data, 0.0, settings().max_audio_s))


@st.cache_data(show_spinner=False, max_entries=50)
def upload_artist(data: bytes) -> str:
    """The artist that the tags of an upload name; '' if they name none."""
    return readable(apart.probe(BytesIO(data), **_means()).tags.get("artist", ""))


@st.cache_data(show_spinner="Preparing the sound …", max_entries=50)
def upload_alone(data: bytes, patch: tuple[float, float, float, float]) -> bytes:
    """A patch of an upload, and a little before and after, without the other frequencies, as WAV."""
    start_s, end_s, low_hz, high_hz = patch
    return waveform.as_wav(heard_alone(_excerpt(data, start_s - AROUND_S, end_s + AROUND_S), low_hz, high_hz))


def _excerpt(data: bytes, start_s: float, end_s: float) -> FloatArray:
    return apart.excerpt(BytesIO(data), start_s, end_s, max_s=settings().max_audio_s, **_means())


@st.cache_data(show_spinner="Listening …", max_entries=8)
def _upload_codes(data: bytes, folder: str, created_at: str) -> CodeArray:
    asked, limits = _model(folder, created_at), settings()
    codes, _ = _apart()(
        BytesIO(data), asked.recipe, filters=asked.filters, max_s=limits.max_audio_s, max_bytes=limits.max_audio_bytes
    )
    return codes


def upload_codes(entry: models.Entry, data: bytes) -> CodeArray:
    """The spectrogram of an upload as a model wants it, (n_frames, n_mels) uint8."""
    return _upload_codes(data, str(entry.folder), entry.card.created_at if entry.card else "")


def reasons(entry: models.Entry, data: bytes, genre: str, start_s: float) -> Reasons:
    """What in a stretch of an upload spoke for a genre. Shows progress, answers twice at once."""
    memory: dict[tuple[str, str, str, float], Reasons] = get(REASONS) or {}
    key = (upload_key(data), entry.card.weights_sha256 if entry.card else "", genre, start_s)
    if key not in memory:
        bar = st.progress(0.0, "Covering one patch after another …")
        limits = settings()
        try:
            memory[key] = why_of(
                BytesIO(data),
                model(entry),
                genre=genre,
                start_s=start_s,
                max_s=limits.max_audio_s,
                max_bytes=limits.max_audio_bytes,
                on_progress=lambda share: bar.progress(share, "Covering one patch after another …"),
                decode=_apart(),
            )
        finally:
            bar.empty()
        put(REASONS, dict(list(memory.items())[-50:]))
    return memory[key]


def reasons_of(entry: models.Entry, data: bytes) -> Reasons | None:
    """What was last found to have spoken for a genre of an upload; None if that was not asked for."""
    asked = (upload_key(data), entry.card.weights_sha256 if entry.card else "")
    found = [told for key, told in (get(REASONS) or {}).items() if key[:2] == asked]
    return found[-1] if found else None


def answered_uploads(entry: models.Entry) -> list[tuple[str, Prediction]]:
    """(name, answer) of the uploads of this session that a model was asked about."""
    memory: Mapping[tuple[str, str], Prediction | GenrescopeError] = get(PREDICTIONS) or {}
    weights = entry.card.weights_sha256 if entry.card else ""
    answers = [(one.name, memory.get((one.key, weights))) for one in uploads()]
    return [(name, answer) for name, answer in answers if isinstance(answer, Prediction)]
