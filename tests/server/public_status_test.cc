#include "server/convert/public_status.h"

#include "core/engine/refusal.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/refusal_reason.h"

namespace saliency::public_status_test {
namespace {

TEST(PublicStatusTest, OurOwnFaultsSayOnlyTheRequestId) {
  for (const absl::StatusCode code :
       {absl::StatusCode::kInternal, absl::StatusCode::kUnknown,
        absl::StatusCode::kDataLoss, absl::StatusCode::kOutOfRange,
        absl::StatusCode::kAlreadyExists, absl::StatusCode::kUnimplemented}) {
    const absl::Status status(code, "/usr/src/torch.cpp:12 what()");
    EXPECT_TRUE(HidesDetail(status));
    EXPECT_EQ(PublicStatus(status, "r1"),
              absl::InternalError("internal error, request id r1"));
  }
}

TEST(PublicStatusTest, CodesOfTheTableKeepTheirMessageWithoutPayloads) {
  const absl::Status status = TooLargeError("too large");
  const absl::Status seen = PublicStatus(status, "r1");
  EXPECT_EQ(seen, absl::ResourceExhaustedError("too large"));
  EXPECT_FALSE(HidesDetail(status));
  EXPECT_EQ(ToGrpcStatus(seen).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ToGrpcStatus(seen).error_message(), "too large");
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

TEST(PublicStatusTest, PushbackGoesWithResourceExhaustedAlone) {
  EXPECT_EQ(RetryPushbackMs(absl::ResourceExhaustedError("full")), 200);
  EXPECT_EQ(RetryPushbackMs(TooLargeError("large")), -1);
  EXPECT_EQ(RetryPushbackMs(absl::UnavailableError("x")), std::nullopt);
  EXPECT_EQ(RetryPushbackMs(absl::OkStatus()), std::nullopt);
}

TEST(RefusalReasonTest, NamesEachKindOfRefusal) {
  EXPECT_EQ(RefusalReason(absl::ResourceExhaustedError("x")), "queue_full");
  EXPECT_EQ(RefusalReason(TooLargeError("x")), "too_large");
  EXPECT_EQ(RefusalReason(StudiesFullError("x")), "studies_full");
  EXPECT_EQ(RefusalReason(UnavailableBecause("draining", "x")), "draining");
  EXPECT_EQ(RefusalReason(UnavailableBecause("loading", "x")), "loading");
  EXPECT_EQ(RefusalReason(UnavailableBecause("invented", "x")), "unavailable");
  EXPECT_EQ(RefusalReason(absl::UnavailableError("x")), "unavailable");
  EXPECT_EQ(RefusalReason(absl::NotFoundError("x")), "");
  EXPECT_EQ(RefusalReason(absl::OkStatus()), "");
}

}  // namespace
}  // namespace saliency::public_status_test
