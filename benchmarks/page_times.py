"""`python -m benchmarks.page_times JOBS QUEUED SIZE...`: first bytes, sizes and requests of pages, with ever more devices.

One uvicorn worker as in production, static files collected, an administrator and a manager of the fleet. The answer has, by
page and number of devices: `first_byte`, the median of ROUNDS in milliseconds from the request to the status line, `cpu`,
milliseconds of processor time of the web process for one, and `bytes` of the document as it is sent; with the most devices,
where Chromium is found, `requests` of a first visit and `load`, the milliseconds until its load event. Then come lists of JOBS
ended and QUEUED waiting jobs.
"""

from __future__ import annotations

import gzip
import http.client
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from subprocess import Popen
from typing import Any
from urllib.parse import urlencode

import django

django.setup()

import psutil  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from playwright.sync_api import Browser, Page  # noqa: E402

from benchmarks.sample_pages import (  # noqa: E402
    clear_pages,
    day_before_yesterday,
    drive_a_day,
    enqueue_jobs,
    grow_fleet,
    make_ended_jobs,
    make_people,
    make_rows_of_people,
)
from benchmarks.web import HOST, connect, processor_seconds, web_server  # noqa: E402
from tasks_app.models import Device, Job  # noqa: E402
from tasks_app.services.partitions import ensure_partitions  # noqa: E402
from trackerproject.dev.chromium import find_chromium, running_chromium  # noqa: E402

