#include "client/cli/image_files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli/output_name.h"
#include "core/base/status.h"
#include "core/image/image.h"

namespace saliency {
namespace {

namespace fs = std::filesystem;

bool HasImageExtension(const fs::path& path) {
  static constexpr std::array kExtensions = {".jpg", ".jpeg", ".png", ".webp",
                                             ".bmp", ".tif",  ".tiff"};
  const std::string extension =
      absl::AsciiStrToLower(path.extension().string());
  return std::find(kExtensions.begin(), kExtensions.end(), extension) !=
         kExtensions.end();
}

// A path and what its stem is made of.
struct FoundImage {
  std::string path;
  std::string name;
  std::shared_ptr<const std::string> bytes = nullptr;
};

// `At` walks the folder itself, or all below it; links to folders are not
// followed.
template <typename At>
absl::StatusOr<std::vector<FoundImage>> ImagesIn(const std::string& folder) {
  std::vector<FoundImage> images;
  std::error_code error;
  for (At at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;  // a dangling link is not a file
    if (HasImageExtension(at->path()) && at->is_regular_file(ignored)) {
      images.push_back(
          {at->path().string(),
           at->path().lexically_relative(folder).replace_extension().string()});
    }
  }
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot list ", folder, ": ", error.message()));
  }
  std::sort(
      images.begin(), images.end(),
      [](const FoundImage& a, const FoundImage& b) { return a.path < b.path; });
  return images;
}

absl::StatusOr<std::vector<FoundImage>> ImagesIn(const std::string& folder,
                                                 bool recursive) {
  ASSIGN_OR_RETURN(std::vector<FoundImage> images,
                   recursive
                       ? ImagesIn<fs::recursive_directory_iterator>(folder)
                       : ImagesIn<fs::directory_iterator>(folder));
  if (!images.empty()) return images;
  return absl::InvalidArgumentError(absl::StrCat(
      folder, " holds no .jpg, .png, .webp, .bmp or .tiff file",
      recursive ? "" : "; -r looks into the folders below it too"));
}

absl::StatusOr<FoundImage> ReadStandardInput(std::istream* input) {
  if (input == nullptr) {
    return absl::InvalidArgumentError(
        "standard input (-) is for a single image");
  }
  auto bytes = std::make_shared<const std::string>(
      std::istreambuf_iterator<char>(*input), std::istreambuf_iterator<char>());
  if (bytes->empty()) {
    return absl::InvalidArgumentError("standard input (-) is empty");
  }
  return FoundImage{"stdin", "stdin", std::move(bytes)};
}

// Why `path` cannot be read, or its bytes.
absl::StatusOr<std::string> ReadBytes(const std::string& path) {
  std::error_code error;
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::InvalidArgumentError(std::strerror(errno));
  if (fs::is_directory(path, error)) {
    return absl::InvalidArgumentError("it is a directory");
  }
  // An iterator would throw where reading fails.
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (bytes.bad()) return absl::InvalidArgumentError("reading it failed");
  return bytes.str();
}

}  // namespace

absl::StatusOr<std::vector<ImageFile>> ListImages(
    absl::Span<const std::string> paths, const ImageSearch& search) {
  if (std::count(paths.begin(), paths.end(), "-") > 1) {
    return absl::InvalidArgumentError("standard input (-) is named twice");
  }
  std::vector<FoundImage> all;
  for (const std::string& path : paths) {
    if (path == "-") {
      ASSIGN_OR_RETURN(FoundImage input, ReadStandardInput(search.input));
      all.push_back(std::move(input));
      continue;
    }
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) {
      return absl::NotFoundError(absl::StrCat("no such image: ", path));
    }
    if (fs::is_directory(status)) {
      ASSIGN_OR_RETURN(const std::vector<FoundImage> inside,
                       ImagesIn(path, search.recursive));
      all.insert(all.end(), inside.begin(), inside.end());
    } else {
      all.push_back({path, fs::path(path).stem().string()});
    }
  }
  std::vector<ImageFile> images;
  UniqueNames stems;
  for (const FoundImage& found : all) {
    images.push_back(
        {found.path, stems.Take(SanitisedName(found.name)), found.bytes});
  }
  return images;
}

absl::StatusOr<std::string> ReadImage(const ImageFile& file) {
  if (file.bytes != nullptr) return *file.bytes;
  absl::StatusOr<std::string> bytes = ReadBytes(file.path);
  if (bytes.ok()) return bytes;
  return Annotate(bytes.status(), "cannot be read");
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadBytes(path);
  if (bytes.ok()) return bytes;
  return Annotate(bytes.status(), absl::StrCat("cannot read ", path));
}

int64_t PixelsOf(const std::string& image) {
  const absl::StatusOr<ImageHeader> header = ReadImageHeader(image);
  return header.ok() ? header->height * header->width : 0;
}

}  // namespace saliency
