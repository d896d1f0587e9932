"""The API's messages and stubs for Python."""

import subprocess
import sys

from server_process import ROOT


def generate(folder):
    """The API's modules, generated into `folder`."""
    subprocess.run([ROOT / "client/python/make_stubs.sh", folder], check=True,
                   stdout=subprocess.DEVNULL)
    sys.path.insert(0, str(folder))
    from saliency.v1 import explanation_pb2
    from saliency.v1 import model_service_pb2
    from saliency.v1 import model_service_pb2_grpc
    from saliency.v1 import saliency_service_pb2
    from saliency.v1 import saliency_service_pb2_grpc
    return (explanation_pb2, model_service_pb2, model_service_pb2_grpc,
            saliency_service_pb2, saliency_service_pb2_grpc)
