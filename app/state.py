"""Every cache of the library, and every session key of its pages.

Beside `session` and `answers`, which know no library, nowhere else is either touched.
"""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import streamlit as st

from app import charts, session
from core import doctor
from core.audio import waveform
from core.audio.character import Character
from core.audio.character import character as character_of
from core.audio.store import SpectrogramStore
from core.collecting.places import pauses
from core.database import Database
from core.inference import apart
from core.inference.neighbours import Neighbourhood
from core.jobs import worker
from core.jobs.compute import Limits
from core.jobs.queue import Job, Queue
from core.keeping import backup, disk
from core.learning import model as models
from core.learning import reporting, sharing
from core.learning.comparison import compare_evaluations
from core.library import edits, sample
from core.library.catalogue import Catalogue
from core.library.collection import Collection
from core.library.embeddings import Embedded, Embeddings
from core.library.evaluations import EvaluatedSong, Evaluation, Evaluations
from core.library.genres import Genre, Genres
from core.library.importing import PreviewRow, preview
from core.library.label_reviews import LabelReviews
from core.library.playlists import Comparison, PlaylistRow, Playlists, Reading
from core.library.reviews import Reviews
from core.library.runs import Run, Runs
from core.library.store import Library, TrackRow
from core.music import CodeArray, FloatArray, PlaylistHit, Song
from core.quality.asked import Asked
from core.quality.asked import asked as asked_about
from core.recipes import SpectrogramRecipe
from core.sources.contract import PlaylistSource
from core.sources.registry import sources as all_sources
from core.sources.spotify_signin import SignIn

Result = TypeVar("Result")

get, put, take, tell, settings = session.get, session.put, session.take, session.tell, session.settings
"""What a session remembers, and where the workspace is: pages of the library ask for these, too, here."""

FOLDER = "folder"
"""The folder typed or chosen on the library page."""
PLAYING = "playing"
"""Track that sounds on the library page."""
PLAY_CLICK = "play-click"
"""The sound button of a row that was clicked just now."""
MAP_KIND, MAP_MOUSE = "map-kind", "map-mouse"
"""How the map is drawn, and what the mouse does on it."""

VIEW = "view"
"""What the Genres page shows."""
EXPLORE_VIEW, WORDS, OF_GENRE = "show", "words", "genre"
"""What the Explore page shows, and which songs it offers: those that hold these words, and of this genre. In its address, too."""
COMPARED_KIND, COMPARED_GENRES, COMPARED_SONGS = "compare", "genres", "compared-songs"
"""What the Explore page compares: songs or genres, and which."""
LOOKED_AT = "looked-at"
"""Track to open the Explore page with."""
SIGN_IN = "sign-in"
"""Address and state of a Spotify sign-in that this session has begun."""
DROPPED = "dropped"
"""How often something was dropped or pasted: counted up to empty the boxes for playlist files, songs and mappings."""
FAILED_FILES = "failed-files"
"""Files just dropped that could not be read, and why."""
COMPLAINT = "complaint"
"""What was wrong with what was typed into a table."""
ACCEPTED = "accepted"
"""Jobs that read what a search found and a person accepted, by reading."""
ONLY_WITHOUT = "only-without"
"""Show only playlists that stand for nothing yet."""
COLLECT_VIEW = "collect-view"
"""What the Collect page shows."""
REVIEWED = "reviewed"
"""The doubtful track that is before the person: it stays there, whatever jobs come to meanwhile."""
DECIDED = "decided"
"""The track that each edit of this session was about, by edit, so that undoing one brings its track back."""
SETTLED = "settled"
"""How often a track was decided on: counted up to untick the row that it had."""
LABEL_VIEW, LABEL_ORDER, LABEL_GENRE = "label-view", "label-order", "label-genre"
"""What the Label page shows: labels or twins; in which order; of which genre."""
LABELLED = "labelled"
"""The song that is before the person on the Label page."""
WHO = "who"
"""Whose word hand votes are."""
ALIKE = "alike"
"""Sounds that were compared with each other, and the pairs of them that are alike."""
SILENT = "silent"
"""Doubtful matches are not played by themselves: a person stopped one."""
ADD_OPEN, SEARCH_OPEN, SHARE_OPEN = "add-open", "search-open", "share-open"
"""Parts of the Playlists page that stay open while the page changes around them."""
EVALUATION, COMPARED = "evaluation", "compared"
"""The evaluation that the Evaluate page shows, and the one it is held against."""
EVALUATE_VIEW = "evaluate-view"
"""What the Evaluate page shows of it."""
SYSTEM_VIEW = "system-view"
"""What the System page shows."""
HEARD = "heard"
"""Which songs of an evaluation are being heard, and the place among them."""
BEGIN_OPEN = "begin-open"
"""The part of the Evaluate page that begins an evaluation stays open while the page changes around it."""

