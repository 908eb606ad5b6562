"""Models, uploads and what was answered about them: every cache and session key of that. Knows no library."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import streamlit as st

from app.session import get, put, settings
from core.audio import waveform
from core.errors import GenrescopeError
from core.inference.prediction import Prediction, predict_each
from core.inference.why import Reasons, heard_alone
from core.inference.why import why as why_of
from core.learning import model as models
from core.library.preprocessing import codes_of
from core.music import CodeArray

UPLOADER = "uploader"
"""The box for uploads; Streamlit empties it when another page is looked at."""
UPLOADS = "uploads"
"""Files dropped on the predict page; an own copy, so that they are still there after a look at another page."""
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


def keep_uploads() -> None:
    """Take over what lies in the box for uploads now."""
    put(UPLOADS, [(file.name, file.getvalue()) for file in get(UPLOADER) or []])


def upload_key(data: bytes) -> str:
    """SHA-256 of an upload."""
    return hashlib.sha256(data).hexdigest()


def predictions(entry: models.Entry, uploads: Sequence[bytes]) -> Iterator[Prediction | GenrescopeError]:
    """What a model says of each upload, or why it cannot; shows progress, and answers twice at once."""
    memory: dict[tuple[str, str], Prediction | GenrescopeError] = get(PREDICTIONS) or {}
    weights = entry.card.weights_sha256 if entry.card else ""
    keys = [(upload_key(data), weights) for data in uploads]
    new = {key: data for key, data in zip(keys, uploads, strict=True) if key not in memory}
    bar, limits = st.empty(), settings()

    def tell(done: float) -> None:
        song = f"song {int(done) + 1} of {len(new)}" if len(new) > 1 else "it"
        bar.progress(done / len(new), f"Listening to {song} …")

    answers = zip(
        new,
        predict_each(
            map(BytesIO, new.values()),
            model(entry),
            max_s=limits.max_audio_s,
            max_bytes=limits.max_audio_bytes,
            on_progress=tell,
        ),
        strict=True,
    )
    try:
        for key in keys:
            while key not in memory:
                now, memory[now] = next(answers)
                put(PREDICTIONS, dict(list(memory.items())[-max(REMEMBERED, len(uploads)) :]))
            yield memory[key]
    finally:
        bar.empty()


@st.cache_data(show_spinner="Preparing the sound …", max_entries=8)
def upload_wav(data: bytes) -> bytes:
    """An upload as WAV, for files that browsers cannot play."""
    return waveform.as_wav(waveform.load(BytesIO(data), max_s=settings().max_audio_s))


@st.cache_data(show_spinner=False, max_entries=50)
def upload_artist(data: bytes) -> str:
    """The artist that the tags of an upload name; '' if they name none."""
    return waveform.probe(BytesIO(data)).tags.get("artist", "")


@st.cache_data(show_spinner="Preparing the sound …", max_entries=50)
def upload_alone(data: bytes, patch: tuple[float, float, float, float]) -> bytes:
    """A patch of an upload, and a little before and after, without the other frequencies, as WAV."""
    start_s, end_s, low_hz, high_hz = patch
    y = waveform.excerpt(BytesIO(data), start_s - AROUND_S, end_s + AROUND_S, max_s=settings().max_audio_s)
    return waveform.as_wav(heard_alone(y, low_hz, high_hz))


@st.cache_data(show_spinner="Listening …", max_entries=8)
def _upload_codes(data: bytes, folder: str, created_at: str) -> CodeArray:
    recipe, filters, limits = _model(folder, created_at).recipe, _model(folder, created_at).filters, settings()
    codes, _ = codes_of(
        BytesIO(data), recipe, filters=filters, max_s=limits.max_audio_s, max_bytes=limits.max_audio_bytes
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
    answers = [(name, memory.get((upload_key(data), weights))) for name, data in get(UPLOADS) or []]
    return [(name, answer) for name, answer in answers if isinstance(answer, Prediction)]
