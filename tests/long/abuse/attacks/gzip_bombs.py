"""Messages that unpack to a thousand times their size."""

import gzip

from http2 import Peer, grpc_message, pump_all

ITEM = "2"
WHAT = "40 gzip messages of 1 MB that unpack to 1 GB, to every kind of method"
BOUND_MIB = 800


def attack(server):
    # A gigabyte of zeros, packed piece by piece: gzip members join.
    bomb = gzip.compress(b"\x00" * (16 << 20), 9) * 64
    message = grpc_message(bomb, compressed=True)
    paths = ["/saliency.v1.SaliencyService/ComputeSaliency",
             "/saliency.v1.SaliencyService/StreamSaliency",
             "/saliency.v1.ModelService/GetModel",
             "/grpc.health.v1.Health/Check"]
    peers = [Peer(server.port) for _ in range(4)]
    for peer in peers:
        for number in range(10):
            stream = 2 * number + 1
            peer.open(stream, paths[number % len(paths)],
                      [("grpc-encoding", "gzip")])
            peer.upload(stream, message)
    pump_all(peers, 60)
    ended = sum(len(peer.ended) for peer in peers)
    for peer in peers:
        peer.close()
    if ended != 40:
        raise AssertionError(f"{ended} of 40 calls ended")
    return {"note": "all 40 refused"}
