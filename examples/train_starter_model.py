"""Make the model that comes with Genrescope, from labelled audio that does not: reproduces `models/genrescope-starter`.

python examples/train_starter_model.py DATA WORKSPACE

DATA holds the folders `songs` and `clips`, each with a list of its files (`songs.csv`, `clips.csv`: path, genre, artist).
The same call again goes on where it was cut off. The finished model lies in WORKSPACE/models.

Four genres, by measurement. With all eleven that the lists name, half of the clips are given another genre than their own,
and of blues, country, jazz and reggae fewer than a third are found; and most of these genres are in one collection only, so
that a network may know them by the collection's sound. Classical, pop and rock are in both; electronic is told apart from
the others within one.
"""

import sys
from pathlib import Path

from core.audio.spectrogram import mel_filters
from core.audio.store import SpectrogramStore
from core.database import Database
from core.learning import export
from core.learning.crossvalidation import Request, crossvalidate
from core.learning.graph import open_graph
from core.learning.plan import Plan
from core.learning.space_fitting import fit_space
from core.learning.splits import Split, choose, split_by_artist
from core.learning.trainer import Trainer
from core.learning.training import alike_songs, fit
from core.library.evaluations import Evaluations
from core.library.importing import import_folder
from core.library.preprocessing import preprocess
from core.library.store import Library
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings

NAME = "genrescope-starter"
GENRES = ("classical", "electronic", "pop", "rock")
RECIPE, SPECTROGRAM = TrainingRecipe(), SpectrogramRecipe()
TOLD = {
    "title": "Genrescope starter",
    "description": "A first model, so that a first song gets an answer: classical, electronic, pop and rock.",
    "data_origin": (
        "320 one-minute songs (80 each of classical, electronic, pop and rock) of the Emotify set, from Magnatune; and 172 "
        "short clips (2 to 30 s) of classical, pop and rock cut from GTZAN. No sound, spectrogram or list of songs of "
        "either is part of this model."
    ),
    "intended_use": "To try Genrescope, and to compare with a model of your own genres.",
    "limits": (
        "It knows four genres. Speech and noises it mostly refuses as no music; music of other genres (jazz, hip hop, metal) "
        "it mostly calls one of its four, and a lone instrument it may take for no music. Pop and rock blur in its songs, "
        "most of which were tagged with the same words, and in its answers. The songs are few, Western, and mostly from two "
        "sources; the figures hold for artists it had not heard, but of these same sources."
    ),
    "licence": (
        "For non-commercial research only. The songs are believed to be under CC BY-NC-SA; the author of GTZAN states no "
        "copyright permission."
    ),
}


def main(data: Path, workspace: Path) -> None:
    """Import, test by artist folds, train on all songs, publish."""
    settings = Settings(home=workspace)
    database = Database(settings.database)
    library = Library(database)
    for collection in ("songs", "clips"):
        folder = data / collection
        import_folder(library, settings, folder, genre_from="csv", csv_file=folder / f"{collection}.csv", job_id=None)
    preprocess(library, settings, SPECTROGRAM, job_id=None)

    request = Request("artist-folds", genres=GENRES)
    report = crossvalidate(
        library, Evaluations(database), settings, NAME, RECIPE, request,
        on_progress=lambda done, total, message, left: print(f"\r{message} {done} of {total}", end="", flush=True),
    )  # fmt: skip
    low, high = report["interval_95"]
    print(f"\nBy artists it had not heard: {report['accuracy']:.1%} ({low:.1%} to {high:.1%}), ECE {report['ece']:.3f}")

    store = SpectrogramStore(settings.spectrograms, SPECTROGRAM.fingerprint)
    songs, genres = choose(library.songs(SPECTROGRAM.fingerprint), GENRES)
    pairs = alike_songs(songs, store, lambda: None, lambda *_: None)
    parts = split_by_artist(songs, genres, seed=RECIPE.seed, pairs=pairs)
    split = Split(train=(*parts.train, *parts.test), validation=parts.validation, test=())
    statistics = library.band_statistics([song.sha256 for song in split.train], SPECTROGRAM.fingerprint)
    plan = Plan(genres, split, SPECTROGRAM, "")
    trainer = Trainer(plan, RECIPE, settings.runs / NAME, store, statistics)
    plan = trainer.limit(lambda: None)
    network = fit(trainer, on_progress=lambda done, total, *_: print(f"\rstep {done} of {total}", end="", flush=True))
    graph = export.as_onnx(network, crop_frames=RECIPE.crop_frames)
    answer = open_graph(graph, crop_frames=RECIPE.crop_frames, n_mels=SPECTROGRAM.n_mels, n_genres=len(genres))
    kept = ("songs", "accuracy", "interval_95", "macro_f1", "top_2_accuracy", "genres", "per_genre", "confusion", "ece")
    export.publish(
        settings.models / NAME,
        network,
        mel_filters(SPECTROGRAM),
        genres=genres,
        spectrogram=SPECTROGRAM,
        training=RECIPE,
        steps=plan.steps,
        split={},  # which songs they were is told in words
        data_fingerprint="",
        metrics={name: report[name] for name in kept}
        | {"protocol": "4 artist folds, pooled; then trained on all songs"},
        run=NAME,
        graph=graph,
        space=fit_space(answer, split, genres, store, SPECTROGRAM, crop_frames=RECIPE.crop_frames),
        told=TOLD,
    )
    print(f"\nPublished: {settings.models / NAME}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
