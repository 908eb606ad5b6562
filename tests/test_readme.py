"""What the README alone promises; what all documents promise is in `test_docs`."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from core.cli import app

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"python -m core ([^`\n]+)", README)))


def test_the_way_through_is_told_on_the_command_line() -> None:
    told = {command.split()[0] for command in COMMANDS}
    assert told >= {"import", "preprocess", "train", "evaluate", "predict", "status", "doctor"}


@pytest.mark.parametrize("option", sorted(set(re.findall(r"`(--[a-z-]+)", README))))
def test_an_option_told_in_passing_exists(option: str) -> None:
    commands = [
        command
        for top in get_command(app).commands.values()
        for command in (top, *getattr(top, "commands", {}).values())
    ]  # type: ignore[attr-defined]
    known = {name for command in commands for p in command.params for name in p.opts}
    assert option in known | {"--help"}


def test_streamlit_is_started_where_the_frame_is() -> None:
    (script,) = set(re.findall(r"streamlit run (\S+)", README))
    assert (PROJECT / script).is_file()
