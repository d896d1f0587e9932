#include "server/transport/request_id.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace saliency {
namespace {

constexpr size_t kMaxIdChars = 128;

using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

std::optional<absl::string_view> Value(const Metadata& metadata,
                                       const char* key) {
  const auto it = metadata.find(key);
  if (it == metadata.end()) return std::nullopt;
  return absl::string_view(it->second.data(), it->second.size());
}

bool IsRequestId(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxIdChars &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isgraph(static_cast<unsigned char>(c));
         });
}

// version-traceid-parentid-flags; a trace id of zeros is no id.
std::optional<absl::string_view> TraceId(absl::string_view traceparent) {
  const std::vector<absl::string_view> parts = absl::StrSplit(traceparent, '-');
  constexpr size_t kTraceIdChars = 32;
  if (parts.size() < 4 || parts[0].size() != 2 ||
      parts[1].size() != kTraceIdChars ||
      parts[1].find_first_not_of("0123456789abcdef") !=
          absl::string_view::npos ||
      parts[1].find_first_not_of('0') == absl::string_view::npos) {
    return std::nullopt;
  }
  return parts[1];
}

}  // namespace

std::string NewRequestId() {
  absl::BitGen random;
  return absl::StrCat(
      absl::Hex(absl::Uniform<uint64_t>(random), absl::kZeroPad16),
      absl::Hex(absl::Uniform<uint64_t>(random), absl::kZeroPad16));
}

std::string RequestIdFrom(const Metadata& metadata) {
  if (const auto id = Value(metadata, kRequestIdKey);
      id.has_value() && IsRequestId(*id)) {
    return std::string(*id);
  }
  if (const auto parent = Value(metadata, "traceparent"); parent.has_value()) {
    if (const auto id = TraceId(*parent); id.has_value()) {
      return std::string(*id);
    }
  }
  return NewRequestId();
}

}  // namespace saliency
