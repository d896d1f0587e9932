// What a server tells programs about a call, or an item of a stream, that it
// refused or failed (SaliencyService's comment in the proto): every Status that
// the client returns carries it.  A payload of the Status is one message of
// google/rpc/error_details.proto by its type's URL; these functions read those
// that most callers want.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_ERROR_DETAILS_H_
#define SALIENCY_CLIENT_ERROR_DETAILS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/support/status.h"
#include "saliency/v1/explanation.pb.h"

namespace saliency {

struct FieldViolation {
  std::string field;  // its path in the request; empty: no single field
  std::string description;
};

// All that is wrong with the request; none where that is not why it failed, or
// where the server does not say.
std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status);

// Why, in UPPER_SNAKE_CASE: "QUEUE_FULL", "INVALID_ARGUMENT"; "" where the
// server does not say.
std::string ErrorReasonOf(const absl::Status& status);

// How long a server that has no room wants to be left alone; none where the
// call ended otherwise, or where asking again is of no use.
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

// From the wire, details included.
absl::Status StatusFrom(const grpc::Status& status);
absl::Status StatusFrom(const v1::ResultStatus& status);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_ERROR_DETAILS_H_
