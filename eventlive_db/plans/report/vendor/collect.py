"""Copy the browser code of the HTML report from npm: ``make vendor``.

Installs what ``package-lock.json`` names into a temporary directory, without running any script of a package, and
copies the few files that the report embeds, with their licences. Upgrading is a change of ``package.json`` and
``npm install --package-lock-only --omit-lockfile-registry-resolved`` in this folder.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
VERSIONS = FOLDER / "VERSIONS.json"

EMBEDDED = {
    "vue.runtime.global.prod.js": ("vue", "dist/vue.runtime.global.prod.js"),
    "pev2.umd.js": ("pev2", "dist/pev2.umd.js"),
    "pev2.css": ("pev2", "dist/pev2.css"),
    "bootstrap.min.css": ("bootstrap", "dist/css/bootstrap.min.css"),
}
"""File here: package, and path in it."""

BUNDLED_INTO = "pev2"
NOT_BUNDLED = {"vue"}
"""pev2's file has its dependencies inside, except for Vue."""


def main() -> int:
    """Install, copy, and write down what was copied."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(FOLDER / name, root)
        npm = shutil.which("npm")
        if npm is None:
            print("npm is missing; on Debian: apt-get install npm", file=sys.stderr)
            return 2
        subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=root, check=True)
        entries = list(_collect(root))
    VERSIONS.write_text(json.dumps({"files": entries}, indent=2) + "\n", encoding="utf-8")
    for entry in entries:
        print(f"{entry['bytes']:>8}  {entry['file']}  {entry['package']} {entry['version']}")
    return 0


def _collect(root: Path) -> Iterator[dict[str, Any]]:
    packages = json.loads((root / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name, (package, path) in EMBEDDED.items():
        source = root / "node_modules" / package / path
        yield _written(name, source.read_bytes(), packages[f"node_modules/{package}"], package)
    for package in dict.fromkeys(package for package, _ in EMBEDDED.values()):
        text = _licence(root / "node_modules" / package)
        yield _written(f"LICENSE-{package}.txt", text.encode(), packages[f"node_modules/{package}"], package)
    bundled = _bundled_licences(root, packages)
    yield _written(
        f"LICENSE-{BUNDLED_INTO}-bundled.txt",
        bundled.encode(),
        {**packages[f"node_modules/{BUNDLED_INTO}"], "license": "see the file"},
        BUNDLED_INTO,
    )


def _written(name: str, content: bytes, package: Mapping[str, Any], package_name: str) -> dict[str, Any]:
    (FOLDER / name).write_bytes(content)
    return {
        "file": name,
        "package": package_name,
        "version": package["version"],
        "license": package["license"],
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _bundled_licences(root: Path, packages: Mapping[str, Any]) -> str:
    """Licences of what may be inside pev2's file; the same text of several packages is given once."""
    by_text: dict[str, list[str]] = {}
    for path in sorted(_closure(packages, f"node_modules/{BUNDLED_INTO}")):
        package = packages[path]
        name = path.rpartition("node_modules/")[2]
        title = f"{name} {package['version']} ({package.get('license', 'licence not stated')})"
        by_text.setdefault(_licence(root / path), []).append(title)
    parts = [f"{', '.join(titles)}\n{'-' * 72}\n{text.strip()}\n" for text, titles in by_text.items()]
    intro = f"{BUNDLED_INTO}'s build contains code of these packages, or of earlier or later patch versions of them.\n"
    return "\n\n".join([intro, *parts])


def _closure(packages: Mapping[str, Any], start: str) -> set[str]:
    """Paths in the lock of all that a package depends on, itself left out."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        for name in packages[path].get("dependencies", {}):
            if name in NOT_BUNDLED:
                continue
            place = _resolved(packages, path, name)
            if place not in found:
                found.add(place)
                waiting.append(place)
    return found


def _resolved(packages: Mapping[str, Any], path: str, name: str) -> str:
    """Where Node would find a dependency: in the package's own node_modules, else further up."""
    while True:
        candidate = f"{path}/node_modules/{name}" if path else f"node_modules/{name}"
        if candidate in packages:
            return candidate
        if not path:
            msg = f"{name} is not in package-lock.json"
            raise LookupError(msg)
        path = path.rpartition("/node_modules/")[0]


def _licence(folder: Path) -> str:
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.name.lower().startswith(("license", "licence", "copying", "unlicense")):
            return file.read_text(encoding="utf-8")
    return "The package carries no licence text beyond the name above.\n"


if __name__ == "__main__":
    sys.exit(main())
