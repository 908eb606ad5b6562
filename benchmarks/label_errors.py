"""Are wrong labels found? A fifth of one genre pair's labels are swapped on purpose; how many come first in the queue.

`python -m benchmarks.label_errors` asks the default network, trained for a few minutes (8 minutes in all on two
cores). With `--stand-in` a support vector machine on the songs' mean bands is asked instead: a minute, and worse. With
`--workspace DIR` songs and spectrograms are taken from a workspace that has them, which is not written to.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.__main__ import SONGS
from core.database import Database
from core.learning.crossvalidation import Request, crossvalidate
from core.learning.folds import artist_folds
from core.library.edits import latest_edit, undo
from core.library.evaluations import EvaluatedSong, Evaluations
from core.library.importing import import_folder
from core.library.label_reviews import LabelReviews
from core.library.preprocessing import preprocess
from core.library.store import Library, TrackRow
from core.quality.asked import require_asked
from core.quality.queue import ranked
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings

PAIRS = (("pop", "rock"), ("classical", "electronic"))
"""The first blurs (both are mostly tagged "Alternative Rock"), the second does not."""
SHARE = 0.2
FIRST = 20
FOLDS = 4
MINUTES = 6.0
"""How long the networks learn, all folds of all pairs together."""
RECIPE = SpectrogramRecipe()

Ask = Callable[[Library, Evaluations, Settings], None]
"""Asks a machine about every song, and leaves a finished evaluation."""


@dataclass(frozen=True)
class Outcome:
    """Of `swapped` labels among `songs`, how many are among the first `swapped` of the queue, and among its first 20.

    `suspected` songs are suspected, `found` of them swapped.
    """

    songs: int
    swapped: int
    hits: int
    hits_first: int
    suspected: int
    found: int


def swapped_labels(
    tracks: Sequence[TrackRow], pair: tuple[str, str], rng: np.random.Generator, *, share: float = SHARE
) -> dict[int, str]:
    """The other genre of the pair for a share of the tracks labelled one of the two, drawn by `rng`; by track id."""
    other = {pair[0]: pair[1], pair[1]: pair[0]}
    of_pair = [track for track in tracks if track.label and track.label.top in other]
    drawn = rng.choice(len(of_pair), round(share * len(of_pair)), replace=False)
    return {of_pair[i].id: other[label.top] for i in sorted(drawn) if (label := of_pair[i].label)}


def outcome(order: Sequence[int], suspected: set[int], swapped: set[int]) -> Outcome:
    """What a queue of track ids, most suspicious first, came to."""
    return Outcome(
        len(order),
        len(swapped),
        len(swapped & set(order[: len(swapped)])),
        len(swapped & set(order[:FIRST])),
        len(suspected),
        len(swapped & suspected),
    )


def experiment(database: Database, settings: Settings, pair: tuple[str, str], ask: Ask, *, seed: int = 0) -> Outcome:
    """Swap labels, ask, look at the queue, and put the labels back."""
    library, evaluations = Library(database), Evaluations(database)
    before = latest_edit(database)
    wrong = swapped_labels(library.tracks(RECIPE.fingerprint), pair, np.random.default_rng(seed))
    for genre in pair:
        library.label_by_hand([number for number, now in wrong.items() if now == genre], {genre: 1.0}, who="benchmark")
    ask(library, evaluations, settings)
    stock = require_asked(library.tracks(RECIPE.fingerprint), evaluations, LabelReviews(database)).stock
    order = [entry.track.id for entry in ranked(stock.entries, "suspicion")]
    while (edit := latest_edit(database)) != before and edit:
        undo(database, edit.id)
    return outcome(order, {entry.track.id for entry in stock.suspects}, set(wrong))


def network(minutes: float) -> Ask:
    """Asks the default network, cross-validated by artists, trained for so many minutes a fold."""

    def ask(library: Library, evaluations: Evaluations, settings: Settings) -> None:
        recipe = TrainingRecipe(max_minutes=minutes)
        crossvalidate(library, evaluations, settings, "label errors", recipe, Request(folds=FOLDS))

    return ask


def stand_in(library: Library, evaluations: Evaluations, settings: Settings) -> None:
    """Asks a support vector machine on the mean and deviation of the bands, over the same kind of folds."""
    songs = library.songs(RECIPE.fingerprint)
    genres = tuple(sorted({song.label.top for song in songs}, key=str.casefold))
    statistics = library.band_statistics([song.sha256 for song in songs], RECIPE.fingerprint)  # songs come by SHA-256
    features = np.concatenate([statistics.mean, statistics.std], axis=1)
    place = {song.sha256: row for row, song in enumerate(songs)}
    evaluation = evaluations.begin("stand-in", "crossvalidation", {"protocol": "artist-folds"}, genres)
    for fold, split in enumerate(artist_folds(songs, genres, folds=FOLDS, seed=0)):
        learned = [*split.train, *split.validation]
        machine = make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(C=3.0), ensemble=False))
        machine.fit(features[[place[song.sha256] for song in learned]], [genres.index(s.label.top) for s in learned])
        spectra = machine.predict_proba(features[[place[song.sha256] for song in split.test]]).astype(np.float32)
        evaluations.add_songs(
            evaluation,
            [
                EvaluatedSong(song.sha256, "", song.title, song.artist, fold, song.label.vector(genres), spectrum)
                for song, spectrum in zip(split.test, spectra, strict=True)
            ],
        )
    evaluations.finish(evaluation, {})


def measure(songs: Path, *, ask: Ask | None = None, workspace: Path | None = None) -> list[tuple[str, str, str, float]]:
    """Rows for the table of benchmarks: (claim, measured, random order, ratio); none where the songs are not there."""
    if workspace is None and not (songs / "songs.csv").is_file():
        return []
    ask = ask or network(MINUTES / len(PAIRS) / FOLDS)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(home=Path(scratch))
        if workspace:
            shutil.copytree(workspace / "data", settings.data)
        database = Database(settings.database)
        if not workspace:
            import_folder(Library(database), settings, songs, genre_from="csv", csv_file=songs / "songs.csv")
            preprocess(Library(database), settings, RECIPE)
        for pair in PAIRS:
            rows += table(pair, experiment(database, settings, pair, ask))
    return rows


def table(pair: tuple[str, str], came: Outcome) -> list[tuple[str, str, str, float]]:
    """One pair's rows. In a random order any stretch of the queue holds the same share of the swapped labels."""
    chance = came.swapped / came.songs
    what = f"{came.swapped} labels swapped between {pair[0]} and {pair[1]}, {came.songs} songs"
    rows = []
    for told, hits, n in (
        (f"first {came.swapped} of the queue", came.hits, came.swapped),
        (f"first {FIRST}", came.hits_first, FIRST),
        (f"the {came.suspected} suspected", came.found, came.suspected),
    ):
        precision, recall = hits / max(n, 1), hits / max(came.swapped, 1)
        by_chance = f"by chance precision {chance:.2f}, recall {n / came.songs:.2f}"
        rows.append(
            (f"{what}: {told}", f"precision {precision:.2f}, recall {recall:.2f}", by_chance, precision / chance)
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stand-in", action="store_true")
    parser.add_argument("--workspace", type=Path)
    told = parser.parse_args()
    print("| claim | measured | reference | ratio |\n|---|---|---|---|")
    for row in measure(SONGS, ask=stand_in if told.stand_in else None, workspace=told.workspace):
        print("| {} | {} | {} | {:.2f} |".format(*row))


if __name__ == "__main__":
    main()
