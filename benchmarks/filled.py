"""A library of playlist tracks in 20 genres, filled quickly, to measure what is slow with many.

Nine in ten tracks have sound and a spectrogram, half of these by collecting; of the others some are doubtful, some failed,
some wait. A network was trained on the songs, tested on them twice, and has placed them on a map.

What a job does a song at a time, each in a transaction of its own, is written here at once, in the same shape: a transaction
waits for the disk, and 200,000 of them would take an hour.
"""

import json
import shutil
import sqlite3
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks import bench_playlists
from core.database import Database, now
from core.learning import metrics, model
from core.learning.plan import Plan, Request
from core.learning.splits import Split
from core.library.candidates import Sound
from core.library.embeddings import Embeddings
from core.library.evaluations import EvaluatedSong, Evaluations
from core.library.runs import Epoch, Runs
from core.library.store import Library, TrackRow
from core.music import Candidate, FloatArray, Song
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import PROJECT, Settings

WITH_SOUND, COLLECTED, TRIED = 0.9, 0.5, 0.967
"""Shares of the tracks, in their order: up to here they have sound; from here on it was collected; up to here others are
doubtful or failed, half of them each."""
FRAMES, DURATION_S = 7000, 224.0
RECIPE = SpectrogramRecipe()
STARTER = PROJECT / "models" / "genrescope-starter"


def fill(home: str, n: int) -> int:
    """A library of about `n` tracks, with all that is in one; how many they are."""
    settings = Settings(home=Path(home))
    bench_playlists.add(settings.home, bench_playlists.listed(n))
    database = Database(settings.database)
    tracks = Library(database).tracks("")
    with_sound = tracks[: round(WITH_SOUND * len(tracks))]
    with database.write() as db:
        give_sound(db, with_sound)
        give_spectrograms(db, [(track.id, FRAMES, *_bands()) for track in with_sound], DURATION_S)
        collect(db, tracks)
    train(settings, database)
    return len(tracks)


def give_sound(db: sqlite3.Connection, tracks: list[TrackRow]) -> None:
    """An audio file for every track; its id is that of the track."""
    db.executemany(
        "INSERT INTO audio_files (id, track_id, sha256, path, copied, container, codec, sample_rate, channels, duration_s, "
        "size_bytes, mtime_ns, state) VALUES (?1, ?1, ?2, ?3, 0, 'mp3', 'mp3', 44100, 2, ?4, 1, 1, 'ok')",
        [(track.id, f"{track.id:064x}", f"/music/{track.id}.mp3", DURATION_S) for track in tracks],
    )


def give_spectrograms(
    db: sqlite3.Connection, made: list[tuple[int, int, FloatArray, FloatArray]], duration_s: float
) -> None:
    """What preprocessing writes down: (audio id, frames, mean and deviation of the bands) of each file."""
    db.executemany(
        "INSERT INTO spectrograms VALUES (?, ?, 'done', '', ?, ?, ?, NULL, ?)",
        [
            (audio_id, RECIPE.fingerprint, n_frames, mean.tobytes(), std.tobytes(), now())
            for audio_id, n_frames, mean, std in made
        ],
    )
    ids = [(duration_s, audio_id) for audio_id, *_ in made]
    db.executemany("UPDATE audio_files SET duration_s = ? WHERE id = ?", ids)
    db.executemany("UPDATE tracks SET duration_s = ? WHERE id = (SELECT track_id FROM audio_files WHERE id = ?)", ids)


def collect(db: sqlite3.Connection, tracks: list[TrackRow]) -> None:
    """Candidates for tracks, and what became of them."""
    n = len(tracks)
    first, with_sound, tried = (round(share * n) for share in (COLLECTED, WITH_SOUND, TRIED))
    doubtful = (with_sound + tried) // 2
    candidates, standings, files = [], [], []
    for place, track in enumerate(tracks[first:tried], start=first):
        urls = [f"https://example.org/{track.id}/{number}" for number in range(5)]
        told: dict[str, str | None] = {"state": "fetched", "reason": "", "message": "", "url": urls[0]}
        sound = None
        if place < with_sound:
            found = Sound(
                f"/music/{track.id}.webm", f"{track.id:064x}", 1, 1, "matroska", "opus", 48_000, 2, DURATION_S
            )
            sound = json.dumps(asdict(found))
            files.append((found.path, track.id))
        elif place < doubtful:
            told["state"] = "doubtful"
        else:
            told |= {"state": "failed", "reason": "gone", "message": "Gone.", "url": None}
        standings.append((track.id, *told.values(), now(), now()))
        for number, url in enumerate(urls):
            candidate = Candidate(url, str(number), "A title", "A channel", duration_s=200.0)
            candidates.append((track.id, url, json.dumps(asdict(candidate)), sound if number == 0 else None))
    db.executemany(
        "INSERT INTO candidates (track_id, url, candidate, score, reasons, rules, sound) "
        "VALUES (?, ?, ?, 0.7, '{\"title\": 0.7}', 1, ?)",
        candidates,
    )
    db.executemany(
        "INSERT INTO collecting (track_id, state, reason, message, url, searched_at, job_id, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, 1, ?)",
        standings,
    )
    db.executemany(
        "UPDATE audio_files SET copied = 1, container = 'matroska', codec = 'opus', sample_rate = 48000, path = ? "
        "WHERE id = ?",
        files,
    )


