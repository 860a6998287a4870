"""The Lua scripts of the engine, one file each. Redis runs each of them as one indivisible step."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import NoScriptError

from tasks_app.engine.kept_connection import CallerClient
from tasks_app.engine.redis_cluster import RedisClusterClient

# A function of a file of common ones, with the comment above it.
_FUNCTION = re.compile(r"(?:^--[^\n]*\n)*^local function (\w+)\(.*?^end\n", re.MULTILINE | re.DOTALL)


def read_sources(folder: Path, *shared: Path) -> dict[str, str]:
    """Return name -> source of the scripts in `folder`, each with what it uses of `shared` and of the folder's common.lua.

    That stands after a script's first line, which may say how Redis is to run it.
    """
    commons = [*shared, folder / "common.lua"]
    functions = "".join(path.read_text(encoding="utf-8") for path in commons if path.exists())
    sources = {}
    for path in sorted(folder.glob("*.lua")):
        first, _, rest = path.read_text(encoding="utf-8").partition("\n")
        sources[path.stem] = f"{first}\n{_with_used(functions, rest)}"
    sources.pop("common", None)
    return sources


def _with_used(functions: str, script: str) -> str:
    """Return the script behind those functions that it needs: Redis makes each of them anew for every call."""
    for function in reversed(list(_FUNCTION.finditer(functions))):
        before, behind = functions[: function.start()], functions[function.end() :]
        if not re.search(rf"\b{function[1]}\b", behind + script):
            functions = before + behind
    return functions + script


def _hash(source: str) -> str:
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


# All read at once: code and scripts of one process are of one version, even when a new one is installed under it.
_FOLDER = Path(__file__).parent
SOURCES = read_sources(_FOLDER)
SOURCES |= {f"lane_{name}": source for name, source in read_sources(_FOLDER / "lanes", _FOLDER / "common.lua").items()}
# Those that make jobs are refused by a Redis without memory. What follows an accepted job is made all the same: a worker that
# could not make it would not be rid of the job, and nothing would drain.
ACCEPTED = "_accepted"
for _name in ("enqueue", "lane_enqueue", "group_begin"):
    SOURCES[_name + ACCEPTED] = "#!lua flags=allow-oom\n" + SOURCES[_name].removeprefix("#!lua\n")
_HASHES = {name: _hash(source) for name, source in SOURCES.items()}

# Name of a script, keys, arguments.
Call = tuple[str, Sequence[str | bytes], list[Any]]


def add_scripts(sources: Mapping[str, str]) -> None:
    """Make further scripts known by their names."""
    SOURCES.update(sources)
    _HASHES.update({name: _hash(source) for name, source in sources.items()})


def run_script(client: Any, name: str, keys: Sequence[str | bytes], arguments: Sequence[Any]) -> Any:
    """Run script `name`; its text is sent only to a server that does not know it yet."""
    try:
        return client.evalsha(*_arguments(name, keys, arguments))
    except NoScriptError:
        return client.eval(SOURCES[name], len(keys), *keys, *arguments)


def run_scripts(client: Any, calls: Sequence[Call], *, raise_errors: bool = True) -> list[Any]:
    """Run these scripts in one round trip, each by itself, and return their answers.

    In a Redis Cluster it is one round trip per node. Without `raise_errors` the answer of a script that Redis refused is the
    error, and so is that of one whose node in a cluster is gone.
    """
    commands = [_arguments(*call) for call in calls]
    has_kept = isinstance(client, CallerClient)
    answers = client.evalsha_all(commands) if has_kept else _run_all(client, "EVALSHA", commands)
    unknown = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
    if unknown:
        # Together, too: one after the other they take seconds where Redis is far away, and nothing else is done meanwhile.
        texts = [(SOURCES[calls[index][0]], *commands[index][1:]) for index in unknown]
        for index, answer in zip(unknown, _run_all(client, "EVAL", texts), strict=True):
            answers[index] = answer
    if raise_errors:
        for answer in answers:
            if isinstance(answer, redis.RedisError):
                raise answer
    return answers


def run_scripts_whole(client: Any, calls: Sequence[Call]) -> list[Any]:
    """Run these scripts as one transaction, on one Redis; return their answers. An answer may be the error of its script.

    They are run again where Redis did not know one of them: sending all of them twice has to be harmless.
    """
    commands = [_arguments(*call) for call in calls]
    answers = _evalsha_whole(client, commands)
    if any(isinstance(answer, NoScriptError) for answer in answers):
        for name in {name for name, _, _ in calls}:
            client.script_load(SOURCES[name])
        answers = _evalsha_whole(client, commands)
    return answers


def _run_all(client: Any, verb: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
    """Send EVALSHA or EVAL with each of these arguments; an answer may be the error of its script or of its node."""
    if isinstance(client, RedisClusterClient):
        return client.run_commands([((verb, *call), {}) for call in calls])
    return _in_pipeline(client, verb, calls, is_whole=False)


def _evalsha_whole(client: Any, calls: Sequence[Sequence[Any]]) -> list[Any]:
    if isinstance(client, CallerClient):
        return client.evalsha_whole(calls)
    return _in_pipeline(client, "EVALSHA", calls, is_whole=True)


def _in_pipeline(client: Any, verb: str, calls: Sequence[Sequence[Any]], *, is_whole: bool) -> list[Any]:
    pipe = client.pipeline(transaction=is_whole)
    for call in calls:
        pipe.execute_command(verb, *call)
    answers: list[Any] = pipe.execute(raise_on_error=False)
    return answers


def _arguments(name: str, keys: Sequence[str | bytes], arguments: Sequence[Any]) -> tuple[Any, ...]:
    """Return the arguments of EVALSHA."""
    return (_HASHES[name], len(keys), *keys, *arguments)
