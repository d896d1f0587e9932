#include "client/cli/labelled_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/evaluate/voc_folder.h"
#include "client/cli/image_files.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<std::vector<std::string>> SubfoldersOf(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;  // a dangling link is no folder
    const std::string name = at->path().filename().string();
    if (at->is_directory(ignored) && name.front() != '.') names.push_back(name);
  }
  if (error) {
    return absl::NotFoundError(
        absl::StrCat("cannot list ", path, ": ", error.message()));
  }
  if (names.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " has neither Annotations, as a VOC folder has, nor a subfolder ",
        "for each class"));
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<v1::Target> NamedClass(const std::string& name,
                                      bool names_are_indices) {
  v1::Target target;
  if (!names_are_indices) {
    target.set_label(name);
    return target;
  }
  int32_t index = 0;
  if (!absl::SimpleAtoi(name, &index)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", Printable(name),
                     "\" is no class index, and the model has no labels"));
  }
  target.set_class_index(index);
  return target;
}

absl::Status AddCategories(const VocAnnotation& annotation,
                           bool names_are_indices, v1::LabelledImage& image) {
  for (const auto& [category, boxes] : GroupByCategory(annotation)) {
    ASSIGN_OR_RETURN(v1::Target target,
                     NamedClass(category, names_are_indices));
    *(boxes.all_difficult ? image.add_uncertain() : image.add_classes()) =
        std::move(target);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LabelledFolder> OpenLabelledFolder(const std::string& path,
                                                  const std::string& set) {
  LabelledFolder folder = {.path = path};
  std::error_code error;
  folder.is_voc = fs::is_directory(path + "/Annotations", error);
  if (folder.is_voc) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names,
                     ReadImageSet(path, set));
    for (const std::string& name : names) folder.items.push_back({name, ""});
    return folder;
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> classes, SubfoldersOf(path));
  for (const std::string& of_class : classes) {
    const std::string inside = absl::StrCat(path, "/", of_class);
    ASSIGN_OR_RETURN(const std::vector<ImageFile> files, ListImages({inside}));
    for (const ImageFile& file : files) {
      const std::string name = fs::path(file.path).filename().string();
      folder.items.push_back({absl::StrCat(of_class, "/", name), of_class});
    }
  }
  return folder;
}

absl::StatusOr<v1::LabelledImage> ReadLabelledImage(
    const LabelledFolder& folder, const LabelledItem& item,
    bool names_are_indices) {
  v1::LabelledImage image;
  image.set_id(item.name);
  std::string path = absl::StrCat(folder.path, "/", item.name);
  if (folder.is_voc) {
    ASSIGN_OR_RETURN(const VocAnnotation annotation,
                     ReadAnnotation(folder.path, item.name));
    RETURN_IF_ERROR(AddCategories(annotation, names_are_indices, image));
    ASSIGN_OR_RETURN(path, ImagePath(folder.path, item.name));
  } else {
    ASSIGN_OR_RETURN(*image.add_classes(),
                     NamedClass(item.folder, names_are_indices));
  }
  ASSIGN_OR_RETURN(*image.mutable_input()->mutable_image(),
                   ReadImage({.path = path}));
  return image;
}

}  // namespace saliency
