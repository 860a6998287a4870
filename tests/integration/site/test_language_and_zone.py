"""Everyone chooses language, time zone and units; pages follow, in one format per language."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.template import Context, Template
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from notifications_app.models import NotificationPreference
from notifications_app.queries.audience import preferences_of, read_people, recipient_of
from reports_app.models import Report
from reports_app.queries.reports import display_settings_of
from tasks_app.models import Event, EventKind
from tasks_app.utils.clock import exact_day, exact_time, zone_offset
from tests.support.page_forms import inputs_of

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 25, 2, 5, 9, tzinfo=UTC)


@pytest.fixture
def clerk(make_user) -> Client:
    """Staff without any permission."""
    client = Client()
    client.force_login(make_user(username="clerk", is_staff=True))
    return client


def choose(client, language, *, following="/admin/"):
    return client.post(reverse("set_language"), {"language": language, "next": following})


def test_visitors_choose_a_language_on_the_log_in_page(client):
    assert 'value="pt-br"' in client.get(reverse("admin:login")).content.decode()
    assert choose(client, "pt-br", following=reverse("admin:login")).headers["Location"] == reverse("admin:login")
    assert client.get(reverse("admin:login")).headers["Content-Language"] == "pt-br"


def test_a_language_chosen_in_the_header_is_kept_for_the_person(clerk):
    choose(clerk, "pt-br")
    assert NotificationPreference.objects.get().language == "pt-br"
    elsewhere = Client()
    elsewhere.force_login(NotificationPreference.objects.get().user)
    assert elsewhere.get(reverse("admin:index")).headers["Content-Language"] == "pt-br"
    choose(elsewhere, "en")
    assert clerk.get(reverse("admin:index")).headers["Content-Language"] == "en"


@pytest.mark.parametrize("language", ["", "xx", "de", "</script>", "🚚", "x" * 10_000])
def test_a_language_that_is_not_offered_changes_nothing(clerk, language):
    assert choose(clerk, language).status_code == 302
    assert not NotificationPreference.objects.exists()


def test_it_returns_to_no_other_site(clerk):
    assert choose(clerk, "pt-br", following="https://evil.example/").headers["Location"] == "/"


def test_a_link_alone_changes_no_language(clerk):
    assert clerk.get(reverse("set_language")).status_code == 405


def test_staff_without_permissions_choose_their_own_zone_and_units(clerk):
    address = reverse("own_settings")
    assert "UTC" in clerk.get(address).content.decode()
    data = {
        "language": "pt-br",
        "time_zone": "America/Sao_Paulo",
        "distance_unit": "mi",
        "speed_unit": "mph",
        "altitude_unit": "ft",
        "volume_unit": "gal",
    }
    text = clerk.post(address, data, follow=True).content.decode()
    assert "Suas preferências foram salvas." in text
    assert "America/Sao_Paulo (UTC−3)" in text
    saved = NotificationPreference.objects.get()
    assert (saved.user.username, saved.time_zone, saved.speed_unit) == ("clerk", "America/Sao_Paulo", "mph")


@pytest.mark.parametrize("zone", ["Nowhere/Land", "UTC+3", "<b>", "../etc/passwd", "x" * 10_000])
def test_a_zone_that_there_is_not_is_refused_beside_its_field(clerk, zone):
    units = {"distance_unit": "km", "speed_unit": "kph", "altitude_unit": "m", "volume_unit": "l"}
    answer = clerk.post(reverse("own_settings"), {"language": "en", "time_zone": zone, **units})
    assert answer.status_code == 200
    assert answer.context["form"].errors.keys() == {"time_zone"}
    assert not NotificationPreference.objects.exists()


def test_visitors_are_asked_to_log_in_for_settings(client):
    assert "/login/" in client.get(reverse("own_settings")).headers["Location"]


@pytest.mark.parametrize(
    ("language", "zone", "text", "offset"),
    [
        ("en", "UTC", "25 Nov 2026, 02:05:09", "UTC"),
        ("en", "Asia/Kolkata", "25 Nov 2026, 07:35:09", "UTC+5:30"),
        ("pt-br", "America/Sao_Paulo", "24/11/2026 23:05:09", "UTC−3"),
    ],
)
def test_a_time_has_one_format_per_language_and_its_zone(language, zone, text, offset):
    with translation.override(language), timezone.override(zone):
        assert (exact_time(AT), zone_offset(AT)) == (text, offset)


@pytest.mark.parametrize("page_name", ["changelist", "change"])
def test_pages_show_times_on_the_clock_of_the_reader_with_its_zone(page, staff, device, page_name):
    NotificationPreference.objects.create(user=staff, time_zone="America/Sao_Paulo")
    event = Event.objects.create(device=device, kind=EventKind.ALARM, occurred_at=AT)
    args = [event.pk] if page_name == "change" else []
    text = page.get(reverse(f"admin:tasks_app_event_{page_name}", args=args)).content.decode()
    assert "24 Nov 2026, 23:05:09" in text
    assert "UTC−3" in text


def test_a_report_names_its_days_in_its_own_zone(page, fleet):
    """Midnight in São Paulo is 03:00 UTC: the day is the fleet's for every reader."""
    span = {"range_start": datetime(2026, 11, 28, 3, tzinfo=UTC), "range_end": datetime(2026, 11, 29, 3, tzinfo=UTC)}
    report = Report.objects.create(kind="fleet", fleet=fleet, state="failed", **span)
    text = page.get(reverse("admin:reports_app_report_change", args=[report.pk])).content.decode()
    assert "28 Nov 2026 (America/Sao_Paulo)" in text


