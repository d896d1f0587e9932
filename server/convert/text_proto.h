// Messages written by people, in protobuf's text format.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_TEXT_PROTO_H_
#define SALIENCY_SERVER_CONVERT_TEXT_PROTO_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace saliency {

// Fills `message`.
// Errors: INVALID_ARGUMENT in one line: where the text is not such a message.
absl::Status ParseTextProto(const std::string& text,
                            google::protobuf::Message& message);

// The same of a text with fields that `message` does not have: returns their
// names, as "optimization" and "input.reshape", each once.  What came before an
// error is in `message` all the same.
absl::StatusOr<std::vector<std::string>> ParseTextProtoLeniently(
    const std::string& text, google::protobuf::Message& message);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_TEXT_PROTO_H_
