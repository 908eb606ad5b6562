"""The documents are true: links lead somewhere, commands and examples run, every page, setting, command and error is there."""

import importlib
import json
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from urllib.parse import urlsplit

import pytest
from pydantic_core import PydanticUndefined
from typer.main import get_command

import core
from app.navigation import TABLE
from core.cli import app
from core.collecting.failures import REASONS
from core.errors import GenrescopeError
from core.settings import Settings
from core.sources.registry import sources

PROJECT = Path(__file__).resolve().parents[1]
DOCS = PROJECT / "docs"
DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/*.md", "data/*.md", "models/*.md") for path in PROJECT.glob(pattern)
)
TEXTS = {path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}


def text_of(name: str) -> str:
    return TEXTS[f"docs/{name}.md"]


def headings(text: str) -> list[str]:
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#{1,6} (.+)$", outside, re.MULTILINE)


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


# -- links -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]):
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme == "https", link
            assert "." in parts.netloc, link
            continue
        target = (PROJECT / name).parent / parts.path if parts.path else PROJECT / name
        assert target.exists(), link
        if parts.fragment:
            assert parts.fragment in map(anchor, headings(target.read_text(encoding="utf-8"))), link


def test_the_index_leads_to_every_document() -> None:
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", text_of("README")))
    assert listed == {path.name for path in DOCS.glob("*.md")} - {"README.md"}


# -- commands ----------------------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, str]]:
    """(document, what is run), from blocks of commands and from code in a sentence."""
    for name, text in TEXTS.items():
        blocks = re.findall(r"^```(?:bash|console|sh)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
        inline = [code for code in re.findall(r"`([^`\n]+)`", text) if " " in code]
        for line in (*lines, *inline):
            yield name, re.sub(r"^(?:[A-Z_]+=\S+ )+", "", line)


COMMANDS = sorted(set(commands()))


@pytest.mark.parametrize(
    ("name", "command"),
    [(name, line) for name, line in COMMANDS if re.match(r"python -m core [a-z]", line) and "..." not in line],
)
def test_a_command_and_its_options_exist(name: str, command: str) -> None:
    called, *arguments = shlex.split(command.removeprefix("python -m core "))
    found = get_command(app).commands[called]  # type: ignore[attr-defined]
    if hasattr(found, "commands") and arguments and arguments[0] in found.commands:
        called, *arguments = arguments
        found = found.commands[called]
    if arguments or not any(p.required for p in found.params):  # a bare name in a sentence is no call
        found.make_context(called, arguments)  # raises for what it does not know


@pytest.mark.parametrize(("name", "line"), [one for one in COMMANDS if one[1].startswith("make ")])
def test_a_make_target_exists_and_is_listed_by_help(name: str, line: str) -> None:
    target = line.split()[1]
    assert re.search(rf"^{target}:.*## ", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), name


@pytest.mark.parametrize(("name", "line"), [one for one in COMMANDS if " -r requirements" in one[1]])
def test_a_list_of_requirements_is_there(name: str, line: str) -> None:
    assert (PROJECT / line.split(" -r ")[1].split(maxsplit=1)[0]).is_file(), name


@pytest.mark.parametrize(
    "module", sorted({m for text in TEXTS.values() for m in re.findall(r"`(?:python -m )?(benchmarks\.\w+)", text)})
)
def test_a_benchmark_that_is_named_is_there(module: str) -> None:
    assert (PROJECT / f"{module.replace('.', '/')}.py").is_file()


def every_command() -> list[str]:
    top = get_command(app)
    found = []
    for name in top.list_commands(top.make_context("core", ["status"])):  # type: ignore[attr-defined]
        inner = getattr(top.commands[name], "commands", None)  # type: ignore[attr-defined]
        found += [f"{name} {one}" for one in inner] if inner else [name]
    return found


def test_every_command_is_in_the_table_and_no_other() -> None:
    table = text_of("library").partition("| command | what it does |")[2]
    assert re.findall(r"^\| `([a-z -]+)` \|", table, re.MULTILINE) == every_command()


@pytest.mark.slow
def test_the_examples_print_what_they_say(songs_folder: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", text_of("library"), re.MULTILINE | re.DOTALL)
    (tmp_path / "songs").symlink_to(songs_folder)
    script = tmp_path / "examples.py"
    body = indent("\n".join(blocks), "    ")  # in a function, as the document says
    script.write_text(f'def main():\n{body}\n\nif __name__ == "__main__":\n    main()\n', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = [line.removeprefix("# > ") for block in blocks for line in block.splitlines() if line.startswith("# > ")]
    assert done.stdout.splitlines() == told


# -- settings ----------------------------------------------------------------------------------------------------------

IN_WORDS: dict[str, tuple[object, ...]] = {"none": ("", None), "the project's folder": (PROJECT,), "no": (False,)}


def test_every_setting_is_told_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `GENRESCOPE_([A-Z_]+)` \| ([^|]+) \| [^|]+ \|$", text_of("settings"), re.MULTILINE))
    assert {name.lower() for name in rows} == set(Settings.model_fields)
    for name, told in rows.items():
        default = Settings.model_fields[name.lower()].default
        if default is PydanticUndefined:
            assert told == "one a core", name
        elif isinstance(default, int | float) and not isinstance(default, bool):
            assert float(told) == default, name
        else:
            assert default in IN_WORDS.get(told, (told,)), name


@pytest.mark.parametrize("name", TEXTS)
def test_a_setting_that_is_named_exists(name: str) -> None:
    for setting in re.findall(r"\bGENRESCOPE_([A-Z_]+)\b", TEXTS[name]):
        assert setting.lower() in Settings.model_fields or setting.startswith(("TEST_", "SOAK")), setting


# -- errors ------------------------------------------------------------------------------------------------------------


def modules() -> Iterator[str]:
    return (
        found.name for found in pkgutil.walk_packages(core.__path__, "core.") if not found.name.endswith("__main__")
    )


def kinds_of(error: type[GenrescopeError]) -> set[type[GenrescopeError]]:
    return {error}.union(*(kinds_of(kind) for kind in error.__subclasses__()))


def test_every_kind_of_error_is_told() -> None:
    for module in modules():
        importlib.import_module(module)
    ours = {kind.__name__ for kind in kinds_of(GenrescopeError) if kind.__module__.startswith("core.")}
    rows = re.findall(r"^\| `(\w+)` \|", text_of("troubleshooting"), re.MULTILINE)
    assert sorted(rows) == sorted(ours)


def test_every_reason_why_a_song_failed_is_listed() -> None:
    rows = re.findall(r"^\| \*([\w ’'-]+)\* \| .+ \| .+ \|$", text_of("troubleshooting"), re.MULTILINE)
    assert set(rows) == set(REASONS)


# -- pages, sources, science -------------------------------------------------------------------------------------------


def test_every_page_has_its_section_in_the_guide_in_their_order() -> None:
    titles = [title for _, title, _ in TABLE]
    assert [heading for heading in headings(text_of("guide")) if heading in titles] == titles


def test_every_source_is_told() -> None:
    rows = {row.strip() for row in re.findall(r"^\| ([^|]+) \|", text_of("sources"), re.MULTILINE)}
    for source in sources(Settings()).values():
        assert any(row.startswith(source.title) for row in rows), source.title


def test_the_figures_of_the_starter_model_are_those_of_its_card() -> None:
    card = json.loads((PROJECT / "models" / "genrescope-starter" / "card.json").read_text(encoding="utf-8"))
    figures, text = card["metrics"], text_of("science")
    low, high = figures["interval_95"]
    recalls = ", ".join(f"{figures['per_genre'][genre]['recall']:.0%}".replace("%", " %") for genre in card["genres"])
    assert f"learned from {figures['songs']} songs" in text
    assert f"| {100 * figures['accuracy']:.0f} % (95 % interval {100 * low:.0f} to {100 * high:.0f} %) |" in text
    assert f"| {100 * figures['top_2_accuracy']:.0f} % |" in text
    assert f"| {figures['macro_f1']:.2f} |" in text
    assert f"| {figures['ece']:.3f} |" in text
    assert f"found of {', '.join(card['genres'])} | {recalls} |" in text


def test_what_is_cited_is_in_the_references_and_the_other_way_round() -> None:
    text, _, references = text_of("science").partition("## References")
    listed = {
        (names.split(",")[0], year) for names, year in re.findall(r"^- (.+?) \((\d{4})\)\.", references, re.MULTILINE)
    }
    assert len(listed) > 20
    for name, year in listed:
        assert re.search(rf"{name}[^;]{{0,60}}? \(?{year}", text.replace("\n", " ")), f"{name} {year} is not cited"
    for name, year in re.findall(r"((?:van der )?[A-Z]\w+)(?: et al\.| & \w+| &\n\w+)? \(?(\d{4})\)?", text):
        assert (name, year) in listed, f"{name} {year} is not in the references"
