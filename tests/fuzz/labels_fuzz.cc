// labels.txt.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
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
  const std::string plain = Plain(text);
  absl::string_view rest = plain;
  Require(absl::ConsumePrefix(&rest, absl::StrJoin(*labels, "\n")),
          "labels are the lines as they stand");
  Require(absl::StripAsciiWhitespace(rest).empty(),
          "only empty lines at the end are no labels");
  Require(rest.empty() || rest.front() == '\n', "the last label is whole");
}

}  // namespace
}  // namespace saliency

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  saliency::ParseOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
