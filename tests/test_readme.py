"""The README's commands are real: targets exist, options parse, files are there, settings are known."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from core.cli import app
from core.settings import Settings

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"python -m core ([^`\n]+)", README)))


def test_the_way_through_is_told_on_the_command_line() -> None:
    told = {command.split()[0] for command in COMMANDS}
    assert told >= {"import", "preprocess", "train", "evaluate", "predict", "status", "doctor"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_and_its_options_exist(command: str) -> None:
    name, *arguments = shlex.split(command)
    found = get_command(app).commands[name]  # type: ignore[attr-defined]
    if hasattr(found, "commands"):
        name, *arguments = arguments
        found = found.commands[name]
    found.make_context(name, arguments)  # raises for what it does not know


@pytest.mark.parametrize("option", sorted(set(re.findall(r"`(--[a-z-]+)", README))))
def test_an_option_told_in_passing_exists(option: str) -> None:
    commands = [
        command
        for top in get_command(app).commands.values()
        for command in (top, *getattr(top, "commands", {}).values())
    ]  # type: ignore[attr-defined]
    known = {name for command in commands for p in command.params for name in p.opts}
    assert option in known | {"--help"}


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"(?:^|`)make ([a-z]+)", README + CONTRIBUTING, re.MULTILINE)))
)
def test_a_make_target_exists_and_is_listed_by_help(target: str) -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)


@pytest.mark.parametrize("variable", sorted(set(re.findall(r"`GENRESCOPE_([A-Z_]+)`", README))))
def test_a_setting_exists(variable: str) -> None:
    assert variable.lower() in Settings.model_fields


@pytest.mark.parametrize(
    "document",
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/glossary.md", "docs/scaling.md", "data/README.md"],
)
def test_linked_files_are_there(document: str) -> None:
    path = PROJECT / document
    for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), link


def test_the_defaults_told_are_the_defaults() -> None:
    told = dict(re.findall(r"\| `GENRESCOPE_([A-Z_]+)` \| [^|]+ \| (\d+) \|", README))
    assert told
    for variable, value in told.items():
        assert Settings.model_fields[variable.lower()].default == float(value)


def test_streamlit_is_started_where_the_frame_is() -> None:
    (script,) = set(re.findall(r"streamlit run (\S+)", README))
    assert (PROJECT / script).is_file()
