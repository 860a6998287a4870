"""Metrics without a server: how values become counts, and counts a text that Prometheus reads."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tasks_app.api.monitoring.exposition import text_of
from tasks_app.engine.metrics import Buckets, Counter, Gauge, Histogram, Reading
from tasks_app.engine.metrics.jobs import cause_of_loss, error_label
from tasks_app.engine.metrics.kinds import Metric
from tasks_app.request_ids import request_id_of


@pytest.fixture
def forgotten(monkeypatch):
    """Metrics that a test makes are gone after it."""
    monkeypatch.setattr(Metric, "all", {})


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ([0.5], {"0": 1, "sum": 500_000}),
        ([1.0], {"0": 1, "sum": 1_000_000}),  # A bound belongs to the bucket below it.
        ([1.0000001], {"1": 1, "sum": 1_000_000}),
        ([10.5], {"2": 1, "sum": 10_500_000}),
        ([3.0, 0.1, 99.0, 2.0], {"0": 1, "1": 2, "2": 1, "sum": 104_100_000}),
        ([-0.25], {"0": 1, "sum": 0}),  # Clocks of two hosts differ: a sum never shrinks.
    ],
)
def test_values_go_into_the_buckets_of_their_sizes(values, parts, forgotten):
    histogram = Histogram.of_seconds("seconds", "", (), (1, 10))
    assert dict(histogram.parts(values)) == parts


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("was killed by SIGKILL", "signal"),
        ("exited with code 1", "exit"),
        ("exited with code 0", ""),
        ("did not end at its time limit and was killed", "time_limit"),
        ("was frozen and was killed", "frozen"),
        ("its host went silent", "silent"),
        ("it has no heartbeat", "silent"),
        ("fell into the sea", "other"),
    ],
)
def test_losses_of_workers_have_few_causes(reason, cause):
    assert cause_of_loss(reason) == cause


@pytest.mark.parametrize(
    ("error_class", "label"),
    [("ValueError", "ValueError"), ("a b", "other"), ("", "other"), ("E" * 81, "other"), ("Ñ|x", "other")],
)
def test_only_names_of_classes_are_labels(error_class, label):
    assert error_label(error_class) == label


@pytest.mark.parametrize("given", ["7", "a.b-c_d:e", "3f1c" * 16])
def test_the_id_that_a_request_brings_is_kept(given):
    assert request_id_of(given) == given


@pytest.mark.parametrize("given", [None, "", "x" * 65, "a b", "-a", 'a"', "a\n", "é", "a/b"])
def test_a_request_without_a_fit_id_gets_a_new_one(given):
    made = request_id_of(given)
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert made != request_id_of(given)


def test_prometheus_reads_what_is_written(forgotten):
    readings = [
        Reading(Counter("tracker_a_total", "A.", ("way", "reason")), {("x", 'say "\\"'): 3, ("y", "b"): 4}),
        Reading(Counter("tracker_b_total", "B."), {(): 2**60}),
        Reading(Gauge("tracker_c", "C.", ("kind",)), {("k",): 2.5}),
        Reading(Histogram("tracker_d", "D.", ("q",), (1, 2.5)), {("q1",): Buckets([1, 3, 4], 9.25)}),
        Reading(Histogram("tracker_e", "E.", (), (1,)), {(): Buckets([0, 1], 2)}),
        Reading(Counter("tracker_f_total", "Nothing yet.", ("x",)), {}),
    ]
    families = {family.name: family for family in text_string_to_metric_families(text_of(readings))}
    assert {name: family.type for name, family in families.items()} == {
        "tracker_a": "counter",
        "tracker_b": "counter",
        "tracker_c": "gauge",
        "tracker_d": "histogram",
        "tracker_e": "histogram",
        "tracker_f": "counter",
    }
    samples = {
        (sample.name, *sample.labels.values()): sample.value for one in families.values() for sample in one.samples
    }
    assert samples == {
        ("tracker_a_total", "x", 'say "\\"'): 3,
        ("tracker_a_total", "y", "b"): 4,
        ("tracker_b_total",): 2**60,
        ("tracker_c", "k"): 2.5,
        ("tracker_d_bucket", "q1", "1.0"): 1,
        ("tracker_d_bucket", "q1", "2.5"): 3,
        ("tracker_d_bucket", "q1", "+Inf"): 4,
        ("tracker_d_count", "q1"): 4,
        ("tracker_d_sum", "q1"): 9.25,
        ("tracker_e_bucket", "1.0"): 0,
        ("tracker_e_bucket", "+Inf"): 1,
        ("tracker_e_count",): 1,
        ("tracker_e_sum",): 2,
    }


def test_names_follow_the_rules_of_prometheus():
    for name, metric in Metric.all.items():
        assert re.fullmatch(r"tracker_[a-z0-9_]+", name)
        assert metric.text
        assert isinstance(metric, Counter) == name.endswith("_total")
        if isinstance(metric, Histogram) and metric.scale > 1:
            assert name.endswith("_seconds")
        assert all(re.fullmatch("[a-z_]+", label) and label != "le" for label in metric.labels)
        assert not (isinstance(metric, Histogram) and metric.most_series)
