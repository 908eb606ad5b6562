"""What this project is made of: every package that the installed one pulls in, and its licence. `python -m tests.supply` writes
docs/licences.md and constraints.txt from what is installed.
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[1]
FILES = {"the app": "requirements.txt", "a cluster": "requirements-cluster.txt", "development": "requirements-dev.txt"}
SYSTEMS = ("nvidia-", "triton", "cuda-")
"""Parts of torch for graphics cards: which there are depends on the machine, and torch pins them itself."""
KNOWN = {
    "Apache Software License": "Apache-2.0", "MIT License": "MIT", "BSD License": "BSD", "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0", "Python Software Foundation License": "PSF-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0", "The Unlicense (Unlicense)": "Unlicense",
}  # fmt: skip
ENCODER = """
## The pretrained encoder

`models/encoder-msd-musicnn` holds the weights of MSD_musicnn, converted, from the package musicnn 0.1.0: ISC, (c) Music
Technology Group, Universitat Pompeu Fabra 2019; its notice is [beside it](../models/encoder-msd-musicnn/LICENSE.txt). The
same group's Essentia page lists its models under CC BY-NC-SA 4.0; [the card](../models/encoder-msd-musicnn/card.json) names
both. The package itself is not installed.
"""


def direct(file: str) -> list[Requirement]:
    """What a requirements file itself asks for."""
    lines = (line.split("#")[0].strip() for line in (PROJECT / file).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def pulled_in(*files: str) -> dict[str, Distribution]:
    """Every installed package that these files ask for, directly or not, by its canonical name."""
    found: dict[str, Distribution] = {}
    waiting = [(requirement.name, requirement.extras) for file in files for requirement in direct(file)]
    while waiting:
        name, extras = waiting.pop()
        key = canonicalize_name(name)
        if key.startswith(SYSTEMS):
            continue
        try:
            dist = distribution(name)
        except PackageNotFoundError:
            continue
        if key in found and not extras:
            continue
        found[key] = dist
        for line in dist.requires or ():
            wanted = Requirement(line)
            if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                waiting.append((wanted.name, wanted.extras))
    return dict(sorted(found.items()))


def public(version: str) -> str:
    """A version without what a builder added of its own: `2.13.0+cpu` is `2.13.0`."""
    return version.split("+", maxsplit=1)[0]


def licence(dist: Distribution) -> str:
    """The licence that a package says it has, as short as it can be said; '' if it says none."""
    told = dist.metadata
    if expression := told.get("License-Expression"):
        return str(expression)
    classes = [one.rpartition(" :: ")[2] for one in told.get_all("Classifier") or () if one.startswith("License ::")]
    if named := [KNOWN.get(one, one) for one in classes if one != "OSI Approved"]:
        return " and ".join(dict.fromkeys(named))
    file = f"licenses/{told.get('License-File')}"
    first = (told.get("License") or dist.read_text(file) or "").strip().splitlines()
    if first and first[0] in KNOWN:
        return KNOWN[first[0]]
    return re.sub(r"\s+", " ", first[0])[:60] if first else ""


def constraints() -> str:
    """The text of constraints.txt."""
    pins = [f"{dist.name}=={public(dist.version)}" for dist in pulled_in(*FILES.values()).values()]
    head = "# Every package, direct or not, at the version that is tested. Written by `python -m tests.supply`.\n"
    return head + "".join(f"{pin}\n" for pin in sorted(pins, key=str.lower))


def licences() -> str:
    """The text of docs/licences.md."""
    app, all_of_it = pulled_in(FILES["the app"]), pulled_in(*FILES.values())
    asked = {canonicalize_name(one.name) for file in FILES.values() for one in direct(file)}
    rows = [
        f"| {dist.name} | {public(dist.version)} | {licence(dist)} | {'the app' if key in app else 'development'} | "
        f"{'asked for' if key in asked else 'comes with another'} |\n"
        for key, dist in all_of_it.items()
    ]
    return (
        "# Licences of what this project uses\n\n"
        "As each package itself tells it. Genrescope is under the MIT licence (LICENSE) and holds no code of these; they are\n"
        "installed beside it. Written by `python -m tests.supply`; a test holds it to what is installed.\n\n"
        "`mutagen`, which reads tags, is under GPL-2.0-or-later. The MIT licence is compatible with it; but whoever hands on\n"
        "Genrescope together with mutagen (an image with everything installed) does so under the terms of the GPL. The guest\n"
        "environment (`requirements-demo.txt`) goes without it.\n\n"
        "| package | version | licence | for | how it comes here |\n|---|---|---|---|---|\n" + "".join(rows) + ENCODER
    )


if __name__ == "__main__":
    (PROJECT / "constraints.txt").write_text(constraints(), encoding="utf-8")
    (PROJECT / "docs" / "licences.md").write_text(licences(), encoding="utf-8")
    sys.stdout.write(f"{len(pulled_in(*FILES.values()))} packages\n")
