#include "client/cli/image_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/client/run_command.h"

namespace saliency::image_files_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Stems(const std::vector<ImageFile>& files) {
  std::vector<std::string> stems;
  for (const ImageFile& file : files) stems.push_back(file.stem);
  return stems;
}

TEST(ListImagesTest, FolderGivesItsImagesSortedAndNotThoseBelow) {
  const TestFolder folder;
  for (const char* name : {"b.JPG", "a.png", "c.txt", "d.tiff", "sub/e.jpg"}) {
    folder.AddFile(name, "x");
  }
  EXPECT_THAT(Stems(*ListImages({folder.path("")})),
              ElementsAre("a", "b", "d"));
}

TEST(ListImagesTest, RecursiveTakesThoseBelowAndNamesThemByTheirPath) {
  const TestFolder folder;
  for (const char* name :
       {"b.jpg", "day/a.png", "day/one/c.jpg", "night/a.png", "night/d.txt"}) {
    folder.AddFile(name, "x");
  }
  EXPECT_THAT(Stems(*ListImages({folder.path("")}, {.recursive = true})),
              ElementsAre("b", "day_a", "day_one_c", "night_a"));
  EXPECT_THAT(Stems(*ListImages({folder.path("day")})), ElementsAre("a"));
}

TEST(ListImagesTest, AFolderOfFoldersIsToldOfTheFlag) {
  const TestFolder folder;
  folder.AddFile("day/a.png", "x");
  EXPECT_THAT(std::string(ListImages({folder.path("")}).status().message()),
              HasSubstr("-r looks into the folders below it too"));
  const TestFolder empty;
  EXPECT_THAT(
      std::string(
          ListImages({empty.path("")}, {.recursive = true}).status().message()),
      ::testing::Not(HasSubstr("-r ")));
}

TEST(ListImagesTest, FileIsTakenWhateverItsName) {
  const TestFolder folder;
  EXPECT_THAT(Stems(*ListImages({folder.AddFile("photo", "x")})),
              ElementsAre("photo"));
}

TEST(ListImagesTest, StemsAreUnique) {
  const TestFolder folder;
  const std::string one = folder.AddFile("one/cat.jpg", "x");
  const std::string two = folder.AddFile("two/cat.png", "x");
  EXPECT_THAT(Stems(*ListImages({one, two, one})),
              ElementsAre("cat", "cat-2", "cat-3"));
}

TEST(ListImagesTest, NamesWhatIsMissingOrEmpty) {
  const TestFolder folder;
  EXPECT_EQ(ListImages({folder.path("no.jpg")}).status().code(),
            absl::StatusCode::kNotFound);
  const absl::Status empty = ListImages({folder.path("")}).status();
  EXPECT_EQ(empty.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(empty.message()), HasSubstr("holds no .jpg"));
}

TEST(ReadFileTest, TellsWhyItCannot) {
  EXPECT_THAT(std::string(ReadFile("/nonexistent").status().message()),
              HasSubstr("No such file"));
  EXPECT_THAT(std::string(ReadFile("/tmp").status().message()),
              HasSubstr("directory"));
}

TEST(PixelsOfTest, AreReadFromTheHeader) {
  const TestFolder folder;
  EXPECT_EQ(PixelsOf(ReadAll(folder.AddImage("a.png", 3, 5))), 15);
  EXPECT_EQ(PixelsOf("no image"), 0);
}

}  // namespace
}  // namespace saliency::image_files_test
