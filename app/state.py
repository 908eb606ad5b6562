"""Every cache of the app, and every key of `st.session_state`: nowhere else is either touched."""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import streamlit as st

from core.audio import waveform
from core.audio.store import SpectrogramStore
from core.database import Database
from core.inference.prediction import Prediction, predict
from core.jobs import worker
from core.jobs.queue import Job, Queue
from core.learning import model as models
from core.library.importing import PreviewRow, preview
from core.library.runs import Runs
from core.library.store import Library
from core.music import CodeArray, FloatArray
from core.recipes import SpectrogramRecipe
from core.settings import Settings

FOLDER = "folder"
"""The folder typed or chosen on the library page."""
PLAYING = "playing"
"""Track that sounds on the library page."""
PLAY_CLICK = "play-click"
"""The sound button of a row that was clicked just now."""
UPLOADER = "uploader"
"""The box for uploads; Streamlit empties it when another page is looked at."""
UPLOADS = "uploads"
"""Files dropped on the predict page; an own copy, so that they are still there after a look at another page."""
PREDICTIONS = "predictions"
"""Answers given in this session, by upload and model."""

RECIPE = SpectrogramRecipe()
"""The spectrograms the app makes and shows."""


@st.cache_resource
def settings() -> Settings:
    """The workspace."""
    return Settings()


@st.cache_resource
def database() -> Database:
    """The workspace's database, migrated."""
    return Database(settings().database)


def library() -> Library:
    """The library of music."""
    return Library(database())


def runs() -> Runs:
    """The history of trainings."""
    return Runs(database())


def queue() -> Queue:
    """The queue of jobs."""
    return worker.open_queue(settings(), database())


def begin(job: Job) -> None:
    """See to it that a worker is there to do `job`."""
    worker.ensure_worker(settings(), queue())


def get(key: str, default: Any = None) -> Any:
    """What this session remembers under one of the keys above."""
    return st.session_state.get(key, default)


def put(key: str, value: Any) -> None:
    """Remember something for this session."""
    st.session_state[key] = value


@st.cache_data(show_spinner="Reading the tags of the first songs …", ttl=60, max_entries=5)
def import_preview(directory: str, csv_file: str | None) -> tuple[list[PreviewRow], int]:
    """What an import of this folder would give, from a sample of its files; the number of its files."""
    return preview(Path(directory), csv_file=Path(csv_file) if csv_file else None)


@st.cache_data(show_spinner=False, max_entries=20)
def envelope(path: str, sha256: str) -> FloatArray:
    """A song's waveform, (n, 2), 20 points a second."""
    return waveform.envelope(waveform.blocks(Path(path), max_s=settings().max_audio_s))


@st.cache_data(show_spinner=False, max_entries=20)
def spectrogram(sha256: str) -> CodeArray:
    """A song's spectrogram, (n_frames, n_mels) uint8."""
    return SpectrogramStore(settings().spectrograms, RECIPE.fingerprint).read(sha256)


@st.cache_data(show_spinner="Preparing the sound …", max_entries=8)
def wav(path: str, sha256: str) -> bytes:
    """A song as WAV, for files that browsers cannot play."""
    return waveform.as_wav(waveform.load(Path(path), max_s=settings().max_audio_s))


@st.cache_data(show_spinner="Preparing the sound …", max_entries=8)
def upload_wav(data: bytes) -> bytes:
    """An upload as WAV, for files that browsers cannot play."""
    return waveform.as_wav(waveform.load(BytesIO(data), max_s=settings().max_audio_s))


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


def prediction(entry: models.Entry, data: bytes) -> Prediction:
    """What a model says of an upload; `AudioError` if the file cannot be used. Shows progress, answers twice at once."""
    memory: dict[tuple[str, str], Prediction] = get(PREDICTIONS) or {}
    key = (upload_key(data), entry.card.weights_sha256 if entry.card else "")
    if key not in memory:
        bar = st.progress(0.0, "Listening …")
        limits = settings()
        try:
            memory[key] = predict(
                BytesIO(data),
                model(entry),
                max_s=limits.max_audio_s,
                max_bytes=limits.max_audio_bytes,
                on_progress=lambda share: bar.progress(share, "Recognising genres …"),
            )
        finally:
            bar.empty()
        put(PREDICTIONS, dict(list(memory.items())[-50:]))
    return memory[key]
