"""Lua scripts are sent to Redis with those common functions that they use."""

from __future__ import annotations

import re

from tasks_app.engine.scripts import SOURCES, read_sources

COMMON = """-- Functions of all scripts.

-- Reads.
local function read(key)
  return redis.call('GET', key)
end

local function double(key)
  return read(key) * 2
end

local function reader()
  return 0
end
"""


def functions_of(source: str) -> list[str]:
    return re.findall(r"^local function (\w+)", source, re.MULTILINE)


def test_a_script_has_the_functions_it_calls_and_what_they_call(tmp_path):
    (tmp_path / "common.lua").write_text(COMMON)
    (tmp_path / "both.lua").write_text("#!lua flags=allow-oom\nreturn double(KEYS[1])\n")
    (tmp_path / "none.lua").write_text("-- Nothing.\nreturn 1\n")
    sources = read_sources(tmp_path)
    assert functions_of(sources["both"]) == ["read", "double"]
    assert sources["both"].startswith("#!lua flags=allow-oom\n")
    assert functions_of(sources["none"]) == []


def test_functions_of_several_folders_are_found_through_each_other(tmp_path):
    shared, folder = tmp_path / "shared.lua", tmp_path / "folder"
    folder.mkdir()
    shared.write_text(COMMON)
    (folder / "common.lua").write_text(
        "local PREFIX = ARGV[1]\nlocal function four(key)\n  return double(key) * 2\nend\n"
    )
    (folder / "one.lua").write_text("-- One.\nreturn four(KEYS[1])\n")
    source = read_sources(folder, shared)["one"]
    assert functions_of(source) == ["read", "double", "four"]
    assert "local PREFIX = ARGV[1]\n" in source


def test_no_script_of_the_engine_carries_a_common_function_it_does_not_mention():
    for name, source in SOURCES.items():
        for function in functions_of(source):
            assert len(re.findall(rf"\b{function}\b", source)) > 1, (name, function)
