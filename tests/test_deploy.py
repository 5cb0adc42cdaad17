"""What is in deploy/: manifests against their schemas, the image's recipe, Prometheus' configuration, Ansible's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.fleet import registry
from bench.hosts import Host
from bench.prometheus import ROOT, promtool
from ppobserve.cli.serve import ATTACHING
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.config import Config, config_from
from ppobserve.source.fleet import Scope

DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
OVERLAYS = {"base": 3, "before-1.30": 3, "podmonitor": 4, "servicemonitor": 5}
MONITORS = {"base": 0, "before-1.30": 0, "podmonitor": 1, "servicemonitor": 1}
KUBERNETES = "1.31"
"""Whose schema: older than what most run."""
OPERATOR = "monitoring.coreos.com/v1"
OWN_SERIES = 500
"""Room for the series of a daemon that are of no pool."""


def kustomized(overlay: str) -> list[dict[str, Any]]:
    """What kubectl would send."""
    command = [BIN / "kubectl", "kustomize", DEPLOY / "kubernetes" / overlay]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (made.returncode, made.stderr) == (0, "")
    return list(yaml.safe_load_all(made.stdout))


def wrong(manifest: dict[str, Any], version: str = KUBERNETES) -> str:
    """What the API server would object to; "" for nothing."""
    from kubernetes_validate import ValidationError, validate

    try:
        validate(manifest, version, strict=True)
    except ValidationError as error:
        return str(error.message)
    return ""


_ASK = """
import json, sys
from cloudcoil.models.prometheus_operator import v1
from pydantic import ValidationError

def taken(manifest):
    try:
        return getattr(v1, manifest["kind"]).model_validate(manifest).model_dump(by_alias=True, exclude_unset=True)
    except ValidationError as error:
        return str(error)

print(json.dumps([taken(each) for each in json.load(sys.stdin)]))
"""


def wrong_for_operator(*manifests: dict[str, Any]) -> list[str]:
    """What the operator's definitions would object to in each; all at once, for they take seconds to import.

    The models take what they don't know in silence: so what they took is looked at, too.
    """
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        input=json.dumps(manifests),
        env={"PYTHONPATH": str(operator_models())},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    pairs = zip(manifests, json.loads(done.stdout), strict=True)
    return ["" if taken == manifest else f"taken as: {taken}" for manifest, taken in pairs]


@cache
def operator_models() -> Path:
    """Where the operator's resources are, as Python models; fetched when they are not there."""
    found = subprocess.run([ROOT / "scripts/operator-models"], capture_output=True, text=True, timeout=300, check=True)
    return Path(found.stdout.strip())


