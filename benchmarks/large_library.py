"""A library of 20,000 songs in 20 genres, from import to what sounds alike: time and peak memory of every stage.

`python -m benchmarks.large_library [--songs 20000] [--genres 20] [--seconds 30] [--work DIR]`. Each stage is a process of its own.
The songs are made up: a second of sound each, to import; and straight as a spectrogram file of `--seconds`, in which a genre
has bands of its own, so that a network can learn it. 20,000 of 30 s take 3 GB and about half an hour on two cores. Not part
of `make bench`.
"""

import argparse
import tempfile
import time
import wave
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import children, made_up
from benchmarks.made_up import RECIPE
from core.database import Database
from core.library.store import Library
from core.music import Song
from core.settings import Settings

if TYPE_CHECKING:
    from core.learning.model import Model

SAMPLE_RATE = 8_000
MODEL = "one epoch"
STAGES = ("imported", "browsed", "trained", "evaluated", "predicted", "embedded", "alike")


def main() -> None:
    """Make the library, then run and print one stage after another."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--songs", type=int, default=20_000)
    asked.add_argument("--genres", type=int, default=20)
    asked.add_argument("--seconds", type=float, default=30.0)
    asked.add_argument("--work", type=Path, help="an empty folder, which is kept (default: one that is not)")
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = (told.work or Path(scratch)).resolve()
        if work.is_dir() and any(work.iterdir()):
            asked.error(f"{work} is not empty.")
        print(f"{told.songs:,} songs in {told.genres} genres, spectrograms of {told.seconds:g} s\n")
        print("| stage | time | peak memory | |\n|---|---|---|---|", flush=True)
        arguments = {"work": str(work), "n": told.songs, "n_genres": told.genres, "seconds": told.seconds}
        _stage("sounds", arguments)
        for name in STAGES:
            _stage(name, arguments)
            if name == "imported":
                _stage("spectrograms", arguments)


def _stage(name: str, arguments: dict[str, Any]) -> None:
    ended = children.call("benchmarks.large_library:run", name, arguments)
    seconds, what, details = ended.answer
    print(f"| {what} | {seconds:.1f} s | {ended.peak_mb:.0f} MB | {details} |", flush=True)


def run(name: str, arguments: dict[str, Any]) -> tuple[float, str, str]:
    """A stage: its seconds (without what Python takes to start), what it is, and details."""
    begun = time.perf_counter()
    what, details = globals()[name](Home(**arguments))
    return time.perf_counter() - begun, what, details


class Home:
    """The workspace, and the songs that belong into it. What only some stages need is imported by these."""

    def __init__(self, work: str, n: int, n_genres: int, seconds: float) -> None:
        self.sounds, self.n, self.n_genres, self.seconds = Path(work) / "songs", n, n_genres, seconds
        self.settings = Settings(home=Path(work) / "home")
        self.database = Database(self.settings.database)
        self.library = Library(self.database)

    def made(self) -> list[Song]:
        """The songs."""
        return made_up.songs(self.n, seconds=self.seconds, n_genres=self.n_genres)

    def model(self) -> "Model":
        """The model that was trained, loaded."""
        from core.learning import model

        return model.load(self.settings.models / MODEL)


# -- making the library ------------------------------------------------------------------------------------------------


def sounds(home: Home) -> tuple[str, str]:
    """One second of noise each, in folders named after the genres."""
    for number, song in enumerate(home.made()):
        path = home.sounds / song.label.top / f"{song.artist} - {song.title}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(-8000, 8000, SAMPLE_RATE, np.int16)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(noise.tobytes())
    return "(making the sounds)", ""


def spectrograms(home: Home) -> tuple[str, str]:
    """A spectrogram file of every song that was imported, and its row."""
    from benchmarks.filled import give_spectrograms

    with home.database.read() as db:
        rows = db.execute(
            "SELECT audio_files.id, sha256, title FROM audio_files JOIN tracks ON tracks.id = track_id"
        ).fetchall()
    of_title = {row["title"]: row for row in rows}
    known = [replace(song, sha256=of_title[song.title]["sha256"]) for song in home.made() if song.title in of_title]
    bands = made_up.write(home.settings.spectrograms, known, n_genres=home.n_genres)
    made = [
        (of_title[song.title]["id"], song.n_frames, mean, std) for song, (mean, std) in zip(known, bands, strict=True)
    ]
    with home.database.write() as db:
        give_spectrograms(db, made, home.seconds)
    return "(making the spectrograms)", ""


# -- the stages --------------------------------------------------------------------------------------------------------


def imported(home: Home) -> tuple[str, str]:
    """Import the folder."""
    from core.library.importing import import_folder

    told = import_folder(home.library, home.settings, home.sounds, genre_from="folder")
    return "import", f"{told['imported']:,} songs, {len(told['failed'])} failed"


def browsed(home: Home) -> tuple[str, str]:
    """The library page, as it is first opened and as it is after a click."""
    from benchmarks.reruns import rerun

    told = rerun(home.settings.home, "library", reruns=10)
    return "browse", f"the library page: first run {told.first:.0f} ms, rerun {told.median:.0f} ms"


def trained(home: Home) -> tuple[str, str]:
    """One epoch with the default recipe, from the split to the published model."""
    from core.learning.plan import Request
    from core.learning.training import train
    from core.library.runs import Runs
    from core.recipes import TrainingRecipe

    begun = time.perf_counter()
    first: dict[str, float] = {}
    last: dict[str, float] = {}

    def on_progress(done: int, total: int, message: str, left: float | None) -> None:
        word = message.partition(" ")[0]
        last[word] = time.perf_counter()
        first.setdefault(word, last[word])

    told = train(
        home.library,
        Runs(home.database),
        home.settings,
        MODEL,
        TrainingRecipe(epochs=1),
        Request(None),
        on_progress=on_progress,
    )
    moments = [begun, first["Epoch"], last["Epoch"], first["Testing"], time.perf_counter()]
    parts = (
        "same recordings and split",
        "learning and validation",
        "fitting and calibration",
        "testing and publishing",
    )
    split = ", ".join(
        f"{part} {end - start:.0f} s" for part, start, end in zip(parts, moments, moments[1:], strict=False)
    )
    right = told["test"]["accuracy"]
    return (
        "train one epoch",
        f"{told['steps']} steps, {told['crops_per_second']:.0f} crops a second, {right:.0%} right; {split}",
    )


def evaluated(home: Home) -> tuple[str, str]:
    """The model's figures on its test songs, kept song by song."""
    from core.learning import evaluation
    from core.library.evaluations import Evaluations

    loaded = home.model()
    songs, keep = home.library.songs(RECIPE.fingerprint), evaluation.Keep(Evaluations(home.database))
    told = evaluation.evaluate_test_songs(loaded, songs, home.settings, keep=keep)
    return "evaluate", f"{told['songs']:,} test songs"


