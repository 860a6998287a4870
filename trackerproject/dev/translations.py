"""`make messages`: brings the translations up to date with the sources, and compiles them. Needs no gettext programs.

Each app keeps its own `locale/<language>/LC_MESSAGES/django.po`; texts of `templates/<app>/` belong to that app, other
templates to this one. New texts come in untranslated, nothing is guessed ("fuzzy"), texts that are gone are dropped.
Texts on our pages that come from other packages, which have no translation of them themselves, belong to trackerproject.
"""

from __future__ import annotations

import ast
import io
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from tasks_app.engine.registry import registered_tasks

BASE_DIR = Path(__file__).resolve().parents[2]
SITE_PACKAGES = Path(django.__file__).resolve().parents[1]
APPS = ("trackerproject", "tasks_app", "notifications_app", "reports_app")
LANGUAGES = ("pt_BR",)
# Where other packages keep texts that our pages show.
THIRD_PARTIES = (
    "unfold",
    "axes/models.py",
    "django_q/models.py",
    "import_export/admin.py",
    "import_export/forms.py",
    "import_export/templates",
    "knox/auth.py",
)
# Parts of theirs that are not installed here.
_UNUSED = {"crispy", "guardian", "simple_history", "location_field", "constance", "forms", "unfold_crispy", "tests"}
_TRANSLATED_PACKAGES = ("django", "import_export", "django_filters", "rest_framework")
_IN_F_STRING = re.compile(r"""\bf["'][^\n]*\b(_|n?gettext)\(""")
_NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)
_KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
    # Errors of tasks_app.geo, which knows no language.
    "InvalidArea": None,
    "InvalidWindows": None,
}


def main() -> int:
    django.setup()
    for app in APPS:
        sources = source_catalog(app)
        for language in LANGUAGES:
            if not sources and not po_file(app, language).is_file():
                continue
            catalog = updated(read(app, language), sources)
            write(app, language, catalog)
            missing = sum(not is_translated(message) for message in catalog if message.id)
            print(f"{app} {language}: {len(catalog)} texts, {missing} not translated yet")
    return 0


def source_catalog(app: str) -> Catalog:
    """Return the texts of an app's sources and templates, with their files."""
    catalog = Catalog(project="tracker")
    for path in source_files(app):
        for _line, texts, comments, context in texts_of(path):
            location = [(path.relative_to(BASE_DIR).as_posix(), 0)]
            catalog.add(texts, locations=location, auto_comments=comments, context=context)
    for task in registered_tasks():
        # The admin shows the docstring of a task.
        if task.summary and task.function.__module__.startswith(f"{app}.tasks"):
            catalog.add(task.summary, locations=[(f"{task.function.__module__.replace('.', '/')}.py", 0)])
    if app == APPS[0]:
        _add_third_parties(catalog)
    return catalog


def _add_third_parties(catalog: Catalog) -> None:
    """Add texts of other packages that they do not translate into every language of ours themselves."""
    translated = set.intersection(*(_translated_by_others(language) for language in LANGUAGES))
    for place in THIRD_PARTIES:
        for path in third_party_files(place):
            for _line, texts, _comments, context in texts_of(path):
                key = texts if isinstance(texts, str) else texts[0]
                if (context, key) not in translated:
                    catalog.add(texts, locations=[(path.relative_to(SITE_PACKAGES).as_posix(), 0)], context=context)


def third_party_files(place: str) -> list[Path]:
    """Return the Python files and templates of a package, or one file."""
    root = SITE_PACKAGES / place
    found = sorted(root.rglob("*")) if root.is_dir() else [root]
    return [path for path in found if path.suffix in (".py", ".html") and not _UNUSED & set(path.parts)]


def _translated_by_others(language: str) -> set[tuple[Any, str]]:
    found = set()
    for package in _TRANSLATED_PACKAGES:
        for path in (SITE_PACKAGES / package).rglob(f"locale/{language}/LC_MESSAGES/django.mo"):
            with path.open("rb") as file:
                for message in read_mo(file):
                    key = message.id if isinstance(message.id, str) else message.id[0]
                    if key and is_translated(message):
                        found.add((message.context, key))
    return found


def source_files(app: str) -> Iterator[Path]:
    """Yield the Python files and templates of this app in order."""
    python = (BASE_DIR / app).rglob("*.py")
    yield from sorted(path for path in python if "migrations" not in path.parts)
    folders = (BASE_DIR / "templates").iterdir()
    ours = [folder for folder in folders if (folder.name if folder.name in APPS else APPS[0]) == app]
    yield from sorted(path for folder in ours for path in folder.rglob("*") if path.suffix in (".html", ".txt"))


def texts_of(path: Path) -> Iterator[tuple[Any, ...]]:
    source = path.read_text()
    if path.suffix != ".py":
        # Django makes something like Python of a template; in brackets its indentation means nothing.
        source = f"({templatize(source, origin=str(path))})"
    elif _IN_F_STRING.search(source):
        source = f"{source}\n{_values_of_f_strings(source)}"
    return extract("python", io.BytesIO(source.encode()), keywords=_KEYWORDS, comment_tags=["Translators:"])


def _values_of_f_strings(source: str) -> str:
    """Return as Python what stands in the f-strings of a source, which is a part of a string to what reads it for texts."""
    parts = [one for one in ast.walk(ast.parse(source)) if isinstance(one, ast.FormattedValue)]
    return "\n".join(ast.unparse(one.value) for one in parts)


def po_file(app: str, language: str) -> Path:
    return BASE_DIR / app / "locale" / language / "LC_MESSAGES" / "django.po"


def read(app: str, language: str) -> Catalog:
    """Return the stored catalogue, an empty one if there is none."""
    path = po_file(app, language)
    if not path.is_file():
        return Catalog(locale=language, project="tracker", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated(catalog: Catalog, sources: Catalog) -> Catalog:
    """`catalog` with exactly the texts of `sources`, keeping what is translated."""
    catalog.update(sources, no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    return catalog


def write(app: str, language: str, catalog: Catalog) -> None:
    """Write the .po file and the .mo file beside it."""
    path = po_file(app, language)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = io.BytesIO()
    write_po(body, catalog, width=120, sort_output=True, include_lineno=False, omit_header=True)
    # A header of our own: without dates, so that a run that changes nothing changes no file.
    path.write_bytes(f'msgid ""\nmsgstr ""\n{_header(catalog)}\n'.encode() + body.getvalue())
    path.with_suffix(".mo").write_bytes(compiled(catalog))


def _header(catalog: Catalog) -> str:
    fields = {
        "Project-Id-Version": "tracker",
        "Language": str(catalog.locale),
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": catalog.plural_forms,
    }
    return "".join(f'"{name}: {value}\\n"\n' for name, value in fields.items())


def compiled(catalog: Catalog) -> bytes:
    """The .mo file of a catalogue: what is not translated is not in it, so that it shows in English."""
    done = Catalog(
        locale=catalog.locale, project="tracker", fuzzy=False, creation_date=_NO_DATE, revision_date=_NO_DATE
    )
    for message in catalog:
        if message.id and is_translated(message) and not message.fuzzy:
            done[message.id] = message
    output = io.BytesIO()
    write_mo(output, done)
    return output.getvalue()


def is_translated(message: Message) -> bool:
    """Return whether every form of a text is translated."""
    return all(message.string) if isinstance(message.string, tuple | list) else bool(message.string)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackerproject.settings")
    sys.exit(main())
