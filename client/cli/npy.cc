#include "client/cli/npy.h"

#include <unistd.h>

#include <bit>
#include <cassert>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status.h"

namespace saliency {
namespace {

constexpr size_t kHeaderBytes = 128;
constexpr size_t kBytesBeforeText = 10;  // magic, version, length
static_assert(std::endian::native == std::endian::little,
              "float32 bytes are handed on as they are");

}  // namespace

std::string NpyHeader(absl::Span<const int64_t> shape) {
  assert(shape.size() <= 3);
  std::string sizes = absl::StrJoin(shape, ", ");
  if (shape.size() == 1) sizes += ",";  // a tuple of one
  std::string text = absl::StrCat(
      "{'descr': '<f4', 'fortran_order': False, 'shape': (", sizes, "), }");
  text.resize(kHeaderBytes - kBytesBeforeText - 1, ' ');
  text += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(text.size() & 0xFF);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

std::string EncodeNpy(int64_t height, int64_t width,
                      absl::string_view float32) {
  return absl::StrCat(NpyHeader({height, width}), float32);
}

absl::StatusOr<std::unique_ptr<NpyStack>> NpyStack::Create(std::string path) {
  return Make(std::move(path), nullptr);
}

absl::StatusOr<std::unique_ptr<NpyStack>> NpyStack::CreateFor(
    std::ostream& out) {
  std::error_code error;
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path(error);
  return Make((folder / absl::StrCat("saliency-", getpid(), ".npy")).string(),
              &out);
}

absl::StatusOr<std::unique_ptr<NpyStack>> NpyStack::Make(std::string path,
                                                         std::ostream* out) {
  ASSIGN_OR_RETURN(std::unique_ptr<AtomicFile> file, AtomicFile::Create(path));
  RETURN_IF_ERROR(file->Append(std::string(kHeaderBytes, ' ')));
  return std::unique_ptr<NpyStack>(
      new NpyStack(std::move(file), std::move(path), out));
}

absl::Status NpyStack::Append(int64_t height, int64_t width,
                              absl::string_view float32) {
  if (height_ == 0) {
    height_ = height;
    width_ = width;
    RETURN_IF_ERROR(WriteMissing(std::exchange(missing_first_, 0)));
  }
  if (height != height_ || width != width_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "maps of ", height_, "x", width_, " and ", height, "x", width,
        " cannot be stacked: set --size HxW, or write single files with "
        "--out-dir DIR --save npy"));
  }
  ++results_;
  return file_->Append(float32);
}

absl::Status NpyStack::AppendMissing() {
  ++results_;
  if (height_ == 0) {
    ++missing_first_;
    return absl::OkStatus();
  }
  return WriteMissing(1);
}

absl::Status NpyStack::WriteMissing(int64_t count) {
  if (count == 0) return absl::OkStatus();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::string map(static_cast<size_t>(height_ * width_) * sizeof(nan), '\0');
  for (size_t at = 0; at < map.size(); at += sizeof(nan)) {
    std::memcpy(&map[at], &nan, sizeof(nan));
  }
  for (int64_t i = 0; i < count; ++i) RETURN_IF_ERROR(file_->Append(map));
  return absl::OkStatus();
}

absl::Status NpyStack::Commit() {
  if (height_ == 0) {
    return absl::FailedPreconditionError("there is no map to write");
  }
  RETURN_IF_ERROR(file_->OverwriteStart(
      results_ == 1 ? NpyHeader({height_, width_})
                    : NpyHeader({results_, height_, width_})));
  RETURN_IF_ERROR(file_->Commit());
  if (out_ == nullptr) return absl::OkStatus();
  *out_ << std::ifstream(path_, std::ios::binary).rdbuf() << std::flush;
  std::remove(path_.c_str());
  if (*out_) return absl::OkStatus();
  return absl::InvalidArgumentError("cannot write to standard output");
}

}  // namespace saliency
