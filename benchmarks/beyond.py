"""What a model knows of its limits, and of likeness: `python -m benchmarks.beyond [--work DIR]`.

Four models of the default recipe, each trained without one artist fold of `songs`; those that DIR has already are used
again (`songs/models/fold-N`). With each:

- the share of songs refused ("none of these", "not music"): of its test songs, of uploaded music, of what is no music;
- of its test songs that are not refused: how many verdicts are "confident" and right, or "mixed" with the true genre named;
- of the ten songs nearest to a test song among the other test songs, none by its artist: how many are of its genre; beside
  chance, and beside mel cepstral statistics;
- each genre of `clips` left out in turn, its features frozen (that is, learned from `songs`): centres and spread are
  fitted to two thirds of the other genres' artists, and the area under the ROC curve tells the left-out genre from the
  rest. Most clips are one crop long.

Not part of `make bench`: training takes ten minutes.
"""

import argparse
import csv
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score

from benchmarks.accuracy import DATA, Workspace, cepstral_statistics
from core.audio.crops import cut, predict_song
from core.audio.store import SpectrogramStore
from core.inference.prediction import predict
from core.inference.unknown import claim
from core.learning import model
from core.learning.plan import Request
from core.learning.splits import artist_groups
from core.learning.training import train
from core.library.identity import shared_artist_keys
from core.library.runs import Runs
from core.music import FloatArray, Song
from core.recipes import SpectrogramRecipe, TrainingRecipe

RECIPE = SpectrogramRecipe()
NEAREST = 10


def fold_models(workspace: Workspace) -> list[model.Model]:
    """A model for each fold, which has not learned from it."""
    with workspace.csv.open(encoding="utf-8", newline="") as file:
        artists = {row["artist"]: row["fold"] for row in csv.DictReader(file)}
    models = []
    for fold in sorted(set(artists.values())):
        name = f"fold-{fold}"
        if not (workspace.settings.models / name).exists():
            held_out = tuple(sorted(artist for artist, number in artists.items() if number == fold))
            runs = Runs(workspace.database)
            train(workspace.library, runs, workspace.settings, name, TrainingRecipe(epochs=16), Request(None, held_out))
        models.append(model.load(workspace.settings.models / name))
    return models


