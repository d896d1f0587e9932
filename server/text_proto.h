// Messages written by people, in protobuf's text format.
// Pure function; safe from any thread.

#ifndef SALIENCY_SERVER_TEXT_PROTO_H_
#define SALIENCY_SERVER_TEXT_PROTO_H_

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace saliency {

// Fills `message`.
// Errors: INVALID_ARGUMENT in one line: where the text is not such a message.
absl::Status ParseTextProto(const std::string& text,
                            google::protobuf::Message& message);

}  // namespace saliency

#endif  // SALIENCY_SERVER_TEXT_PROTO_H_
