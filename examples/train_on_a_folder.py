"""Use Genrescope as a library: import a folder of songs, make spectrograms, train, and print the honest result.

python examples/train_on_a_folder.py SONGS WORKSPACE [STEPS]

SONGS holds a folder a genre. The same call again goes on where it was cut off.
"""

import sys
from pathlib import Path

from core.database import Database
from core.learning.plan import Request
from core.learning.training import train
from core.library.importing import import_folder
from core.library.preprocessing import preprocess
from core.library.runs import Runs
from core.library.store import Library
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings


def main(songs: Path, workspace: Path, steps: int) -> None:
    """Everything from a folder of songs to a tested model."""
    settings = Settings(home=workspace)
    database = Database(settings.database)
    library = Library(database)

    imported = import_folder(library, settings, songs.resolve(), genre_from="folder")
    print(f"{imported['imported']} songs are new")
    preprocess(library, settings, SpectrogramRecipe())

    recipe = TrainingRecipe(steps=steps)
    result = train(library, Runs(database), settings, "example", recipe, Request())
    test = result["test"]
    low, high = test["interval_95"]
    print(f"{test['accuracy']:.0%} of {test['songs']} songs by unheard artists are right ({low:.0%} to {high:.0%})")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 500)
