"""`python -m core`: the commands of `core.cli`.

Before anything else is imported, this process answers Ctrl-C; then it keeps standard output for the command's answer alone.
"""

import _signal  # type: ignore[import-not-found]  # what `signal` is made of, and built in: that one takes a while
import os
import sys
from types import FrameType

STOPPED = "Stopped. The same command goes on from here."
"""As in `core.errors`, which is not imported yet."""


def stop_now(number: int, frame: FrameType | None) -> None:
    """Answer Ctrl-C while modules are imported, where an exception could be swallowed or end as another."""
    as_json = "--json" in sys.argv
    try:
        to = sys.stdout if as_json else sys.stderr
        to.write(f'{{"error": "{STOPPED}"}}\n' if as_json else f"Error: {STOPPED}\n")
        to.flush()
    finally:
        os._exit(1)


if __name__ == "__main__" and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, stop_now)  # else it is ignored, as `nohup` asks


def keep_stdout() -> None:
    """Write answers to a copy of standard output, in UTF-8; what libraries print below Python goes to standard error."""
    try:
        answers = os.dup(1)
    except OSError:  # closed: Python has no sys.stdout then
        pass
    else:
        try:
            os.dup2(2, 1)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout = os.fdopen(answers, "w", encoding="utf-8", errors="backslashreplace")
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
    if hasattr(sys.stderr, "reconfigure"):
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")


if __name__ == "__main__":
    keep_stdout()
    from core.cli import app

    app(prog_name="python -m core")
