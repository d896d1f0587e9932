"""Questions that ask for much, and ways to ask them."""

import concurrent.futures
import struct
import zlib

import grpc

from honest import IMAGE, api, channel_to

COMPUTE = "/saliency.v1.SaliencyService/ComputeSaliency"
META = "/saliency.v1.SaliencyService/MetaSaliency"
STREAM = "/saliency.v1.SaliencyService/StreamSaliency"


def png(height, width):
    """A grey image whose file is far smaller than its pixels."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    packer = zlib.compressobj(1)
    row = b"\x00" + bytes(x * 255 // width for x in range(width))
    rows = b"".join(packer.compress(row) for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0,
                                         0))
            + chunk(b"IDAT", rows + packer.flush()) + chunk(b"IEND", b""))


def compute(size=None, targets=1, image=None, **output):
    """A ComputeSaliencyRequest: maps of `size`, or of the image's."""
    explanation, service = api()
    request = service.ComputeSaliencyRequest(
        input=explanation.Input(image=image or IMAGE.read_bytes()),
        targets=[explanation.Target(class_index=i) for i in range(targets)],
        attributions=[explanation.Attribution(method="norm_grad",
                                              layers=["layer3"])])
    if size is not None:
        request.output.explicit_size.height = size[0]
        request.output.explicit_size.width = size[1]
    else:
        request.output.named_size = explanation.NAMED_SIZE_IMAGE
    request.output.max_answer_bytes = 1 << 40  # whatever the channel takes
    for name, value in output.items():
        setattr(request.output, name, value)
    return request


def ask(server, path, request, timeout, channel=None):
    """The code of one call, on a connection of its own unless one is given."""
    def once(where):
        try:
            where.unary_unary(path)(request.SerializeToString(),
                                    timeout=timeout)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK
    if channel is not None:
        return once(channel)
    with channel_to(server.port) as own:
        return once(own)


def side_by_side(calls):
    """The results of functions that are called at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(c) for c in calls]]


def count(codes):
    """ "3 OK, 2 CANCELLED" """
    names = [code.name for code in codes]
    return ", ".join(f"{names.count(name)} {name}"
                     for name in sorted(set(names)))
