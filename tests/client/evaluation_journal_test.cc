#include "client/cli/evaluate/evaluation_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "client/cli/evaluate/shard.h"
#include "tests/client/run_command.h"

namespace saliency::evaluation_journal_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Rows = std::vector<std::vector<std::string>>;

class EvaluationJournalTest : public testing::Test {
 protected:
  std::unique_ptr<EvaluationJournal> Open(const std::string& plan = "plan") {
    auto journal = EvaluationJournal::Open(path_, plan, {"item", "value"});
    EXPECT_TRUE(journal.ok()) << journal.status();
    return journal.ok() ? *std::move(journal) : nullptr;
  }

  TestFolder folder_;
  const std::string path_ = folder_.path("journal.csv");
};

TEST_F(EvaluationJournalTest, ItemsAreReadBackInOrder) {
  ASSERT_TRUE(Open()->Add("b", Rows{{"b", "1"}, {"b", "2"}}).ok());
  ASSERT_TRUE(Open()->Add("a", Rows{}).ok());
  const JournalContents contents = ReadJournal(path_).value();
  EXPECT_EQ(contents.plan, "plan");
  EXPECT_THAT(contents.columns, ElementsAre("item", "value"));
  EXPECT_THAT(contents.rows,
              ElementsAre(ElementsAre("b", "1"), ElementsAre("b", "2")));
  EXPECT_THAT(contents.done, ElementsAre("b", "a"));
}

TEST_F(EvaluationJournalTest, AfterACutAnywhereTheRestGivesTheSameBytes) {
  const std::vector<std::pair<std::string, Rows>> items = {
      {"1", {{"1", "x"}, {"1", "y,z"}}}, {"2", {}}, {"3", {{"3", "w"}}}};
  const auto run = [&] {
    const auto journal = Open();
    for (const auto& [name, rows] : items) {
      if (journal->IsDone(name)) continue;
      ASSERT_TRUE(journal->Add(name, rows).ok());
    }
  };
  run();
  const std::string whole = ReadAll(path_);
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    std::filesystem::resize_file(path_, cut);
    run();
    EXPECT_EQ(ReadAll(path_), whole) << "cut at " << cut;
  }
}

// No file of this process may grow beyond a size, as on a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit full = {.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &full);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_);
  }

 private:
  rlimit before_ = {};
  void (*const signal_)(int) = std::signal(SIGXFSZ, SIG_IGN);
};

TEST_F(EvaluationJournalTest, NothingFollowsAnItemThatCouldNotBeWritten) {
  const Rows rows = {{"2", std::string(20'000, 'x')},
                     {"2", std::string(20'000, 'y')}};
  {
    const auto journal = Open();
    ASSERT_TRUE(journal->Add("1", Rows{{"1", "a"}}).ok());
    {
      const FullDisk full(10'000);
      ASSERT_FALSE(journal->Add("2", rows).ok());
    }
    EXPECT_FALSE(journal->Add("3", Rows{{"3", "c"}}).ok())
        << "though there is room again";
  }
  EXPECT_THAT(ReadJournal(path_).value().done, ElementsAre("1"));
  const auto journal = Open();
  ASSERT_TRUE(journal->Add("2", rows).ok());
  EXPECT_THAT(ReadJournal(path_).value().done, ElementsAre("1", "2"));
}

TEST_F(EvaluationJournalTest, AnotherPlanIsRefused) {
  Open("norm_grad");
  const auto other =
      EvaluationJournal::Open(path_, "grad_cam", {"item", "value"});
  EXPECT_EQ(other.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("norm_grad"));
}

TEST_F(EvaluationJournalTest, OtherFilesAreLeftAlone) {
  std::ofstream(path_) << "my,precious\n1,2\n";
  EXPECT_EQ(EvaluationJournal::Open(path_, "p", {"item"}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadAll(path_), "my,precious\n1,2\n");
  EXPECT_EQ(ReadJournal(folder_.path("none")).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(ShardTest, ShardsTogetherAreTheWhole) {
  const std::vector<std::string> items = {"a", "b", "c", "d", "e"};
  EXPECT_THAT(TakeShard(items, ParseShard("0/1").value()),
              ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(TakeShard(items, ParseShard("0/2").value()),
              ElementsAre("a", "c", "e"));
  EXPECT_THAT(TakeShard(items, ParseShard("1/2").value()),
              ElementsAre("b", "d"));
  EXPECT_THAT(TakeShard(items, ParseShard("6/7").value()), ElementsAre());
}

TEST(ShardTest, WhatIsNoShardIsRefused) {
  for (const char* text : {"", "1", "2/2", "-1/2", "0/0", "a/b", "0/1/2"}) {
    EXPECT_EQ(ParseShard(text).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

}  // namespace
}  // namespace saliency::evaluation_journal_test
