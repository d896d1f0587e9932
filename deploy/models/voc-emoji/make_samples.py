#!/usr/bin/python3
"""Writes samples/: six chosen scenes on held-out photographs whose licences
let anybody pass them on, each with its annotation.
"""

import os

import photographs
import scenes
import voc_folder

_SEED = 42
# (index of the scene, photograph).
_CHOSEN = ((22, "Picture_0B_by_freespace"),
           (43, "aitzgorri_by_Aitzol_Berasategi"),
           (58, "life_by_Aitzol_Berasategi"),
           (72, "picosdeeuropa_by_Aitzol_Berasategi"),
           (95, "seeding_by_Clements_Engelhardt"),
           (138, "sunset_by_Aitzol_Berasategi"))


def _name(scene):
    """The categories that are clearly shown, e.g. "dog-tvmonitor"."""
    shown = voc_folder.truths(scene.objects)
    return "-".join(sorted(c for c, truth in shown.items() if truth == 1))


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "samples")
    os.makedirs(folder, exist_ok=True)
    scenes.check_packages()
    maker = scenes.SceneMaker("test")
    names = [p.name for p in photographs.SPLITS["test"]]
    for index, photograph in _CHOSEN:
        scene = maker.make(_SEED, index, names.index(photograph))
        name = _name(scene)
        with open(os.path.join(folder, name + ".jpg"), "wb") as file:
            file.write(scene.jpeg)
        source = f"{photograph}, {scene.photograph.author}, " \
                 f"{scene.photograph.licence}"
        voc_folder.write_annotation(
            os.path.join(folder, name + ".xml"),
            voc_folder.Entry(name + ".jpg", scene.size, scene.objects), source)
        print(name, source)


if __name__ == "__main__":
    main()
