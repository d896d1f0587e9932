#!/usr/bin/python3
"""Dockerfile and compose.yaml fit the server, the scripts and the files that
they name.  What the scripts do is tried by docker/check.sh."""

import fnmatch
import json
import re
import subprocess
import unittest

import needs
from server_process import PATIENCE_S, ROOT, binary, without_settings

yaml = needs.module("yaml", "python3-yaml")

DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVER = COMPOSE["services"]["server"]


def steps(word):
    """What follows `word` in the Dockerfile, line by line."""
    return re.findall(rf"^ *{word} +(.*)$", DOCKERFILE, re.MULTILINE)


def scripts():
    """The scripts that the image is built by, with their arguments."""
    return [step.split() for step in steps("RUN")]


def health_command(test):
    """The arguments of `saliency health` in a health check."""
    assert test[:2] == ["/usr/bin/saliency", "health"], test
    return test[2:]


def seconds(text):
    assert text.endswith("s"), text
    return int(text[:-1])


class DockerfileTest(unittest.TestCase):

    def test_it_runs_scripts_that_check_sh_runs_too(self):
        check = (DOCKER / "check.sh").read_text()
        self.assertEqual(len(scripts()), 3)
        for script, *_ in scripts():
            self.assertTrue((ROOT / script).stat().st_mode & 0o111, script)
            self.assertRegex(check, rf"\b{re.escape(script)}\b")

    def test_what_it_copies_is_not_ignored(self):
        ignored = [line for line in
                   (ROOT / ".dockerignore").read_text().splitlines()
                   if line and not line.startswith("#")]
        for step in steps("COPY"):
            for source in step.split()[:-1]:
                if source.startswith("--from") or source == "/image":
                    continue
                self.assertTrue((ROOT / source).exists(), source)
                for pattern in ignored:
                    self.assertFalse(
                        fnmatch.fnmatch(source.rstrip("/"), pattern))
        # Nor what the build reads without naming it.
        for needed in ("core", "server", "client", "proto", "deploy", "docker",
                       "CMakeLists.txt", "CMakePresets.json", "LICENSE"):
            self.assertNotIn(needed, ignored)
            self.assertTrue((ROOT / needed).exists(), needed)

    def test_both_flavours_and_the_licence_are_arguments(self):
        self.assertEqual(steps("ARG"),
                         ["FLAVOR=cpu", "ACCEPT_NVIDIA_LICENCE=no"])
        self.assertEqual(scripts()[0][1:],
                         ['"$FLAVOR"', '"$ACCEPT_NVIDIA_LICENCE"'])

    def test_the_image_has_no_base_and_its_user_is_not_root(self):
        self.assertEqual(steps("FROM"), ["debian:13-slim AS build", "scratch"])
        self.assertEqual(steps("USER"), ["10001:10001"])
        passwd = re.search(r"saliency:x:(\d+):(\d+):",
                           (DOCKER / "collect_image.sh").read_text())
        self.assertEqual(f"{passwd[1]}:{passwd[2]}", steps("USER")[0])

    def test_it_starts_the_server_with_the_configuration_it_holds(self):
        self.assertEqual(json.loads(steps("ENTRYPOINT")[0]),
                         ["/usr/bin/saliency-server"])
        command = json.loads(steps("CMD")[-1])
        self.assertEqual(command, ["--config=/etc/saliency/server.toml"])
        collected = (DOCKER / "collect_image.sh").read_text()
        self.assertIn("put 644 docker/server.toml /etc/saliency/server.toml",
                      collected)

    def test_its_ports_are_those_of_the_configuration(self):
        text = (DOCKER / "server.toml").read_text()
        ports = [re.search(rf'^{name}-address = "\[::\]:(\d+)"$', text,
                           re.MULTILINE)[1]
                 for name in ("listen", "health", "metrics")]
        self.assertEqual(steps("EXPOSE"), [" ".join(ports)])
        check = health_command(json.loads(
            re.search(r"HEALTHCHECK.*CMD (\[.*\])", DOCKERFILE)[1]))
        self.assertIn(f"127.0.0.1:{ports[1]}", check)

    def test_plain_text_must_be_asked_for(self):
        # As the container starts it, but for a repository that is here.
        command = [binary("saliency-server"),
                   f"--config={DOCKER}/server.toml",
                   f"--models={ROOT}/deploy/models"]
        result = subprocess.run(command, env=without_settings(), text=True,
                                stderr=subprocess.PIPE, timeout=PATIENCE_S,
                                check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("--insecure", result.stderr)


class ComposeTest(unittest.TestCase):

    def test_what_is_mounted_exists_or_is_a_volume(self):
        for name, service in COMPOSE["services"].items():
            for mount in service["volumes"]:
                source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", mount)
                source = source.split(":")[0]
                if source.startswith("."):
                    self.assertTrue((DOCKER / source).exists(), mount)
                    self.assertTrue(mount.endswith(":ro"), mount)
                else:
                    self.assertIn(source, COMPOSE["volumes"], name)

    def test_ports_are_published_on_loopback_alone(self):
        for service in COMPOSE["services"].values():
            for port in service["ports"]:
                self.assertTrue(port.startswith("127.0.0.1:"), port)

    def test_every_service_is_probed_and_has_no_rights_to_spare(self):
        for service in COMPOSE["services"].values():
            self.assertIn("test", service["healthcheck"])
            self.assertEqual(service["cap_drop"], ["ALL"])
            self.assertEqual(service["security_opt"],
                             ["no-new-privileges:true"])
        self.assertTrue(SERVER["read_only"])

    def test_the_servers_probe_is_that_of_the_image(self):
        word, *test = SERVER["healthcheck"]["test"]
        self.assertEqual(word, "CMD")
        self.assertIn("--server=127.0.0.1:50052", health_command(test))
        image = json.loads(re.search(r"HEALTHCHECK.*CMD (\[.*\])",
                                     DOCKERFILE)[1])
        self.assertEqual(" ".join(image),
                         " ".join(test).replace("=", " "))

    def test_there_is_time_to_drain(self):
        text = subprocess.run([binary("saliency-server"), "--help"],
                              env=without_settings(), text=True, check=True,
                              stdout=subprocess.PIPE).stdout
        drain = sum(seconds(re.search(rf"--drain-{name} .*=(\d+s) ", text)[1])
                    for name in ("delay", "timeout"))
        self.assertGreater(seconds(SERVER["stop_grace_period"]), drain)

    def test_prometheus_finds_the_server_and_grafana_finds_prometheus(self):
        scrape = yaml.safe_load(
            (ROOT / "deploy/prometheus/prometheus.yml").read_text())
        target = scrape["scrape_configs"][0]["static_configs"][0]["targets"][0]
        host, port = target.split(":")
        self.assertIn(host, COMPOSE["services"])
        self.assertIn(f'metrics-address = "[::]:{port}"',
                      (DOCKER / "server.toml").read_text())
        source = yaml.safe_load(
            (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml")
            .read_text())["datasources"][0]
        host, port = source["url"].removeprefix("http://").split(":")
        self.assertTrue(COMPOSE["services"][host]["ports"][0]
                        .endswith(f":{port}"))
        self.assertEqual(source["jsonData"]["timeInterval"],
                         scrape["global"]["scrape_interval"])

    def test_grafana_is_given_the_dashboard_where_it_looks_for_it(self):
        provider = yaml.safe_load(
            (ROOT / "deploy/grafana/provisioning/dashboards/saliency.yml")
            .read_text())["providers"][0]
        path = provider["options"]["path"]
        grafana = COMPOSE["services"]["grafana"]
        mounts = dict(mount.split(":")[:2] for mount in grafana["volumes"])
        mounts = {inside: outside for outside, inside in mounts.items()}
        files = list((DOCKER / mounts[path]).glob("*.json"))
        self.assertEqual([file.name for file in files], ["saliency.json"])
        self.assertEqual(
            grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"],
            f"{path}/saliency.json")
        self.assertIn("/etc/grafana/provisioning", mounts)

    def test_the_image_is_the_version_of_the_sources(self):
        version = re.search(r"^project\(\w+ VERSION ([0-9.]+)",
                            (ROOT / "CMakeLists.txt").read_text(),
                            re.MULTILINE)[1]
        self.assertEqual(SERVER["image"], f"saliency-server:{version}-cpu")


class DashboardTest(unittest.TestCase):

    def setUp(self):
        self.dashboard = json.loads(
            (ROOT / "deploy/grafana/dashboards/saliency.json").read_text())
        self.panels = [panel for panel in self.dashboard["panels"]
                       if panel["type"] != "row"]

    def test_it_shows_what_an_operator_asks_about(self):
        rows = [panel["title"] for panel in self.dashboard["panels"]
                if panel["type"] == "row"]
        self.assertEqual(rows, ["Load", "Latency", "Batches", "Queue",
                                "Refusals and losses", "Models and devices",
                                "Connections and log"])

    def test_every_panel_asks_the_chosen_source_and_has_a_unit(self):
        ids = [panel["id"] for panel in self.dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        for panel in self.panels:
            self.assertEqual(panel["datasource"]["uid"], "${datasource}")
            self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
            self.assertTrue(panel["targets"], panel["title"])
            for target in panel["targets"]:
                self.assertIn('job="$job"', target["expr"])

    def test_panels_do_not_overlap_and_fill_the_width(self):
        cells = set()
        for panel in self.dashboard["panels"]:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24)
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), cells, panel["title"])
                    cells.add((x, y))
        bottom = max(y for _, y in cells) + 1
        self.assertEqual(len(cells), 24 * bottom)


if __name__ == "__main__":
    unittest.main()
