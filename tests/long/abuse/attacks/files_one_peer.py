"""Another peer's calls go on while one has all its connections."""

import time

from http2 import connect_many

ITEM = "1"
WHAT = "1,024 idle connections, default limits"
BOUND_MIB = 700


def attack(server):
    peers = connect_many(server.port, 1024)
    time.sleep(5)
    held = server.metric("saliency_connections", port="grpc")
    refused = server.metric("saliency_connections_refused_total",
                            port="grpc", reason="peer")
    for peer in peers:
        peer.close()
    if refused < 400:
        raise AssertionError(f"{refused} hung up on")
    return {"note": f"{held:.0f} held, {refused:.0f} hung up on"}
