"""The documents' blocks, and their JavaScript under Node, with what Node lacks of a browser."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support import http_parts

SUPABASE = Path(__file__).resolve().parents[2] / "docs" / "supabase.md"

_BROWSER = """
import { writeFileSync } from 'node:fs'
const seen = { alerts: [], calls: [] }
process.on('exit', () => writeFileSync('seen.json', JSON.stringify(seen)))
globalThis.alert = (text) => { seen.alerts.push(text) }
globalThis.confirm = () => agrees
const browser = { fetch: globalThis.fetch, setTimeout: globalThis.setTimeout }
globalThis.fetch = (...given) => {
  seen.calls.push(String(given[0]).split('/').at(-1))
  return browser.fetch(...given)
}
// A page's own timers are known by the name of their function; those of libraries have none that a page uses.
globalThis.setTimeout = (run, ms, ...rest) => {
  if (run.name === 'beat') seen.calls.push(`beat after ${ms}`)
  return browser.setTimeout(run, ms, ...rest)
}
const hasCalled = async (name, times) => {
  while (seen.calls.filter((call) => call === name).length < times) {
    await new Promise((done) => browser.setTimeout(done, 20))
  }
}
// A beacon is a request without headers of the page's own.
const sent = []
navigator.sendBeacon = (url, body) => sent.push(browser.fetch(url, { method: 'POST', body })) > 0
"""
_END = "\nfor (const answer of sent) console.log((await answer).status)\nprocess.exit(0)\n"


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of a page.

    Attributes:
        printed: Its lines.
        alerts: What it showed the user.
        calls: The last part of each address that it fetched, and ``beat after <ms>`` for each timer of ``beat``.
        failed: Whether it threw something.
    """

    printed: list[str]
    alerts: list[str]
    calls: list[str]
    failed: bool


def blocks(document: Path, language: str) -> list[str]:
    """All fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), re.M | re.S)


def visit(program: str, folder: Path, constants: Mapping[str, object], *, agrees: bool = True) -> Visit:
    """Run a program of a page under Node.

    Args:
        program: May call ``hasCalled(name, times)`` to wait until it has fetched something so many times.
        folder: An empty one.
        constants: What the program knows by these names.
        agrees: What the user says when asked to confirm.

    Raises:
        MissingPartError: Node or the client is not on this machine.
    """
    (folder / "node_modules").symlink_to(http_parts.supabase_js())
    named = {"agrees": agrees, **constants}
    given = "".join(f"const {name} = {json.dumps(value, default=str)}\n" for name, value in named.items())
    file = folder / "page.mjs"
    file.write_text(f"{given}{_BROWSER}{program}{_END}")
    command = [http_parts.node(), file]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    seen = folder / "seen.json"
    assert seen.exists(), done.stderr
    return Visit(done.stdout.splitlines(), **json.loads(seen.read_text()), failed=done.returncode != 0)
