// Integers out of untrusted bytes.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_BYTE_ORDER_H_
#define SALIENCY_CORE_IMAGE_BYTE_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace saliency {

enum class ByteOrder { kLittle, kBig };

// The unsigned integer of `size` bytes at `offset`; nullopt where any of them
// lies outside `bytes`.  REQUIRES: 1 <= size <= 4.
inline std::optional<uint32_t> ReadUnsigned(absl::string_view bytes,
                                            size_t offset, size_t size,
                                            ByteOrder order) {
  if (offset > bytes.size() || bytes.size() - offset < size) {
    return std::nullopt;
  }
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) {
    const size_t at = order == ByteOrder::kBig ? i : size - 1 - i;
    value = (value << 8) | static_cast<uint8_t>(bytes[offset + at]);
  }
  return value;
}

// The part of `bytes` from `offset` on, empty when it begins past the end.
inline absl::string_view From(absl::string_view bytes, size_t offset) {
  return offset < bytes.size() ? bytes.substr(offset) : absl::string_view();
}

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_BYTE_ORDER_H_
