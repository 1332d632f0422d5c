"""supabase-js under a real Node, driven from Python."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.support import http_parts
from tests.support.http_door import Answer, Caller, token

Step = Sequence[object]


@dataclass(slots=True)
class Supabase:
    """A Node process with supabase-js in it, and the gateway in front of PostgREST.

    Attributes:
        url: What ``createClient`` gets.
        key: The key that a page carries: a token of anon.
    """

    process: subprocess.Popen[str]
    url: str
    key: str
    _numbers: count[int]

    def run(self, caller: Caller, *steps: Step) -> Answer:
        """Run a chain of methods of the client, such as ``["rpc", "webinar_enter", {…}]``."""
        return self.run_all([(caller, steps)])[0]

    def call(self, function: str, caller: Caller, /, **arguments: object) -> Answer:
        """Call a function; arguments without their leading underscore."""
        return self.run(caller, ["rpc", function, {f"_{name}": value for name, value in arguments.items()}])

    def run_all(self, commands: Sequence[tuple[Caller, Sequence[Step]]]) -> list[Answer]:
        """Run several at once, and answer in their order."""
        assert self.process.stdin
        assert self.process.stdout
        numbers = []
        for caller, steps in commands:
            numbers.append(next(self._numbers))
            command = {"id": numbers[-1], "key": self.key, "token": caller.token, "steps": steps}
            self.process.stdin.write(json.dumps(command, default=str) + "\n")
        self.process.stdin.flush()
        answers: dict[int, Answer] = {}
        while len(answers) < len(numbers):
            said = json.loads(self.process.stdout.readline() or '{"problem": "the driver ended"}')
            assert "problem" not in said, said["problem"]
            answers[said["id"]] = _answer(said)
        return [answers[number] for number in numbers]


def _answer(said: dict[str, Any]) -> Answer:
    if said["error"]:
        return Answer.failed(said["status"], said["error"], said["reason"])
    return Answer(said["status"], data=said["data"], reason=said["reason"])


@contextmanager
def driving(upstream: str) -> Iterator[Supabase]:
    """Drive supabase-js against a PostgREST for as long as the context lasts.

    Raises:
        MissingPartError: Node or the client is not on this machine.
    """
    http_parts.supabase_js()
    command = [str(http_parts.node()), str(http_parts.HTTP / "driver.mjs"), upstream]
    # It ends when its stdin is closed, as it is too when this process is killed.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            url = json.loads(process.stdout.readline())["url"]
            yield Supabase(process, url, token("anon"), count(1))
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait(timeout=30)