def test_the_name_of_a_report_has_the_day_of_its_fleet(fleet):
    fleet.time_zone = "Asia/Tokyo"
    start, end = datetime(2026, 11, 27, 15, tzinfo=UTC), datetime(2026, 11, 28, 15, tzinfo=UTC)
    assert str(Report(kind="fleet", fleet=fleet, range_start=start, range_end=end)).endswith("28 Nov 2026")
    assert exact_day(start) == "27 Nov 2026"


def theme_of(client, address="/") -> str:
    text = client.get(address).content.decode()
    return text.split('data-theme="')[1].split('"')[0]


def test_a_theme_is_kept_for_the_person_and_stands_in_the_page_from_the_first_byte(operator):
    client, elsewhere = Client(), Client()
    for one in (client, elsewhere):
        one.force_login(operator)
    assert theme_of(client) == "system"
    answer = client.post(reverse("set_theme"), {"theme": "dark", "next": "/devices/"})
    assert answer.headers["Location"] == "/devices/"
    assert NotificationPreference.objects.get().theme == "dark"
    assert (theme_of(client), theme_of(elsewhere)) == ("dark", "dark")
    client.post(reverse("pages:logout"))
    assert theme_of(client, "/login/") == "dark"


def test_who_chooses_a_theme_goes_on_reading_the_language_of_the_browser(operator):
    client = Client(HTTP_ACCEPT_LANGUAGE="pt-BR")
    client.force_login(operator)
    client.post(reverse("set_theme"), {"theme": "dark", "next": "/"})
    assert NotificationPreference.objects.get().language == "pt-br"
    assert client.get("/").headers["Content-Language"] == "pt-br"


@pytest.mark.parametrize("choice", [{"language": "pt-br"}, {"theme": "dark"}])
def test_who_chooses_no_zone_goes_on_reading_that_of_the_fleet(operator, choice):
    client = Client()
    client.force_login(operator)
    name = "set_language" if "language" in choice else "set_theme"
    client.post(reverse(name), {**choice, "next": "/"})
    (person,) = read_people([operator.pk])
    assert recipient_of(preferences_of([person])[operator.pk], "America/Sao_Paulo").time_zone == "America/Sao_Paulo"
    assert display_settings_of(operator, "America/Sao_Paulo").time_zone == "America/Sao_Paulo"


def test_a_zone_can_be_chosen_and_left_open_again(operator):
    client = Client()
    client.force_login(operator)
    address = reverse("pages:preferences")
    for zone in ("America/Sao_Paulo", ""):
        values = {field.html_name: field.value() for field in client.get(address).context["form"] if field.value()}
        assert client.post(address, {**values, "time_zone": zone}).status_code == 302
        assert NotificationPreference.objects.get().time_zone == zone


def test_a_theme_is_one_of_the_preferences(operator):
    client = Client()
    client.force_login(operator)
    address = reverse("pages:preferences")
    offered = client.get(address).context["form"]
    values = {field.html_name: field.value() for field in offered if field.value()}
    assert client.post(address, {**values, "theme": "light"}).status_code == 302
    assert theme_of(client) == "light"


@pytest.mark.parametrize("theme", ["", "blue", "</script>", "🚚", "x" * 10_000])
def test_a_theme_that_is_not_offered_changes_nothing(client, operator, theme):
    client.force_login(operator)
    client.cookies["theme"] = "</script>"
    answer = client.post(reverse("set_theme"), {"theme": theme, "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"
    assert theme_of(client) == "system"
    assert not NotificationPreference.objects.exists()
    assert client.get(reverse("set_theme")).status_code == 405


@pytest.mark.parametrize(("language", "text"), [("en", "100,000 -1,234 0"), ("pt-br", "100.000 -1.234 0")])
def test_large_numbers_are_grouped_as_the_language_does(language, text):
    template = Template("{% load quantities %}{{ many|grouped }} {{ few|grouped }} {{ none|grouped }}")
    with translation.override(language):
        assert template.render(Context({"many": 100_000, "few": -1_234, "none": 0})) == text


def test_preferences_that_staff_change_stay_their_person_s(admin_client, make_user):
    """The person is the key of the row: with another one that one's preferences were overwritten."""
    ana, ben = (
        NotificationPreference.objects.create(user=make_user(username=name), language=language)
        for name, language in (("ana", "en"), ("ben", "pt-br"))
    )
    address = reverse("admin:notifications_app_notificationpreference_change", args=[ana.pk])
    values = inputs_of(admin_client.get(address).content.decode(), "notificationpreference_form")
    assert admin_client.post(address, {**values, "user": ben.pk, "speed_unit": "mph"}).status_code == 302
    stored = NotificationPreference.objects.order_by("pk").values_list("user__username", "language", "speed_unit")
    assert list(stored) == [("ana", "en", "mph"), ("ben", "pt-br", "kph")]