ROUNDS = 5
LOADS = 2
STATES = ("scheduled", "queued", "running", "retrying", "succeeded", "failed", "cancelled")
# Qualifiers of the list of jobs by a short name; those of one state have the tab of that state, too.
SEARCHES = {
    "task": "task:generate_device_report",
    "queue": "queue:cleanup",
    "error": "state:failed error:timeout",
    "argument": "args.device_id:77",
    "device": 'device:"Van 00003"',
    "by": "by:bench-admin",
    "by_schedule": "by:schedule",
    "worker": "worker:worker-1",
    "after": "after:yesterday state:failed",
    "before": "before:7d state:succeeded",
    "longer": "longer:50s",
    "words": "connection lost",
    "words_of_none": "nothing-has-this-word",
    "excluded": "-state:succeeded -task:cleanup_old_events",
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person with a session."""

    port: int
    server: psutil.Process
    session: str

    def times(self, path: str, rounds: int = ROUNDS) -> dict[str, float]:
        """Ask for the page so many times, after once to warm up. Raises RuntimeError when it is not answered with 200."""
        connection = connect(self.port)
        self.ask(path, connection)
        before = processor_seconds(self.server)
        answers = [self.ask(path, connection) for _ in range(rounds)]
        cpu_ms = (processor_seconds(self.server) - before) * 1000 / rounds
        connection.close()
        return {"first_byte": median(ms for ms, _ in answers), "cpu": cpu_ms, "bytes": float(len(answers[-1][1]))}

    def ask(self, path: str, connection: http.client.HTTPConnection) -> tuple[float, bytes]:
        """Return the milliseconds to the first byte of the answer, and the answer as it was sent."""
        cookie = f"{settings.SESSION_COOKIE_NAME}={self.session}"
        headers = {"Accept": "text/html", "Accept-Encoding": "gzip", "Cookie": cookie}
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        ms = (time.perf_counter() - began) * 1000
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered with {answer.status}: {body[:300]!r}")
        return ms, body


def main(jobs: int, queued: int, sizes: list[int]) -> None:
    clear_pages()
    manager, admin = make_people()
    ensure_partitions([day_before_yesterday()])
    devices = grow_fleet(sizes[0])
    drive_a_day(devices[0], day_before_yesterday())
    make_rows_of_people(manager)
    found: dict[str, float] = {}
    with web_server("trackerproject.asgi:application") as (process, port):
        people = {"member": visitor(manager, port, process), "admin": visitor(admin, port, process)}
        for size in sizes:
            devices = grow_fleet(size)
            for name, (person, path) in pages(devices[0]).items():
                found |= {f"{name}_{size}_{what}": value for what, value in people[person].times(path).items()}
        found |= visits(people, pages(devices[0]), port)
        make_ended_jobs(jobs, admin)
        enqueue_jobs(queued)
        for name, path in job_lists(people["admin"]).items():
            found |= {f"jobs_{name}_{what}": value for what, value in people["admin"].times(path).items()}
    print(json.dumps(found))


def visitor(user: User, port: int, process: Popen[bytes]) -> Visitor:
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[-1])
    return Visitor(port, psutil.Process(process.pid), client.cookies[settings.SESSION_COOKIE_NAME].value)


def pages(device: Device) -> dict[str, tuple[str, str]]:
    """Name -> who asks for it, and where it is. The page without a database query comes first: what the machine can do."""
    day = day_before_yesterday()
    on_day = {"date": day.date().isoformat()}
    member = {
        "page_that_is_trivial": reverse("health-live"),
        "home": reverse("pages:home"),
        "map": reverse("pages:map"),
        "devices": reverse("pages:devices"),
        "devices_found": _at("pages:devices", q="van 0001", status="online"),
        "device": reverse("pages:device", args=[device.pk]),
        "device_day": f"{reverse('pages:device_day', args=[device.pk])}?{urlencode(on_day)}",
        "trips": _at("pages:trips", device=device.name, **on_day),
        "events": reverse("pages:events"),
        "geofences": reverse("pages:geofences"),
        "reports": reverse("pages:reports"),
        "notifications": reverse("pages:notifications"),
    }
    admin = {
        "admin_home": reverse("admin:index"),
        "admin_map": reverse("live_map"),
        "admin_devices": reverse("admin:tasks_app_device_changelist"),
        "admin_device": reverse("admin:tasks_app_device_change", args=[device.pk]),
        "admin_events": reverse("admin:tasks_app_event_changelist"),
        "admin_jobs": reverse("admin:tasks_app_job_changelist"),
        "admin_queues": reverse("admin:tasks_app_queues"),
        "admin_schedules": reverse("admin:django_q_schedule_changelist"),
        "admin_start": reverse("admin:tasks_app_job_start"),
    }
    return {name: ("member", path) for name, path in member.items()} | {n: ("admin", path) for n, path in admin.items()}


def job_lists(admin: Visitor) -> dict[str, str]:
    """Every list of jobs: all, each tab, each qualifier, the second page, and the page of one job."""
    name = "admin:tasks_app_job_changelist"
    lists = {"all": reverse(name), **{f"state_{state}": _at(name, state=state) for state in STATES}}
    lists |= {f"search_{short}": _at(name, search=search) for short, search in SEARCHES.items()}
    job = Job.objects.filter(state="failed").first()
    lists["search_id"] = _at(name, search=str(job.pk)[:8])
    lists["page_2"] = _second_page(admin, reverse(name))
    lists["page_2_queued"] = _second_page(admin, lists["state_queued"])
    return lists | {"detail": reverse("admin:tasks_app_job_change", args=[job.pk]), "overview": reverse("admin:index")}


def _second_page(admin: Visitor, path: str) -> str:
    """The address that the list itself gives."""
    text = gzip.decompress(admin.ask(path, connect(admin.port))[1]).decode()
    query = text.split("cursor=", 1)[1].split('"', 1)[0].replace("&amp;", "&")
    return f"{path}{'&' if '?' in path else '?'}cursor={query.split('&')[0]}"


def _at(name: str, **query: str) -> str:
    return f"{reverse(name)}?{urlencode(query)}"


def visits(people: dict[str, Visitor], addresses: dict[str, tuple[str, str]], port: int) -> dict[str, float]:
    """Requests and load times of first visits; nothing where there is no Chromium."""
    chromium = find_chromium()
    if not chromium:
        return {}
    found: dict[str, float] = {}
    with running_chromium(chromium) as browser:
        for name, (person, path) in addresses.items():
            if name != "page_that_is_trivial":
                loads = list(_first_visits(browser, people[person], f"http://{HOST}:{port}{path}"))
                found |= {f"{name}_requests": loads[0][0], f"{name}_load": median(ms for _, ms in loads)}
    return found


def _first_visits(browser: Browser, person: Visitor, url: str) -> Iterator[tuple[float, float]]:
    """Requests and milliseconds to the load event, each in a browser that has seen nothing before."""
    for _ in range(LOADS):
        context = browser.new_context()
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": person.session, "url": url}])
        page = context.new_page()
        requests: list[str] = []
        page.on("request", lambda request, kept=requests: kept.append(request.url))
        page.goto(url, wait_until="load")
        yield len(requests), _load_ms(page)
        context.close()


def _load_ms(page: Page) -> float:
    entry: dict[str, Any] = page.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
    return float(entry["loadEventStart"])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [int(size) for size in sys.argv[3:]])
