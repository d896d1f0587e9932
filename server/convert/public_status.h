// The last gate before a caller sees a status: only the codes of the error
// table pass, and what is our own fault says nothing but the request's id.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_PUBLIC_STATUS_H_
#define SALIENCY_SERVER_CONVERT_PUBLIC_STATUS_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/support/status.h"

namespace saliency {

// How long a caller waits before it comes back to a full queue.
inline constexpr absl::Duration kRetryPushback = absl::Milliseconds(200);

// `status` as a caller may see it: INTERNAL, and every code that the error
// table does not have, becomes INTERNAL "internal error, request id X"; other
// messages are kept, without payloads.
absl::Status PublicStatus(const absl::Status& status,
                          absl::string_view request_id);

// Whether PublicStatus hides something that belongs into the log.
bool HidesDetail(const absl::Status& status);

// With the details that the status has (status_details.h).
grpc::Status ToGrpcStatus(const absl::Status& status);

// Value of the trailing metadata grpc-retry-pushback-ms: milliseconds, -1 for
// never; nullopt where none is due.
std::optional<int64_t> RetryPushbackMs(const absl::Status& status);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_PUBLIC_STATUS_H_
