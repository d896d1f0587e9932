"""The real server and client as processes, for tests of what is around them."""

import json
import os
import pathlib
import queue
import shutil
import subprocess
import tempfile
import threading
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_S = 120  # a test that waits this long has failed


def binary(name):
    """Path of saliency-server or saliency, of the build that runs the test."""
    return pathlib.Path(os.environ["SALIENCY_BIN"]) / name


def without_settings():
    """Our environment less what the programs would read their options from."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith("SALIENCY_")}


def emoji_repository():
    """A TemporaryDirectory with voc-emoji alone, of the bundled models the one
    that loads in no time."""
    folder = tempfile.TemporaryDirectory()
    shutil.copytree(ROOT / "deploy/models/voc-emoji",
                    pathlib.Path(folder.name) / "voc-emoji")
    return folder


# Free ports on loopback, and nothing to wait for at the end.
SETTINGS = {
    "SALIENCY_LISTEN_ADDRESS": "127.0.0.1:0",
    "SALIENCY_HEALTH_ADDRESS": "127.0.0.1:0",
    "SALIENCY_METRICS_ADDRESS": "127.0.0.1:0",
    "SALIENCY_DRAIN_DELAY": "0s",
    "SALIENCY_LOG_FORMAT": "json",
}


class ServerProcess:
    """A server on free loopback ports; ends with `close`.  `command` is another
    way to start it than by its path, `cwd` where."""

    def __init__(self, *arguments, command=None, cwd=None):
        self.process = subprocess.Popen(
            command or [binary("saliency-server"), *arguments],
            cwd=cwd, env={**without_settings(), **SETTINGS},
            stderr=subprocess.PIPE, text=True)
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.seen = []
        listening = self.await_line("listening")
        self.address = f"127.0.0.1:{listening['grpc_port']}"
        self.health_address = f"127.0.0.1:{listening['health_port']}"
        self.metrics_address = f"127.0.0.1:{listening['metrics_port']}"

    def _read(self):
        for line in self.process.stderr:
            self._lines.put(line)
        self._lines.put(None)

    def await_line(self, message):
        """The next line of the log with that message, as a dict."""
        while True:
            line = self._lines.get(timeout=PATIENCE_S)
            if line is None:
                raise AssertionError(
                    f"the server ended before '{message}':\n"
                    + "".join(self.seen))
            self.seen.append(line)
            try:
                fields = json.loads(line)
            except ValueError:
                continue
            if fields["message"] == message:
                return fields

    def await_models(self, count):
        """Waits until that many models can be asked."""
        for _ in range(count):
            self.await_line("model ready")
        # The last line comes just before the health does.
        self.client("health", "--server", self.health_address)

    def client(self, command, *arguments):
        """Runs `saliency` against this server and returns its stdout."""
        result = subprocess.run(
            [binary("saliency"), command, *arguments], text=True,
            env={**without_settings(), "SALIENCY_SERVER": self.address},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=PATIENCE_S)
        if result.returncode != 0:
            raise AssertionError(
                f"saliency {command} {arguments} ended with "
                f"{result.returncode}: {result.stdout}{result.stderr}")
        return result.stdout

    def metrics(self):
        """The text of the /metrics page."""
        url = f"http://{self.metrics_address}/metrics"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=PATIENCE_S) as page:
            return page.read().decode()

    def close(self):
        """Asks it to stop, and returns its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout=PATIENCE_S)
        finally:
            self.process.kill()
            self._reader.join()
            self.process.stderr.close()
