"""The examples run, as they stand, on made-up songs."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[1]


def run(example: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, f"examples/{example}", *map(str, arguments)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_a_folder_to_a_course_over_time(songs_folder: Path, tmp_path: Path) -> None:
    told = run("train_on_a_folder.py", songs_folder, tmp_path, "4")
    assert "24 songs are new" in told
    assert "songs by unheard artists are right" in told
    song = next((songs_folder / "drone").iterdir())
    told = run("loudest_genre_over_time.py", song, tmp_path / "models" / "example")
    assert told.startswith("as a whole: ")
    assert "0:00" in told
