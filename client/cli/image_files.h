// Which images a command line names.

#ifndef SALIENCY_CLIENT_CLI_IMAGE_FILES_H_
#define SALIENCY_CLIENT_CLI_IMAGE_FILES_H_

#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace saliency {

struct ImageFile {
  std::string path;  // "stdin" for standard input
  // File name without extension, made unique in the list; of an image that was
  // found below a folder with the folders between as well ("day_cat").
  std::string stem;
  // What standard input held, which is read once; null for a file.
  std::shared_ptr<const std::string> bytes;
};

struct ImageSearch {
  bool recursive = false;         // of a directory those below it as well
  std::istream* input = nullptr;  // what "-" stands for; null: nothing does
};

// Each file as it is; of a directory the files in it (not below, unless asked
// for) that end in .jpg, .jpeg, .png, .webp, .bmp, .tif or .tiff, in any case,
// sorted by name; "-" is what `input` holds to its end.
// Errors: NOT_FOUND for a path that is not there; INVALID_ARGUMENT for a
//   directory without images, an input that is empty or named twice.
absl::StatusOr<std::vector<ImageFile>> ListImages(
    absl::Span<const std::string> paths, const ImageSearch& search = {});

// Errors: INVALID_ARGUMENT with the system's reason, without the path.
absl::StatusOr<std::string> ReadImage(const ImageFile& file);

// Errors: INVALID_ARGUMENT naming the file and the system's reason.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Of the encoded image, as its header says; 0 where that cannot be read.
int64_t PixelsOf(const std::string& image);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_IMAGE_FILES_H_
