// Names in the order in which they first came.
// Pure function; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_NAME_LIST_H_
#define SALIENCY_CLIENT_CLI_NAME_LIST_H_

#include <algorithm>
#include <string>
#include <vector>

namespace saliency {

// Adds `name` unless it is there.
inline void AddOnce(const std::string& name, std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    names.push_back(name);
  }
}

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_NAME_LIST_H_
