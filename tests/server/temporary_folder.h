// A folder of its own for one test, removed with all that is in it.
// Thread-compatible.

#ifndef SALIENCY_TESTS_SERVER_TEMPORARY_FOLDER_H_
#define SALIENCY_TESTS_SERVER_TEMPORARY_FOLDER_H_

#include <string>

namespace saliency {

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& relative) const {
    return path_ + "/" + relative;
  }
  // Makes the folders on the way.
  void Write(const std::string& relative, const std::string& content) const;
  // `target` as it is: relative or absolute.
  void Link(const std::string& relative, const std::string& target) const;

 private:
  std::string path_;
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_SERVER_TEMPORARY_FOLDER_H_
