"""Arguments of a shell that are looked for or kept in the database: no text that it cannot take, none cut off."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["api_token", "a\udcff"], "no UTF-8"),
        (["api_token", "ana", "--name", "a\udcff"], "no UTF-8"),
        (["api_token", "ana", "--name", "x" * 61], "1 to 60 characters"),
        (["remove_second_factor", "a\0"], "no UTF-8"),
        (["device_key", "a\udcff"], "no UTF-8"),
        (["jobs", "list", "--user", "a\udcff"], "no UTF-8"),
        (["jobs", "list", "--task", "a\udcff"], "no UTF-8"),
        (["import_positions", "x.csv", "--create-devices", "--fleet", "x" * 101], "1 to 100 characters"),
        (["import_positions", "x.csv", "--create-devices", "--fleet", " "], "1 to 100 characters"),
        (["import_positions", "x.csv", "--device", "x" * 129], "1 to 128 characters"),
    ],
)
def test_a_text_that_cannot_be_kept_as_it_is_is_refused(arguments, words):
    with pytest.raises(CommandError, match=words):
        call_command(*arguments)