def of_kind(manifests: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = (each for each in manifests if each["kind"] == kind)
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_manifests_keep_to_their_schemas(overlay: str) -> None:
    manifests = kustomized(overlay)
    assert len(manifests) == OVERLAYS[overlay]
    assert [wrong(each) for each in manifests if each["apiVersion"] != OPERATOR] == [""] * (
        len(manifests) - MONITORS[overlay]
    )


def test_no_profile_of_the_runtime_s_keeps_the_daemon_from_other_network_namespaces() -> None:
    """By the field of 1.30, and before by an annotation, which names the container."""
    field, annotation = (of_kind(kustomized(overlay), "DaemonSet") for overlay in ("base", "before-1.30"))
    (container,) = field["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"].pop("appArmorProfile") == {"type": "Unconfined"}
    unconfined = f"container.apparmor.security.beta.kubernetes.io/{container['name']}"
    assert annotation["spec"]["template"]["metadata"].pop("annotations") == {unconfined: "unconfined"}
    assert field == annotation
    assert field["spec"]["template"]["spec"]["hostPID"]


@pytest.mark.parametrize(("version", "right", "mistaken"), [("1.29", "before-1.30", "base"), ("1.37", "base", "")])
def test_each_version_has_an_overlay_that_it_takes(version: str, right: str, mistaken: str) -> None:
    assert wrong(of_kind(kustomized(right), "DaemonSet"), version) == ""
    if mistaken:
        assert "appArmorProfile" in wrong(of_kind(kustomized(mistaken), "DaemonSet"), version)


def test_a_wrong_manifest_is_found() -> None:
    daemons = of_kind(kustomized("base"), "DaemonSet")
    (container,) = daemons["spec"]["template"]["spec"]["containers"]
    container["readinesProbe"] = container.pop("readinessProbe")
    assert "readinesProbe" in wrong(daemons)
    container.pop("readinesProbe")
    container["ports"][0]["containerPort"] = "metrics"
    assert "metrics" in wrong(daemons)


def test_monitors_keep_to_the_operators_definitions_and_a_wrong_one_is_found() -> None:
    right = [of_kind(kustomized("podmonitor"), "PodMonitor"), of_kind(kustomized("servicemonitor"), "ServiceMonitor")]
    unknown, mistaken = deepcopy(right)
    unknown["spec"]["podMetricsEndpoints"][0]["intervall"] = "15s"
    mistaken["spec"]["endpoints"] = "metrics"
    objections = wrong_for_operator(*right, unknown, mistaken)
    assert objections[:2] == ["", ""]
    assert "'intervall'" not in objections[2] and objections[2].startswith("taken as: {")
    assert "spec.endpoints" in objections[3]


def test_the_monitors_find_the_pods() -> None:
    for overlay, kind, endpoints in (
        ("podmonitor", "PodMonitor", "podMetricsEndpoints"),
        ("servicemonitor", "ServiceMonitor", "endpoints"),
    ):
        manifests = kustomized(overlay)
        pod = of_kind(manifests, "DaemonSet")["spec"]["template"]
        ports = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
        monitor = of_kind(manifests, kind)["spec"]
        assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        assert {each["port"] for each in monitor[endpoints]} <= ports
    service = of_kind(kustomized("servicemonitor"), "Service")
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()


def test_the_job_of_the_pods_is_the_one_that_alerts_and_fleet_top_look_for() -> None:
    """Without a jobLabel the operator calls it after the monitor and its namespace."""
    groups = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
    (down,) = (rule["expr"] for group in groups for rule in group["rules"] if rule["alert"] == "PpobserveDown")
    (pattern,) = re.findall(r'job=~"([^"]*)"', down)
    pod = of_kind(kustomized("podmonitor"), "DaemonSet")["spec"]["template"]["metadata"]["labels"]
    service = of_kind(kustomized("servicemonitor"), "Service")["metadata"]["labels"]
    for kind, labels in (("PodMonitor", pod), ("ServiceMonitor", service)):
        job = labels[of_kind(kustomized(kind.lower()), kind)["spec"]["jobLabel"]]
        assert re.fullmatch(pattern, job) and re.fullmatch(Scope.job, job)


def test_the_pods_configuration_is_one() -> None:
    manifests = kustomized("base")
    config, daemons = of_kind(manifests, "ConfigMap"), of_kind(manifests, "DaemonSet")
    (container,) = daemons["spec"]["template"]["spec"]["containers"]
    chosen = config_from(yaml.safe_load(config["data"]["ppobserve.yaml"]), "ConfigMap")
    assert chosen.address[1] == container["ports"][0]["containerPort"] == Config().address[1]
    (volume,) = (each for each in daemons["spec"]["template"]["spec"]["volumes"] if each["name"] == "config")
    assert volume["configMap"]["name"] == config["metadata"]["name"]


def test_pods_containers_and_the_service_have_the_same_privileges() -> None:
    (container,) = of_kind(kustomized("base"), "DaemonSet")["spec"]["template"]["spec"]["containers"]
    pod = set(container["securityContext"]["capabilities"]["add"])
    recipe = set(re.findall(r"--cap-add (\w+)", (DEPLOY / "docker/Dockerfile").read_text()))
    unit = (DEPLOY / "systemd/ppobserve.service").read_text()
    (bounding,) = re.findall(r"^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE)
    assert pod == recipe == {name.removeprefix("CAP_") for name in bounding.split()} == set(ATTACHING)


def test_the_image_is_well_made() -> None:
    command = [BIN / "hadolint", "--ignore", "DL3008", "--failure-threshold", "info", DEPLOY / "docker/Dockerfile"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # DL3008: pin every package
    assert (done.returncode, done.stdout) == (0, "")
    bad = subprocess.run([*command[:-1], "-"], input="FROM debian\nRUN cd /tmp\n", capture_output=True, text=True)
    assert "DL3006" in bad.stdout and bad.returncode


def test_the_image_has_what_the_package_depends_on_and_copies_what_is_there() -> None:
    recipe = (DEPLOY / "docker/Dockerfile").read_text()
    control = (DEPLOY / "debian/control").read_text()
    (depends,) = re.findall(r"^Depends: (.*)$", control, re.MULTILINE)
    named = re.sub(r"\([^)]*\)", "", depends)  # apt-get install takes no versions
    packages = [word for word in named.replace(",", " ").split() if not word.startswith("$")]
    assert " ".join(packages) in recipe
    sources = re.findall(r"^COPY (?:--\S+ )?(\S+) ", recipe, re.MULTILINE)
    assert len(sources) == 3 and all((ROOT / source).exists() for source in sources)
    allowed = (DEPLOY / "docker/Dockerfile.dockerignore").read_text()
    assert all(f"!{source}\n" in allowed for source in sources)


def test_prometheus_takes_its_configuration() -> None:
    done = promtool("check", "config", DEPLOY / "prometheus/prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout and "2 rule files found" in done.stdout


def example_job() -> dict[str, Any]:
    """How prometheus.yml scrapes."""
    (job,) = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    return dict(job)


def instances(folder: Path, *targets: str) -> list[str]:
    """What Prometheus calls targets by the rules of the example."""
    job = {**example_job(), "static_configs": [{"targets": list(targets)}]}
    job.pop("file_sd_configs")
    (folder / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [job]}))
    done = promtool("check", "service-discovery", "--timeout=1s", folder / "prometheus.yml", job["job_name"])
    assert done.returncode == 0, done.stdout + done.stderr
    named = {each["labels"]["__address__"]: each["labels"]["instance"] for each in json.loads(done.stdout)}
    return [named[target] for target in targets]


def test_an_instance_is_its_hosts_name(tmp_path: Path) -> None:
    listed = yaml.safe_load((DEPLOY / "prometheus/targets/example.yml").read_text())
    hosts = [target for group in listed for target in group["targets"]]
    assert instances(tmp_path, *hosts) == ["db-17", "db-18", "web-3"]
    assert {host.rpartition(":")[2] for host in hosts} == {str(Config().address[1])}
    assert instances(tmp_path, "db-19:10817", "10ge-7.example.net:10817") == ["db-19", "10ge-7"]


def test_a_host_that_has_an_address_only_keeps_it(tmp_path: Path) -> None:
    addresses = ["10.0.0.5:10817", "10.0.0.6:10817", "[fd00::1]:10817", "[::ffff:10.0.0.5]:10817"]
    assert instances(tmp_path, *addresses) == addresses


def test_a_host_with_all_the_series_that_it_may_have_is_scraped() -> None:
    """max_series bounds those of pools only; a host that passes the limit is not scraped at all."""
    capped = 3_500
    crowded = registry(Host("crowded", 6, 16), Cardinality.POOL, capped)
    samples = sum(len(family.samples) for family in crowded.collect())
    assert capped - 100 < samples < capped + OWN_SERIES
    assert example_job()["sample_limit"] >= Config.max_series + OWN_SERIES
    page = (ROOT / "docs/scale.md").read_text()
    pairs = re.findall(r"max_series: (\d+).*?sample_limit: (\d+)", page, re.S)
    assert len(pairs) == page.count("sample_limit:") == 1
    assert all(int(limit) >= int(most) + OWN_SERIES for most, limit in pairs)


def test_what_the_service_says_that_it_takes_was_measured() -> None:
    (said,) = re.findall(r"^# Some (\d+) MiB for the daemon", (DEPLOY / "systemd/ppobserve.service").read_text(), re.M)
    rows = re.findall(r"^\| (64|512) \| [\d.]+ \| ([\d.]+) \|", (ROOT / "docs/overhead.md").read_text(), re.M)
    assert len(rows) == 2
    assert all(abs(float(measured) - int(said)) < 0.25 * int(said) for _, measured in rows)


def test_what_ansible_writes_is_a_configuration() -> None:
    (play,) = yaml.safe_load((DEPLOY / "ansible/ppobserve.yml").read_text())
    assert config_from(yaml.safe_load(yaml.safe_dump(play["vars"]["config"])), "vars").listen == ":10817"
    notified = {task.get("notify") for task in play["tasks"]} - {None}
    assert notified == {handler["name"] for handler in play["handlers"]}


@pytest.mark.parametrize(
    ("listen", "asked"),
    [
        (":10817", "127.0.0.1:10817"),
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("[::]:80", "127.0.0.1:80"),
        ("[::1]:80", "[::1]:80"),
        ("10.0.0.5:80", "10.0.0.5:80"),
    ],
)
def test_ansible_asks_where_the_daemon_listens(listen: str, asked: str) -> None:
    (play,) = yaml.safe_load((DEPLOY / "ansible/ppobserve.yml").read_text())
    (url,) = (task["ansible.builtin.uri"]["url"] for task in play["tasks"] if "ansible.builtin.uri" in task)
    template = re.fullmatch(r"http://\{\{ config\.listen \| regex_replace\('(.+)', '(.+)'\) \}\}/healthz", url)
    assert template
    assert re.sub(template[1], template[2], listen) == asked
