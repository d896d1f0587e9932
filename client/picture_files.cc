#include "client/picture_files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/output_name.h"
#include "core/base/status.h"
#include "core/image/picture.h"

namespace saliency {
namespace {

namespace fs = std::filesystem;

bool HasPictureExtension(const fs::path& path) {
  static constexpr std::array kExtensions = {".jpg", ".jpeg", ".png", ".webp",
                                             ".bmp", ".tif",  ".tiff"};
  const std::string extension =
      absl::AsciiStrToLower(path.extension().string());
  return std::find(kExtensions.begin(), kExtensions.end(), extension) !=
         kExtensions.end();
}

absl::StatusOr<std::vector<std::string>> PicturesIn(const std::string& folder) {
  std::vector<std::string> pictures;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;  // a dangling link is not a file
    if (HasPictureExtension(at->path()) && at->is_regular_file(ignored)) {
      pictures.push_back(at->path().string());
    }
  }
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot list ", folder, ": ", error.message()));
  }
  if (pictures.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        folder, " holds no .jpg, .png, .webp, .bmp or .tiff file"));
  }
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

}  // namespace

absl::StatusOr<std::vector<PictureFile>> ListPictures(
    absl::Span<const std::string> paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) {
      return absl::NotFoundError(absl::StrCat("no such picture: ", path));
    }
    if (fs::is_directory(status)) {
      ASSIGN_OR_RETURN(const std::vector<std::string> inside, PicturesIn(path));
      files.insert(files.end(), inside.begin(), inside.end());
    } else {
      files.push_back(path);
    }
  }
  std::vector<PictureFile> pictures;
  UniqueNames stems;
  for (const std::string& file : files) {
    pictures.push_back(
        {file, stems.Take(SanitisedName(fs::path(file).stem().string()))});
  }
  return pictures;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::error_code error;
  std::ifstream file(path, std::ios::binary);
  if (!file || fs::is_directory(path, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read ", path, ": ",
                     file ? "it is a directory" : std::strerror(errno)));
  }
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot read ", path));
  }
  return bytes;
}

int64_t PixelsOf(const std::string& picture) {
  const absl::StatusOr<PictureHeader> header = ReadPictureHeader(picture);
  return header.ok() ? header->height * header->width : 0;
}

}  // namespace saliency
