"""Watches of health that come and go."""

from http2 import (END_HEADERS, END_STREAM, DATA, HEADERS, RST_STREAM, Peer,
                   frame, grpc_message, header_block, pump_all)

ITEM = "10"
WHAT = "300,000 health watches that come and go on the open port"
BOUND_MIB = 800


def attack(server):
    block = header_block("/grpc.health.v1.Health/Watch")
    cancel = (8).to_bytes(4, "big")
    resident = []
    for _ in range(3):
        peers = [Peer(server.health_port) for _ in range(10)]
        for start in range(0, 10_000, 50):
            for peer in peers:
                for stream in range(2 * start + 1, 2 * start + 101, 2):
                    peer.out += frame(HEADERS, END_HEADERS, stream, block)
                    peer.out += frame(DATA, END_STREAM, stream,
                                      grpc_message(b""))
            pump_all(peers, 0.05)
            for peer in peers:
                for stream in range(2 * start + 1, 2 * start + 101, 2):
                    peer.out += frame(RST_STREAM, 0, stream, cancel)
        pump_all(peers, 10)
        for peer in peers:
            peer.close()
        resident.append(server.resident_mib())
    grown = resident[-1] - resident[0]
    if grown > 40:
        raise AssertionError(f"resident memory, MiB: {resident}")
    return {"note": f"the last 200,000 cost {grown:.0f} MiB"}
