"""Use Genrescope as a library: print which genre a song sounds like, and when it changes.

python examples/loudest_genre_over_time.py SONG MODEL_FOLDER
"""

import sys
from pathlib import Path

from core.inference.prediction import predict
from core.learning.model import load


def main(song: Path, folder: Path) -> None:
    """A line for every stretch of the song with the same top genre."""
    answer = predict(song, load(folder))
    print(f"as a whole: {answer.top} ({answer.spectrum.max():.0%}){', unsure' if answer.unsure else ''}")
    last = ""
    for start_s, row in zip(answer.crop_starts_s, answer.taggram, strict=True):
        genre = answer.genres[row.argmax()]
        if genre != last:
            print(f"{int(start_s) // 60}:{int(start_s) % 60:02d}  {genre}")
            last = genre


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
