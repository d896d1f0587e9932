"""1,024 connections that say nothing, then all are closed."""

import time

from http2 import connect_many

ITEM = "1"
WHAT = "1,024 idle connections of a process that may open 1,024 files"
BOUND_MIB = 700
LIMITS = {"files": 1024}
MAY_REFUSE = True  # while there is no file left


# As many as there are files: the port must survive the lack of them too.
FLAGS = ["--max-connections-per-peer=1000000"]


def attack(server):
    peers = connect_many(server.port, 1024)
    time.sleep(2)
    held = server.metric("saliency_connections", port="grpc")
    refused = server.metric("saliency_connections_refused_total", port="grpc")
    for peer in peers:
        peer.close()
    time.sleep(2)
    if server.health() != 1:
        raise AssertionError("health is not SERVING afterwards")
    return {"note": f"{held:.0f} held, {refused:.0f} hung up on, "
                    f"{server.open_files()} files open afterwards"}
