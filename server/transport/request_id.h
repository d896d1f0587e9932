// The id by which one request is found in metadata, answers and the log.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_TRANSPORT_REQUEST_ID_H_
#define SALIENCY_SERVER_TRANSPORT_REQUEST_ID_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "grpcpp/support/string_ref.h"

namespace saliency {

inline constexpr char kRequestIdKey[] = "x-request-id";

// x-request-id when it has 1 to 128 printable ASCII characters without spaces,
// else the trace id of a W3C traceparent, else a random one.
std::string RequestIdFrom(
    const std::multimap<grpc::string_ref, grpc::string_ref>& metadata);

// 32 random hexadecimal digits.
std::string NewRequestId();

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_REQUEST_ID_H_
