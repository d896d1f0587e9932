#!/usr/bin/python3
"""The manifests build, say what the server does, and fit together.

Builds every kustomization with the kubectl on the PATH, and with those named in
KUBECTL (paths separated by colons), in turn.
"""

import functools
import os
import re
import subprocess
import tempfile
import unittest

import needs
from server_process import PATIENCE_S, ROOT, binary, without_settings

yaml = needs.module("yaml", "python3-yaml")

FOLDER = ROOT / "deploy/kubernetes"
SERVERS = ["overlays/cpu", "overlays/gpu", "examples/models-volume",
           "examples/tls"]
JOBS = ["evaluate", "examples/evaluate-tls"]
# What the kustomize in kubectl 1.20 (Debian 12) and that in 1.32 both read.
COMMON_FIELDS = {"apiVersion", "kind", "namespace", "bases", "resources",
                 "patchesStrategicMerge", "configMapGenerator", "images"}
KUBECTLS = []


@functools.lru_cache(maxsize=None)
def build(kubectl, folder):
    """The objects of a kustomization, by kind and name."""
    result = subprocess.run([kubectl, "kustomize", FOLDER / folder], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            check=False)
    if result.returncode != 0:
        raise AssertionError(f"{kubectl} kustomize {folder}: {result.stderr}")
    objects = {}
    for document in yaml.safe_load_all(result.stdout):
        key = (document["kind"], document["metadata"]["name"])
        assert key not in objects, key
        objects[key] = document
    return objects


def only(objects, kind):
    """The one object of that kind."""
    found = [document for (of, _), document in objects.items() if of == kind]
    assert len(found) == 1, f"{len(found)} of kind {kind}"
    return found[0]


def seconds(text):
    """"1m30s" as a number."""
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    parts = re.findall(r"([0-9.]+)(ms|h|m|s)", text)
    assert "".join(number + unit for number, unit in parts) == text, text
    return sum(float(number) * units[unit] for number, unit in parts)


@functools.lru_cache(maxsize=None)
def server_defaults():
    """The server's options and their defaults, from its own help."""
    text = subprocess.run([binary("saliency-server"), "--help"], check=True,
                          env=without_settings(), text=True,
                          stdout=subprocess.PIPE).stdout
    flags = re.findall(r"^  (?:-\w,)?--([\w-]+)(.*)$", text, re.MULTILINE)
    return {flag: (re.search(r"=([^\s=]+) \(Env", rest) or [None, ""])[1]
            for flag, rest in flags}


def settings(objects):
    """server.toml of the ConfigMap that the Deployment mounts, over the
    defaults."""
    text = only(objects, "ConfigMap")["data"]["server.toml"]
    chosen = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, value = line.split(" = ")
            chosen[key] = value.strip('"')
    defaults = server_defaults()
    unknown = set(chosen) - set(defaults)
    assert not unknown, f"the server has no options {unknown}"
    return {**defaults, **chosen}


def drain_seconds(options):
    return seconds(options["drain-delay"]) + seconds(options["drain-timeout"])


def port_of(address):
    return int(address.rsplit(":", 1)[1])


def pod_of(workload):
    return workload["spec"]["template"]["spec"]


def labels_of(workload):
    return workload["spec"]["template"]["metadata"]["labels"]


def container_of(workload):
    containers = pod_of(workload)["containers"]
    assert len(containers) == 1
    return containers[0]


def for_each(folders):
    """Runs a test with the objects of each of the folders."""
    def decorate(test):
        def run(self):
            for kubectl in KUBECTLS:
                for folder in folders:
                    with self.subTest(kubectl=kubectl, folder=folder):
                        test(self, build(kubectl, folder))
        return run
    return decorate


def workloads_of(objects):
    """Everything that runs pods."""
    found = [document for (kind, _), document in objects.items()
             if kind in ("Deployment", "Job")]
    assert found
    return found


