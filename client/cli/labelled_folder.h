// Folders of labelled images, as `saliency calibrate` takes them: laid out as
// Pascal VOC's (voc_folder.h), or with one subfolder for each class:
//
//   dog/0001.jpg
//   sheep/flock.png
//
// Pure functions of the file system; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_LABELLED_FOLDER_H_
#define SALIENCY_CLIENT_CLI_LABELLED_FOLDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "saliency/v1/model_service.pb.h"

namespace saliency {

struct LabelledItem {
  std::string name;    // "000012", "dog/0001.jpg"
  std::string folder;  // of its class; empty in a VOC folder
};

struct LabelledFolder {
  std::string path;
  bool is_voc = false;
  std::vector<LabelledItem> items;  // at least one
};

// It is VOC's when it has Annotations; then the images are those of the image
// set `set`.  Else of each subfolder the images in it, by name.
// Errors: NOT_FOUND no such folder or set; INVALID_ARGUMENT a folder without
//   images.
absl::StatusOr<LabelledFolder> OpenLabelledFolder(const std::string& path,
                                                  const std::string& set);

// The image, and what it shows: the categories of its boxes or the name of
// its subfolder.  A category whose objects are all difficult is uncertain: the
// image counts neither for nor against it.  Without a class that is there, it
// is of no use.  With `names_are_indices` a name is a class index.
// Errors: NOT_FOUND, INVALID_ARGUMENT naming the file.
absl::StatusOr<v1::LabelledImage> ReadLabelledImage(
    const LabelledFolder& folder, const LabelledItem& item,
    bool names_are_indices);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_LABELLED_FOLDER_H_
