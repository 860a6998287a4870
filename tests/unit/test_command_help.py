"""`--help` of every command of ours, with those of its verbs."""

from __future__ import annotations

import argparse

import pytest
from django.core.management import get_commands, load_command_class
from django.utils import translation

from tasks_app.management.base import ShellCommand

OURS = ("trackerproject", "trackerproject.dev", "tasks_app", "notifications_app", "reports_app")
COMMANDS = sorted((app, name) for name, app in get_commands().items() if app in OURS)


def parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    verbs = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [parser, *(one for action in verbs for verb in action.choices.values() for one in parsers(verb))]


@pytest.mark.parametrize(("app", "name"), COMMANDS, ids=[name for _app, name in COMMANDS])
def test_each_command_explains_itself(app, name):
    for language in ("en", "pt-br"):
        with translation.override(language):
            for parser in parsers(load_command_class(app, name).create_parser("manage.py", name)):
                assert parser.format_help().startswith("usage: manage.py")


@pytest.mark.parametrize(("app", "name"), COMMANDS, ids=[name for _app, name in COMMANDS])
def test_each_command_says_in_a_sentence_what_is_wrong_with_the_servers(app, name):
    assert isinstance(load_command_class(app, name), ShellCommand)


# Kept with what is done, where an empty one is none; read as NAME=VALUE, which an empty one is not.
OTHERS = {"reason", "parameter"}
DJANGOS = {"settings", "pythonpath"}
OF_OPERATORS = [(app, name) for app, name in COMMANDS if app != "trackerproject.dev"]


@pytest.mark.parametrize(("app", "name"), OF_OPERATORS, ids=[name for _app, name in OF_OPERATORS])
def test_no_option_is_ignored_because_it_is_empty(app, name):
    """`--task "$TASK"` of a variable that is not set is a mistake, and not everything."""
    options = [
        action
        for parser in parsers(load_command_class(app, name).create_parser("manage.py", name))
        for action in parser._actions
        if action.option_strings and action.nargs != 0 and action.choices is None
        if action.dest not in OTHERS | DJANGOS
    ]
    assert [option.option_strings[-1] for option in options if takes_empty_text(option)] == []


def takes_empty_text(option: argparse.Action) -> bool:
    try:
        (option.type or str)("")
    except (argparse.ArgumentTypeError, ValueError):
        return False
    return True
