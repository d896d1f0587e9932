// What libraries say arrives as one line of our log, whatever is in it.

#include "server/telemetry/library_logs.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/stubs/logging.h"
#include "grpc/support/log.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "server/transport/file_descriptor.h"
#include "tests/server/test_server.h"

namespace saliency::library_logs_test {
namespace {

using ::testing::SizeIs;

// With what a stranger would put into a header to forge a line.
constexpr char kForged[] =
    "x\n{\"level\":\"error\",\"message\":\"forged\"}\n\x1b[2J \xff";

class LibraryLogsTest : public testing::Test {
 protected:
  // Every line, which must be an object.
  std::vector<nlohmann::json> Lines() const {
    std::vector<nlohmann::json> objects;
    for (const std::string& line : lines_.all()) {
      EXPECT_EQ(line.find('\n'), std::string::npos);
      objects.push_back(nlohmann::json::parse(line));
    }
    return objects;
  }
  void AwaitLines(size_t count) const {
    while (lines_.all().size() < count) std::this_thread::yield();
  }

  LogLines lines_;
  Log log_{LogFormat::kJson, LogLevel::kDebug, lines_.Sink()};
};

TEST_F(LibraryLogsTest, GrpcAndProtobufSpeakThroughOurs) {
  const LibraryMessages messages(log_);
  gpr_log(GPR_ERROR, "bad header: %s", kForged);
  GOOGLE_LOG(ERROR) << "bad field: " << kForged;
  const std::vector<nlohmann::json> lines = Lines();
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0]["message"], "gRPC");
  EXPECT_EQ(lines[0]["level"], "warning");
  EXPECT_THAT(lines[0]["text"].get<std::string>(),
              testing::StartsWith("bad header: x\n{\"level\""));
  EXPECT_THAT(lines[0]["place"].get<std::string>(),
              testing::StartsWith("library_logs_test.cc:"));
  EXPECT_EQ(lines[1]["message"], "libprotobuf");
  EXPECT_THAT(lines[1]["text"].get<std::string>(),
              testing::StartsWith("bad field: x\n{\"level\""));
}

TEST_F(LibraryLogsTest, WhatIsWrittenToStderrIsRead) {
  const FileDescriptor real(dup(STDERR_FILENO));
  {
    const auto reader = StderrReader::Start(log_, real.get());
    ASSERT_TRUE(reader.ok());
    if (*reader == nullptr) GTEST_SKIP() << "sanitizers keep stderr";
    std::fprintf(stderr, "libpng warning: iCCP: %s", kForged);
    std::fflush(stderr);
    AwaitLines(2);
    const std::string end = "\nthe end\n";
    EXPECT_EQ(write(STDERR_FILENO, end.data(), end.size()), 9);
    AwaitLines(4);
    const std::string broken_off = "no line break";
    EXPECT_EQ(write(STDERR_FILENO, broken_off.data(), broken_off.size()), 13);
  }
  const std::vector<nlohmann::json> lines = Lines();
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_EQ(lines[0]["text"], "libpng warning: iCCP: x");
  for (const nlohmann::json& line : lines) EXPECT_EQ(line["message"], "stderr");
  EXPECT_EQ(lines[1]["text"], "{\"level\":\"error\",\"message\":\"forged\"}");
  EXPECT_EQ(lines[3]["text"], "the end");
  EXPECT_EQ(lines[4]["text"], "no line break");
}

TEST_F(LibraryLogsTest, ALineWithoutEndIsTakenInPieces) {
  const FileDescriptor real(dup(STDERR_FILENO));
  {
    const auto reader = StderrReader::Start(log_, real.get());
    ASSERT_TRUE(reader.ok());
    if (*reader == nullptr) GTEST_SKIP() << "sanitizers keep stderr";
    const std::string bytes(1 << 20, 'x');
    EXPECT_EQ(write(STDERR_FILENO, bytes.data(), bytes.size()), 1 << 20);
  }
  size_t size = 0;
  for (const nlohmann::json& line : Lines()) {
    EXPECT_LE(line["text"].get<std::string>().size(), 8192u);
    size += line["text"].get<std::string>().size();
  }
  EXPECT_EQ(size, size_t{1} << 20);
}

TEST(LastWordsTest, WhatIsSaidBeforeAnAbortIsNotLost) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const FileDescriptor real(dup(STDERR_FILENO));
        Log log({}, real.get());
        const auto reader = StderrReader::Start(log, real.get());
        std::fputs("these are the last words\n", stderr);
        std::abort();
      },
      testing::KilledBySignal(SIGABRT), "these are the last words");
}

}  // namespace
}  // namespace saliency::library_logs_test
