"""The app's memory: what it needs before the first page is shown."""

import subprocess
import sys

HEAVY = ("torch", "torchaudio", "sklearn", "scipy", "librosa", "numba", "onnxruntime")


def test_no_page_waits_for_what_trains() -> None:
    told = f"import sys, app.state, app.ui, app.charts; print([one for one in {HEAVY} if one in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert ran.stdout.strip().splitlines()[-1] == "[]"
