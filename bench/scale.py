"""What a fleet takes in Prometheus, for docs/scale.md: 1,000 hosts on one loopback port, scraped by a real one.

One process answers for all of them: what the daemon of a host with two NICs of sixteen queues would at level standard,
new for every scrape interval. Debian's Prometheus scrapes it with the shipped recording rules; memory and CPU time are
its own metrics. Disk is that of a block of two hours that promtool makes from the same expositions.
Needs no root, 6 GiB of memory and eight minutes.

    .venv/bin/python -m bench.scale --short
"""

from __future__ import annotations

import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families

from bench.claims import claim, heading, options
from bench.extrapolated import Measured, tables
from bench.fleet import Fleet, registry
from bench.hosts import Host
from bench.prometheus import RULES, Service, programs, prometheus
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.plan import Level

NICS, QUEUES = 2, 16
BLOCK = 7200
"""Seconds of a block, as Prometheus cuts them."""
STEP = 15


class Crowd(Fleet):
    """Hosts that are all alike, whose one exposition is made anew once an interval."""

    def __init__(self, hosts: int, cardinality: Cardinality, interval: float) -> None:
        self._now, self._interval, self._lock = time.time(), interval, threading.Lock()
        self._chance, self._made = random.Random(7), dict[str, tuple[float, bytes, str]]()
        super().__init__({}, cardinality)
        self._shown = exposition(cardinality, lambda: self._now)
        self.names = [f"host-{number:05}" for number in range(hosts)]

    def instances(self) -> list[str]:
        return self.names

    def answer(self, name: str, accept: str) -> tuple[bytes, str]:
        """The exposition of this interval, whoever asks."""
        slot = time.time() // self._interval
        with self._lock:
            if accept not in self._made or self._made[accept][0] != slot:
                self._now = time.time() + self._chance.random()  # no two intervals count the same
                encode, kind = choose_encoder(accept)
                self._made[accept] = slot, encode(self._shown), kind
            return self._made[accept][1:]

    def held(self, meanwhile: Callable[[], float]) -> float:
        """What *meanwhile* gives, while everyone who asks waits."""
        with self._lock:
            return meanwhile()


def rules_cpu(asked: Service, seconds: float) -> float:
    """CPU seconds that one evaluation of all rules takes, from some seconds in which there is nothing else to do.

    Not the time that it takes: this machine has other things to do, and that is not ours to measure.
    """
    first = own_metrics(asked)
    time.sleep(seconds)
    last = own_metrics(asked)
    evaluations = (last[_EVALUATED] - first[_EVALUATED]) / len(_recorded_names())
    return (last[_CPU] - first[_CPU]) / max(evaluations, 1.0)


def _recorded_names() -> list[str]:
    groups = yaml.safe_load((RULES / "recording.yml").read_text())["groups"]
    return [rule["record"] for group in groups for rule in group["rules"]]


def exposition(cardinality: Cardinality, clock: Callable[[], float]) -> CollectorRegistry:
    """What one host exports."""
    return registry(Host("host", NICS, QUEUES, level=Level.STANDARD, clock=clock), cardinality)


