#include "core/serving/model_repository.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/temporary_folder.h"

namespace saliency::model_repository_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Understands "ok" alone.
absl::StatusOr<ModelConfig> ParseOk(const std::string& text) {
  if (text == "ok") return ModelConfig{.required = false};
  return absl::InvalidArgumentError("line 1: what is this");
}

RepositoryContents Scan(const TemporaryFolder& folder) {
  return ScanRepository(folder.path(), &ParseOk).value();
}

TEST(ModelRepositoryTest, AFolderWithNothingButAModelFileIsAModel) {
  TemporaryFolder folder;
  folder.Write("net/1/model.pt", "x");
  const RepositoryContents contents = Scan(folder);
  ASSERT_THAT(contents.models, SizeIs(1));
  EXPECT_THAT(contents.ignored, IsEmpty());
  const RepositoryModel& model = contents.models[0];
  EXPECT_EQ(model.name, "net");
  EXPECT_TRUE(model.status.ok());
  EXPECT_TRUE(model.config.required);
  EXPECT_THAT(model.labels, IsEmpty());
  ASSERT_THAT(model.versions, SizeIs(1));
  EXPECT_EQ(model.versions[0].version, 1);
  EXPECT_TRUE(model.versions[0].status.ok());
  EXPECT_THAT(model.versions[0].model_file, HasSubstr("net/1/model.pt"));
}

TEST(ModelRepositoryTest, ConfigAndLabelsAreReadBesideTheVersions) {
  TemporaryFolder folder;
  folder.Write("net/1/model.pt", "x");
  folder.Write("net/config.pbtxt", "ok");
  folder.Write("net/labels.txt", "cat\ndog\n");
  const RepositoryContents contents = Scan(folder);
  EXPECT_FALSE(contents.models[0].config.required);
  EXPECT_THAT(contents.models[0].labels, ElementsAre("cat", "dog"));
}

TEST(ModelRepositoryTest, VersionsAreSortedAsNumbers) {
  TemporaryFolder folder;
  for (const char* version : {"10", "9", "2"}) {
    folder.Write(std::string("net/") + version + "/model.pt", "x");
  }
  std::vector<int64_t> versions;
  const RepositoryContents contents = Scan(folder);
  for (const RepositoryVersion& version : contents.models[0].versions) {
    versions.push_back(version.version);
  }
  EXPECT_THAT(versions, ElementsAre(2, 9, 10));
}

// What a config chooses of the versions 2, 9 and 10; empty: a failure.
std::vector<int64_t> Chosen(const VersionChoice& choice) {
  TemporaryFolder folder;
  folder.Write("net/config.pbtxt", "any");
  for (const char* version : {"10", "9", "2"}) {
    folder.Write(std::string("net/") + version + "/model.pt", "x");
  }
  const RepositoryContents contents =
      ScanRepository(folder.path(), [&](const std::string&) {
        return absl::StatusOr<ModelConfig>({.versions = choice});
      }).value();
  std::vector<int64_t> versions;
  if (!contents.models[0].status.ok()) return versions;
  for (const RepositoryVersion& version : contents.models[0].versions) {
    versions.push_back(version.version);
  }
  return versions;
}

TEST(ModelRepositoryTest, TheConfigChoosesVersions) {
  EXPECT_THAT(Chosen({}), ElementsAre(2, 9, 10));
  EXPECT_THAT(Chosen({.latest = 1}), ElementsAre(10));
  EXPECT_THAT(Chosen({.latest = 2}), ElementsAre(9, 10));
  EXPECT_THAT(Chosen({.latest = 7}), ElementsAre(2, 9, 10));
  EXPECT_THAT(Chosen({.only = {2, 10, 11}}), ElementsAre(2, 10));
  EXPECT_THAT(Chosen({.only = {3}}), IsEmpty());
}

