// labels.txt.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/serving/model_repository.h"
#include "tests/fuzz/require.h"

namespace saliency {
namespace {

void ParseOne(absl::string_view text) {
  const absl::StatusOr<std::vector<std::string>> labels = ParseLabels(text);
  if (!labels.ok()) return RequireRefusal(labels.status());
  const auto breaks = std::count(text.begin(), text.end(), '\n');
  const bool last_is_open = text.empty() || text.back() != '\n';
  Require(
      static_cast<int64_t>(labels->size()) == breaks + (last_is_open ? 1 : 0),
      "a line is a label");
  for (const std::string& label : *labels) {
    Require(!label.empty(), "labels are not empty");
    Require(label.find('\n') == std::string::npos, "labels are one line");
    Require(text.find(label) != absl::string_view::npos,
            "labels are copied as they stand");
  }
}

}  // namespace
}  // namespace saliency

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  saliency::ParseOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
