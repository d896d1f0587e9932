#include "server/log.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

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

}  // namespace
}  // namespace saliency::log_test
