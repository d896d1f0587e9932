// Programs that see a file or folder of the test's own where the system's is.
// Nothing else sees it.
// Thread-safe.

#ifndef SALIENCY_TESTS_LIFECYCLE_LAID_OVER_H_
#define SALIENCY_TESTS_LIFECYCLE_LAID_OVER_H_

#include <optional>
#include <string>
#include <vector>

namespace saliency {

// What "unshare" is told here; nullopt where that is not allowed.
std::optional<std::string> UnshareFlag();

// Of one kind, both files or both folders.
struct LaidOver {
  std::string ours;
  std::string system;
};

// The command that runs `command` with ours in the place of the system's.
std::vector<std::string> WithLaidOver(const std::string& unshare_flag,
                                      const LaidOver& paths,
                                      const std::vector<std::string>& command);

}  // namespace saliency

#endif  // SALIENCY_TESTS_LIFECYCLE_LAID_OVER_H_
