"""A newcomer's first call in Python: a channel that nobody has set, an image,
no options.

    first_call.py HOST:PORT IMAGE STUBS
"""

import pathlib
import sys

import grpc

sys.path.insert(0, sys.argv[3])
from saliency.v1 import explanation_pb2
from saliency.v1 import saliency_service_pb2
from saliency.v1 import saliency_service_pb2_grpc

with grpc.insecure_channel(sys.argv[1]) as channel:
    stub = saliency_service_pb2_grpc.SaliencyServiceStub(channel)
    answer = stub.ComputeSaliency(saliency_service_pb2.ComputeSaliencyRequest(
        input=explanation_pb2.Input(
            image=pathlib.Path(sys.argv[2]).read_bytes())), timeout=60)
    for item in answer.maps:
        print(item.height, item.width, len(item.data),
              item.explained_class.label, item.image_point.y,
              item.image_point.x)
