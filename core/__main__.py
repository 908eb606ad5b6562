"""`python -m core`: the commands of `core.cli`.

Before anything slow is imported, this process keeps standard output for the command's answer alone, and answers Ctrl-C.
"""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

from core.errors import STOPPED


def keep_stdout() -> None:
    """Write answers to a copy of standard output, in UTF-8; what libraries print below Python goes to standard error."""
    with suppress(OSError):  # closed: Python has no sys.stdout then
        answers = os.dup(1)
        try:
            os.dup2(2, 1)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout = os.fdopen(answers, "w", encoding="utf-8", errors="backslashreplace")
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - for the life of the process
    if hasattr(sys.stderr, "reconfigure"):
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")


def stop_now(number: int, frame: FrameType | None) -> None:
    """Answer Ctrl-C while modules are imported, where an exception could be swallowed or end as another."""
    if "--json" in sys.argv:
        sys.stdout.write(f'{{"error": "{STOPPED}"}}\n')
    else:
        sys.stderr.write(f"Error: {STOPPED}\n")
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    keep_stdout()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, as `nohup` asks
        signal.signal(signal.SIGINT, stop_now)
    from core.cli import app

    app(prog_name="python -m core")
