#include "client/cli/evaluate/voc_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"

namespace saliency::voc_folder_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Object(const std::string& name, const std::string& box,
                   int difficult = 0) {
  return absl::StrCat("<object><name>", name, "</name><difficult>", difficult,
                      "</difficult><bndbox>", box, "</bndbox></object>");
}

std::string Box(int left, int top, int right, int bottom) {
  return absl::StrCat("<xmin>", left, "</xmin><ymin>", top, "</ymin><xmax>",
                      right, "</xmax><ymax>", bottom, "</ymax>");
}

std::string Xml(const std::string& objects) {
  return absl::StrCat("<annotation><size><width>100</width><height>60</height>",
                      "<depth>3</depth></size>", objects, "</annotation>");
}

TEST(ParseVocAnnotationTest, BoxesCountFromZero) {
  const auto read = ParseVocAnnotation(Xml(Object("cat", Box(1, 2, 10, 20))));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->width, 100);
  EXPECT_EQ(read->height, 60);
  ASSERT_EQ(read->objects.size(), 1U);
  EXPECT_EQ(read->objects[0].category, "cat");
  EXPECT_EQ(read->objects[0].box,
            (PixelRect{.y = 1, .x = 0, .height = 19, .width = 10}));
  EXPECT_FALSE(read->objects[0].difficult);
}

TEST(ParseVocAnnotationTest, PartsOfAnObjectAreNoObjects) {
  const auto read = ParseVocAnnotation(
      Xml("<object><name>person</name><part><name>head</name><bndbox>" +
          Box(5, 5, 8, 8) + "</bndbox></part><bndbox>" + Box(3, 3, 30, 40) +
          "</bndbox></object>"));
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->objects.size(), 1U);
  EXPECT_EQ(read->objects[0].box,
            (PixelRect{.y = 2, .x = 2, .height = 38, .width = 28}));
}

TEST(ParseVocAnnotationTest, FractionsAreRoundedAndBoxesCutToTheImage) {
  const auto read = ParseVocAnnotation(
      Xml(Object("dog",
                 "<xmin>1.7</xmin><ymin>-4</ymin><xmax>300</xmax>"
                 "<ymax>60.2</ymax>")));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->objects[0].box,
            (PixelRect{.y = 0, .x = 1, .height = 60, .width = 99}));
}

TEST(ParseVocAnnotationTest, WhatIsMissingIsNamed) {
  const auto message = [](const std::string& xml) {
    const auto read = ParseVocAnnotation(xml);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(read.status().message());
  };
  EXPECT_THAT(message("not xml"), HasSubstr("<annotation>"));
  EXPECT_THAT(message("<annotation/>"), HasSubstr("<width>"));
  EXPECT_THAT(message(Xml("<object><name>cat</name></object>")),
              HasSubstr("<bndbox>"));
  EXPECT_THAT(message(Xml(Object("", Box(1, 1, 2, 2)))), HasSubstr("<name>"));
  EXPECT_THAT(message(Xml(Object("cat",
                                 "<xmin>one</xmin><ymin>1</ymin>"
                                 "<xmax>2</xmax><ymax>2</ymax>"))),
              HasSubstr("\"one\""));
}

TEST(ParseVocAnnotationTest, ABoxThatHoldsNoPixelIsRefused) {
  const auto read = [](const std::string& box) {
    return ParseVocAnnotation(Xml(Object("cat", box))).status();
  };
  EXPECT_TRUE(read(Box(7, 7, 7, 7)).ok()) << "both edges belong to it";
  for (const std::string& box : {Box(8, 7, 7, 7), Box(7, 8, 7, 7),
                                 Box(101, 1, 110, 9), Box(1, 61, 9, 70)}) {
    EXPECT_EQ(read(box).code(), absl::StatusCode::kInvalidArgument) << box;
    EXPECT_THAT(std::string(read(box).message()), HasSubstr("no pixel"));
  }
}

TEST(ParseVocAnnotationTest, DamagedFilesDoNoHarm) {
  const std::string good =
      Xml(Object("cat", Box(1, 2, 10, 20)) + Object("dog", Box(4, 4, 9, 9)));
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    std::string bad = good;
    for (int j = 0; j < 3; ++j) {
      bad[random() % bad.size()] = static_cast<char>(random() % 256);
    }
    bad.resize(random() % (bad.size() + 1));
    const auto read = ParseVocAnnotation(bad);
    if (read.ok()) GroupByCategory(*read);
  }
}

VocAnnotation Image(const std::string& objects) {
  return ParseVocAnnotation(Xml(objects)).value();
}

TEST(GroupByCategoryTest, ACategoryIsDifficultWhenAllItsObjectsAre) {
  const auto groups = GroupByCategory(Image(
      Object("cat", Box(1, 1, 5, 5), 1) + Object("cat", Box(9, 9, 12, 12), 0) +
      Object("dog", Box(20, 20, 25, 25), 1)));
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_FALSE(groups.at("cat").all_difficult);
  EXPECT_EQ(groups.at("cat").boxes.size(), 2U);
  EXPECT_TRUE(groups.at("dog").all_difficult);
}

