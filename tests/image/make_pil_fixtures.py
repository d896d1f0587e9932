#!/usr/bin/env python3
"""Writes tests/golden/pil: what Pillow and torchvision make of small images.

Run with Debian's interpreter: /usr/bin/python3 tests/image/make_pil_fixtures.py

  resize/<source>.ppm, resize/<source>_<height>x<width>.ppm
      Image.resize(BILINEAR), to be met to the last bit.
  preprocess/<name>.f32
      Float32 [3,H,W], torchvision's Resize, CenterCrop, ToTensor, Normalize of
      resize/wide.ppm.
  decode/<name>.<format>, decode/<name>.<format>.ppm
      An encoded image and what a person sees of it.
  refuse/<name>.<format>
      Valid files that the server does not read.
"""

import pathlib
import struct
import zlib

import numpy as np
import torchvision.transforms as transforms
from PIL import Image, ImageOps

ROOT = pathlib.Path(__file__).resolve().parent.parent / 'golden' / 'pil'
ORIENTATION = 274


def noise(height, width, seed):
    """Waves under noise: something to smooth and something to alias."""
    rng = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 3.1 + y / 7.3), np.cos(x / 5.7),
                      np.sin(y / 2.3)], axis=-1)
    values = 128 + 90 * waves + rng.normal(0, 40, (height, width, 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def asymmetric(height=16, width=24):
    """Tells all eight orientations apart."""
    pixels = np.full((height, width, 3), (40, 90, 160), np.uint8)
    pixels[:height // 2, :width // 3] = (220, 40, 30)
    pixels[height // 2:, -width // 4:] = (30, 200, 60)
    pixels[:3, width // 2:] = (250, 240, 200)
    return Image.fromarray(pixels)


def write_resizes(folder):
    targets = {
        'wide': ((61, 97), [(64, 64), (30, 40), (17, 23), (7, 5), (1, 1),
                            (66, 101), (61, 20), (20, 97), (90, 31)]),
        'dot': ((1, 1), [(5, 3)]),
        'column': ((37, 1), [(10, 4), (80, 2)]),
        'row': ((1, 50), [(3, 9), (2, 77)]),
        'ribbon': ((3, 700), [(16, 16), (8, 150)]),
        'odd': ((13, 29), [(14, 28), (12, 30), (26, 58), (6, 14)]),
    }
    for seed, (name, (size, results)) in enumerate(sorted(targets.items())):
        source = noise(*size, seed)
        source.save(folder / f'{name}.ppm')
        for height, width in results:
            resized = source.resize((width, height), Image.BILINEAR)
            resized.save(folder / f'{name}_{height}x{width}.ppm')
    return noise(61, 97, sorted(targets).index('wide'))


def write_preprocess(folder, image):
    imagenet = transforms.Normalize([0.485, 0.456, 0.406],
                                    [0.229, 0.224, 0.225])
    cases = {
        'squash_20x24': [transforms.Resize((20, 24))],
        'shortest_side_23': [transforms.Resize(23)],
        'centre_crop_32_27x25': [transforms.Resize(32),
                                 transforms.CenterCrop((27, 25))],
    }
    for name, steps in cases.items():
        steps = transforms.Compose(steps + [transforms.ToTensor(), imagenet])
        steps(image).numpy().astype('<f4').tofile(folder / f'{name}.f32')


def png_bytes(pixels, colour_type, bits):
    """A PNG of any depth: Pillow writes no 16-bit colours."""
    def chunk(kind, data):
        return (struct.pack('>I', len(data)) + kind + data +
                struct.pack('>I', zlib.crc32(kind + data)))
    height, width = pixels.shape[:2]
    rows = b''.join(b'\0' + row.tobytes()
                    for row in pixels.astype('>u2' if bits == 16 else 'u1'))
    header = struct.pack('>IIBBBBB', width, height, bits, colour_type, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) +
            chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


def tiff_bytes(pixels, order, tags):
    """One strip, plain samples; `tags` beyond the necessary ones."""
    height, width, samples = pixels.shape
    bits = 8 * pixels.dtype.itemsize
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    entries = {256: width, 257: height, 259: 1, 262: 2 if samples > 1 else 1,
               273: 8, 277: samples, 278: height, 279: len(data), **tags}
    count = len(entries) + 1
    bits_at = 8 + len(data) + 2 + 12 * count + 4
    entries[258] = bits_at if samples > 2 else bits
    directory = struct.pack(order + 'H', count)
    for tag, value in sorted(entries.items()):
        if tag == 258:
            directory += struct.pack(order + 'HHI', tag, 3, samples)
            directory += (struct.pack(order + 'I', value) if samples > 2 else
                          struct.pack(order + 'HH', value, 0))
        else:
            directory += struct.pack(order + 'HHIHH', tag, 3, 1, value, 0)
    magic = b'II*\0' if order == '<' else b'MM\0*'
    return (magic + struct.pack(order + 'I', 8 + len(data)) + data +
            directory + struct.pack(order + 'I', 0) +
            struct.pack(order + 'H', bits) * samples)


def bmp_bytes(rows, width, height, bits, masks=(), header_size=40):
    """`rows` as stored; a negative height means from the top down."""
    compression = 3 if masks else 0
    header = struct.pack('<IiiHHIIiiII', header_size, width, height, 1, bits,
                         compression, len(rows), 2835, 2835, 0, 0)
    header += b''.join(struct.pack('<I', mask) for mask in masks)
    header += b'\0' * max(0, header_size - len(header))
    start = 14 + len(header)
    return (struct.pack('<2sIHHI', b'BM', start + len(rows), 0, 0, start) +
            header + rows)


def over_white(pixels):
    """Straight alpha, 8 bits."""
    colour = pixels[..., :3].astype(int)
    alpha = pixels[..., 3:].astype(int)
    mixed = (colour * alpha + 255 * (255 - alpha) + 127) // 255
    return Image.fromarray(mixed.astype(np.uint8))


def to_byte(pixels16):
    return ((pixels16.astype(int) * 255 + 32767) // 65535).astype(np.uint8)


class Decode:
    def __init__(self, folder):
        self.folder = folder

    def add(self, name, data, seen):
        (self.folder / name).write_bytes(data)
        seen.convert('RGB').save(self.folder / (name + '.ppm'))

    def save(self, name, image, seen=None, **options):
        path = self.folder / name
        image.save(path, **options)
        if seen is None:
            seen = Image.open(path)
            seen.load()
            # A TIFF is turned when it is loaded.
            if seen.format != 'TIFF':
                seen = ImageOps.exif_transpose(seen)
        seen.convert('RGB').save(self.folder / (name + '.ppm'))


def write_orientations(decode):
    image = asymmetric()
    for number in range(1, 9):
        exif = Image.Exif()
        exif[ORIENTATION] = number
        decode.save(f'orientation_{number}.jpg', image, quality=95,
                    subsampling=0, exif=exif)
        decode.save(f'orientation_{number}.png', image, exif=exif)
        decode.save(f'orientation_{number}.tif', image,
                    tiffinfo={ORIENTATION: number})
        decode.save(f'orientation_{number}.webp', image, lossless=True,
                    exif=exif)
        if number not in (1, 6):
            continue
        pixels = np.asarray(image).astype(np.uint16) * 257
        upright = decode.folder / f'orientation_{number}.png.ppm'
        decode.add(f'orientation_16bit_{number}.tif',
                   tiff_bytes(pixels, '>', {ORIENTATION: number}),
                   Image.open(upright))


def write_plain(decode):
    image = asymmetric()
    grey = image.convert('L')
    one_bit = image.convert('1')
    palette = image.quantize(7)
    for kind in ['png', 'bmp', 'tif']:
        decode.save(f'rgb.{kind}', image)
        decode.save(f'grey.{kind}', grey)
        decode.save(f'one_bit.{kind}', one_bit)
        decode.save(f'palette.{kind}', palette)
    decode.save('lossy.jpg', image, quality=90)
    decode.save('grey.jpg', grey, quality=95)
    decode.save('progressive.jpg', image, quality=90, progressive=True)
    decode.save('lossy.webp', image, quality=90)
    decode.save('lossless.webp', image, lossless=True)
    for name in ['tiff_lzw', 'tiff_adobe_deflate', 'packbits', 'jpeg']:
        decode.save(f'{name}.tif', image, compression=name)
    decode.save('group4.tif', one_bit, compression='group4')
    decode.save('pages.tif', image, seen=image, save_all=True,
                append_images=[ImageOps.mirror(image)])


def write_alpha_and_depth(decode):
    rng = np.random.RandomState(5)
    rgba = np.asarray(asymmetric().convert('RGBA')).copy()
    rgba[..., 3] = rng.randint(0, 256, rgba.shape[:2])
    seen = over_white(rgba)
    decode.save('alpha.png', Image.fromarray(rgba), seen=seen)
    decode.save('alpha.tif', Image.fromarray(rgba), seen=seen)
    decode.save('alpha.webp', Image.fromarray(rgba), seen=seen, lossless=True,
                exact=True)
    grey_alpha = np.stack([rgba[..., 0], rgba[..., 3]], axis=-1)
    decode.save('grey_alpha.png', Image.fromarray(grey_alpha, 'LA'),
                seen=over_white(rgba[..., [0, 0, 0, 3]]))
    deep = rng.randint(0, 65536, (16, 24, 4)).astype(np.uint16)
    shallow = to_byte(deep)
    decode.add('rgb_16bit.png', png_bytes(deep[..., :3], 2, 16),
               Image.fromarray(shallow[..., :3]))
    decode.add('alpha_16bit.png', png_bytes(deep, 6, 16), over_white(shallow))
    decode.add('grey_16bit.png', png_bytes(deep[..., 0], 0, 16),
               Image.fromarray(shallow[..., 0]))
    decode.add('rgb_16bit_little.tif', tiff_bytes(deep[..., :3], '<', {}),
               Image.fromarray(shallow[..., :3]))
    decode.add('alpha_16bit.tif', tiff_bytes(deep, '<', {338: 2}),
               over_white(shallow))
    decode.add('rgb_big_endian.tif', tiff_bytes(shallow[..., :3], '>', {}),
               Image.fromarray(shallow[..., :3]))


def write_bitmaps(decode):
    rgb = np.asarray(asymmetric()).astype(np.uint32)
    seen = asymmetric()
    bgr = np.asarray(asymmetric())[..., ::-1]
    decode.add('top_down.bmp', bmp_bytes(bgr.tobytes(), 24, -16, 24), seen)
    padded = np.concatenate([bgr, np.zeros((16, 24, 1), np.uint8)], axis=-1)
    decode.add('padded_32.bmp',
               bmp_bytes(padded[::-1].tobytes(), 24, 16, 32), seen)
    packed = (rgb[..., 0] >> 3 << 11) | (rgb[..., 1] >> 2 << 5) | (
        rgb[..., 2] >> 3)
    decode.add('fields_565.bmp',
               bmp_bytes(packed[::-1].astype('<u2').tobytes(), 24, 16, 16,
                         (0xF800, 0x07E0, 0x001F)),
               Image.fromarray((rgb & [0xF8, 0xFC, 0xF8]).astype(np.uint8)))


def write_refused(folder):
    image = asymmetric()
    image.convert('CMYK').save(folder / 'cmyk.jpg')
    image.convert('CMYK').save(folder / 'cmyk.tif')
    image.convert('LA').save(folder / 'grey_alpha.tif')
    image.convert('F').save(folder / 'float.tif')
    image.convert('I').save(folder / 'signed_32bit.tif')
    image.convert('LAB').save(folder / 'lab.tif')
    image.save(folder / 'animated.webp', save_all=True, lossless=True,
                 append_images=[ImageOps.mirror(image)])
    image.save(folder / 'image.gif')


def main():
    for name in ['resize', 'preprocess', 'decode', 'refuse']:
        (ROOT / name).mkdir(parents=True, exist_ok=True)
        for path in (ROOT / name).iterdir():
            path.unlink()
    wide = write_resizes(ROOT / 'resize')
    write_preprocess(ROOT / 'preprocess', wide)
    decode = Decode(ROOT / 'decode')
    write_orientations(decode)
    write_plain(decode)
    write_alpha_and_depth(decode)
    write_bitmaps(decode)
    write_refused(ROOT / 'refuse')


if __name__ == '__main__':
    main()
