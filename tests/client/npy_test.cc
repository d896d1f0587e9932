#include "client/cli/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/client/made_answers.h"
#include "tests/client/run_command.h"

namespace saliency::npy_test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(NpyTest, HeaderIsThatOfVersionOne) {
  const std::string header = NpyHeader({2, 3});
  ASSERT_EQ(header.size(), 128U);
  EXPECT_EQ(header.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(static_cast<unsigned char>(header[8]), 118);
  EXPECT_EQ(header[9], 0);
  EXPECT_EQ(header.back(), '\n');
  EXPECT_THAT(
      header.substr(10),
      StartsWith(
          "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"));
}

TEST(NpyTest, HeaderKeepsItsLengthForTheLargestSizes) {
  constexpr int64_t kLarge = 2147483647;
  EXPECT_EQ(NpyHeader({kLarge, kLarge, kLarge}).size(), 128U);
  EXPECT_EQ(NpyHeader({kLarge, kLarge, kLarge}).back(), '\n');
  EXPECT_THAT(NpyHeader({5}), HasSubstr("(5,)"));
}

TEST(NpyTest, MapIsHeaderAndNumbers) {
  const std::string map = RampMap(2, 3);
  EXPECT_EQ(EncodeNpy(2, 3, map), NpyHeader({2, 3}) + map);
}

TEST(NpyStackTest, OneMapHasTwoDimensions) {
  const TestFolder folder;
  const std::string path = folder.path("one.npy");
  auto stack = NpyStack::Create(path).value();
  ASSERT_TRUE(stack->Append(2, 3, RampMap(2, 3)).ok());
  EXPECT_FALSE(std::filesystem::exists(path)) << "before it is whole";
  ASSERT_TRUE(stack->Commit().ok());
  EXPECT_EQ(ReadAll(path), EncodeNpy(2, 3, RampMap(2, 3)));
}

TEST(NpyStackTest, FailedResultsKeepTheirPlaceAsNan) {
  const TestFolder folder;
  const std::string path = folder.path("some.npy");
  auto stack = NpyStack::Create(path).value();
  ASSERT_TRUE(stack->AppendMissing().ok());
  ASSERT_TRUE(stack->Append(2, 3, RampMap(2, 3)).ok());
  ASSERT_TRUE(stack->AppendMissing().ok());
  ASSERT_TRUE(stack->Commit().ok());
  const std::string bytes = ReadAll(path);
  ASSERT_EQ(bytes.size(), 128U + 3 * 24);
  EXPECT_EQ(bytes.substr(0, 128), NpyHeader({3, 2, 3}));
  EXPECT_EQ(bytes.substr(128 + 24, 24), RampMap(2, 3));
  for (const size_t at : {size_t{128}, size_t{128 + 20}, size_t{128 + 48}}) {
    float value = 0;
    std::memcpy(&value, &bytes[at], sizeof(value));
    EXPECT_TRUE(std::isnan(value)) << at;
  }
}

TEST(NpyStackTest, SizesMustAgree) {
  const TestFolder folder;
  auto stack = NpyStack::Create(folder.path("x.npy")).value();
  ASSERT_TRUE(stack->Append(2, 3, RampMap(2, 3)).ok());
  const absl::Status status = stack->Append(3, 2, RampMap(3, 2));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("2x3 and 3x2"));
}

TEST(NpyStackTest, WithoutCommitNothingRemains) {
  const TestFolder folder;
  {
    auto stack = NpyStack::Create(folder.path("x.npy")).value();
    ASSERT_TRUE(stack->Append(2, 3, RampMap(2, 3)).ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path("")));
}

TEST(NpyStackTest, FolderThatIsMissingIsToldByName) {
  const absl::Status status = NpyStack::Create("/nonexistent/x.npy").status();
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("/nonexistent/x.npy: No such file"));
}

TEST(NpyStackTest, NumpyReadsWhatWeWrite) {
  const std::string python = "/usr/bin/python3 -c ";
  if (std::system((python + "'import numpy' 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "no numpy on this machine";
  }
  const TestFolder folder;
  const std::string path = folder.path("two.npy");
  auto stack = NpyStack::Create(path).value();
  ASSERT_TRUE(stack->Append(4, 5, RampMap(4, 5)).ok());
  ASSERT_TRUE(stack->Append(4, 5, RampMap(4, 5)).ok());
  ASSERT_TRUE(stack->Commit().ok());
  const std::string script = absl::StrCat(
      "import numpy as n; a = n.load(\"", path,
      "\"); assert a.shape == (2, 4, 5) and a.dtype == n.float32; "
      "assert a.flags.c_contiguous; "
      "w = (n.arange(20, dtype=n.float32) / n.float32(19)).reshape(4, 5); "
      "assert (a == w).all()");
  EXPECT_EQ(std::system((python + "'" + script + "'").c_str()), 0);
}

}  // namespace
}  // namespace saliency::npy_test
