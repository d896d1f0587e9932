#include "core/base/status.h"

#include <exception>

#include "absl/strings/str_cat.h"

namespace saliency {

absl::Status CatchAsStatus(
    absl::string_view what, const std::function<absl::Status()>& work,
    const std::function<void(absl::string_view)>& log_detail) {
  try {
    return work();
  } catch (const std::exception& e) {
    if (log_detail) log_detail(e.what());
  } catch (...) {
    if (log_detail) log_detail("an exception of unknown type");
  }
  return absl::InternalError(what);
}

absl::Status Annotate(const absl::Status& status, absl::string_view field) {
  if (status.ok()) return status;
  return {status.code(), absl::StrCat(field, ": ", status.message())};
}

}  // namespace saliency
