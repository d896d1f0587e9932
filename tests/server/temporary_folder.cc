#include "tests/server/temporary_folder.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace saliency {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  path_ = (fs::temp_directory_path() / "saliency-test-XXXXXX").string();
  if (mkdtemp(path_.data()) == nullptr) std::abort();
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void TemporaryFolder::Write(const std::string& relative,
                            const std::string& content) const {
  const fs::path path = fs::path(path_) / relative;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

void TemporaryFolder::Link(const std::string& relative,
                           const std::string& target) const {
  const fs::path path = fs::path(path_) / relative;
  fs::create_directories(path.parent_path());
  fs::create_symlink(target, path);
}

}  // namespace saliency
