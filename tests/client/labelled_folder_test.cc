#include "client/cli/labelled_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/client/run_command.h"

namespace saliency::labelled_folder_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Object(const std::string& name, int difficult) {
  return absl::StrCat("<object><name>", name, "</name><difficult>", difficult,
                      "</difficult><bndbox><xmin>1</xmin><ymin>1</ymin>"
                      "<xmax>9</xmax><ymax>9</ymax></bndbox></object>");
}

void AddScene(const TestFolder& folder, const std::string& name,
              const std::string& objects) {
  folder.AddImage("voc/JPEGImages/" + name + ".png", 10, 10);
  folder.AddFile("voc/Annotations/" + name + ".xml",
                 "<annotation><size><width>10</width><height>10</height>"
                 "</size>" +
                     objects + "</annotation>");
}

std::vector<std::string> NamesOf(const LabelledFolder& folder) {
  std::vector<std::string> names;
  for (const LabelledItem& item : folder.items) names.push_back(item.name);
  return names;
}

TEST(LabelledFolderTest, OfAVocFolderTheSetsImagesShowTheirBoxesCategories) {
  const TestFolder folder;
  AddScene(folder, "01",
           Object("dog", 0) + Object("cat", 0) + Object("dog", 1) +
               Object("sofa", 1) + Object("sofa", 1));
  AddScene(folder, "02", Object("dog", 0));
  folder.AddFile("voc/ImageSets/Main/val.txt", "01\n");
  const LabelledFolder voc =
      OpenLabelledFolder(folder.path("voc"), "val").value();
  EXPECT_TRUE(voc.is_voc);
  EXPECT_THAT(NamesOf(voc), ElementsAre("01"));
  const v1::LabelledImage image =
      ReadLabelledImage(voc, voc.items[0], false).value();
  EXPECT_EQ(image.id(), "01");
  EXPECT_EQ(image.input().image(),
            ReadAll(folder.path("voc/JPEGImages/01.png")));
  ASSERT_EQ(image.classes_size(), 2);
  EXPECT_EQ(image.classes(0).label(), "cat");
  EXPECT_EQ(image.classes(1).label(), "dog") << "one dog is not difficult";
  ASSERT_EQ(image.uncertain_size(), 1);
  EXPECT_EQ(image.uncertain(0).label(), "sofa") << "all sofas are";
}

TEST(LabelledFolderTest, SubfoldersAreClasses) {
  const TestFolder folder;
  folder.AddImage("all/7/b.png", 4, 4);
  folder.AddImage("all/7/a.png", 4, 4);
  folder.AddImage("all/12/a.png", 4, 4);
  folder.AddFile("all/7/notes.txt", "no image");
  folder.AddFile("all/.cache/x.png", "hidden");
  const LabelledFolder classes =
      OpenLabelledFolder(folder.path("all"), "trainval").value();
  EXPECT_FALSE(classes.is_voc);
  EXPECT_THAT(NamesOf(classes), ElementsAre("12/a.png", "7/a.png", "7/b.png"));
  const v1::LabelledImage named =
      ReadLabelledImage(classes, classes.items[2], false).value();
  EXPECT_EQ(named.classes(0).label(), "7");
  const v1::LabelledImage indexed =
      ReadLabelledImage(classes, classes.items[2], true).value();
  EXPECT_EQ(indexed.classes(0).class_index(), 7);
  EXPECT_EQ(indexed.input().image(), ReadAll(folder.path("all/7/b.png")));
}

TEST(LabelledFolderTest, SaysWhatIsWrong) {
  const TestFolder folder;
  EXPECT_THAT(
      std::string(
          OpenLabelledFolder(folder.path("nowhere"), "s").status().message()),
      HasSubstr("cannot list"));
  folder.AddImage("flat/a.png", 4, 4);
  EXPECT_THAT(
      std::string(
          OpenLabelledFolder(folder.path("flat"), "s").status().message()),
      HasSubstr("neither Annotations"));
  folder.AddFile("empty/dog/notes.txt", "");
  EXPECT_THAT(
      std::string(
          OpenLabelledFolder(folder.path("empty"), "s").status().message()),
      HasSubstr("holds no"));
  AddScene(folder, "01", Object("dog", 0));
  EXPECT_THAT(
      std::string(
          OpenLabelledFolder(folder.path("voc"), "s").status().message()),
      HasSubstr("no image set \"s\""));
  folder.AddImage("named/dog/a.png", 4, 4);
  const LabelledFolder named =
      OpenLabelledFolder(folder.path("named"), "s").value();
  EXPECT_THAT(
      std::string(
          ReadLabelledImage(named, named.items[0], true).status().message()),
      HasSubstr("\"dog\" is no class index"));
}

}  // namespace
}  // namespace saliency::labelled_folder_test
