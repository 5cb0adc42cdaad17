"""Debian's Prometheus and Alertmanager, the rules as shipped but for their patience, and hosts with every fault."""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from bench.fleet import demo_hosts, registry
from bench.hosts import FAULTS, Host
from bench.prometheus import RULES, eventually, prometheus, promtool
from ppobserve.cli.main import main
from ppobserve.errors import PrometheusError
from ppobserve.lab.frames import run_frames
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.metrics import TABLE
from ppobserve.model.series import total
from ppobserve.source.prometheus import Prometheus as Source
from tests.e2e.conftest import Watch
from tests.live.conftest import frames as frames
from tests.live.test_daemon import serving
from tests.test_surface import metric_called

ALERTS = {
    "mismatch": "PpobserveNumaMismatch",
    "remote": "PpobserveRemotePages",
    "new_pages": "PpobserveRecycleShareLow",
    "small_batches": "PpobserveSmallBatches",
    "ring_full": "PpobserveRingFull",
    "leak": "PpobserveInflightGrowing",
    "zombie": "PpobserveZombiePool",
    "negative": "PpobserveNegativeInflight",
    "hook": "PpobserveHookMissing",
    "missed": "PpobserveEventsMissed",
    "stepped_down": "PpobserveSteppedDown",
    "dropped": "PpobservePoolsDropped",
    "audit": "PpobserveAuditDivergence",
}
"""What each fault must bring, beside what follows from it."""

EXPECTED = {(alert, fault.replace("_", "-")) for fault, alert in ALERTS.items()} | {
    ("PpobserveDown", "dead"),
    ("PpobservePoolsFolded", "crowded"),
}


def test_every_alert_reaches_alertmanager_for_the_host_that_has_the_fault(watch: Watch) -> None:
    assert set(ALERTS) == set(FAULTS)
    eventually(lambda: watch.firing() >= EXPECTED)
    assert watch.firing() >= EXPECTED
    shipped = {rule["alert"] for group in yaml.safe_load((RULES / "alerts.yml").read_text())["groups"]
               for rule in group["rules"]}  # fmt: skip
    assert {alert for alert, _ in watch.firing()} == shipped


def test_nothing_fires_for_a_healthy_host(watch: Watch) -> None:
    """But for a scrape that a busy machine may have missed: shipped, that takes five minutes of them."""
    told = {(alert, host) for alert, host in watch.firing() if alert != "PpobserveDown" or host == "dead"}
    assert {host for _, host in told} == {host for _, host in EXPECTED}, told


def test_a_recorded_storm_fires_and_resolves(watch: Watch) -> None:
    """From twelve seconds on the recorded sender moves; then it is on the other node, and at last at home again."""
    storm = ("PpobserveNumaMismatch", "recorded")
    assert storm not in watch.firing()
    watch.recording.seek(11.0)
    watch.recording.speed, watch.recording.paused = 3.0, False
    assert eventually(lambda: storm in watch.firing())
    assert watch.recording.position > 12.0
    assert eventually(lambda: storm not in watch.firing())
    assert watch.recording.position == watch.recording.duration
    dropped = 'sum(last_over_time(ppobserve_numa_mismatch_pages_total{instance="recorded"}[10m]))'
    (last,) = watch.recording.snapshots(1)
    assert watch.prometheus.value(dropped) == 12 * total(watch.recording.read().counters()["numa_mismatch_pages"])
    assert watch.prometheus.value(dropped) > 12 * total(last.counters()["numa_mismatch_pages"])


def test_what_the_operator_reads_is_filled_in(watch: Watch) -> None:
    for alert in watch.alertmanager.get("/api/v2/alerts"):
        words = alert["annotations"]["summary"]
        assert alert["labels"]["instance"] in words
        assert not re.search(r"<no value>|error|NaN|\{\{", words), words


def test_prometheus_reads_openmetrics_and_every_sample_of_it(watch: Watch) -> None:
    """Prometheus asks for OpenMetrics, and refuses a whole scrape for one wrong line."""
    assert watch.fleet.accepted == {"application/openmetrics-text"}
    assert eventually(lambda: [each["metric"]["instance"] for each in watch.prometheus.query("up == 0")] == ["dead"])
    text = openmetrics(watch.fleet.registries["well-2"]).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert watch.prometheus.value('scrape_samples_scraped{instance="well-2"}') == len(samples) > 400
    assert watch.prometheus.value('scrape_samples_post_metric_relabeling{instance="well-2"}') == len(samples)


@pytest.mark.parametrize("cardinality", Cardinality)
def test_promtool_has_nothing_to_say_of_the_exposition(cardinality: Cardinality) -> None:
    for name, host in demo_hosts().items():
        checked = promtool("check", "metrics", stdin=generate_latest(registry(host, cardinality)).decode())
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, ""), name


def test_promtool_reads_openmetrics_but_does_not_find_the_help_of_its_counters() -> None:
    """It knows the text format only, where a counter's family has its ``_total``. Prometheus itself is above."""
    said = promtool("check", "metrics", stdin=openmetrics(registry(Host("well"), Cardinality.POOL)).decode())
    counters = {metric.full_name for metric in TABLE.values() if metric.kind == "counter"} | {
        "process_cpu_seconds_total"
    }
    assert set((said.stdout + said.stderr).splitlines()) == {f"{name} no help text" for name in counters}


def test_a_real_daemon_under_traffic_is_scraped_to_the_page(tmp_path: Path, frames: None) -> None:
    with serving() as daemon:
        where = daemon.url.removeprefix("http://")
        scrape = {"job_name": "ppobserve", "scrape_interval": "1s", "static_configs": [{"targets": [where]}]}
        with prometheus(tmp_path, {"scrape_configs": [scrape]}) as asked:
            assert eventually(lambda: asked.value("up") == 1)
            run_frames(64 * 251, cpu=0)
            held = daemon.metric("ppobserve_pages_held_total")
            assert held >= 64
            assert eventually(lambda: asked.value('ppobserve_pages_held_total{netdev=""}') == held)
            (built,) = asked.query("ppobserve_build_info")
            assert built["metric"]["kernel"] == platform.release()
            unknown = {name for name in asked.get("/api/v1/label/__name__/values")["data"]
                       if name.startswith("ppobserve_") and not metric_called(name)}  # fmt: skip
            assert not unknown


def test_fleet_top_names_the_worst_host_first(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["fleet", "top", "--once", "--window", "10s", "--prometheus", watch.prometheus.url]
    assert eventually(lambda: _worst(ask, capsys) == ("mismatch", "eth0"))
    assert main([*ask, "--hosts", "1"]) == 0
    _, _, *pools = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in pools[:2]] == [["mismatch", "eth0", "32"], ["mismatch", "eth0", "33"]]
    assert {line.split()[0] for line in pools if line} == {"mismatch"}


def _worst(ask: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert main([*ask, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["pools"][0]
    return first["instance"], first["netdev"]


def test_a_query_that_takes_too_long_is_a_sentence_of_prometheus(watch: Watch) -> None:
    with pytest.raises(PrometheusError) as caught:
        Source(watch.prometheus.url, seconds=0.001).ask('count_over_time({__name__=~".+"}[1h:1s])')
    assert "timed out" in caught.value.what
    assert "the query was count_over_time" in caught.value.because
    assert "recording.yml" in caught.value.fix
