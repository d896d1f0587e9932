// What a status tells programs beside its message: the messages of
// google/rpc/error_details.proto, each a payload of the status by its type's
// URL, on their way to the trailing metadata grpc-status-details-bin or to an
// item of a stream.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_STATUS_DETAILS_H_
#define SALIENCY_SERVER_CONVERT_STATUS_DETAILS_H_

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/repeated_ptr_field.h"

namespace saliency {

// Of what type a request was, for the paths of its fields.
struct RequestShape {
  const google::protobuf::Descriptor* type = nullptr;  // null: not known
  // A field of `type` that most messages speak of as if it were the request, as
  // the kind of an item of a stream; null: none.
  const google::protobuf::FieldDescriptor* part = nullptr;
};

struct ErrorContext {
  std::string request_id;
  std::string model;    // empty: not known
  std::string version;  // empty: not known
  RequestShape request;
};

// `shown`, which is what callers see of `status`, with what SaliencyService's
// comment promises: ErrorInfo, BadRequest, RetryInfo.  Details and message
// together fit gRPC's 8 KiB of metadata: violations beyond are left out.  OK
// stays OK.
absl::Status WithDetails(absl::Status shown, const absl::Status& status,
                         const ErrorContext& context);

// Those of a status from WithDetails, in a fixed order.
google::protobuf::RepeatedPtrField<google::protobuf::Any> DetailsOf(
    const absl::Status& status);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_STATUS_DETAILS_H_