SIGN_IN_S = 600.0
"""A sign-in that did not come back within this time is forgotten, seconds."""
PREVIEWED_S = 10.0
"""A file whose tags take longer to read is previewed without them, seconds."""
RECIPE = SpectrogramRecipe()
"""The spectrograms the app makes and shows."""


@st.cache_resource
def database() -> Database:
    """The workspace's database, migrated."""
    return Database(settings().database)


def library() -> Library:
    """The library of music."""
    return Library(database())


def playlists() -> Playlists:
    """Playlists and what they stand for."""
    return Playlists(database())


def genres() -> Genres:
    """The genre vocabulary."""
    return Genres(database())


def collection() -> Collection:
    """How far the collecting of sound is."""
    return Collection(database())


def reviews() -> Reviews:
    """A person's decisions on what was found."""
    return Reviews(database())


@st.cache_resource(show_spinner=False, max_entries=2)
def _collecting_states(version: int) -> Mapping[int, str]:
    return {track_id: standing.state for track_id, standing in collection().standings().items()}


def collecting_states() -> Mapping[int, str]:
    """How far each track is that was tried; cached as `tracks`."""
    return _collecting_states(database().version())


def paused_hosts() -> list[tuple[str, datetime]]:
    """Hosts that songs are fetched from and that ask for a pause: the title of each, and until when (local time)."""
    return [(title, until.astimezone()) for title, until in pauses(settings())]


def catalogue() -> Catalogue:
    """Which tracks are the same."""
    return Catalogue(database())


def latest_edit() -> edits.Edit | None:
    """The edit that `undo` takes back."""
    return edits.latest_edit(database())


def undo(edit_id: int) -> None:
    """Take back the latest edit. A doubtful track, or label, that it was about is before the person again."""
    edits.undo(database(), edit_id)
    if track_id := (get(DECIDED) or {}).get(edit_id):
        put(REVIEWED, track_id)
        put(LABELLED, track_id)


def decided(track_id: int) -> None:
    """The latest edit was about this track; whatever rows were ticked are so no more."""
    if edit := latest_edit():
        put(DECIDED, {**(get(DECIDED) or {}), edit.id: track_id})
    put(SETTLED, get(SETTLED, 0) + 1)


def runs() -> Runs:
    """The history of trainings."""
    return Runs(database())


@st.cache_resource(show_spinner=False, max_entries=8)
def _run(version: int, name: str) -> Run:
    return runs().get(name)


def run(name: str) -> Run:
    """A training by its name; cached as `tracks`, for its plan names every song."""
    return _run(database().version(), name)


@st.cache_resource(show_spinner=False, max_entries=4)
def _division(run_id: int, created_at: str, _plan: Mapping[str, Any]) -> Mapping[str, int]:
    from core.learning.plan import Plan  # torch and scikit-learn: only where a training is looked at
    from core.learning.splits import unknown_artists

    split = Plan.from_json(dict(_plan)).split
    sides = {side: len(songs) for side, songs in vars(split).items()}
    return {**sides, "unknown": unknown_artists(split.train + split.test)}


def division(run: Run) -> Mapping[str, int] | None:
    """How many songs of a training are `train`, `validation`, `test`, `left_out`, and without an artist's name (`unknown`).

    None before it has divided them, which it does once.
    """
    return _division(run.id, run.created_at, run.plan) if run.plan else None


@st.cache_resource(show_spinner=False, max_entries=2)
def _states(version: int) -> Mapping[str, str]:
    return runs().states()


def run_states() -> Mapping[str, str]:
    """Every training and how it stands, the newest first; cached as `tracks`."""
    return _states(database().version())


def run_results() -> Sequence[Mapping[str, Any]]:
    """What every finished training came to, the newest first; cached as `tracks`."""
    return kept(lambda: runs().results(), "run results")


