"""Large answers that nobody reads."""

import time

from asking import COMPUTE, compute
from http2 import Peer, grpc_message, pump_all

ITEM = "4"
WHAT = "24 calls for 160 MB answers that are never read, on 6 connections"
BOUND_MIB = 2600
MAY_REFUSE = True  # what is held of one caller leaves less for others


def attack(server):
    message = grpc_message(compute((8000, 5000)).SerializeToString())
    peers = [Peer(server.port) for _ in range(6)]
    for peer in peers:
        for stream in range(1, 9, 2):
            peer.open(stream, COMPUTE)
            peer.upload(stream, message)
    highest = 0
    end = time.monotonic() + 30
    while time.monotonic() < end:
        pump_all(peers, 1)
        highest = max(highest, server.metric("saliency_queue_bytes"))
    refused = sum(len(peer.ended) for peer in peers)
    for peer in peers:
        peer.close()
    if highest > 1 << 30:
        raise AssertionError(f"{highest / 2**20:.0f} MiB held")
    if refused == 0:
        raise AssertionError("none was refused")
    return {"note": f"{refused} of 24 refused, {highest / 2**20:.0f} of 1,024 "
                    "MiB held"}
