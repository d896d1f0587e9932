// labels.txt.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/utf8.h"
#include "core/serving/model_repository.h"
#include "tests/fuzz/require.h"

namespace saliency {
namespace {

// As a file that was written with LF and without a byte order mark.
std::string Plain(absl::string_view text) {
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  return absl::StrReplaceAll(text, {{"\r\n", "\n"}, {"\r", "\n"}});
}

void ParseOne(absl::string_view text) {
  const absl::StatusOr<std::vector<std::string>> labels = ParseLabels(text);
  if (!labels.ok()) return RequireRefusal(labels.status());
  for (const std::string& label : *labels) {
    Require(!label.empty(), "labels are not empty");
    Require(label.find_first_of("\r\n") == std::string::npos,
            "a label is one line");
    Require(IsUtf8(label), "labels are UTF-8");
  }
  std::vector<std::string> lines = absl::StrSplit(Plain(text), '\n');
  for (std::string& line : lines) absl::StripAsciiWhitespace(&line);
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  Require(*labels == lines, "labels are the lines less the blanks around them");
}

}  // namespace
}  // namespace saliency

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  saliency::ParseOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
