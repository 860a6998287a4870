"""The committed translations: compiled as written, and safe to put values into."""

from __future__ import annotations

import re

import pytest

from trackerproject.dev.translations import (
    APPS,
    LANGUAGES,
    compiled,
    is_translated,
    po_file,
    read,
    source_catalog,
    source_files,
    texts_of,
    updated,
)

# Words of Portuguese that mean the same as the one used here, as docs/glossary.md has one English word for each thing.
REPLACED = {"dispositivo": "rastreador", "dispositivos": "rastreadores"}
CATALOGS = [(app, language) for app in APPS for language in LANGUAGES]
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|%([sd])|\{(\w*)\}")


@pytest.mark.parametrize(("app", "language"), CATALOGS)
def test_it_has_compiled_every_catalogue_as_it_is_written(app, language):
    assert po_file(app, language).with_suffix(".mo").read_bytes() == compiled(read(app, language))


@pytest.mark.parametrize(("app", "language"), CATALOGS)
def test_it_has_no_guessed_translation(app, language):
    assert [message.id for message in read(app, language) if message.id and message.fuzzy] == []


@pytest.mark.parametrize(("app", "language"), CATALOGS)
def test_it_asks_for_the_same_values_in_every_translation(app, language):
    for message in read(app, language):
        if not message.id or not is_translated(message):
            continue
        texts = message.id if isinstance(message.id, tuple) else (message.id,)
        wanted = {match for text in texts for match in PLACEHOLDER.findall(text)}
        for string in message.string if isinstance(message.string, tuple | list) else (message.string,):
            assert set(PLACEHOLDER.findall(string)) <= wanted, string
            assert ("\n" in string) == any("\n" in text for text in texts), string


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_translates_a_text_alike_in_every_app(language):
    """Django shows the translation of one app only: where the meanings differ, the texts need a context."""
    found: dict[tuple, set] = {}
    for app in APPS:
        for message in read(app, language):
            if message.id and is_translated(message):
                found.setdefault((message.context, message.id), set()).add(message.string)
    assert {text: strings for text, strings in found.items() if len(strings) > 1} == {}


@pytest.mark.parametrize(("app", "language"), CATALOGS)
def test_one_thing_has_one_word(app, language):
    found = [
        f"{word} is {REPLACED[word]}: {string}"
        for message in read(app, language)
        if message.id and is_translated(message)
        for string in (message.string if isinstance(message.string, tuple | list) else (message.string,))
        for word in re.findall(r"\w+", string.lower())
        if word in REPLACED
    ]
    assert found == []


def test_it_finds_texts_of_python_files_and_templates():
    texts = source_catalog("notifications_app")
    assert "Delivery" not in texts
    assert "delivery" in texts
    assert "%(vehicle)s entered %(geofence)s" in texts
    assert texts.get(("%(n)d day", "%(n)d days")) is not None


def test_it_gives_every_template_to_one_app():
    templates = [path for app in APPS for path in source_files(app) if "templates" in path.parts]
    assert len(templates) == len(set(templates))
    assert any(path.name == "index.html" for path in templates)


def test_an_update_keeps_translations_and_drops_what_is_gone():
    catalog = read("notifications_app", LANGUAGES[0])
    catalog.add("no longer anywhere", "em lugar nenhum")
    catalog.get("delivery").string = "entrega"
    sources = source_catalog("notifications_app")
    sources.add("quite new")
    renewed = updated(catalog, sources)
    assert "no longer anywhere" not in renewed
    assert renewed.get("delivery").string == "entrega"
    assert not is_translated(renewed.get("quite new"))


@pytest.mark.parametrize(("app", "language"), CATALOGS)
def test_it_has_translated_every_text_of_the_sources(app, language):
    catalog = read(app, language)
    found = {(message.context, message.id): message for message in catalog if message.id}
    missing = [
        message.id
        for message in source_catalog(app)
        if message.id
        and ((message.context, message.id) not in found or not is_translated(found[message.context, message.id]))
    ]
    assert missing == []


def test_it_finds_what_the_admin_tells_of_a_task():
    assert "Store one position, like a batch of one." in source_catalog("tasks_app")


def test_texts_within_other_strings_are_found(tmp_path):
    path = tmp_path / "words.py"
    path.write_text("line = f\"{count} {_('on the way') if count else ngettext('one', 'many', 2)}\"\n")
    assert [texts for _line, texts, *_more in texts_of(path)] == ["on the way", ("one", "many")]
