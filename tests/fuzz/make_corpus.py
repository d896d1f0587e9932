#!/usr/bin/env python3
"""Writes the fuzzers' seeds and dictionaries; see CMakeLists.txt.

  OUT/<target>/         one file for each seed
  OUT/<target>.dict     words that random bytes would take long to find

Images are the fixtures of tests/golden/pil, annotations those of the bundled
samples; requests are encoded from the text in seeds/request, a folder for each
message, and one for each of a few images.  What once broke a target is in
regressions/<name>, byte for byte.
"""

import argparse
import pathlib
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
IMAGES = ROOT / 'tests' / 'golden' / 'pil'
PROTO = ROOT / 'proto'
MAGIC = [b'\xff\xd8\xff', b'\xff\xc0', b'\xff\xc2', b'\xff\xda', b'\xff\xd9',
         b'\xff\xe1', b'Exif\0\0', b'\x89PNG\r\n\x1a\n', b'IHDR', b'PLTE',
         b'tRNS', b'IDAT', b'IEND', b'eXIf', b'RIFF', b'WEBP', b'VP8 ', b'VP8L',
         b'VP8X', b'ALPH', b'ANIM', b'EXIF', b'BM', b'II*\0', b'MM\0*',
         b'\x9d\x01\x2a']
VOC_TAGS = [b'<annotation>', b'</annotation>', b'<size>', b'</size>',
            b'<width>', b'<height>', b'<object>', b'</object>', b'<name>',
            b'<difficult>1</difficult>', b'<bndbox>', b'</bndbox>', b'<xmin>',
            b'<ymin>', b'<xmax>', b'<ymax>', b'<part>', b'<!DOCTYPE', b'&amp;']
LABELS = {'plain': b'cat\ndog\n', 'windows': b'cat\r\ndog\r\n', 'empty': b'',
          'gap': b'cat\n\ndog', 'utf8': 'café\n猫\n'.encode(),
          'not_utf8': b'caf\xe9\n', 'no_break': b'cat'}


def quoted(data):
    return '"' + ''.join(f'\\x{byte:02x}' for byte in data) + '"'


def write_dictionary(path, words):
    path.write_text(''.join(quoted(word) + '\n' for word in words))


def words_of(proto):
    """Names of fields and enum values."""
    text = re.sub(r'//.*', '', (PROTO / proto).read_text())
    return sorted({word.encode() for word in re.findall(r'(\w+) = \d+', text)})


def write_images(folder):
    for name in ['decode', 'refuse']:
        for path in (IMAGES / name).iterdir():
            if path.suffix != '.ppm':
                shutil.copy(path, folder / path.name)


def encode(protoc, message, text):
    return subprocess.run(
        [protoc, f'-I{PROTO}', f'--encode=saliency.v1.{message}',
         'saliency/v1/saliency_service.proto'],
        input=text.encode(), check=True, stdout=subprocess.PIPE).stdout


def write_requests(folder, protoc):
    for path in (HERE / 'seeds' / 'request').glob('*/*.txt'):
        message = path.parent.name
        (folder / f'{message}.{path.stem}').write_bytes(
            encode(protoc, message, path.read_text()))
    for name in ['rgb.png', 'lossy.jpg', 'lossy.webp']:
        image = quoted((IMAGES / 'decode' / name).read_bytes())
        text = f'input {{ image: {image} }}'
        (folder / name).write_bytes(
            encode(protoc, 'ComputeSaliencyRequest', text))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--protoc', required=True)
    parser.add_argument('--out', type=pathlib.Path, required=True)
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    folders = {name: options.out / (name + '_fuzz')
               for name in ['image', 'labels', 'model_config', 'request',
                            'layer_weights', 'voc_annotation', 'graph']}
    for name, folder in folders.items():
        folder.mkdir(parents=True)
        for path in (HERE / 'regressions' / name).glob('*'):
            shutil.copy(path, folder / f'regression.{path.name}')
    write_images(folders['image'])
    for name, text in LABELS.items():
        (folders['labels'] / name).write_bytes(text)
    for name in ['model_config', 'layer_weights', 'graph']:
        for path in (HERE / 'seeds' / name).iterdir():
            shutil.copy(path, folders[name] / path.name)
    for path in (ROOT / 'deploy/models/voc-emoji/samples').glob('*.xml'):
        shutil.copy(path, folders['voc_annotation'] / path.name)
    write_requests(folders['request'], options.protoc)
    write_dictionary(options.out / 'image_fuzz.dict', MAGIC)
    for name in ['model_config', 'layer_weights']:
        write_dictionary(options.out / f'{name}_fuzz.dict',
                         words_of('saliency/v1/model_config.proto'))
    write_dictionary(options.out / 'voc_annotation_fuzz.dict', VOC_TAGS)
    (options.out / 'stamp').touch()


if __name__ == '__main__':
    main()