TEST(ModelRepositoryTest, AnotherNameInTheConfigIsNoted) {
  TemporaryFolder folder;
  folder.Write("net/config.pbtxt", "any");
  folder.Write("net/1/model.pt", "x");
  const auto notes = [&](const char* name) {
    return ScanRepository(folder.path(),
                          [&](const std::string&) {
                            return absl::StatusOr<ModelConfig>({.name = name});
                          })
        .value()
        .models[0]
        .config.notes;
  };
  EXPECT_THAT(notes("net"), IsEmpty());
  EXPECT_THAT(notes("other"), ElementsAre(HasSubstr("\"net\" counts")));
}

TEST(ModelRepositoryTest, FoldersThatAreNoPositiveIntegersAreNoVersions) {
  TemporaryFolder folder;
  folder.Write("net/3/model.pt", "x");
  for (const char* name :
       {"0", "-1", "01", "+2", "1.0", "x", "99999999999999999999"}) {
    folder.Write(std::string("net/") + name + "/model.pt", "x");
  }
  EXPECT_THAT(Scan(folder).models[0].versions, SizeIs(1));
}

TEST(ModelRepositoryTest, AVersionWithoutAModelFileIsListedWithTheReason) {
  TemporaryFolder folder;
  folder.Write("net/1/other.pt", "x");
  folder.Write("net/2/model.pt/file", "a folder");
  const RepositoryModel model = Scan(folder).models.at(0);
  EXPECT_EQ(model.versions[0].status, absl::NotFoundError("no model.pt"));
  EXPECT_EQ(model.versions[1].status,
            absl::InvalidArgumentError("model.pt: not a file"));
}

TEST(ModelRepositoryTest, OtherEntriesAreIgnoredWithAReason) {
  TemporaryFolder folder;
  folder.Write("readme.txt", "x");
  folder.Write("bad name/1/model.pt", "x");
  folder.Write(std::string(65, 'n') + "/1/model.pt", "x");
  folder.Write("empty/config.pbtxt", "ok");
  const RepositoryContents contents = Scan(folder);
  EXPECT_THAT(contents.models, IsEmpty());
  EXPECT_THAT(
      contents.ignored,
      ElementsAre(HasSubstr("not a model name"), HasSubstr("no version folder"),
                  HasSubstr("not a model name"), HasSubstr("not a folder")));
}

TEST(ModelRepositoryTest, LinksThatStayInsideAreFollowed) {
  TemporaryFolder folder;
  folder.Write("store/1/model.pt", "x");
  folder.Link("net/1", "../store/1");
  folder.Link("other/2/model.pt", "../../store/1/model.pt");
  const RepositoryContents contents = Scan(folder);
  ASSERT_THAT(contents.models, SizeIs(3));
  for (const RepositoryModel& model : contents.models) {
    EXPECT_TRUE(model.versions[0].status.ok()) << model.name;
  }
}

