"""A rule as it stands in its form, saved or not: in words, and what it would watch. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms

from notifications_app.admin.form_checks import checked_input
from notifications_app.messages.rule_description import sentence_of
from notifications_app.messages.rule_words import RuleWords, names_of, person_name
from notifications_app.models import Rule
from notifications_app.queries.watched import Subjects, watched_map
from tasks_app.queries.access import visible_devices, visible_geofences

Formsets = Sequence[forms.BaseFormSet[Any]]
_VALUES = (
    *("event_kinds", "alarms", "min_speed_kph", "min_duration_minutes", "windows", "roles", "channels"),
    *("digest_every_minutes", "digest_daily_at"),
)
_REFERENCES = ("devices", "geofences", "within_geofences")
# Whatever is wrong with it, the sentence is the same.
_NOT_IN_WORDS = {"name"}


def check_reply(form: forms.ModelForm[Rule], formsets: Formsets, user: Any, known_map: str) -> dict[str, Any]:
    """Return what is wrong so far; the sentence and the map unless something in them is wrong, the map unless it is known."""
    wrong, missing = checked_input([form, *formsets])
    subjects, is_clear = subjects_of_draft(form), not set(wrong) - _NOT_IN_WORDS
    return {
        "errors": wrong,
        "missing": missing,
        "sentence": sentence_of(words_of_draft(form, formsets, user)) if is_clear else "",
        "map": watched_map(subjects, user) if is_clear and subjects.key != known_map else None,
    }


def sentence_of_draft(form: forms.ModelForm[Rule], formsets: Formsets, user: Any) -> str:
    """Return the description of a bound form; empty if something in it is wrong."""
    wrong, _missing = checked_input([form, *formsets])
    return "" if set(wrong) - _NOT_IN_WORDS else sentence_of(words_of_draft(form, formsets, user))


def words_of_draft(form: forms.ModelForm[Rule], formsets: Formsets, user: Any) -> RuleWords:
    """Return the values of a bound form with the names of what it refers to; of rows hidden from `user` their numbers."""
    data = form.cleaned_data
    fleet = data.get("fleet")
    values = {name: data[name] for name in _VALUES if data.get(name) is not None}
    return RuleWords(
        fleet=fleet.name if fleet else "",
        zone=fleet.time_zone if fleet else "",
        devices=_names(data.get("devices"), visible_devices(user)),
        geofences=_names(data.get("geofences"), visible_geofences(user)),
        within=_names(data.get("within_geofences"), visible_geofences(user)),
        people=[person_name(person) for person in data.get("users") or ()],
        command=data["command"].name if data.get("command") else "",
        cooldown_minutes=data.get("cooldown_minutes") or 0,
        steps=sorted(_steps(formsets)),
        **values,
    )


def subjects_of_draft(form: forms.ModelForm[Rule]) -> Subjects:
    """Return what a bound form watches, by its valid part."""
    data = form.cleaned_data
    ids = {name: frozenset(one.pk for one in data.get(name) or ()) for name in _REFERENCES}
    return Subjects(
        data["fleet"].pk if data.get("fleet") else None,
        data.get("event_kinds") or (),
        ids["devices"],
        ids["geofences"],
        ids["within_geofences"],
    )


def subjects_of_rule(rule: Rule) -> Subjects:
    """Return what a stored rule watches."""
    ids = {name: frozenset(one.pk for one in getattr(rule, name).all()) for name in _REFERENCES}
    return Subjects(rule.fleet_id, rule.event_kinds, ids["devices"], ids["geofences"], ids["within_geofences"])


def _names(chosen: Any, seen: Any) -> list[str]:
    rows = list(chosen or ())
    if not rows:
        return []
    known = set(seen.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
    return names_of(row for row in rows if row.pk in known) + [f"#{row.pk}" for row in rows if row.pk not in known]


def _steps(formsets: Formsets) -> Iterable[tuple[int, list[str]]]:
    for formset in formsets:
        for form in formset.forms:
            data = getattr(form, "cleaned_data", None) or {}
            if data.get("after_minutes") and not data.get("DELETE"):
                yield data["after_minutes"], [person_name(person) for person in data.get("users") or ()]
