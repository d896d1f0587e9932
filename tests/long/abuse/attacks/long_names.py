"""Names that would be held for as long as their calls last."""

from http2 import Peer, grpc_message, pump_all

ITEM = "10"
WHAT = ("50 health watches and 50 reflection questions for names of 16 MiB, "
        "answers never read")
BOUND_MIB = 900
MAY_REFUSE = True
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
SIZE = 16 << 20


def field(number, data):
    size, rest = len(data), b""
    while size >= 128:
        rest += bytes([size % 128 + 128])
        size //= 128
    return bytes([number << 3 | 2]) + rest + bytes([size]) + data


def attack(server):
    name = b"a" * SIZE
    watch = grpc_message(field(1, name))
    question = grpc_message(field(3, name))
    peers = []
    for _ in range(10):
        peer = Peer(server.port)
        for stream in range(1, 21, 4):
            peer.open(stream, "/grpc.health.v1.Health/Watch")
            peer.upload(stream, watch)
            peer.open(stream + 2, REFLECTION)
            peer.upload(stream + 2, question)
        peers.append(peer)
    pump_all(peers, 60)
    ended = sum(len(peer.ended) for peer in peers)
    held = server.resident_mib()
    for peer in peers:
        peer.close()
    if ended != 100:
        raise AssertionError(f"{ended} of 100 calls ended")
    return {"note": f"all 100 refused, {held:.0f} MiB then"}
