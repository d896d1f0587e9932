#include "core/base/violations.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/status.h"

namespace saliency {
namespace {

constexpr std::size_t kMaxMessageBytes = 1500;
// The payload with all messages.
constexpr absl::string_view kAllUrl = "saliency/violations";
constexpr absl::string_view kSeparator("\0", 1);  // in no message

}  // namespace

void Violations::Add(const absl::Status& status) {
  if (status.ok()) return;
  const bool known =
      std::any_of(found_.begin(), found_.end(), [&](const absl::Status& other) {
        return other.message() == status.message();
      });
  if (!known) found_.push_back(status);
}

void Violations::Add(absl::string_view field, const Violations& part) {
  for (const absl::Status& status : part.found_) Add(Annotate(status, field));
}

absl::Status Violations::status() const {
  if (found_.empty()) return absl::OkStatus();
  if (found_.size() == 1) return found_.front();
  std::string message = absl::StrCat(found_.size(), " violations: ");
  std::size_t told = 0;
  for (const absl::Status& status : found_) {
    // The first is told whatever its length.
    if (told > 0 &&
        message.size() + status.message().size() > kMaxMessageBytes) {
      absl::StrAppend(&message, "; and ", found_.size() - told, " more");
      break;
    }
    ++told;
    absl::StrAppend(&message, told == 1 ? "(" : "; (", told, ") ",
                    status.message());
  }
  const bool same_code = std::all_of(
      found_.begin(), found_.end(), [&](const absl::Status& status) {
        return status.code() == found_.front().code();
      });
  absl::Status all(
      same_code ? found_.front().code() : absl::StatusCode::kInvalidArgument,
      message);
  const auto append = [](std::string* out, const absl::Status& status) {
    absl::StrAppend(out, status.message());
  };
  all.SetPayload(kAllUrl,
                 absl::Cord(absl::StrJoin(found_, kSeparator, append)));
  return all;
}

std::vector<std::string> ViolationsOf(const absl::Status& status) {
  const auto all = status.GetPayload(kAllUrl);
  if (!all.has_value()) return {std::string(status.message())};
  return absl::StrSplit(std::string(*all), kSeparator);
}

}  // namespace saliency
