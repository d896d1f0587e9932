#include "core/base/violations.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace saliency {
namespace {

constexpr std::size_t kMaxMessageBytes = 3000;

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
  return {
      same_code ? found_.front().code() : absl::StatusCode::kInvalidArgument,
      message};
}

}  // namespace saliency
