#include "server/loading/served_copies.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/serving/file_digest.h"

namespace saliency {

CopyModel ServedCopies(CopyModel copies, std::string path,
                       const ModelVersion& version) {
  const std::string changed = absl::StrCat(
      "the file of model \"", version.model, "\" version ", version.version,
      " has been changed or removed since it was loaded");
  return [copies = std::move(copies), path = std::move(path),
          sha256 = version.sha256,
          changed](absl::Span<const std::string> random_modules)
             -> absl::StatusOr<ModelCopy> {
    absl::StatusOr<ModelCopy> copy = copies(random_modules);
    // After it was read, and first: another file may well fail to load.
    const absl::StatusOr<std::string> digest = Sha256OfFile(path);
    if (!digest.ok() || *digest != sha256) {
      return absl::FailedPreconditionError(changed);
    }
    return copy;
  };
}

}  // namespace saliency
