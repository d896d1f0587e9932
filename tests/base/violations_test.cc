#include "core/base/violations.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::violations_test {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::StartsWith;

TEST(ViolationsTest, NoneAreOk) {
  Violations found;
  found.Add(absl::OkStatus());
  EXPECT_TRUE(found.empty());
  EXPECT_TRUE(found.status().ok());
}

TEST(ViolationsTest, TheOnlyOneIsToldAsItIs) {
  Violations found;
  found.Add(absl::NotFoundError("layer \"x\" not found"));
  EXPECT_EQ(found.status(), absl::NotFoundError("layer \"x\" not found"));
}

TEST(ViolationsTest, SeveralAreNumberedInOneMessage) {
  Violations found;
  found.Add(absl::InvalidArgumentError("top_k 0 not in [1, 100]"));
  found.Add(absl::InvalidArgumentError("score: unknown value 9"));
  EXPECT_EQ(found.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(found.status().message(),
            "2 violations: (1) top_k 0 not in [1, 100]; (2) score: unknown "
            "value 9");
  EXPECT_THAT(ViolationsOf(found.status()),
              ElementsAre("top_k 0 not in [1, 100]", "score: unknown value 9"));
}

TEST(ViolationsTest, TheCodeIsTheSharedOneOrInvalidArgument) {
  Violations found;
  found.Add(absl::NotFoundError("a"));
  found.Add(absl::NotFoundError("b"));
  EXPECT_EQ(found.status().code(), absl::StatusCode::kNotFound);
  found.Add(absl::FailedPreconditionError("c"));
  EXPECT_EQ(found.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ViolationsTest, TheSameIsToldOnce) {
  Violations found;
  found.Add(absl::InvalidArgumentError("a"));
  found.Add(absl::InvalidArgumentError("a"));
  EXPECT_EQ(found.status(), absl::InvalidArgumentError("a"));
}

TEST(ViolationsTest, ThoseOfAPartNameIt) {
  Violations part;
  part.Add(absl::InvalidArgumentError("weighting: unknown value 9"));
  part.Add(absl::InvalidArgumentError("rule: unknown value 5"));
  Violations found;
  found.Add("combinations[1]", part);
  EXPECT_EQ(found.status().message(),
            "2 violations: (1) combinations[1]: weighting: unknown value 9; "
            "(2) combinations[1]: rule: unknown value 5");
}

TEST(ViolationsTest, TakeGivesTheValueOrSomethingHarmless) {
  Violations found;
  EXPECT_EQ(found.Take(absl::StatusOr<int>(3), 7), 3);
  EXPECT_TRUE(found.empty());
  EXPECT_EQ(found.Take(absl::StatusOr<int>(absl::NotFoundError("gone")), 7), 7);
  EXPECT_EQ(found.status(), absl::NotFoundError("gone"));
}

TEST(ViolationsTest, OneIsItsMessage) {
  EXPECT_THAT(ViolationsOf(absl::NotFoundError("gone")), ElementsAre("gone"));
}

// gRPC drops trailers above 8 KiB, and with them the reason.
TEST(ViolationsTest, ManyLongOnesFitIntoHeaders) {
  Violations found;
  for (int i = 0; i < 100; ++i) {
    found.Add(absl::InvalidArgumentError(
        absl::StrCat("targets[", i, "]: ", std::string(90, 'x'))));
  }
  const std::string message(found.status().message());
  EXPECT_THAT(message.size(), Le(1600U));
  EXPECT_THAT(message, StartsWith("100 violations: (1) targets[0]: "));
  EXPECT_THAT(message, HasSubstr("(2) targets[1]"));
  EXPECT_THAT(message, EndsWith(" more"));
  EXPECT_EQ(ViolationsOf(found.status()).size(), 100U);
}

}  // namespace
}  // namespace saliency::violations_test
