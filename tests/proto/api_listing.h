// What callers of an API depend on, one line for each file, message, field,
// enum, value, service and call: its name, number, type and place.  A line that
// is gone from a later listing is a change that breaks some caller; a line that
// is new breaks nobody.
// Pure functions; safe from any thread.

#ifndef SALIENCY_TESTS_PROTO_API_LISTING_H_
#define SALIENCY_TESTS_PROTO_API_LISTING_H_

#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"

namespace saliency {

// The files of saliency.v1, as this program is built with them.
std::vector<const google::protobuf::FileDescriptor*> ApiFiles();

// File by file, in the order of the files' text.
std::vector<std::string> ApiListing(
    const std::vector<const google::protobuf::FileDescriptor*>& files);

// The lines of `before` that are not in `after`, in their order.
std::vector<std::string> LinesGone(const std::vector<std::string>& before,
                                   const std::vector<std::string>& after);

}  // namespace saliency

#endif  // SALIENCY_TESTS_PROTO_API_LISTING_H_
