"""Alert rules and dashboards name metrics and labels that /metrics has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from tasks_app.engine.metrics.kinds import Histogram, Metric
from tests.support.cluster import ROOT

pytestmark = pytest.mark.django_db

RULES = ROOT / "deploy/prometheus/alerts.yml"
CASES = RULES.with_name("alerts.test.yml")
DASHBOARDS = sorted((ROOT / "deploy/grafana").glob("*.json"))
_SUFFIXES = ("_bucket", "_count", "_sum")
_NOT_LABELS = {"le"}


@pytest.fixture
def known(settings) -> dict[str, set[str]]:
    """Return the names that a query may have, each with the labels of its metric."""
    settings.METRICS_PUBLIC = True
    text = APIClient().get("/metrics").content.decode()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        metric = Metric.all.get(name)
        labels = set(metric.labels) if metric else {label for one in family.samples for label in one.labels}
        names = [name + suffix for suffix in _SUFFIXES] if isinstance(metric, Histogram) else [name]
        found |= dict.fromkeys(names, labels)
    # It has no sample before a fault is found.
    found["tracker_unknown_quantities_total"] = {"way", "quantity"}
    # Prometheus' own, of each scrape.
    found["up"] = {"job", "instance"}
    return found


def names_of(query: str) -> set[str]:
    return set(re.findall(r"\b(?:tracker_[a-z0-9_]+|up)\b", query))


def labels_of(query: str) -> set[str]:
    grouped = re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", query)
    selected = re.findall(r"\{([^}]*)\}", query)
    found = {name.strip() for names in grouped for name in names.split(",")}
    found |= {name for names in selected for name in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", names)}
    return found - _NOT_LABELS - {""}


def is_balanced(query: str) -> bool:
    without_texts = re.sub(r'"[^"]*"', "", query)
    return all(without_texts.count(a) == without_texts.count(b) for a, b in ("()", "{}", "[]"))


def check(query: str, known: dict[str, set[str]]) -> None:
    names = names_of(query)
    assert names, f"{query} names no metric"
    assert names <= known.keys(), f"{query}: {sorted(names - known.keys())}"
    labels = set().union(*(known[name] for name in names))
    assert labels_of(query) <= labels, f"{query}: {sorted(labels_of(query) - labels)}"
    assert is_balanced(query), query
    # A histogram's quantile needs the buckets by size.
    assert "histogram_quantile" not in query or re.search(r"by \([^)]*\ble\b[^)]*\)", query), query


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    assert len({group["name"] for group in groups}) == len(groups)
    return [rule for group in groups for rule in group["rules"]]


def test_alert_rules_name_what_is_measured(known):
    found = rules()
    assert len({rule["alert"] for rule in found}) == len(found) > 10
    for rule in found:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        check(rule["expr"], known)
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "1m"))
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        for named in re.findall(r"\$labels\.(\w+)", str(rule["annotations"])):
            assert named in set().union(*(known[name] for name in names_of(rule["expr"]))), rule["alert"]


def test_each_alert_has_a_case_in_which_it_fires():
    cases = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    assert cases["rule_files"] == [RULES.name]
    fires = set(re.findall(r"\balertname=\"(\w+)\"", CASES.read_text(encoding="utf-8")))
    assert fires == {rule["alert"] for rule in rules()}


def test_alerts_fire_in_their_cases_and_no_others():
    if not (promtool := shutil.which("promtool")):
        pytest.skip("no promtool on this machine (apt-get install prometheus)")
    run = subprocess.run([promtool, "test", "rules", CASES], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_prometheus_is_told_where_its_rules_are():
    config = yaml.safe_load((RULES.parent / "prometheus.yml").read_text(encoding="utf-8"))
    assert config["rule_files"] == [RULES.name]
    assert config["scrape_configs"][0]["metrics_path"] == "/metrics"


def queries_of(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key and isinstance(inner, str):
                yield inner
            else:
                yield from queries_of(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from queries_of(inner, key)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_show_what_is_measured(path: Path, known):
    board = json.loads(path.read_text(encoding="utf-8"))
    assert board["schemaVersion"] >= 39
    assert board["uid"].startswith("tracker-")
    panels = board["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    queries = list(queries_of(panels, "expr"))
    assert len(queries) >= len([panel for panel in panels if panel["type"] != "row"]) > 10
    for query in queries:
        check(query.replace("$__rate_interval", "5m"), known)
    variables = {one["name"] for one in board["templating"]["list"]}
    assert set(re.findall(r"\$(\w+)", json.dumps(panels))) - {"__rate_interval"} <= variables
    for one in board["templating"]["list"]:
        assert not one.get("definition") or names_of(one["definition"]) <= known.keys()
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in panels]
    for number, (x, y, w, h) in enumerate(places):
        assert x + w <= 24
        for x2, y2, w2, h2 in places[number + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y, "two panels in one place"


def test_every_metric_is_described_for_people(known):
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    for name in Metric.all:
        assert f"`{name}`" in text, name


def test_every_counted_metric_is_on_a_dashboard():
    shown = set().union(*(names_of(path.read_text(encoding="utf-8")) for path in DASHBOARDS))
    missing = {name for name in Metric.all if not any(one.startswith(name) for one in shown)}
    assert not missing