def train(settings: Settings, database: Database) -> None:
    """A finished run on all songs with its model, two cross-validations, an embedding of every song, and a map."""
    rng = np.random.default_rng(0)
    songs = Library(database).songs(RECIPE.fingerprint)
    genres = tuple(sorted({song.label.top for song in songs}))
    truth = np.stack([song.label.vector(genres) for song in songs])
    evaluations = Evaluations(database)
    for name in ("default", "smaller"):
        spectra = rng.dirichlet(np.full(len(genres), 0.3), len(songs)).astype(np.float32)
        spectra = np.where(rng.random((len(songs), 1)) < 0.8, 0.3 * spectra + 0.7 * truth, spectra)
        report = metrics.report(truth, spectra, genres)
        about = {"recipe": {"network": name}, "protocol": "artist-folds", "folds": 4, "seed": 0}
        evaluation = evaluations.begin(name, "crossvalidation", about, genres)
        evaluations.add_songs(
            evaluation,
            [
                EvaluatedSong(song.sha256, "", song.title, song.artist, number % 4, truth[number], spectra[number])
                for number, song in enumerate(songs)
            ],
        )
        evaluations.finish(evaluation, report)
    runs = Runs(database)
    run = runs.begin("mine", TrainingRecipe(), Request().as_json())
    split = Split(tuple(songs[::3]), tuple(songs[1::3]), tuple(songs[2::3]))
    runs.plan(run, Plan(genres, split, RECIPE, "", 1000).as_json())
    for epoch in range(1, 17):
        told = (1.0, 1.0, 0.5, 0.8, report["confusion"], 1e-3, 100.0, 60.0, 60.0, epoch == 16)
        runs.add_epoch(run, Epoch(epoch, 60 * epoch, *told))
    runs.end(run, "finished", result={"name": "mine", "test": report})
    _publish(settings, split)
    _place(database, songs, truth, rng)


def _publish(settings: Settings, split: Split) -> None:
    """The model that comes along, under another name and with the songs it would have been trained on."""
    folder = settings.models / "mine"
    shutil.copytree(STARTER, folder)
    card = model.read_card(folder)
    told = {
        side: [
            {"sha256": song.sha256, "artist": song.artist, "title": song.title, "label": dict(song.label.weights)}
            for song in songs
        ]
        for side, songs in vars(split).items()
    }
    made = card.model_copy(update={"split": told, "created_at": now()})
    (folder / model.CARD).write_text(made.model_dump_json(indent=2), encoding="utf-8")


def _place(database: Database, songs: list[Song], truth: FloatArray, rng: np.random.Generator) -> None:
    """An embedding of every song, near those of its genre, and a map."""
    centres = rng.normal(0, 2, (truth.shape[1], 32))
    vectors = (centres[truth.argmax(axis=1)] + rng.normal(size=(len(songs), 32))).astype(np.float32)
    network = model.read_card(STARTER).onnx_sha256
    Embeddings(database, network).add((song.track_id, vector) for song, vector in zip(songs, vectors, strict=True))
    with database.write() as db:
        db.executemany(
            "INSERT INTO map_places VALUES (?, ?, ?, ?)",
            [(network, song.track_id, float(x), float(y)) for song, (x, y) in zip(songs, vectors[:, :2], strict=True)],
        )


def _bands() -> tuple[FloatArray, FloatArray]:
    return np.full(RECIPE.n_mels, -40, np.float32), np.full(RECIPE.n_mels, 9, np.float32)
