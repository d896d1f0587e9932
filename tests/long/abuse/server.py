"""The server under attack: a process under a memory limit, its log, its
metrics."""

import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

import grpc

from limits import Group

ROOT = pathlib.Path(__file__).resolve().parents[3]
LIMIT_BYTES = 4 << 30
START_S = 180
STOP_S = 60


def _environment():
    return {name: value for name, value in os.environ.items()
            if not name.startswith("SALIENCY_")}


class Server:
    """Started when made, with voc-emoji alone; killed at the end of `with`.
    `read_log=False` leaves its stderr unread, `files` and `pids` are its limits
    on those, `expect_start=False` lets it fail to start."""

    def __init__(self, program, flags=(), name="server", logs=None,
                 read_log=True, files=None, pids=None, expect_start=True,
                 models=None):
        self.folder = tempfile.TemporaryDirectory(prefix="abuse-")
        if models is None:
            models = pathlib.Path(self.folder.name) / "models"
            shutil.copytree(ROOT / "deploy/models/voc-emoji",
                            models / "voc-emoji")
        self.port_file = pathlib.Path(self.folder.name) / "ports"
        self.group = Group(name, memory=LIMIT_BYTES, pids=pids)
        for controller, limit in (("memory", LIMIT_BYTES), ("pids", pids)):
            if limit is not None and not self.group.limits(controller):
                print(f"{name}: no cgroup for {controller} here", flush=True)
        self._files = files
        self._log_path = (pathlib.Path(logs) / f"{name}.log") if logs else None
        self.lines = []
        self.stopping = False  # it was told to go
        self.quiet = threading.Event()  # others are to ask nothing
        command = [str(program), f"--models={models}",
                   "--listen-address=127.0.0.1:0",
                   "--health-address=127.0.0.1:0",
                   "--metrics-address=127.0.0.1:0", "--drain-delay=0s",
                   "--log-format=json", f"--port-file={self.port_file}",
                   *[flag.replace("{folder}", self.folder.name)
                     for flag in flags]]
        self.process = subprocess.Popen(
            command, env=_environment(), stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, preexec_fn=self._prepare)
        if not self.group.holds(self.process.pid):
            raise AssertionError(f"{name}: not in its cgroup")
        self._reader = None
        if read_log:
            self.read_log()
        if expect_start:
            self._await_ports()
            self._await_serving()

    def _prepare(self):
        self.group.enter()
        if self._files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE,
                               (self._files, self._files))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.alive():
            self.process.kill()
        self.process.wait()
        if self._reader is not None:
            self._reader.join()
        if self._log_path is not None:
            self._log_path.parent.mkdir(parents=True, exist_ok=True)
            self._log_path.write_text("".join(self.lines))
        self.group.remove()
        self.folder.cleanup()

    def read_log(self):
        """Begins to read stderr, into `lines`."""
        def read():
            for line in self.process.stderr:
                self.lines.append(line.decode(errors="replace"))
        self._reader = threading.Thread(target=read)
        self._reader.start()

    def alive(self):
        return self.process.poll() is None

    def _await_ports(self):
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.alive():
            if self.port_file.exists():
                ports = dict(line.split("=") for line in
                             self.port_file.read_text().split())
                if len(ports) == 3:
                    self.port = int(ports["grpc"])
                    self.health_port = int(ports["health"])
                    self.metrics_port = int(ports["metrics"])
                    return
            time.sleep(0.02)
        raise AssertionError("the server did not start:\n"
                             + "".join(self.lines[-20:]))

    def health(self, service=b"", port=None, timeout=10):
        """1: SERVING, 2: NOT_SERVING, by the port for probes."""
        with grpc.insecure_channel(
                f"127.0.0.1:{port or self.health_port}",
                options=[("grpc.enable_http_proxy", 0),
                         ("grpc.use_local_subchannel_pool", 1)]) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            request = b"\x0a" + bytes([len(service)]) + service
            answer = check(request if service else b"", timeout=timeout)
        return answer[1] if len(answer) > 1 else 0

    def _await_serving(self):
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.alive():
            if self.health() == 1:
                return
            time.sleep(0.05)
        raise AssertionError("the server does not serve:\n"
                             + "".join(self.lines[-20:]))

    def metrics(self, timeout=10):
        """{name: [(labels, value)]}"""
        with urllib.request.urlopen(
                f"http://127.0.0.1:{self.metrics_port}/metrics",
                timeout=timeout) as page:
            text = page.read().decode()
        series = {}
        for line in text.splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if match is None:
                continue
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            series.setdefault(match[1], []).append((labels, float(match[3])))
        return series

    def metric(self, name, **labels):
        """The sum of the series that carry the labels."""
        return sum(value for has, value in self.metrics().get(name, [])
                   if labels.items() <= has.items())

    def check_counts(self, honest, attackers):
        """The calls that were answered are those that were counted; attackers
        that do not know their own number (None) are not compared."""
        if attackers is None:
            return
        for rpc in set(honest) | set(attackers):
            asked = honest.get(rpc, 0) + attackers.get(rpc, 0)
            counted = self.metric("saliency_requests_total", rpc=rpc)
            if counted != asked:
                raise AssertionError(
                    f"{rpc}: {asked} calls answered, {counted} counted")

    def status(self, field):
        """A number of /proc/PID/status."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.M)[1])

    def resident_mib(self):
        return self.status("VmRSS") / 1024

    def peak_mib(self):
        """The most that was resident; as last seen once it has ended."""
        if self.alive():
            self._peak = self.status("VmHWM") / 1024
        return getattr(self, "_peak", 0)

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def tell_to_go(self):
        """SIGTERM.  Others' calls are refused from here on."""
        self.peak_mib()
        self.stopping = True
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """SIGTERM; how long it took.  The exit code must be 0."""
        start = time.monotonic()
        self.tell_to_go()
        code = self.process.wait(STOP_S)
        if code != 0:
            raise AssertionError(f"exit code {code} after SIGTERM")
        return time.monotonic() - start

    def check_log_is_json(self):
        """Every line of the log is one object; returns them."""
        return [json.loads(line) for line in self.lines]
