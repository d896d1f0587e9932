// Maps as numpy reads them: NPY format version 1.0, float32, row-major.
//
// Source: the format's description in numpy.lib.format (NEP 1).

#ifndef SALIENCY_CLIENT_CLI_NPY_H_
#define SALIENCY_CLIENT_CLI_NPY_H_

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/base/atomic_file.h"

namespace saliency {

// The 128 bytes before the numbers of an array of this shape.  A fixed length,
// so that it can be written again once the shape is known.
// REQUIRES: at most three sizes.
std::string NpyHeader(absl::Span<const int64_t> shape);

// A file of shape [height,width]; `float32` is little-endian, row-major.
std::string EncodeNpy(int64_t height, int64_t width, absl::string_view float32);

// Writes maps one after another into one file: [results,height,width], or
// [height,width] when there is only one.  Holds no map in memory.
// Thread-compatible.
class NpyStack {
 public:
  // Errors: as AtomicFile.
  static absl::StatusOr<std::unique_ptr<NpyStack>> Create(std::string path);
  // Into a stream that cannot be gone back in: held in a temporary file until
  // Commit() writes it all.  `out` outlives it.
  static absl::StatusOr<std::unique_ptr<NpyStack>> CreateFor(std::ostream& out);

  // `float32` as for EncodeNpy.
  // Errors: INVALID_ARGUMENT for a size other than the first map's, naming
  //   both; as AtomicFile.
  absl::Status Append(int64_t height, int64_t width, absl::string_view float32);
  // Keeps the place of a result that failed: it holds NaN.
  absl::Status AppendMissing();

  // Puts the file in its place; without it nothing remains.
  // Errors: FAILED_PRECONDITION when no map was appended; as AtomicFile.
  absl::Status Commit();

 private:
  NpyStack(std::unique_ptr<AtomicFile> file, std::string path,
           std::ostream* out)
      : file_(std::move(file)), path_(std::move(path)), out_(out) {}
  static absl::StatusOr<std::unique_ptr<NpyStack>> Make(std::string path,
                                                        std::ostream* out);
  absl::Status WriteMissing(int64_t count);

  const std::unique_ptr<AtomicFile> file_;
  const std::string path_;
  std::ostream* const out_;  // null: the file stays where it is
  int64_t height_ = 0;       // 0 until the first map
  int64_t width_ = 0;
  int64_t results_ = 0;
  int64_t missing_first_ = 0;  // results before the first map: not yet written
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_NPY_H_