class KubernetesTest(unittest.TestCase):

    def test_only_fields_that_old_and_new_kubectl_read(self):
        files = list(FOLDER.rglob("kustomization.yaml"))
        self.assertGreaterEqual(len(files), 5)
        for path in files:
            fields = set(yaml.safe_load(path.read_text()))
            self.assertEqual(fields - COMMON_FIELDS, set(), path)

    @for_each(SERVERS)
    def test_every_kind_of_object_is_there_in_one_namespace(self, objects):
        kinds = {kind for kind, _ in objects}
        self.assertLessEqual(
            {"Namespace", "Deployment", "Service", "ConfigMap",
             "PodDisruptionBudget", "HorizontalPodAutoscaler",
             "NetworkPolicy", "ServiceMonitor"}, kinds)
        for (kind, _), document in objects.items():
            if kind == "Namespace":
                self.assertEqual(document["metadata"]["name"], "saliency")
            else:
                self.assertEqual(document["metadata"]["namespace"],
                                 "saliency")

    @for_each(SERVERS)
    def test_ports_are_those_that_the_server_opens(self, objects):
        options = settings(objects)
        ports = {port["name"]: port["containerPort"] for port in
                 container_of(only(objects, "Deployment"))["ports"]}
        self.assertEqual(ports, {
            "grpc": port_of(options["listen-address"]),
            "health": port_of(options["health-address"]),
            "metrics": port_of(options["metrics-address"])})
        for address in ("listen", "health", "metrics"):
            self.assertTrue(
                options[f"{address}-address"].startswith("[::]:"))
        self.assertEqual(options["insecure"], "true")

    @for_each(SERVERS)
    def test_the_server_accepts_its_configuration(self, objects):
        container = container_of(only(objects, "Deployment"))
        self.assertEqual(container["args"],
                         ["--config=/etc/saliency/server.toml"])
        mount = {mount["name"]: mount
                 for mount in container["volumeMounts"]}["config"]
        self.assertEqual(mount["mountPath"], "/etc/saliency")
        text = only(objects, "ConfigMap")["data"]["server.toml"]
        # A repository that exists here, and one line too many: of the whole
        # file that line alone is refused, and no server starts.
        text = text.replace('"/models"', f'"{ROOT}/deploy/models"')
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text + "no-such-option = 1\n")
            file.flush()
            result = subprocess.run(
                [binary("saliency-server"), f"--config={file.name}"],
                env=without_settings(), stderr=subprocess.PIPE, text=True,
                timeout=PATIENCE_S, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("no-such-option", result.stderr)

    @for_each(SERVERS)
    def test_probes_ask_the_health_port_for_names_that_are_known(self, objects):
        known = (ROOT / "server/services/health_registry.cc").read_text()
        container = container_of(only(objects, "Deployment"))
        health = port_of(settings(objects)["health-address"])
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asks = container[probe]["grpc"]
            self.assertEqual(asks["port"], health)
            self.assertIn(f'"{asks.get("service", "")}"', known)
        # Readiness waits for the models, liveness must not.
        self.assertNotIn("service", container["readinessProbe"]["grpc"])
        self.assertEqual(container["livenessProbe"]["grpc"]["service"],
                         "saliency.v1.ModelService")

    @for_each(SERVERS)
    def test_there_is_time_to_drain(self, objects):
        options = settings(objects)
        grace = pod_of(only(objects, "Deployment"))[
            "terminationGracePeriodSeconds"]
        self.assertGreater(drain_seconds(options), 0)
        self.assertGreater(grace, drain_seconds(options))
        # Endpoints are gone before the server refuses calls.
        readiness = container_of(only(objects, "Deployment"))[
            "readinessProbe"]
        self.assertGreater(
            seconds(options["drain-delay"]),
            readiness["periodSeconds"] * readiness["failureThreshold"])
        # Its health is NOT_SERVING all the while: no reason to kill it.
        liveness = container_of(only(objects, "Deployment"))[
            "livenessProbe"]
        self.assertGreater(
            liveness["periodSeconds"] * liveness["failureThreshold"], grace)

    @for_each(SERVERS + JOBS)
    def test_pods_have_no_more_rights_than_they_need(self, objects):
        for workload in workloads_of(objects):
            pod = pod_of(workload)
            self.assertFalse(pod["automountServiceAccountToken"])
            context = pod["securityContext"]
            self.assertTrue(context["runAsNonRoot"])
            self.assertGreater(context["runAsUser"], 0)
            self.assertGreater(context["runAsGroup"], 0)
            self.assertEqual(context["seccompProfile"]["type"],
                             "RuntimeDefault")
            container = container_of(workload)
            self.assertEqual(container["securityContext"], {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]}})
            resources = container["resources"]
            for kind in ("cpu", "memory"):
                self.assertIn(kind, resources["requests"])
                self.assertIn(kind, resources["limits"])
            # Memory beyond the request is the first to be taken away.
            if workload["kind"] == "Deployment":
                self.assertEqual(resources["requests"], resources["limits"])

    @for_each(SERVERS + JOBS)
    def test_the_user_is_that_of_the_image(self, objects):
        user = re.search(r"^USER (\d+):(\d+)$",
                         (ROOT / "docker/Dockerfile").read_text(),
                         re.MULTILINE)
        for workload in workloads_of(objects):
            context = pod_of(workload)["securityContext"]
            self.assertEqual(
                [context["runAsUser"], context["runAsGroup"],
                 context["fsGroup"]],
                [int(user[1]), int(user[2]), int(user[2])])

    def test_only_the_gpu_overlay_asks_for_a_gpu(self):
        for kubectl in KUBECTLS:
            for folder, tag in (("overlays/cpu", "cpu"),
                                ("overlays/gpu", "cuda")):
                container = container_of(
                    only(build(kubectl, folder), "Deployment"))
                gpus = container["resources"]["limits"].get("nvidia.com/gpu")
                self.assertEqual(gpus, "1" if tag == "cuda" else None)
                self.assertTrue(container["image"].endswith(f"-{tag}"))

    @for_each(SERVERS + JOBS)
    def test_images_carry_the_version_of_the_sources(self, objects):
        version = re.search(r"^project\(\w+ VERSION ([0-9.]+)",
                            (ROOT / "CMakeLists.txt").read_text(),
                            re.MULTILINE)[1]
        for workload in workloads_of(objects):
            self.assertRegex(container_of(workload)["image"],
                             rf"^saliency-server:{re.escape(version)}-\w+$")

    @for_each(SERVERS)
    def test_selectors_find_the_pods_and_nothing_else(self, objects):
        deployment = only(objects, "Deployment")
        labels = labels_of(deployment)
        self.assertEqual(deployment["spec"]["selector"]["matchLabels"],
                         labels)
        spread = pod_of(deployment)["topologySpreadConstraints"][0]
        self.assertEqual(spread["labelSelector"]["matchLabels"], labels)
        budget = only(objects, "PodDisruptionBudget")["spec"]
        self.assertEqual(budget["selector"]["matchLabels"], labels)
        policy = only(objects, "NetworkPolicy")["spec"]
        self.assertEqual(policy["podSelector"]["matchLabels"], labels)
        for (kind, name), service in objects.items():
            if kind == "Service":
                self.assertEqual(service["spec"]["selector"], labels, name)

    @for_each(SERVERS)
    def test_ports_of_services_and_policies_exist_in_the_pod(self, objects):
        names = {port["name"] for port in
                 container_of(only(objects, "Deployment"))["ports"]}
        used = set()
        for (kind, _), document in objects.items():
            if kind == "Service":
                used |= {port["targetPort"]
                         for port in document["spec"]["ports"]}
        for rule in only(objects, "NetworkPolicy")["spec"]["ingress"]:
            used |= {port["port"] for port in rule["ports"]}
        self.assertEqual(used, {"grpc", "metrics"})
        self.assertLessEqual(used, names)

    @for_each(SERVERS)
    def test_one_service_is_headless_and_one_is_not(self, objects):
        self.assertNotIn("clusterIP",
                         objects["Service", "saliency-server"]["spec"])
        headless = objects["Service", "saliency-servers"]["spec"]
        self.assertEqual(headless["clusterIP"], "None")

    @for_each(SERVERS + JOBS)
    def test_volumes_are_mounted_and_backed(self, objects):
        for workload in workloads_of(objects):
            volumes = {volume["name"]: volume
                       for volume in pod_of(workload)["volumes"]}
            mounts = {mount["name"]
                      for mount in container_of(workload)["volumeMounts"]}
            self.assertEqual(set(volumes), mounts)
            for volume in volumes.values():
                if "secret" in volume:  # of the operator's own making
                    continue
                claim = volume.get("persistentVolumeClaim")
                needed = (("PersistentVolumeClaim", claim["claimName"])
                          if claim else
                          ("ConfigMap", volume["configMap"]["name"]))
                self.assertIn(needed, objects)

    @for_each(SERVERS)
    def test_a_changed_configuration_is_a_new_configmap(self, objects):
        self.assertRegex(only(objects, "ConfigMap")["metadata"]["name"],
                         r"^saliency-server-[0-9a-z]{10}$")

    @for_each(SERVERS)
    def test_the_autoscaler_scales_on_the_adapters_metric(self, objects):
        adapter = yaml.safe_load(
            (FOLDER / "prometheus-adapter/rules.yaml").read_text())
        metrics = {rule["name"]["as"] for rule in adapter["rules"]}
        spec = only(objects, "HorizontalPodAutoscaler")["spec"]
        target = spec["scaleTargetRef"]
        deployment = objects[target["kind"], target["name"]]
        self.assertEqual(target["apiVersion"], deployment["apiVersion"])
        # Otherwise every apply would undo the scaling.
        self.assertNotIn("replicas", deployment["spec"])
        self.assertGreaterEqual(spec["minReplicas"], 2)
        asked = {metric["pods"]["metric"]["name"]
                 for metric in spec["metrics"]}
        self.assertEqual(asked, metrics)

    @for_each(SERVERS)
    def test_the_monitor_finds_the_one_service_with_metrics(self, objects):
        monitor = only(objects, "ServiceMonitor")["spec"]
        wanted = monitor["selector"]["matchLabels"].items()
        found = [service for (kind, _), service in objects.items()
                 if kind == "Service" and
                 wanted <= service["metadata"]["labels"].items()]
        self.assertEqual(len(found), 1)
        ports = {port["name"] for port in found[0]["spec"]["ports"]}
        self.assertEqual({endpoint["port"] for endpoint in
                          monitor["endpoints"]}, {"metrics"})
        self.assertIn("metrics", ports)
        # The name that rules and dashboard know the job by.
        job = found[0]["metadata"]["labels"][monitor["jobLabel"]]
        scrape = yaml.safe_load(
            (ROOT / "deploy/prometheus/prometheus.yml").read_text())
        self.assertEqual(job, scrape["scrape_configs"][0]["job_name"])

    def test_the_secrets_are_given_to_options_that_take_them(self):
        known = subprocess.run([binary("saliency-server"), "--help"],
                               env=without_settings(), check=True, text=True,
                               stdout=subprocess.PIPE).stdout
        for kubectl in KUBECTLS:
            deployment = only(build(kubectl, "examples/tls"), "Deployment")
            container = container_of(deployment)
            mounts = {mount["mountPath"]
                      for mount in container["volumeMounts"]}
            self.assertEqual(len(container["env"]), 4)
            for variable in container["env"]:
                self.assertIn(f"(Env:{variable['name']})", known)
                self.assertIn(os.path.dirname(variable["value"]), mounts)
            for volume in pod_of(deployment)["volumes"]:
                if "secret" in volume:
                    # The group of the server's user reads it, others do not.
                    self.assertEqual(volume["secret"]["defaultMode"], 0o440)

    def check_flags(self, arguments):
        """The client has the subcommand, with each of the flags."""
        words = [word for word in arguments if word.isidentifier() or
                 word == "pointing-game"]
        known = subprocess.run([binary("saliency"), *words, "--help"],
                               env=without_settings(), check=True, text=True,
                               stdout=subprocess.PIPE).stdout
        flags = [word.split("=")[0] for word in arguments
                 if word.startswith("--")]
        self.assertGreaterEqual(len(flags), 3)
        for flag in flags:
            self.assertRegex(known, rf"{flag}\b")

    @for_each(JOBS)
    def test_the_job_evaluates_every_shard_once_on_the_servers(self, objects):
        servers = build(KUBECTLS[0], "overlays/cpu")
        job = only(objects, "Job")
        spec = job["spec"]
        self.assertEqual(spec["completionMode"], "Indexed")
        arguments = container_of(job)["args"]
        self.check_flags(arguments)
        shards = spec["completions"]
        self.assertIn(f"--shard=$(JOB_COMPLETION_INDEX)/{shards}", arguments)
        # No two pods write into one folder.
        out = [a for a in arguments if a.startswith("--out-dir=")]
        self.assertIn("$(JOB_COMPLETION_INDEX)", out[0])
        server = [a for a in arguments if a.startswith("--server=")][0]
        host, port = server[len("--server="):].split(":")
        service = servers["Service", host]["spec"]
        self.assertEqual(service["clusterIP"], "None")
        self.assertIn(int(port), [p["port"] for p in service["ports"]])
        allowed = only(servers, "NetworkPolicy")["spec"]["ingress"][0]
        peer = allowed["from"][0]["podSelector"]["matchLabels"]
        self.assertLessEqual(peer.items(), labels_of(job).items())

    def test_the_job_over_tls_is_the_other_one_with_secrets(self):
        for kubectl in KUBECTLS:
            plain, secured = (only(build(kubectl, folder), "Job")
                              for folder in JOBS)
            arguments = container_of(plain)["args"]
            self.assertEqual(container_of(secured)["args"][:len(arguments)],
                             arguments)
            files = dict(argument.split("=") for argument in
                         container_of(secured)["args"][len(arguments):])
            self.assertEqual(set(files), {"--tls-ca", "--tls-cert",
                                          "--tls-key", "--token-file"})
            mounts = {mount["mountPath"]
                      for mount in container_of(secured)["volumeMounts"]}
            for path in files.values():
                self.assertIn(os.path.dirname(path), mounts)
            volumes = pod_of(secured)["volumes"]
            self.assertEqual([v["secret"]["defaultMode"] for v in volumes
                              if "secret" in v], [0o440])

    def test_the_kserve_example_runs_the_same_server(self):
        service = yaml.safe_load(
            (FOLDER / "examples/kserve-inference-service.yaml").read_text())
        container = service["spec"]["predictor"]["containers"][0]
        flags = dict(argument[2:].partition("=")[::2]
                     for argument in container["args"])
        self.assertLessEqual(set(flags), set(server_defaults()))
        self.assertEqual(container["ports"][0]["containerPort"],
                         port_of(flags["listen-address"]))
        for probe in ("livenessProbe", "readinessProbe"):
            self.assertEqual(container[probe]["grpc"]["port"],
                             port_of(flags["health-address"]))
        self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"])
        # What Knative makes the grace period of.
        self.assertGreater(service["spec"]["predictor"]["timeout"],
                           drain_seconds({**server_defaults(), **flags}))


if __name__ == "__main__":
    KUBECTLS = [needs.program("kubectl", "kubernetes-client")]
    KUBECTLS += filter(None, os.environ.get("KUBECTL", "").split(":"))
    unittest.main()
