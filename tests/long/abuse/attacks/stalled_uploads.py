"""Requests of 31 MiB that stop short of their end."""

from http2 import Peer, grpc_message, pump_all

ITEM = "2"
WHAT = "140 uploads of 31 MiB that stall, on 14 connections"
BOUND_MIB = 1500
MAY_REFUSE = True  # near the bound gRPC ends calls, whoever's they are


def attack(server):
    size = 31 << 20
    body = grpc_message(b"\x00" * (size - 1000), size=size)
    peers = [Peer(server.port) for _ in range(14)]
    for peer in peers:
        for stream in range(1, 21, 2):
            peer.open(stream, "/saliency.v1.SaliencyService/ComputeSaliency")
            peer.upload(stream, body)
    pump_all(peers, 60)
    sent = sum(peer.sent for peer in peers) / 2**20
    ended = sum(len(peer.ended) for peer in peers)
    closed = sum(peer.closed for peer in peers)
    for peer in peers:
        peer.close()
    return {"note": f"{sent:.0f} MiB of 4,340 taken, {ended} calls ended, "
                    f"{closed} connections closed"}
