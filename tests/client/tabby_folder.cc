#include "tests/client/tabby_folder.h"

#include "absl/strings/str_cat.h"

namespace saliency {

std::string AddTabbyFolder(const TestFolder& folder) {
  std::string set;
  for (int i = 0; i < 6; ++i) {
    const std::string name = absl::StrCat("00", i);
    absl::StrAppend(&set, name, "\n");
    folder.AddImage("voc/JPEGImages/" + name + ".png", 60, 80);
    const int left = i % 2 == 0 ? 5 : 60;
    folder.AddFile(
        "voc/Annotations/" + name + ".xml",
        absl::StrCat(
            "<annotation><size><width>80</width><height>60</height></size>"
            "<object><name>tabby</name><difficult>0</difficult><bndbox><xmin>",
            left, "</xmin><ymin>5</ymin><xmax>", left + 15,
            "</xmax><ymax>20</ymax></bndbox></object></annotation>"));
  }
  folder.AddFile("voc/ImageSets/Main/test.txt", set);
  return folder.path("voc");
}

}  // namespace saliency
