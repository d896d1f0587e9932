"""Somebody who means well, from another address than the attackers."""

import statistics
import subprocess
import sys
import tempfile
import threading
import time

import grpc

from server import ROOT

IMAGE = ROOT / "deploy/models/voc-emoji/samples/dog-tvmonitor.jpg"
DEADLINE_S = 20  # on two cores that the attackers use too
EVERY_S = 0.25
REFUSED = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)


def api():
    """The modules of the API, generated once."""
    if "saliency.v1" not in sys.modules:
        folder = tempfile.mkdtemp(prefix="abuse-stubs-")
        subprocess.run([ROOT / "client/python/make_stubs.sh", folder],
                       check=True, stdout=subprocess.DEVNULL)
        sys.path.insert(0, folder)
    from saliency.v1 import explanation_pb2
    from saliency.v1 import saliency_service_pb2
    return explanation_pb2, saliency_service_pb2


def question(image=None):
    """The bytes of a small question: one map of 14 x 14."""
    explanation, service = api()
    request = service.ComputeSaliencyRequest(
        input=explanation.Input(image=image or IMAGE.read_bytes()),
        attributions=[explanation.Attribution(method="norm_grad",
                                              layers=["layer3"])])
    request.output.named_size = explanation.NAMED_SIZE_LAYER
    return request.SerializeToString()


def channel_to(port, *options):
    return grpc.insecure_channel(
        f"127.0.0.1:{port}",
        options=[("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0),
                 ("grpc.use_local_subchannel_pool", 1),
                 ("grpc.max_receive_message_length", -1), *options])


class Honest:
    """Asks again and again during `with`, each time on a new connection, and
    keeps how that went."""

    def __init__(self, server, metadata=()):
        self._server = server
        self._metadata = metadata
        self._question = question()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seconds = []
        self.refused = 0
        self.details = set()
        self.failed = []
        self.calls = {"ComputeSaliency": 0}  # that were answered

    def __enter__(self):
        if getattr(self._server, "port", None) is not None:
            self._thread.start()
        return self

    def __exit__(self, *unused):
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def one_call(self):
        """Asks once; raises when that does not go well."""
        start = time.monotonic()
        with channel_to(self._server.port) as channel:
            channel.unary_unary(
                "/saliency.v1.SaliencyService/ComputeSaliency")(
                    self._question, timeout=DEADLINE_S,
                    metadata=self._metadata)
        self.calls["ComputeSaliency"] += 1
        return time.monotonic() - start

    def _run(self):
        while not self._over.is_set() and self._server.alive():
            if self._server.quiet.is_set():
                self._over.wait(EVERY_S)
                continue
            try:
                self.seconds.append(self.one_call())
            except grpc.RpcError as error:
                if not self._server.alive():
                    return
                if (self._server.stopping
                        and error.code() == grpc.StatusCode.UNAVAILABLE):
                    return  # as it should be
                if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                    self.calls["ComputeSaliency"] += 1
                if error.code() in REFUSED:
                    self.refused += 1
                    self.details.add(f"{error.code().name}: {error.details()}")
                else:
                    self.failed.append(error.code().name)
            self._over.wait(EVERY_S)

    def check(self, allow_refusals, allow_expiry):
        """Every call was answered in time, or refused or not where that may
        be."""
        failed = [code for code in self.failed
                  if not allow_expiry or code != "DEADLINE_EXCEEDED"]
        if failed or (self.refused and not allow_refusals):
            raise AssertionError(
                f"others' calls: {len(self.seconds)} answered, "
                f"{self.refused} refused {self.details}, "
                f"failed: {self.failed}")

    def summary(self):
        refused = f", {self.refused} refused" if self.refused else ""
        if self.failed:
            refused += f", {len(self.failed)} not in {DEADLINE_S} s"
        if not self.seconds:
            return f"none{refused}"
        return (f"{len(self.seconds)} answered{refused}, median "
                f"{statistics.median(self.seconds):.2f} s, slowest "
                f"{max(self.seconds):.2f} s")
