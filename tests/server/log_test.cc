#include "server/telemetry/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "server/transport/file_descriptor.h"

namespace saliency::log_test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LogTest : public testing::Test {
 protected:
  Log::Sink Sink() {
    return [this](const std::string& line) { lines_.push_back(line); };
  }
  std::vector<std::string> lines_;
};

TEST_F(LogTest, TextLinesAreKeysAndValues) {
  Log log(LogFormat::kText, LogLevel::kInfo, Sink());
  log.Warning("call", {{"id", "a1"}, {"rows", 3}, {"seconds", 0.5}});
  ASSERT_THAT(lines_, SizeIs(1));
  EXPECT_THAT(lines_[0], HasSubstr("warning call id=a1 rows=3 seconds=0.5"));
}

TEST_F(LogTest, JsonLinesAreObjects) {
  Log log(LogFormat::kJson, LogLevel::kInfo, Sink());
  log.Info("call", {{"id", "a1"}, {"rows", 3}, {"seconds", 0.5}});
  ASSERT_THAT(lines_, SizeIs(1));
  const auto object = nlohmann::json::parse(lines_[0]);
  EXPECT_EQ(object["level"], "info");
  EXPECT_EQ(object["message"], "call");
  EXPECT_EQ(object["id"], "a1");
  EXPECT_EQ(object["rows"], 3);
  EXPECT_EQ(object["seconds"], 0.5);
  EXPECT_THAT(object["time"].get<std::string>(), HasSubstr("T"));
}

TEST_F(LogTest, TextOfAnyScriptIsShownAsItIs) {
  const std::string label = "\u732b caf\u00e9 \U0001f98a";
  Log(LogFormat::kText, LogLevel::kInfo, Sink()).Info("x", {{"id", label}});
  Log(LogFormat::kJson, LogLevel::kInfo, Sink()).Info("x", {{"id", label}});
  ASSERT_THAT(lines_, SizeIs(2));
  for (const std::string& line : lines_) EXPECT_THAT(line, HasSubstr(label));
  Log(LogFormat::kText, LogLevel::kInfo, Sink())
      .Info("x", {{"id", "a\u2028\u0085\u202eb"}});
  EXPECT_THAT(lines_[2], HasSubstr("a\\342"));
}

TEST_F(LogTest, WhatCallersInventCannotForgeALine) {
  const std::string nasty = "a\nb\" }{ %v \xff\x01 end";
  Log json(LogFormat::kJson, LogLevel::kInfo, Sink());
  json.Info("x", {{"id", nasty}});
  Log text(LogFormat::kText, LogLevel::kInfo, Sink());
  text.Info("x", {{"id", nasty}});
  ASSERT_THAT(lines_, SizeIs(2));
  EXPECT_TRUE(nlohmann::json::accept(lines_[0])) << lines_[0];
  for (const std::string& line : lines_) {
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_THAT(line, HasSubstr("%v"));
  }
  EXPECT_THAT(lines_[1], EndsWith(R"(id="a\nb\" }{ %v \377\001 end")"));
}

TEST_F(LogTest, LevelsBelowTheChosenOneAreSilent) {
  Log log(LogFormat::kText, LogLevel::kWarning, Sink());
  log.Debug("x");
  log.Info("x");
  EXPECT_THAT(lines_, IsEmpty());
  log.Warning("x");
  log.Error("x");
  EXPECT_THAT(lines_, SizeIs(2));
}

TEST_F(LogTest, LongTextsAreClipped) {
  const std::string text(100'000, 'x');
  Log json(LogFormat::kJson, LogLevel::kInfo, Sink());
  json.Info(text, {{"id", text}});
  Log plain(LogFormat::kText, LogLevel::kInfo, Sink());
  plain.Info(text, {{"id", text}});
  ASSERT_THAT(lines_, SizeIs(2));
  EXPECT_TRUE(nlohmann::json::accept(lines_[0]));
  for (const std::string& line : lines_) EXPECT_LT(line.size(), 10'000);
}

// Both ends of a pipe that holds 64 KiB.
struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    out = FileDescriptor(ends[0]);
    in = FileDescriptor(ends[1]);
    fcntl(out.get(), F_SETFL, O_NONBLOCK);
  }
  // What is in it now.
  std::string Read() const {
    std::string text(1 << 20, '\0');
    const ssize_t count = read(out.get(), text.data(), text.size());
    text.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
    return text;
  }
  FileDescriptor out;
  FileDescriptor in;
};

TEST(LogRateTest, MoreLinesThanAllowedAreDroppedCountedAndTold) {
  Pipe pipe;
  Log log({.lines_per_second = 10}, pipe.in.get());
  for (int i = 0; i < 1000; ++i) log.Info("a line");
  for (int i = 0; i < 20; ++i) log.Error("an error");
  log.Flush(absl::Seconds(60));
  const std::vector<std::string> lines = absl::StrSplit(pipe.Read(), '\n');
  const auto with = [&](const char* text) {
    return std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
      return absl::StrContains(line, text);
    });
  };
  EXPECT_GE(with("a line"), 50);
  EXPECT_LT(with("a line"), 1000);
  EXPECT_EQ(with("an error"), 20) << "a flood does not take their places";
  EXPECT_EQ(log.dropped().rate, 1000 - with("a line"));
  EXPECT_EQ(with("log lines dropped"), 1);
  EXPECT_EQ(log.dropped().blocked, 0);
}

TEST(BlockedLogTest, NobodyWaitsForAReaderThatDoesNotRead) {
  const absl::Time start = absl::Now();
  Pipe pipe;
  {
    Log log({.lines_per_second = 1'000'000}, pipe.in.get());
    const std::string text(1000, 'x');
    for (int i = 0; i < 10'000; ++i) log.Info("a line", {{"text", text}});
    EXPECT_GT(log.dropped().blocked, 5000) << "4 of 10 MB wait";
    for (int i = 0; i < 100; ++i) log.Error("an error", {{"text", text}});
    const int64_t dropped = log.dropped().blocked;
    log.Flush(absl::Milliseconds(50));
    EXPECT_EQ(log.dropped().blocked, dropped) << "errors found room";
    EXPECT_LT(absl::Now() - start, absl::Seconds(30));
  }
  EXPECT_LT(absl::Now() - start, absl::Seconds(40)) << "nor does the end";
}

TEST(BlockedLogTest, LinesLeaveWhenTheReaderIsBack) {
  Pipe pipe;
  Log log({.lines_per_second = 1'000'000}, pipe.in.get());
  const std::string text(1000, 'x');
  for (int i = 0; i < 1000; ++i) log.Info("a line", {{"text", text}});
  size_t read = 0;
  while (read < 1000 * text.size()) read += pipe.Read().size();
  log.Info("the last");
  std::string rest;
  while (!absl::StrContains(rest, "the last")) rest += pipe.Read();
  EXPECT_EQ(log.dropped().blocked, 0);
}

TEST(BlockedLogTest, AReaderThatIsGoneCostsTheLinesAlone) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.out = FileDescriptor();
  {
    Log log({}, pipe.in.get());
    for (int i = 0; i < 10; ++i) log.Info("a line");
    log.Flush(absl::Seconds(60));
    EXPECT_EQ(log.dropped().blocked, 10);
  }
  std::signal(SIGPIPE, before);
}

}  // namespace
}  // namespace saliency::log_test
