#include "core/base/status.h"

#include <stdexcept>
#include <string>

#include "gtest/gtest.h"

namespace saliency::status_test {
namespace {

TEST(StatusTest, ExceptionBecomesInternalWithoutTheLibrarysWords) {
  std::string logged;
  const absl::Status status = CatchAsStatus(
      "decoding", []() -> absl::Status { throw std::runtime_error("/secret"); },
      [&](absl::string_view detail) { logged = std::string(detail); });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(), "decoding");
  EXPECT_EQ(logged, "/secret");
}

TEST(StatusTest, StatusOfTheWorkPassesThrough) {
  EXPECT_TRUE(CatchAsStatus("x", [] { return absl::OkStatus(); }).ok());
  EXPECT_EQ(CatchAsStatus("x", [] { return absl::NotFoundError("y"); }),
            absl::NotFoundError("y"));
}

TEST(StatusTest, AnnotateKeepsCodeAndPrefixesField) {
  EXPECT_EQ(Annotate(absl::InvalidArgumentError("7 > 5"), "top_k"),
            absl::InvalidArgumentError("top_k: 7 > 5"));
  EXPECT_TRUE(Annotate(absl::OkStatus(), "top_k").ok());
}

absl::StatusOr<int> Half(int x) {
  if (x % 2 != 0) return absl::InvalidArgumentError("odd");
  return x / 2;
}
absl::StatusOr<int> Quarter(int x) {
  ASSIGN_OR_RETURN(const int half, Half(x));
  RETURN_IF_ERROR(Half(half).status());
  return half / 2;
}

TEST(StatusTest, MacrosReturnTheFirstError) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(7).status().message(), "odd");
  EXPECT_EQ(Quarter(6).status().message(), "odd");
}

}  // namespace
}  // namespace saliency::status_test
