// Which pictures a command line names.

#ifndef SALIENCY_CLIENT_PICTURE_FILES_H_
#define SALIENCY_CLIENT_PICTURE_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace saliency {

struct PictureFile {
  std::string path;
  std::string stem;  // file name without extension, made unique in the list
};

// Each file as it is; of a directory the files in it (not below) that end in
// .jpg, .jpeg, .png, .webp, .bmp, .tif or .tiff, in any case, sorted by name.
// Errors: NOT_FOUND for a path that is not there, INVALID_ARGUMENT for a
//   directory without pictures.
absl::StatusOr<std::vector<PictureFile>> ListPictures(
    absl::Span<const std::string> paths);

// Errors: INVALID_ARGUMENT naming the file and the system's reason.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Of the encoded picture, as its header says; 0 where that cannot be read.
int64_t PixelsOf(const std::string& picture);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_PICTURE_FILES_H_
