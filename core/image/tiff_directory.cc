#include "core/image/tiff_directory.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/image/image_layout.h"

namespace saliency {
namespace {

constexpr uint32_t kShort = 3;
constexpr uint32_t kLong = 4;
constexpr size_t kEntrySize = 12;

absl::Status BadDirectory(absl::string_view problem) {
  return BadImage(ImageFormat::kTiff, problem);
}

}  // namespace

const TiffDirectory::Entry* TiffDirectory::Find(uint32_t tag) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(),
                   [tag](const Entry& entry) { return entry.tag == tag; });
  return found == entries_.end() ? nullptr : &*found;
}

absl::StatusOr<std::vector<uint32_t>> TiffDirectory::Values(
    uint32_t tag, uint32_t max_count) const {
  const Entry* entry = Find(tag);
  if (entry == nullptr) return std::vector<uint32_t>();
  if (std::count_if(entries_.begin(), entries_.end(),
                    [tag](const Entry& other) { return other.tag == tag; }) >
      1) {
    return BadDirectory(absl::StrCat("holds tag ", tag, " twice"));
  }
  if (entry->type != kShort && entry->type != kLong) {
    return BadDirectory(absl::StrCat("holds tag ", tag, " as type ",
                                     entry->type, "; 3 and 4 are known"));
  }
  if (entry->count < 1 || entry->count > max_count) {
    return BadDirectory(absl::StrCat("holds ", entry->count, " values for tag ",
                                     tag, ", not in [1, ", max_count, "]"));
  }
  const size_t size = entry->type == kShort ? 2 : 4;
  size_t at = entry->offset + 8;
  if (entry->count * size > 4) {
    at = ReadUnsigned(bytes_, at, 4, order_).value_or(bytes_.size());
  }
  std::vector<uint32_t> values;
  for (uint32_t i = 0; i < entry->count; ++i) {
    const std::optional<uint32_t> value =
        ReadUnsigned(bytes_, at + i * size, size, order_);
    if (!value)
      return BadDirectory(absl::StrCat("ends before the values of tag ", tag));
    values.push_back(*value);
  }
  return values;
}

absl::StatusOr<uint32_t> TiffDirectory::Value(uint32_t tag,
                                              uint32_t missing) const {
  ASSIGN_OR_RETURN(const std::vector<uint32_t> values, Values(tag, 1));
  return values.empty() ? missing : values[0];
}

absl::StatusOr<TiffDirectory> ReadTiffDirectory(absl::string_view bytes) {
  ByteOrder order = ByteOrder::kLittle;
  if (bytes.substr(0, 4) == absl::string_view("MM\0*", 4)) {
    order = ByteOrder::kBig;
  } else if (bytes.substr(0, 4) != absl::string_view("II*\0", 4)) {
    return BadDirectory("does not begin with a TIFF header");
  }
  const std::optional<uint32_t> start = ReadUnsigned(bytes, 4, 4, order);
  const std::optional<uint32_t> count =
      start ? ReadUnsigned(bytes, *start, 2, order) : std::nullopt;
  if (!count || From(bytes, *start + size_t{2}).size() < *count * kEntrySize) {
    return BadDirectory("ends before its first directory does");
  }
  std::vector<TiffDirectory::Entry> entries(*count);
  size_t at = *start + size_t{2};
  for (TiffDirectory::Entry& entry : entries) {
    entry.offset = at;
    entry.tag = ReadUnsigned(bytes, at, 2, order).value_or(0);
    entry.type = ReadUnsigned(bytes, at + 2, 2, order).value_or(0);
    entry.count = ReadUnsigned(bytes, at + 4, 4, order).value_or(0);
    at += kEntrySize;
  }
  return TiffDirectory(bytes, order, std::move(entries));
}

}  // namespace saliency
