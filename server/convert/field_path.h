// Which field of a request an error message is about.  Messages begin with the
// field, so that people find it: `targets[2]: label: empty`, `top_k 0 not in
// [1, 100]`.  This takes it off again for programs, checked against the
// request's type.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_FIELD_PATH_H_
#define SALIENCY_SERVER_CONVERT_FIELD_PATH_H_

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace saliency {

struct FieldMessage {
  std::string path;  // `targets[2].label`; empty: `text` begins with no field
  std::string description;  // what is left of `text`
};

// `type` is that of the message that `text` speaks of.
FieldMessage SplitField(absl::string_view text,
                        const google::protobuf::Descriptor& type);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_FIELD_PATH_H_