def evaluation_room() -> Evaluations:
    """What networks answered about songs they had not learned from."""
    return Evaluations(database())


@st.cache_resource(show_spinner=False, max_entries=2)
def _evaluations(version: int) -> list[Evaluation]:
    return evaluation_room().finished()


def evaluations() -> list[Evaluation]:
    """All evaluations that have finished, newest first; cached as `tracks`."""
    return _evaluations(database().version())


@st.cache_resource(show_spinner=False, max_entries=4)
def _evaluated_songs(evaluation_id: int, finished_at: str | None) -> list[EvaluatedSong]:
    return evaluation_room().songs(evaluation_room().get(evaluation_id))


@st.cache_resource(show_spinner=False, max_entries=4)
def _figures(evaluation_id: int, finished_at: str | None) -> dict[str, Any]:
    evaluation = evaluation_room().get(evaluation_id)
    return reporting.figures(evaluation, evaluated_songs(evaluation))


def figures(evaluation: Evaluation) -> dict[str, Any]:
    """All figures of an evaluation that has finished. Not to be changed."""
    return _figures(evaluation.id, evaluation.finished_at)


@st.cache_resource(show_spinner="Comparing …", max_entries=4)
def _comparison(first: int, second: int, finished_at: tuple[str | None, str | None]) -> dict[str, Any]:
    return compare_evaluations(evaluation_room(), first, second)


def comparison(first: Evaluation, second: Evaluation) -> dict[str, Any]:
    """Two evaluations that have finished, held against each other. `LibraryError` if they have no song in common."""
    return _comparison(first.id, second.id, (first.finished_at, second.finished_at))


def evaluated_songs(evaluation: Evaluation) -> list[EvaluatedSong]:
    """The songs of an evaluation that has finished. Not to be changed."""
    return _evaluated_songs(evaluation.id, evaluation.finished_at)


def queue() -> Queue:
    """The queue of jobs."""
    return worker.open_queue(settings(), database())


def begin(job: Job) -> None:
    """See to it that a worker is there to do `job`."""
    worker.ensure_worker(settings(), queue())


@st.cache_resource(show_spinner=False, max_entries=2)
def _tracks(version: int) -> list[TrackRow]:
    return library().tracks(RECIPE.fingerprint)


def tracks() -> list[TrackRow]:
    """All tracks, newest last; read again only if the library was written to. Not to be changed."""
    return _tracks(database().version())


@st.cache_resource(show_spinner=False, max_entries=2)
def _all_kept(version: int) -> dict[tuple[Any, ...], Any]:
    return {}


def kept(work: Callable[[], Result], *what: Any) -> Result:
    """What `work` makes of the library: done once, then kept until something is written. Not to be changed.

    `what` says what it is, with all that it depends on besides the library.
    """
    room = _all_kept(database().version())  # what was kept of older versions goes with them
    if what not in room:
        room[what] = work()
    return cast(Result, room[what])


def counts() -> Mapping[str, int]:
    """How much there is in the library (`Library.counts`); cached as `tracks`."""
    return kept(lambda: library().counts(RECIPE.fingerprint), "counts")


def sample_tracks() -> list[int]:
    """The made-up songs of the sample library; cached as `tracks`."""
    return kept(lambda: sample.track_ids(database(), settings()), "sample")


@st.cache_data(show_spinner="Looking at this machine …", ttl=600, max_entries=2)
def _findings() -> list[doctor.Finding]:
    return doctor.examine(settings())


def findings() -> list[doctor.Finding]:
    """What is there and what is missing on this machine; looked at anew after ten minutes, or `look_again`."""
    return _findings()


def look_again() -> None:
    """Findings of before are let go."""
    _findings.clear()


@st.cache_data(show_spinner="Looking at every file …", ttl=60, max_entries=2)
def _disk_uses(version: int) -> list[disk.Use]:
    return disk.measure(database(), settings())


def disk_uses() -> list[disk.Use]:
    """What of the workspace takes how much disk; looked at anew after a minute, or when the library changed."""
    return _disk_uses(database().version())


@st.cache_data(show_spinner="Looking at every file …", ttl=60, max_entries=2)
def _backup_sizes(version: int) -> dict[backup.Holds, int]:
    return backup.sizes(database(), settings())


