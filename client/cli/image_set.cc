#include "client/cli/image_set.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "client/cli/evaluate/voc_folder.h"
#include "client/cli/image_files.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {

bool IsVocFolder(const std::string& folder) {
  std::error_code error;
  return std::filesystem::is_directory(folder + "/ImageSets/Main", error);
}

absl::StatusOr<std::vector<std::string>> ImageNames(const std::string& folder,
                                                    const std::string& set,
                                                    bool recursive) {
  if (IsVocFolder(folder)) return ReadImageSet(folder, set);
  ASSIGN_OR_RETURN(const std::vector<ImageFile> files,
                   ListImages({folder}, {.recursive = recursive}));
  std::vector<std::string> names;
  for (const ImageFile& file : files) {
    names.push_back(
        std::filesystem::path(file.path).lexically_relative(folder).string());
    if (names.back().find_first_of("\r\n") == std::string::npos) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the name \"", Printable(names.back()),
                     "\" holds a line break: rename the file"));
  }
  return names;
}

absl::StatusOr<std::string> PathOfImage(const std::string& folder,
                                        const std::string& name) {
  if (IsVocFolder(folder)) return ImagePath(folder, name);
  return absl::StrCat(folder, "/", name);
}

}  // namespace saliency
