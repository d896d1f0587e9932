// Checksums of files.
// Pure functions of the file system; safe from any thread.

#ifndef SALIENCY_CORE_SERVING_FILE_DIGEST_H_
#define SALIENCY_CORE_SERVING_FILE_DIGEST_H_

#include <string>

#include "absl/status/statusor.h"

namespace saliency {

// SHA-256 of a file's bytes, 64 lower-case hexadecimal digits; reads the file
// in pieces.  Errors: NOT_FOUND it cannot be read.
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);

}  // namespace saliency

#endif  // SALIENCY_CORE_SERVING_FILE_DIGEST_H_
