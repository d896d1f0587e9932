// Names of the API's enum values as people write them: "EXTRACT_CONV1X1" is
// "conv1x1".
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_ENUM_TEXT_H_
#define SALIENCY_CLIENT_CLI_ENUM_TEXT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace saliency {

// "unspecified" for 0, the number for a value that is not known.
std::string EnumText(const google::protobuf::EnumDescriptor& type, int value);

// The value by its name; the unspecified one has none.  `noun` is for the
// message.  Errors: INVALID_ARGUMENT listing the names.
absl::StatusOr<int> ParseEnum(const google::protobuf::EnumDescriptor& type,
                              absl::string_view noun, absl::string_view text);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_ENUM_TEXT_H_
