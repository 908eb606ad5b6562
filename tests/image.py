"""A Dockerfile read and followed without Docker: its stages, what each copies, runs and starts."""

import json
import re
import shutil
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

Instruction = tuple[str, str]
"""A word, and what comes after it."""


@dataclass
class Stage:
    """One `FROM`, with what comes below it."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        return [text for other, text in self.instructions if other == word]


def read(path: Path) -> list[Stage]:
    """The stages of a Dockerfile, in their order."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stages: list[Stage] = []
    for line in joined.splitlines():
        word, _, text = line.partition(" ")
        if word == "FROM":
            base, _, name = text.partition(" AS ")
            stages.append(Stage(name, base))
        elif stages:
            stages[-1].instructions.append((word, text.strip()))
    return stages


def built(stages: list[Stage], flavour: str) -> Stage:
    """The image of a flavour, as one stage: what it is based on comes first."""
    by_name = {stage.name: stage for stage in stages}
    last = stages[-1]
    chain = [last]
    while (base := chain[0].base.replace("${FLAVOUR}", flavour)) in by_name:
        chain.insert(0, by_name[base])
    return Stage(flavour, chain[0].base, [one for stage in chain for one in stage.instructions])


def environment(stage: Stage) -> dict[str, str]:
    pairs = [pair.split("=", 1) for text in stage.all("ENV") for pair in text.split()]
    return {name: value.strip('"') for name, value in pairs}


def command(text: str) -> list[str]:
    """A command in its JSON form; anything else would be given to a shell, and fail here."""
    made = json.loads(text)
    assert isinstance(made, list)
    return [str(part) for part in made]


def is_ignored(path: PurePosixPath, patterns: list[str]) -> bool:
    """Whether `.dockerignore` keeps a file out: the last pattern that it, or a folder above it, matches decides."""
    ignored = False
    for pattern in patterns:
        wanted = pattern.removeprefix("!").rstrip("/")
        names = [path.as_posix(), *(parent.as_posix() for parent in path.parents if parent.name)]
        if any(_matches(name, wanted) for name in names):
            ignored = not pattern.startswith("!")
    return ignored


def _matches(name: str, pattern: str) -> bool:
    parts = name.split("/")
    if pattern.startswith("**/"):
        return any(_matches("/".join(parts[i:]), pattern[3:]) for i in range(len(parts)))
    wanted = pattern.split("/")
    return len(parts) == len(wanted) and all(fnmatchcase(*pair) for pair in zip(parts, wanted, strict=True))


def patterns(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def context(project: Path, files: list[str]) -> list[str]:
    """Of the project's `files`, those that a build is given."""
    ignoring = patterns(project / ".dockerignore")
    return [name for name in files if not is_ignored(PurePosixPath(name), ignoring)]


def copy(project: Path, given: list[str], instruction: str, into: Path) -> int:
    """Do a `COPY` of files that a build was `given`; how many came. Every source must be among them."""
    *sources, target = instruction.split()
    count = 0
    for source in sources:
        came = [name for name in given if name == source or name.startswith(f"{source}/")]
        assert came, f"COPY {source}: nothing of that name is given to the build"
        for name in came:
            rest = name.removeprefix(source).lstrip("/")
            place = (
                into / target / (rest or PurePosixPath(source).name) if target.endswith("/") else into / target / rest
            )
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(project / name, place)
            count += 1
    return count
