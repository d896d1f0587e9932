// The first directory of a TIFF file, which is also what an EXIF block holds.
// Source: TIFF 6.0 (Adobe, 1992), section 2.
// Reads untrusted bytes.  Value type; thread-compatible.

#ifndef SALIENCY_CORE_IMAGE_TIFF_DIRECTORY_H_
#define SALIENCY_CORE_IMAGE_TIFF_DIRECTORY_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/image/byte_order.h"

namespace saliency {

inline constexpr uint32_t kTiffOrientation = 274;

class TiffDirectory {
 public:
  struct Entry {
    size_t offset = 0;  // of its 12 bytes
    uint32_t tag = 0;
    uint32_t type = 0;
    uint32_t count = 0;
  };

  TiffDirectory(absl::string_view bytes, ByteOrder order,
                std::vector<Entry> entries)
      : bytes_(bytes), order_(order), entries_(std::move(entries)) {}

  ByteOrder order() const { return order_; }

  // nullptr: there is no such entry.  Valid as long as this directory.
  const Entry* Find(uint32_t tag) const;

  // The one value of a SHORT or LONG tag; `missing` where the tag is absent.
  // Errors: INVALID_ARGUMENT another type or count, a tag that occurs twice.
  absl::StatusOr<uint32_t> Value(uint32_t tag, uint32_t missing) const;

  // The same for a tag of one to `max_count` values; empty where it is absent.
  absl::StatusOr<std::vector<uint32_t>> Values(uint32_t tag,
                                               uint32_t max_count) const;

 private:
  absl::string_view bytes_;  // not owned
  ByteOrder order_;
  std::vector<Entry> entries_;
};

// The result refers to `bytes`, which must outlive it.
// Errors: INVALID_ARGUMENT not a TIFF header, or a directory outside `bytes`.
absl::StatusOr<TiffDirectory> ReadTiffDirectory(absl::string_view bytes);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_TIFF_DIRECTORY_H_