def predicted(home: Home) -> tuple[str, str]:
    """A song that was not in the library."""
    from core.inference.prediction import predict
    from tests.sounds import drone, write_sound

    path = write_sound(home.sounds.parent / "another.mp3", drone(np.random.default_rng(0), home.seconds))
    loaded = home.model()
    begun = time.perf_counter()
    predict(path, loaded)
    return "predict one song", f"of {home.seconds:g} s; {time.perf_counter() - begun:.2f} s once the model is loaded"


def embedded(home: Home) -> tuple[str, str]:
    """Place every song, once for all."""
    from core.audio.store import SpectrogramStore
    from core.inference.embedding import embed_library
    from core.library.embeddings import Embeddings

    loaded = home.model()
    store = SpectrogramStore(home.settings.spectrograms, RECIPE.fingerprint)
    n = embed_library(Embeddings(home.database, loaded.card.onnx_sha256), store, loaded)
    return "embed all songs", f"{n:,} songs"


def alike(home: Home) -> tuple[str, str]:
    """The songs most like one."""
    from core.inference.neighbours import Neighbourhood, similar
    from core.library.embeddings import Embeddings

    known = Embeddings(home.database, home.model().card.onnx_sha256).all()
    tracks = {track.id: track for track in home.library.tracks(RECIPE.fingerprint)}
    neighbourhood = Neighbourhood(known.track_ids, known.vectors)
    begun = time.perf_counter()
    found = similar(neighbourhood, tracks, known.vectors[0], sha256=known.sha256s[0])
    asked_ms = 1000 * (time.perf_counter() - begun)
    label = tracks[known.track_ids[0]].label
    same = sum(label is not None and one.label == label.top for one in found)
    return "songs like one", f"{asked_ms:.0f} ms once they are read; {same} of {len(found)} of its genre"


if __name__ == "__main__":
    main()
