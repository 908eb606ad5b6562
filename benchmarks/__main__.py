"""Measure the claims: `python -m benchmarks [NAME ...]`.

Each benchmark is a file `bench_NAME.py` with `measure(songs) -> list[Row]`, and runs in a process of its own. Without names all
are run, and the table is written to `benchmarks/results.md` with machine, versions and date.
"""

import argparse
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import children
from benchmarks.timing import Row

FOLDER = Path(__file__).parent
SONGS = FOLDER.parent.parent / "shared" / "data" / "songs"
PACKAGES = ("numpy", "av", "librosa", "torch", "torchaudio", "onnxruntime", "streamlit")
HEAD = "| # | claim | measured | reference | ratio | reach | held |\n|---|---|---|---|---|---|---|"


def main() -> None:
    """Run, print, and if all were run, write."""
    known = sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(known)}")
    names = asked.parse_args().names
    if unknown := sorted(set(names) - set(known)):
        asked.error(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(known)}.")
    rows: list[Row] = []
    below: list[str] = []
    for name in names or known:
        print(f"{name} ...", file=sys.stderr, flush=True)
        begun = time.perf_counter()
        try:
            told = children.call("benchmarks.__main__:measured", name, is_quiet=False).answer
        except RuntimeError as error:  # the process itself broke down: out of memory, perhaps
            told = {"rows": [Row(0, name, f"could not be measured: {error}", "", None, "", None)], "below": []}
        rows += [Row(*row) for row in told["rows"]]
        below += told["below"]
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
        text = "\n".join(["# Benchmarks", "", machine(), "", table(rows), *below]) + "\n"
        if not names:  # each time: who has to stop it keeps what was measured
            (FOLDER / "results.md").write_text(text, encoding="utf-8")
    print(text)


def measured(name: str) -> dict[str, Any]:
    """What a benchmark tells: its `rows`, and lines that go `below` the table. Why not, if it raises."""
    number = 0
    try:
        module = import_module(f"benchmarks.bench_{name}")
        number = module.NUMBER
        return {"rows": module.measure(SONGS), "below": module.below() if hasattr(module, "below") else []}
    except Exception as error:  # noqa: BLE001 - the other benchmarks go on
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return {"rows": [Row(number, name, f"could not be measured: {reason}", "", None, "", None)], "below": []}


def table(rows: list[Row]) -> str:
    """Rows in the order of their claims, those without one last."""
    lines = [HEAD]
    for row in sorted(rows, key=lambda row: row.number or 1000):
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        held = {True: "yes", False: "no", None: ""}[row.held]
        cells = (row.number or "", row.claim, row.measured, row.reference, ratio, row.reach, held)
        lines.append(f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def machine() -> str:
    """Where, with what and when it was measured."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{processor or platform.processor() or platform.machine()} ({platform.machine()}), {os.cpu_count()} cores, "
        f"{platform.system()}; Python {platform.python_version()}, {versions}; {datetime.now(UTC):%Y-%m-%d}"
    )


if __name__ == "__main__":
    main()