// Gives up root's right to read everything.
class AsNobody {
 public:
  AsNobody() : was_(geteuid()) {
    if (was_ == 0) {
      EXPECT_EQ(seteuid(65534), 0);
    }
  }
  ~AsNobody() {
    if (was_ == 0) {
      EXPECT_EQ(seteuid(0), 0);
    }
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  const uid_t was_;
};

TEST(ModelRepositoryTest, WhatCannotBeReadIsNotCalledALink) {
  TemporaryFolder folder;
  for (const char* name : {"model", "version", "file", "labels"}) {
    folder.Write(std::string(name) + "/1/model.pt", "x");
  }
  folder.Write("labels/labels.txt", "cat");
  const std::string shut[] = {folder / "model", folder / "version/1",
                              folder / "labels/labels.txt"};
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  for (const std::string& path : shut) ASSERT_EQ(chmod(path.c_str(), 0), 0);
  {
    const AsNobody nobody;
    const RepositoryContents contents = Scan(folder);
    EXPECT_THAT(contents.ignored,
                ElementsAre("\"model\": cannot be read: Permission denied"));
    ASSERT_THAT(contents.models, SizeIs(3));
    EXPECT_EQ(contents.models[1].status.message(),
              "labels.txt: cannot be read");
    EXPECT_EQ(contents.models[2].versions.at(0).status.message(),
              "version 1: cannot be read: Permission denied");
  }
  for (const std::string& path : shut) ASSERT_EQ(chmod(path.c_str(), 0755), 0);
}

TEST(ModelRepositoryTest, LinksThatLeadNowhereAreToldApart) {
  TemporaryFolder folder;
  folder.Link("gone/1", "../nowhere");
  folder.Link("round/1", "1");
  folder.Link("file/1/model.pt", "nowhere");
  const RepositoryContents contents = Scan(folder);
  ASSERT_THAT(contents.models, SizeIs(3));
  const auto why = [&](int model) {
    return std::string(contents.models[model].versions.at(0).status.message());
  };
  EXPECT_EQ(why(0), "model.pt: a link that is broken");
  EXPECT_EQ(why(1), "version 1: a link that is broken");
  EXPECT_EQ(why(2), "version 1: a link that goes round in circles");
}

TEST(ModelRepositoryTest, LinksThatLeaveTheRepositoryAreRefused) {
  TemporaryFolder outside;
  outside.Write("1/model.pt", "secret");
  outside.Write("text", "ok");
  TemporaryFolder folder;
  folder.Link("whole", outside.path());
  folder.Link("version/1", outside / "1");
  folder.Link("file/1/model.pt", outside / "1/model.pt");
  folder.Write("config/1/model.pt", "x");
  folder.Link("config/config.pbtxt", outside / "text");
  folder.Write("labels/1/model.pt", "x");
  folder.Link("labels/labels.txt", outside / "text");
  folder.Link("broken/1/model.pt", "nowhere");
  const RepositoryContents contents = Scan(folder);
  EXPECT_THAT(contents.ignored, ElementsAre(HasSubstr("\"whole\": a link")));
  ASSERT_THAT(contents.models, SizeIs(5));
  for (const RepositoryModel& model : contents.models) {
    EXPECT_TRUE(!model.status.ok() || !model.versions[0].status.ok())
        << model.name;
    const std::string message(model.status.message());
    EXPECT_EQ(message.find(outside.path()), std::string::npos);
    if (!model.versions[0].status.ok()) {
      EXPECT_TRUE(model.versions[0].model_file.empty());
    }
  }
}

TEST(ModelRepositoryTest, ASiblingFolderWithTheSamePrefixIsOutside) {
  TemporaryFolder folder;
  folder.Write("models-other/1/model.pt", "x");
  folder.Link("models/net", "../models-other");
  const RepositoryContents contents =
      ScanRepository(folder / "models", &ParseOk).value();
  EXPECT_THAT(contents.models, IsEmpty());
  EXPECT_THAT(contents.ignored, SizeIs(1));
}

TEST(ModelRepositoryTest, ABadConfigFailsTheModelAndNamesTheFile) {
  TemporaryFolder folder;
  folder.Write("net/1/model.pt", "x");
  folder.Write("net/config.pbtxt", "nonsense");
  EXPECT_EQ(Scan(folder).models[0].status,
            absl::InvalidArgumentError("config.pbtxt: line 1: what is this"));
}

TEST(ModelRepositoryTest, ABadLabelFileFailsTheModelAndNamesTheLine) {
  TemporaryFolder folder;
  folder.Write("net/1/model.pt", "x");
  folder.Write("net/labels.txt", "cat\n\ndog\n");
  EXPECT_EQ(Scan(folder).models[0].status,
            absl::InvalidArgumentError("labels.txt: line 2 is empty"));
}

TEST(ModelRepositoryTest, AMissingRepositoryIsNotFoundWithoutItsPath) {
  const absl::Status status =
      ScanRepository("/no/such/folder", &ParseOk).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message().find("/no"), absl::string_view::npos);
}