TEST(GroupByCategoryTest, HardMeansSmallAndNotAlone) {
  // 100 x 60: a quarter is 1500 pixels.
  const std::string small = Object("cat", Box(1, 1, 30, 49));    // 1470
  const std::string quarter = Object("cat", Box(1, 1, 30, 50));  // 1500
  const std::string other = Object("dog", Box(80, 1, 81, 2));
  EXPECT_FALSE(GroupByCategory(Image(small)).at("cat").is_difficult);
  EXPECT_TRUE(GroupByCategory(Image(small + other)).at("cat").is_difficult);
  EXPECT_FALSE(GroupByCategory(Image(quarter + other)).at("cat").is_difficult);
}

TEST(GroupByCategoryTest, OverlapsCountOnce) {
  const std::string other = Object("dog", Box(100, 60, 100, 60));
  // Three boxes of 1000, 1000 and 200 pixels that cover 1380 together.
  const std::string boxes = Object("cat", Box(1, 1, 50, 20)) +
                            Object("cat", Box(15, 1, 64, 20)) +
                            Object("cat", Box(1, 11, 10, 30));
  EXPECT_TRUE(GroupByCategory(Image(boxes + other)).at("cat").is_difficult);
  EXPECT_FALSE(
      GroupByCategory(Image(boxes + Object("cat", Box(65, 1, 70, 20)) + other))
          .at("cat")
          .is_difficult);
}

class VocFolderTest : public testing::Test {
 protected:
  VocFolderTest() {
    std::string pattern = testing::TempDir() + "/voc_folder_XXXXXX";
    root_ = mkdtemp(pattern.data());
    for (const char* part : {"JPEGImages", "Annotations", "ImageSets/Main"}) {
      std::filesystem::create_directories(root_ + "/" + part);
    }
  }
  ~VocFolderTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(root_ + "/" + name) << text;
  }

  std::string root_;
};

TEST_F(VocFolderTest, ImageSetsKeepTheirOrder) {
  Write("ImageSets/Main/test.txt", "000007\n000002 \r\n\n000004\n");
  Write("ImageSets/Main/cat_test.txt", "000007  1\n000002 -1\n");
  EXPECT_THAT(ReadImageSet(root_, "test").value(),
              ElementsAre("000007", "000002", "000004"));
  EXPECT_THAT(ReadImageSet(root_, "cat_test").value(),
              ElementsAre("000007", "000002"));
}

TEST_F(VocFolderTest, ImageSetsMayComeFromAnyEditor) {
  for (const char* end : {"\n", "\r\n", "\r"}) {
    Write("ImageSets/Main/test.txt",
          absl::StrCat("\xEF\xBB\xBF", "000007", end, "000002\t-1", end));
    EXPECT_THAT(ReadImageSet(root_, "test").value(),
                ElementsAre("000007", "000002"));
  }
  Write("ImageSets/Main/test.txt", std::string("\xFF\xFE"
                                               "7\0\n\0",
                                               6));
  EXPECT_THAT(std::string(ReadImageSet(root_, "test").status().message()),
              HasSubstr("image set test: is UTF-16"));
}

TEST_F(VocFolderTest, ANameThatASetRepeatsCountsOnce) {
  Write("ImageSets/Main/test.txt", "b\na 1\nb\na -1\nc\n");
  EXPECT_THAT(ReadImageSet(root_, "test").value(), ElementsAre("b", "a", "c"));
}

TEST_F(VocFolderTest, AnUnknownSetNamesThoseThereAre) {
  Write("ImageSets/Main/test.txt", "1\n");
  Write("ImageSets/Main/val.txt", "1\n");
  const absl::Status status = ReadImageSet(root_, "train").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("test, val"));
}

TEST_F(VocFolderTest, NamesThatLeaveTheFolderAreRefused) {
  Write("ImageSets/Main/test.txt", "../../secret\n");
  EXPECT_EQ(ReadImageSet(root_, "test").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadImageSet(root_, "../x").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(VocFolderTest, ImagesMayBeJpegOrPng) {
  Write("JPEGImages/a.png", "x");
  EXPECT_EQ(ImagePath(root_, "a").value(), root_ + "/JPEGImages/a.png");
  EXPECT_EQ(ImagePath(root_, "b").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(VocFolderTest, ABadAnnotationIsNamed) {
  Write("Annotations/a.xml", "nothing");
  EXPECT_THAT(std::string(ReadAnnotation(root_, "a").status().message()),
              HasSubstr("Annotations/a.xml"));
  EXPECT_EQ(ReadAnnotation(root_, "b").status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace saliency::voc_folder_test