def backup_sizes() -> Mapping[backup.Holds, int]:
    """Bytes that each kind of backup would take; as `disk_uses`."""
    return _backup_sizes(database().version())


def forget_disk_uses() -> None:
    """Files have gone or come."""
    _disk_uses.clear()
    _backup_sizes.clear()


def free_bytes() -> int:
    """Free on the disk of the workspace."""
    return shutil.disk_usage(settings().data).free


def label_reviews() -> LabelReviews:
    """A person's decisions on labels."""
    return LabelReviews(database())


def who() -> str:
    """Whose word hand votes are."""
    return str(get(WHO) or "").strip() or "you"


@st.cache_resource(show_spinner="Comparing labels with answers …", max_entries=2)
def _asked(version: int) -> Asked | None:
    return asked_about(tracks(), Evaluations(database()), label_reviews())


def asked() -> Asked | None:
    """How labels stand by the latest answers of a machine that had not learned from them; cached as `tracks`."""
    return _asked(database().version())


@st.cache_resource(show_spinner=False, max_entries=2)
def _songs(version: int) -> list[Song]:
    return library().songs(RECIPE.fingerprint)


def songs() -> list[Song]:
    """Every song to learn from; cached as `tracks`."""
    return _songs(database().version())


@st.cache_resource(show_spinner="Averaging spectra …", max_entries=2)
def _mean_spectra(version: int) -> Mapping[str, FloatArray]:
    return library().mean_spectra(RECIPE.fingerprint)


def mean_spectra() -> Mapping[str, FloatArray]:
    """The mean spectrum of each genre, (n_mels,) dB; cached as `tracks`."""
    return _mean_spectra(database().version())


@st.cache_resource(show_spinner=False, max_entries=2)
def _vocabulary(version: int) -> list[Genre]:
    return genres().all()


def vocabulary() -> list[Genre]:
    """All genres in their order; cached as `tracks`."""
    return _vocabulary(database().version())


def colours() -> Mapping[str, str]:
    """The colour of each genre: the one a person gave it, else one that stays as other genres come."""
    oldest_first = sorted(vocabulary(), key=lambda genre: genre.id)
    return {
        genre.name: genre.colour or charts.COLOURS[place % len(charts.COLOURS)]
        for place, genre in enumerate(oldest_first)
    }


def parents() -> Mapping[str, str]:
    """The genre above each genre that has one."""
    return {genre.name: genre.parent for genre in vocabulary() if genre.parent}


@st.cache_resource(show_spinner=False, max_entries=2)
def _playlist_rows(version: int) -> list[PlaylistRow]:
    return playlists().all()


def playlist_rows() -> list[PlaylistRow]:
    """All playlists; cached as `tracks`."""
    return _playlist_rows(database().version())


@st.cache_resource(show_spinner="Comparing with what is there …", max_entries=4)
def _waiting(version: int, searched: bool) -> list[tuple[Reading, Comparison]]:
    return [(reading, playlists().compare(reading.playlist)) for reading in playlists().readings(searched=searched)]


def waiting(*, searched: bool) -> list[tuple[Reading, Comparison]]:
    """What was read, or found by a search, and waits for a person, beside what is there; cached as `tracks`."""
    return _waiting(database().version(), searched)


@st.cache_resource
def sources() -> Mapping[str, PlaylistSource]:
    """All sources of playlists."""
    return all_sources(settings())


@st.cache_data(show_spinner=False, max_entries=2000)
def _guess_genre(title: str, names: tuple[str, ...]) -> str | None:
    return genres().guess(title)


def guess_genre(title: str) -> str | None:
    """The genre that a playlist's title names."""
    return _guess_genre(title, tuple(genre.name for genre in vocabulary()))


@st.cache_data(show_spinner="Asking Spotify for your playlists …", ttl=300)
def _own_spotify_playlists(who: str) -> list[PlaylistHit]:
    return sign_in().own_playlists()


def own_spotify_playlists() -> list[PlaylistHit]:
    """The playlists of who is signed in to Spotify; asked again after five minutes."""
    return _own_spotify_playlists(sign_in().signed_in_as() or "")


_SIGN_INS: dict[str, tuple[str, str, float]] = {}
"""Sign-ins that wait for their browser: (verifier, redirect, begun at) by state. A redirect is a new session."""


