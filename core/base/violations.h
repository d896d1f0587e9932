// All that is wrong with a request, so that its caller hears it in one answer
// instead of one thing after another.
// Thread-compatible.

#ifndef SALIENCY_CORE_BASE_VIOLATIONS_H_
#define SALIENCY_CORE_BASE_VIOLATIONS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace saliency {

class Violations {
 public:
  // Adds a status that is not OK, unless the same message is there; its message
  // names the field.
  void Add(const absl::Status& status);
  // Adds those of a part of the request, prefixed with `field: `.
  void Add(absl::string_view field, const Violations& part);
  // The value, or when there is none `otherwise` and its reason is added.
  template <typename T>
  T Take(absl::StatusOr<T> value, T otherwise = T()) {
    if (value.ok()) return *std::move(value);
    Add(value.status());
    return otherwise;
  }

  bool empty() const { return found_.empty(); }

  // OK when there are none, the only one as it is, or else all of them,
  // numbered: "2 violations: (1) ...; (2) ...".  Its code is the one that all
  // have, INVALID_ARGUMENT where they differ.  A message travels in headers
  // of a few KiB: those beyond 1500 bytes are counted ("and 7 more").
  absl::Status status() const;

 private:
  std::vector<absl::Status> found_;
};

// All violations that `status` was made of, in the order found, also those that
// its message only counts; the message itself where it is that of one.
// REQUIRES: not OK.
std::vector<std::string> ViolationsOf(const absl::Status& status);

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_VIOLATIONS_H_
