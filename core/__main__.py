"""`python -m core`: the commands of `core.cli`."""

from core.cli import app

if __name__ == "__main__":
    app(prog_name="python -m core")
