"""The house keeps its plan: floors, no circles, and the nevers, read off the imports."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

FLOORS: dict[str, int] = {
    **dict.fromkeys(("core.errors", "core.files", "core.settings", "core.music", "core.recipes", "core.database"), 1),
    **dict.fromkeys(("core.audio", "core.jobs.queue", "core.jobs.compute"), 2),
    **dict.fromkeys(("core.library", "core.sources", "core.fetch"), 3),
    **dict.fromkeys(("core.learning", "core.inference", "core.collecting", "core.quality"), 4),
    **dict.fromkeys(("core.doctor", "core.jobs.context", "core.jobs.kinds", "core.jobs.worker"), 5),
    **dict.fromkeys(("core.cli", "core.__main__"), 6),
    "app": 7,
    **dict.fromkeys(("app.main", "pages"), 8),
}
SQL_ROOMS = {"core.database", "core.library.store", "core.library.runs", "core.jobs.queue"}
NETWORK = {"urllib", "urllib3", "requests", "http", "httpx", "aiohttp", "ftplib", "yt_dlp", "spotipy", "ssl"}
NETWORK_ROOMS = ("core.sources", "core.collecting", "core.fetch")
SQL = re.compile(
    r"\b(SELECT .+ FROM|INSERT (OR \w+ )?INTO|UPDATE \w+ SET|DELETE FROM|CREATE TABLE|PRAGMA)\b", re.DOTALL
)


class House:
    """The modules of a tree, and what each imports."""

    def __init__(self, root: Path) -> None:
        self.trees = {
            ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
                path.read_text()
            )
            for folder in ("core", "app", "pages")
            for path in sorted((root / folder).rglob("*.py"))
        }

    def imports(self, module: str) -> set[str]:
        """Full names that a module imports, also inside functions; a module of this house where it is one."""
        found: set[str] = set()
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{module} imports relatively"
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    found.add(inner if inner in self.trees else str(node.module))
        return found

    def strings(self, module: str) -> Iterator[str]:
        documentation = {
            id(node.value)
            for node in ast.walk(self.trees[module])
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                yield node.value

    def names(self, module: str) -> set[str]:
        """Dotted names that appear in a module, such as `st.session_state`."""
        return {ast.unparse(node) for node in ast.walk(self.trees[module]) if isinstance(node, ast.Attribute)}

    def faults(self) -> list[str]:
        return [
            fault for module in self.trees for fault in [*self._floors(module), *self._nevers(module)]
        ] + self._circles()

    def _floors(self, module: str) -> Iterator[str]:
        if module in ("core", "core.jobs"):
            return
        floor = floor_of(module)
        if floor is None:
            yield f"{module} has no floor"
            return
        for other in self.imports(module):
            if other.split(".")[0] not in ("core", "app", "pages"):
                continue
            below = floor_of(other)
            same_room = module.rpartition(".")[0] == other.rpartition(".")[0] or floor == below == 1
            if below is None or below > floor or (below == floor and not same_room):
                yield f"{module} (floor {floor}) imports {other} (floor {below})"

    def _circles(self) -> list[str]:
        known = {module: {other for other in self.imports(module) if other in self.trees} for module in self.trees}
        faults: list[str] = []
        done: set[str] = set()

        def walk(module: str, path: tuple[str, ...]) -> None:
            if module in path:
                faults.append("circle: " + " -> ".join((*path[path.index(module) :], module)))
            elif module not in done:
                for other in known[module]:
                    walk(other, (*path, module))
                done.add(module)

        for module in known:
            walk(module, ())
        return faults

    def _nevers(self, module: str) -> Iterator[str]:
        imports = self.imports(module)
        roots = {name.split(".")[0] for name in imports}
        names = self.names(module)
        house = module.split(".", maxsplit=1)[0]
        if house == "core" and roots & {"streamlit", "app", "pages"}:
            yield f"{module}: core imports streamlit, app or pages"
        if house == "pages" and "pages" in roots:
            yield f"{module}: a page imports a page"
        if module.startswith("core.audio") and roots & {"torch", "torchaudio"}:
            yield f"{module}: audio imports torch"
        if module.startswith("core.inference") and (
            roots & {"torch", "torchaudio"} or any(name.startswith("core.learning") for name in imports)
        ):
            yield f"{module}: inference imports torch"
        if module.startswith("core.sources") and any(name.startswith("core.learning") for name in imports):
            yield f"{module}: sources import learning"
        if module.startswith("core.learning") and any(name.startswith("core.sources") for name in imports):
            yield f"{module}: learning imports sources"
        if "torchaudio" in roots and module != "core.learning.augment":
            yield f"{module}: torchaudio outside learning/augment"
        if "streamlit" in roots and module == "app.charts":
            yield f"{module}: streamlit in charts"
        if roots & NETWORK and not module.startswith(NETWORK_ROOMS):
            yield f"{module}: network outside sources, collecting and fetch"
        if "socket" in roots and {name for name in names if name.startswith("socket.")} - {"socket.gethostname"}:
            yield f"{module}: network outside sources, collecting and fetch"
        if "sqlite3" in roots and module not in SQL_ROOMS | {"core.doctor"}:
            yield f"{module}: sqlite3 outside the rooms that speak SQL"
        told = [text for text in self.strings(module) if SQL.search(text)]
        if told and module not in SQL_ROOMS and not (module == "core.doctor" and told == ["PRAGMA quick_check(1)"]):
            yield f"{module}: SQL outside the rooms that speak it: {told[0][:40]}"
        if module != "app.state" and any(re.match(r"(st|streamlit)\.(session_state|cache_)", name) for name in names):
            yield f"{module}: session state or a cache outside app/state"
        if module != "core.settings" and names & {"os.environ", "os.getenv"}:
            yield f"{module}: the environment outside settings"
        if roots & {"pickle", "dill", "joblib", "shelve", "marshal"} or names & {"torch.load"}:
            yield f"{module}: something is unpickled"
        if any(isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False"
               for node in ast.walk(self.trees[module])):  # fmt: skip
            yield f"{module}: something is unpickled"


def floor_of(module: str) -> int | None:
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if (name := ".".join(parts[:length])) in FLOORS:
            return FLOORS[name]
    return None


def test_the_house_keeps_its_plan() -> None:
    house = House(PROJECT)
    assert {"core.audio.waveform", "app.state", "pages.train"} <= set(house.trees)
    assert house.faults() == []


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("core/audio/x.py", "import torch", "audio imports torch"),
        ("core/audio/x.py", "from core.library import store", "(floor 2) imports core.library"),
        ("core/library/x.py", "from core.learning.model import load", "(floor 3) imports core.learning"),
        ("core/inference/x.py", "def f():\n    import torch", "inference imports torch"),
        ("core/library/x.py", "import streamlit as st", "core imports streamlit"),
        ("core/library/x.py", "q = 'SELECT a FROM b'", "SQL outside"),
        ("core/library/x.py", "import requests", "network outside"),
        ("core/library/x.py", "import socket\nsocket.create_connection(('a', 1))", "network outside"),
        ("core/library/x.py", "import os\nos.environ['A']", "the environment outside settings"),
        ("core/learning/x.py", "import torch\ntorch.load('a')", "unpickled"),
        ("core/learning/x.py", "import numpy as np\nnp.load('a', allow_pickle=True)", "unpickled"),
        ("core/learning/x.py", "import torchaudio", "torchaudio outside"),
        ("core/stray.py", "x = 1", "has no floor"),
        ("pages/x.py", "import streamlit as st\nst.session_state['a'] = 1", "session state"),
        ("pages/x.py", "import streamlit as st\n@st.cache_data\ndef f(): ...", "session state or a cache"),
        ("pages/x.py", "from pages import home", "a page imports a page"),
        ("app/charts.py", "import streamlit as st", "streamlit in charts"),
    ],
)
def test_what_breaks_the_plan_is_found(tmp_path: Path, path: str, text: str, fault: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert any(fault in found for found in House(tmp_path).faults())


def test_a_circle_is_found(tmp_path: Path) -> None:
    (tmp_path / "core" / "library").mkdir(parents=True)
    (tmp_path / "core" / "library" / "a.py").write_text("from core.library import b")
    (tmp_path / "core" / "library" / "b.py").write_text("def f():\n    from core.library.a import g")
    assert any(found.startswith("circle") for found in House(tmp_path).faults())