def measure(cardinality: Cardinality, hosts: int, interval: int, seconds: float, block: int) -> Measured:
    """Scrape so many hosts for a while, and weigh a block of *block* seconds of one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        crowd = Crowd(hosts, cardinality, interval)
        crowd.start()
        config = {
            "global": {"scrape_interval": f"{interval}s", "scrape_timeout": f"{interval}s"},
            "rule_files": [str(_rules(folder, interval))],
            "scrape_configs": [{"job_name": "ppobserve", "static_configs": crowd.targets()}],
        }
        try:
            empty = _memory_of_none(folder / "none")
            with prometheus(folder, config) as asked:
                first = _settled(asked, hosts, interval)
                time.sleep(seconds)
                last = own_metrics(asked)
                rules = crowd.held(lambda: rules_cpu(asked, interval * 0.8))  # no scrape gives up meanwhile
                # Also those of a host whose last scrape found no time: the head keeps them, too.
                recorded = asked.value('count(last_over_time({__name__=~".+:ppobserve_.+"}[1h]))')
        finally:
            crowd.stop()
        size = bytes_a_sample(folder, cardinality, block)
    return _measured(cardinality, hosts, first, last, empty, rules, recorded, size, interval)


def _measured(
    cardinality: Cardinality,
    hosts: int,
    first: Metrics,
    last: Metrics,
    empty: float,
    rules: float,
    recorded: float,
    size: float,
    interval: int,
) -> Measured:
    gone = last["now"] - first["now"]
    series = last["prometheus_tsdb_head_series"] - recorded
    evaluations = (last[_EVALUATED] - first[_EVALUATED]) / len(_recorded_names())
    memory = last["process_resident_memory_bytes"] - empty
    return Measured(
        cardinality,
        hosts,
        series / hosts,
        (last[_APPENDED] - first[_APPENDED] - recorded * evaluations) / gone,
        memory / last["prometheus_tsdb_head_series"] / 1024,
        rules,
        recorded / hosts,
        size,
        interval,
    )


Metrics = dict[str, float]
_APPENDED, _CPU = "prometheus_tsdb_head_samples_appended_total", "process_cpu_seconds_total"
_EVALUATED = "prometheus_rule_evaluations_total"


def own_metrics(asked: Service) -> Metrics:
    """What Prometheus says of itself, each metric added up over its labels."""
    text = subprocess.run(["curl", "-sS", f"{asked.url}/metrics"], capture_output=True, text=True, check=True).stdout
    found: Metrics = {"now": time.time()}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def _settled(asked: Service, hosts: int, interval: int) -> Metrics:
    """Its metrics once every host was scraped twice and the rules have run."""
    end = time.monotonic() + 20 * interval
    while asked.value("count(up == 1)") < hosts and time.monotonic() < end:
        time.sleep(interval / 5)
    assert asked.value("count(up == 1)") == hosts, "not every host could be scraped in time"
    time.sleep(2 * interval)
    return own_metrics(asked)


def _memory_of_none(folder: Path) -> float:
    """What Prometheus takes that scrapes nobody."""
    folder.mkdir()
    with prometheus(folder, {}) as asked:
        time.sleep(2)
        return own_metrics(asked)["process_resident_memory_bytes"]


def _rules(folder: Path, interval: int) -> Path:
    """The shipped rules, evaluated four times a scrape and not every minute."""
    document = yaml.safe_load((RULES / "recording.yml").read_text())
    for group in document["groups"]:
        group["interval"] = f"{1000 * interval // 4}ms"
    path = folder / "recording.yml"
    path.write_text(yaml.safe_dump(document))
    return path


def bytes_a_sample(folder: Path, cardinality: Cardinality, seconds: int) -> float:
    """On disk, index and all, in a block of one host."""
    begin = int(time.time()) // BLOCK * BLOCK - 2 * BLOCK
    path, out, lines = folder / "history.om", folder / "blocks", 0
    with path.open("w") as file:
        for line in _history(cardinality, begin, seconds):
            file.write(line)
            lines += 1
        file.write("# EOF\n")
    command = [programs() / "promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", path, out]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return sum(each.stat().st_size for each in out.rglob("*") if each.is_file()) / lines


def _history(cardinality: Cardinality, begin: int, seconds: int) -> Iterator[str]:
    now, chance = [float(begin)], random.Random(7)
    shown = exposition(cardinality, lambda: now[0])
    for step in range(0, seconds, STEP):
        now[0] = begin + step + chance.random()
        for family in shown.collect():
            for sample in family.samples:
                labels = ",".join(f'{key}="{value}"' for key, value in {**sample.labels, "instance": "host"}.items())
                yield f"{sample.name}{{{labels}}} {sample.value} {begin + step}\n"


def main() -> None:
    """Print the section."""
    short = options(__doc__.split("\n")[0] if __doc__ else "").short
    heading("A fleet in Prometheus")
    if short:
        measured = [measure(Cardinality.NETDEV, 20, 1, 3.0, 300)]
    else:
        intervals = {Cardinality.NODE: 15, Cardinality.NETDEV: 15, Cardinality.POOL: 30}
        measured = [measure(each, 1000, interval, 45.0, BLOCK) for each, interval in intervals.items()]
    tables(measured)
    for each in measured:
        what = f"{each.hosts} hosts, cardinality {each.cardinality.value}"
        claim(f"{what}: series a host", each.series, "series", script=__file__)
        claim(f"{what}: memory a series in Prometheus", each.kib, "KiB", script=__file__)
        claim(f"{what}: a sample on disk", each.bytes, "B", script=__file__)
        claim(f"{what}: one evaluation of recording.yml", each.rules, "CPU s", script=__file__)


if __name__ == "__main__":
    main()
