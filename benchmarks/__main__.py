"""Run every benchmark, print a table, and write it to `benchmarks/results.md` with machine and versions."""

import importlib
import os
import platform
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parent
SONGS = FOLDER.parent.parent / "shared" / "data" / "songs"


def main() -> None:
    lines = [
        "# Benchmarks",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in ("numpy", "av", "librosa", "torch")),
        "",
        "| claim | measured | reference | ratio |",
        "|---|---|---|---|",
    ]
    print("\n".join(lines))
    for path in sorted(FOLDER.glob("bench_*.py")):
        rows = importlib.import_module(f"benchmarks.{path.stem}").measure(SONGS)
        for claim, measured, reference, ratio in rows:
            line = f"| {claim} | {measured} | {reference} | {ratio:.2f} |"
            print(line, flush=True)
            lines.append(line)
    (FOLDER / "results.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