TEST(ParseLabelsTest, LinesMayEndInEitherWay) {
  EXPECT_THAT(ParseLabels("a\r\nb\nc").value(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(ParseLabels("caf\xc3\xa9, \xe2\x82\xac \xf0\x9f\x98\x80").value(),
              SizeIs(1));
}

TEST(ParseLabelsTest, BlanksAroundALabelAreNoPartOfIt) {
  EXPECT_THAT(ParseLabels("cat \t\r\n\tgreat  dane\r\n bird").value(),
              ElementsAre("cat", "great  dane", "bird"));
}

TEST(ParseLabelsTest, JsonIsRefused) {
  for (const char* text :
       {"[\"cat\", \"dog\"]", "{\"0\": \"cat\",\n\"1\": \"dog\"}\n",
        "\xef\xbb\xbf[\n\"cat\",\n\"dog\"\n]\n"}) {
    EXPECT_EQ(
        ParseLabels(text).status(),
        absl::InvalidArgumentError("is JSON; it must hold one label a line"));
  }
  EXPECT_THAT(ParseLabels("[unknown]\ncat").value(),
              ElementsAre("[unknown]", "cat"));
}

TEST(ParseLabelsTest, WhatIsNoUtf8IsRefusedByItsLine) {
  for (const char* bad : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "\xe2\x82", "\x80"}) {
    EXPECT_EQ(ParseLabels(std::string("good\n") + bad + "\nmore").status(),
              absl::InvalidArgumentError("line 2 is not UTF-8"));
  }
}

TEST(ParseLabelsTest, BlankLinesAndEmptyFilesAreRefused) {
  EXPECT_EQ(ParseLabels("").status(),
            absl::InvalidArgumentError("line 1 is empty"));
  EXPECT_EQ(ParseLabels("a\n  \nb").status(),
            absl::InvalidArgumentError("line 2 is empty"));
  EXPECT_EQ(ParseLabels("\n \r\n").status(),
            absl::InvalidArgumentError("line 1 is empty"));
}

TEST(ParseLabelsTest, TheOriginOfTheFileIsNotPartOfALabel) {
  const char kMark[] = "\xEF\xBB\xBF";
  const auto is_ab = ElementsAre("a b", "caf\xc3\xa9,");
  for (const char* end : {"\n", "\r\n", "\r"}) {
    const std::string text = absl::StrCat("a b", end, "caf\xc3\xa9,");
    for (const std::string& last :
         {std::string(), std::string(end), absl::StrCat(end, end, " ", end)}) {
      EXPECT_THAT(ParseLabels(text + last).value(), is_ab);
      EXPECT_THAT(ParseLabels(kMark + text + last).value(), is_ab);
    }
  }
  EXPECT_THAT(ParseLabels(std::string("a") + kMark).value(),
              ElementsAre(std::string("a") + kMark))
      << "a mark elsewhere is a character";
}

TEST(ParseLabelsTest, OtherEncodingsAreNamed) {
  for (const std::string& text :
       {std::string("\xFF\xFE"
                    "a\0\n\0",
                    6),
        std::string("\xFE\xFF\0a", 4), std::string("\xFF\xFE\0\0a\0\0\0", 8),
        std::string("a\0b\0", 4)}) {
    EXPECT_EQ(
        ParseLabels(text).status(),
        absl::InvalidArgumentError("is UTF-16, UTF-32 or no text: it must "
                                   "be saved as UTF-8"));
  }
}

TEST(IsModelNameTest, AcceptsOnlyPlainNames) {
  for (const char* name : {"a", "ResNet-50", "v1.2_x", "..."}) {
    EXPECT_TRUE(IsModelName(name)) << name;
  }
  for (const char* name : {"", ".", "..", "a b", "a/b", "\xc3\xa9", "a\n"}) {
    EXPECT_FALSE(IsModelName(name)) << name;
  }
}

}  // namespace
}  // namespace saliency::model_repository_test
