#!/usr/bin/python3
"""A real Prometheus, with our rules, scrapes a real server under load: every
query of the dashboard, of the rules and of the autoscaler finds data, and none
names a metric that the server does not export."""

import itertools
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

import grpc

import needs
import promql
import stubs
from server_process import (PATIENCE_S, ROOT, ServerProcess,
                            emoji_repository)

yaml = needs.module("yaml", "python3-yaml")
PROMETHEUS = None
SAMPLES = sorted((ROOT / "deploy/models/voc-emoji/samples").glob("*.jpg"))
LABELS = {"namespace": "saliency", "pod": "saliency-server-0"}
# What the wrong questions of the load are recorded as.
ASKED_WRONGLY = ['job_rpc_code:saliency_requests:rate5m'
                 '{rpc="ComputeSaliency",code="INVALID_ARGUMENT"} > 0',
                 "job:saliency_expired:ratio_rate5m > 0"]


def get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=PATIENCE_S) as page:
        return page.read().decode()


class PrometheusProcess:
    """Prometheus on a free loopback port over deploy/prometheus, scraping one
    server every second."""

    def __init__(self, folder, target):
        shutil.copytree(ROOT / "deploy/prometheus/rules", folder / "rules")
        config = yaml.safe_load(
            (ROOT / "deploy/prometheus/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s",
                            "evaluation_interval": "1s"}
        config["scrape_configs"][0]["static_configs"] = [
            {"targets": [target], "labels": LABELS}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.process = subprocess.Popen(
            [PROMETHEUS, f"--config.file={folder}/prometheus.yml",
             f"--storage.tsdb.path={folder}/data",
             "--web.listen-address=127.0.0.1:0", "--log.format=json"],
            stderr=subprocess.PIPE, text=True)
        self.log = []
        self.url = f"http://{self._await_address()}"
        self._drain = threading.Thread(
            target=lambda: self.log.extend(self.process.stderr))
        self._drain.start()

    def _await_address(self):
        """Until it answers: it listens before it is ready."""
        address, is_ready = None, False
        for line in self.process.stderr:
            self.log.append(line)
            fields = json.loads(line)
            message = fields.get("msg", "")
            if message in ("Listening on", "Start listening for connections"):
                if not fields["address"].endswith(":0"):
                    address = fields["address"]
            is_ready |= message.startswith("Server is ready")
            if address is not None and is_ready:
                return address
        raise AssertionError("Prometheus ended:\n" + "".join(self.log))

    def query(self, expression):
        """The samples of an instant query, NaN left out."""
        answer = json.loads(get(f"{self.url}/api/v1/query?" +
                                urllib.parse.urlencode({"query": expression})))
        assert answer["status"] == "success", answer
        return [sample for sample in answer["data"]["result"]
                if sample["value"][1] != "NaN"]

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=PATIENCE_S)
        self._drain.join()
        self.process.stderr.close()


class Load:
    """Explains the samples again and again, by several methods, until it is
    closed; now and then it asks wrongly, too seldom for an alert."""

    def __init__(self, server, folder):
        self._server = server
        (self._explanation, _, _, self._saliency,
         self._grpc) = stubs.generate(folder / "stubs")
        self._closing = threading.Event()
        self.calls = 0
        self.failure = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            with grpc.insecure_channel(
                    self._server.address,
                    [("grpc.enable_http_proxy", 0)]) as channel:
                stub = self._grpc.SaliencyServiceStub(channel)
                for turn in itertools.count(1):
                    if self._closing.is_set():
                        return
                    self._explain_samples()
                    self._ask_for_no_class(stub)
                    if turn % 10 == 0:
                        self._ask_too_late(stub)
        except Exception as error:  # told by the main thread
            self.failure = error

    def _explain_samples(self):
        self._server.client(
            "explain", *SAMPLES, "--method=norm_grad", "--method=grad_cam",
            "--target=top", "--target=top:1", "--concurrency=2", "--json")
        self.calls += len(SAMPLES)

    def _question(self, label):
        return self._saliency.ComputeSaliencyRequest(
            input=self._explanation.Input(image=SAMPLES[0].read_bytes()),
            targets=[self._explanation.Target(label=label)])

    def _ask_for_no_class(self, stub):
        try:
            stub.ComputeSaliency(self._question("unicorn"), timeout=PATIENCE_S)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error

    def _ask_too_late(self, stub):
        question = self._saliency.StreamSaliencyRequest(
            id="late", compute=self._question("dog"), timeout_seconds=0.001)
        answer, = stub.StreamSaliency(iter([question]), timeout=PATIENCE_S)
        assert (answer.status.code ==
                grpc.StatusCode.DEADLINE_EXCEEDED.value[0]), answer.status

    def close(self):
        self._closing.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure


class ObservabilityTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        models = emoji_repository()
        cls.addClassCleanup(models.cleanup)
        cls.server = ServerProcess("--models", models.name)
        cls.addClassCleanup(cls.server.close)
        cls.server.await_models(1)
        cls.prometheus = PrometheusProcess(pathlib.Path(cls.folder.name),
                                           cls.server.metrics_address)
        cls.addClassCleanup(cls.folder.cleanup)
        cls.addClassCleanup(cls.prometheus.close)
        cls.await_data([cls.adapter_query()])
        cls.idle = cls.prometheus.query(cls.adapter_query())
        cls.load = Load(cls.server, pathlib.Path(cls.folder.name))
        cls.addClassCleanup(cls.load.close)
        cls.await_data(name for name, _ in promql.rule_queries()
                       if ":" in name)
        cls.page = cls.server.metrics()

    @classmethod
    def await_data(cls, queries):
        """Until the scrapes have seen enough for each of the queries."""
        deadline = time.monotonic() + PATIENCE_S
        missing = list(queries)
        while time.monotonic() < deadline:
            missing = [query for query in missing
                       if not cls.prometheus.query(query)]
            if not missing:
                return
            time.sleep(0.5)  # Prometheus has no way to be waited for
        load = getattr(cls, "load", None)
        raise AssertionError(f"no data for {missing} after {PATIENCE_S} s; "
                             f"load: {load and (load.calls, load.failure)}")

    @staticmethod
    def adapter_query():
        """What the adapter asks about our pod."""
        (_, template), = promql.adapter_queries()
        matchers = ",".join(f'{key}="{value}"'
                            for key, value in LABELS.items())
        return (template.replace("<<.LabelMatchers>>", matchers)
                .replace("<<.GroupBy>>", "pod"))

    def check_exported(self, queries):
        recorded = {name for name, _ in promql.rule_queries() if ":" in name}
        known = promql.exported(self.page) | recorded
        for name, query in queries:
            names = promql.metrics_in(query)
            with self.subTest(name):
                self.assertEqual(names - known, set())

    def test_the_dashboard_names_only_what_is_exported_or_recorded(self):
        queries = list(promql.dashboard_queries())
        self.assertGreater(len(queries), 20)
        self.check_exported(queries)

    def test_the_rules_name_only_what_is_exported_or_recorded(self):
        self.check_exported(promql.rule_queries())

    def test_the_adapter_names_only_what_is_exported(self):
        self.check_exported(promql.adapter_queries())

    def test_every_metric_of_ours_is_on_the_dashboard_or_in_a_rule(self):
        used = set()
        for _, query in [*promql.dashboard_queries(), *promql.rule_queries()]:
            used |= promql.metrics_in(query)
        for name in promql.exported(self.page):
            family = name
            for suffix in ("_bucket", "_sum", "_count"):
                family = family.removesuffix(suffix)
            if family.startswith("saliency_"):
                self.assertTrue(any(metric.startswith(family)
                                    for metric in used), family)

    def test_every_query_of_the_dashboard_returns_data(self):
        for title, query in promql.dashboard_queries():
            filled = (query.replace("$job", "saliency-server")
                      .replace("$instance", ".*")
                      .replace(promql.WINDOW, "1m"))
            with self.subTest(title, query=filled):
                self.assertNotIn("$", filled)
                self.assertTrue(self.prometheus.query(filled))

    def test_the_autoscaler_reads_the_queue_time_of_the_pod(self):
        samples = self.prometheus.query(self.adapter_query())
        self.assertEqual([sample["metric"] for sample in samples],
                         [{"pod": LABELS["pod"]}])
        self.assertGreater(float(samples[0]["value"][1]), 0)

    def test_the_autoscaler_reads_0_before_the_first_request(self):
        self.assertEqual([sample["metric"] for sample in self.idle],
                         [{"pod": LABELS["pod"]}])
        self.assertEqual(float(self.idle[0]["value"][1]), 0)

    def test_prometheus_is_content_with_rules_and_targets(self):
        groups = json.loads(get(f"{self.prometheus.url}/api/v1/rules"))
        rules = [rule for group in groups["data"]["groups"]
                 for rule in group["rules"]]
        self.assertEqual(len(rules), len(list(promql.rule_queries())))
        for rule in rules:
            self.assertEqual(rule["health"], "ok", rule)
        targets = json.loads(get(f"{self.prometheus.url}/api/v1/targets"))
        self.assertEqual([target["health"] for target in
                          targets["data"]["activeTargets"]], ["up"])

    def test_what_is_asked_wrongly_is_counted(self):
        self.await_data(ASKED_WRONGLY)

    def test_no_alert_is_even_pending_while_all_is_well(self):
        self.await_data(ASKED_WRONGLY)
        alerts = {sample["metric"]["alertname"]
                  for sample in self.prometheus.query("ALERTS")}
        # Those tell how busy this machine is.
        self.assertEqual(alerts - {"SaliencyQueueSlow", "SaliencySlow"}, set())


if __name__ == "__main__":
    PROMETHEUS = needs.program("prometheus", "prometheus")
    unittest.main()