def begin_sign_in(redirect_uri: str) -> str:
    """Where to send the browser to sign in to Spotify; the same address throughout a session."""
    waiting, now = _SIGN_INS, time.monotonic()
    for state in [state for state, (_, _, begun) in list(waiting.items()) if now - begun > SIGN_IN_S]:
        waiting.pop(state, None)
    begun = get(SIGN_IN)
    if begun is None or begun[1] not in waiting:
        address, state, verifier = SignIn(settings()).begin(redirect_uri)
        waiting[state] = (verifier, redirect_uri, now)
        begun = (address, state)
        put(SIGN_IN, begun)
    return str(begun[0])


def finish_sign_in(code: str, state: str) -> bool:
    """Take a browser back that Spotify has sent; False if no sign-in was begun here under this state."""
    verifier, redirect_uri, _ = _SIGN_INS.pop(state, ("", "", 0.0))
    if not verifier:
        return False
    SignIn(settings()).finish(code, verifier, redirect_uri)
    return True


def sign_in() -> SignIn:
    """Who is signed in to Spotify."""
    return SignIn(settings())


@st.cache_data(show_spinner="Reading the tags of the first songs …", ttl=60, max_entries=5)
def import_preview(directory: str, csv_file: str | None) -> tuple[list[PreviewRow], int]:
    """What an import of this folder would give, from a sample of its files; the number of its files."""
    limits = replace(Limits.of(settings()), seconds=PREVIEWED_S)
    read = partial(apart.read_tags, limits=limits, keep=True)
    return preview(Path(directory), csv_file=Path(csv_file) if csv_file else None, read=read)


@st.cache_data(show_spinner=False, max_entries=20)
def spectrogram(sha256: str) -> CodeArray:
    """A song's spectrogram, (n_frames, n_mels) uint8."""
    return SpectrogramStore(settings().spectrograms, RECIPE.fingerprint).read(sha256)


@st.cache_data(show_spinner=False, max_entries=500)
def character(sha256: str) -> tuple[Character, FloatArray]:
    """A song's figures and mean course (`core.audio.character`)."""
    return character_of(spectrogram(sha256), RECIPE)


@st.cache_data(show_spinner="Preparing the sound …", max_entries=8)
def wav(path: str, sha256: str) -> bytes:
    """A song as WAV, for files that browsers cannot play."""
    max_s = settings().max_audio_s
    return waveform.as_wav(apart.excerpt(Path(path), 0.0, max_s, limits=Limits.of(settings()), max_s=max_s, keep=True))


@st.cache_data(show_spinner="Packing the model …", max_entries=2)
def _model_zip(folder: str, created_at: str) -> bytes:
    return sharing.as_zip(Path(folder))


def model_zip(entry: models.Entry) -> bytes:
    """A model as one zip file; `ModelError` if it is damaged."""
    return _model_zip(str(entry.folder), entry.card.created_at if entry.card else "")


def embeddings(entry: models.Entry) -> Embeddings:
    """Where songs lie for a model."""
    return Embeddings(database(), entry.card.onnx_sha256 if entry.card else "")


@st.cache_resource(show_spinner=False, max_entries=3)
def _embedded(version: int, network: str) -> Embedded:
    return Embeddings(database(), network).all()


def embedded(entry: models.Entry) -> Embedded:
    """The songs that a model has embedded; cached as `tracks`."""
    return _embedded(database().version(), entry.card.onnx_sha256 if entry.card else "")


@st.cache_resource(show_spinner=False, max_entries=3)
def _neighbourhood(version: int, network: str) -> Neighbourhood:
    known = _embedded(version, network)
    return Neighbourhood(known.track_ids, known.vectors)


def neighbourhood(entry: models.Entry) -> Neighbourhood:
    """The same songs, to be asked which are nearest; cached as `tracks`."""
    return _neighbourhood(database().version(), entry.card.onnx_sha256 if entry.card else "")


@st.cache_resource(show_spinner=False, max_entries=3)
def _song_places(version: int, network: str) -> Mapping[int, tuple[float, float]]:
    return Embeddings(database(), network).map()


def song_places(entry: models.Entry) -> Mapping[int, tuple[float, float]]:
    """The fine map of a model, by track; empty if none was drawn. Cached as `tracks`."""
    return _song_places(database().version(), entry.card.onnx_sha256 if entry.card else "")