def song_features(workspace: Workspace, answering: model.Model, songs: list[Song]) -> list[FloatArray]:
    """The features of each song's crops, (n_crops, n_features)."""
    store = SpectrogramStore(workspace.settings.spectrograms, RECIPE.fingerprint)
    n = answering.crop_frames
    return [answering.answer(cut(store.read(song.sha256), crop_frames=n, stride=n // 2))[1] for song in songs]


def refused(answering: model.Model, features: list[FloatArray]) -> list[bool]:
    """Of each song, whether it is refused."""
    assert answering.space is not None
    space = answering.space
    return [bool((space.measures(one).mean(axis=0) > space.song_limits).any()) for one in features]


def claims(
    answering: model.Model, workspace: Workspace, songs: list[Song], is_refused: list[bool]
) -> list[tuple[str, bool]]:
    """Of each song that is not refused, the kind of verdict, and whether it names the song's genre."""
    store, n = SpectrogramStore(workspace.settings.spectrograms, RECIPE.fingerprint), answering.crop_frames
    told = []
    for song, out in zip(songs, is_refused, strict=True):
        if not out:
            spectrum = predict_song(store.read(song.sha256), answering.logits, crop_frames=n, stride=n // 2).spectrum
            verdict = claim(spectrum, answering.genres)
            told.append((verdict.kind, song.label.top in verdict.genres))
    return told


def precision(vectors: FloatArray, songs: list[Song]) -> float:
    """Of the `NEAREST` songs by angle, none of the same artist, the share of the same genre."""
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    shares = []
    for place, song in enumerate(songs):
        others = [i for i, other in enumerate(songs) if not _share_an_artist(song, other)]
        order = sorted(others, key=lambda i: -float(directions[i] @ directions[place]))[:NEAREST]
        shares.append(np.mean([songs[i].label.top == song.label.top for i in order]))
    return float(np.mean(shares))


def chance(songs: list[Song]) -> float:
    """The same share, of songs drawn at random."""
    shares = [
        np.mean([other.label.top == song.label.top for other in songs if not _share_an_artist(song, other)])
        for song in songs
    ]
    return float(np.mean(shares))


def _share_an_artist(song: Song, other: Song) -> bool:
    """Whether two songs share an artist; songs without an artist are all counted as one's."""
    keys, others = (shared_artist_keys(one.artist, one.title) for one in (song, other))
    return bool(keys & others) if keys and others else song.artist == other.artist


def left_out(answering: model.Model, clips: Workspace) -> dict[str, float]:
    """The area under the ROC curve of each genre of the clips, unknown among the others."""
    assert answering.space is not None
    songs = clips.library.songs(RECIPE.fingerprint)
    features = song_features(clips, answering, songs)
    groups = artist_groups(songs)
    tested = set(np.random.default_rng(0).permutation(np.unique(groups))[: len(set(groups)) // 3])
    is_test = [group in tested for group in groups]
    genres = [song.label.top for song in songs]
    areas = {}
    for genre in sorted(set(genres)):
        known = [i for i in range(len(songs)) if genres[i] != genre and not is_test[i]]
        crops = np.concatenate([answering.space.embed(features[i]) for i in known])
        of = np.concatenate([np.full(len(features[i]), genres[i]) for i in known])
        names = sorted(set(of))
        centres = np.stack([crops[of == name].mean(axis=0) for name in names])
        spread = LedoitWolf().fit(crops - centres[np.searchsorted(names, of)])
        space = replace(answering.space, centres=centres, precision=spread.precision_.astype(np.float32))
        asked = [i for i in range(len(songs)) if genres[i] == genre or is_test[i]]
        scores = [float(space.distances(features[i]).mean()) for i in asked]
        areas[genre] = float(roc_auc_score([genres[i] == genre for i in asked], scores))
    return areas


def uploads(answering: model.Model, kind: str) -> Mapping[str, str]:
    """The verdict on each upload of a kind."""
    files = sorted((DATA / "uploads" / kind).glob("*.ogg"))
    return {file.stem: predict(file, answering).verdict.kind for file in files}


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "genrescope-accuracy")
    work = asked.parse_args().work
    if not DATA.is_dir():
        raise SystemExit(f"The labelled songs are not on this machine ({DATA} is absent), so nothing can be measured.")
    workspace, clips = Workspace("songs", work), Workspace("clips", work)
    by_sha256 = {song.sha256: song for song in workspace.library.songs(RECIPE.fingerprint)}
    refusals: dict[str, list[bool]] = {"test songs": [], "uploads, music": [], "uploads, not music": []}
    near: dict[str, list[float]] = {"by features": [], "by cepstra": [], "by chance": []}
    areas: dict[str, list[float]] = {}
    claimed: list[tuple[str, bool]] = []
    for answering in fold_models(workspace):
        assert answering.space is not None
        tested = [by_sha256[song["sha256"]] for song in answering.card.split["test"]]
        features = song_features(workspace, answering, tested)
        refusals["test songs"] += (out := refused(answering, features))
        claimed += claims(answering, workspace, tested, out)
        for kind, what in (("music", "uploads, music"), ("not_music", "uploads, not music")):
            told = uploads(answering, kind)
            print(answering.name, kind, {name[:20]: verdict for name, verdict in told.items()})
            refusals[what] += [verdict in ("none of these", "not music") for verdict in told.values()]
        near["by features"].append(
            precision(np.stack([answering.space.embed(f).mean(axis=0) for f in features]), tested)
        )
        learned = [by_sha256[song["sha256"]] for song in answering.card.split["train"]]
        cepstra, scale = cepstral_statistics(workspace, tested), cepstral_statistics(workspace, learned)
        near["by cepstra"].append(precision((cepstra - scale.mean(axis=0)) / scale.std(axis=0), tested))
        near["by chance"].append(chance(tested))
        for genre, area in left_out(answering, clips).items():
            areas.setdefault(genre, []).append(area)
    print("\n| refused | share |\n|---|---|")
    for what, rows in refusals.items():
        print(f"| {what} | {np.mean(rows):.3f} ({sum(rows)} of {len(rows)}) |")
    print("\n| verdict on test songs | songs | names the genre |\n|---|---|---|")
    for kind in ("confident", "mixed"):
        right = [is_right for told, is_right in claimed if told == kind]
        print(f"| {kind} | {len(right)} | {np.mean(right):.3f} |")
    print(f"\n| precision at {NEAREST} | mean of the folds |\n|---|---|")
    for what, shares in near.items():
        print(f"| {what} | {np.mean(shares):.3f} |")
    print("\n| genre left out | area under the ROC curve |\n|---|---|")
    for genre, found in areas.items():
        print(f"| {genre} | {np.mean(found):.2f} ({min(found):.2f} to {max(found):.2f}) |")
    print(f"| all | {np.mean(list(areas.values())):.2f} |")


if __name__ == "__main__":
    main()
