#include "core/engine/run/cascade_stages.h"

#include <algorithm>
#include <cstddef>
#include <set>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"

namespace saliency {
namespace {

constexpr std::size_t kEnoughStages = 4;

// The module that a parameter's name leads to, cut to `depth` parts: of
// "layer1.0.conv1.weight" "layer1" at 1, "layer1.0.conv1" at 3 and beyond.
std::string ModuleAt(const std::string& parameter, std::size_t depth) {
  std::size_t end = 0;
  for (std::size_t part = 0; part < depth; ++part) {
    const std::size_t dot = parameter.find('.', end == 0 ? 0 : end + 1);
    if (dot == std::string::npos) break;
    end = dot;
  }
  return parameter.substr(0, end);
}

std::vector<std::string> ModulesAt(
    absl::Span<const std::string> parameter_names, std::size_t depth) {
  std::vector<std::string> modules;
  for (const std::string& parameter : parameter_names) {
    std::string module = ModuleAt(parameter, depth);
    if (module.empty() ||
        std::find(modules.begin(), modules.end(), module) != modules.end()) {
      continue;
    }
    modules.push_back(std::move(module));
  }
  return modules;
}

}  // namespace

std::vector<std::string> DefaultStages(
    absl::Span<const std::string> parameter_names) {
  std::size_t depth = 1;
  std::vector<std::string> modules = ModulesAt(parameter_names, depth);
  while (modules.size() < kEnoughStages) {
    std::vector<std::string> below = ModulesAt(parameter_names, ++depth);
    if (below == modules) break;
    modules = std::move(below);
  }
  std::reverse(modules.begin(), modules.end());
  return modules;
}

absl::Status CheckStages(absl::Span<const std::string> stages,
                         absl::Span<const std::string> parameter_names) {
  std::set<std::string> known;
  for (const std::string& parameter : parameter_names) {
    for (std::size_t dot = parameter.find('.'); dot != std::string::npos;
         dot = parameter.find('.', dot + 1)) {
      known.insert(parameter.substr(0, dot));
    }
  }
  std::set<std::string> seen;
  for (const std::string& stage : stages) {
    if (known.count(stage) == 0) {
      return absl::NotFoundError(NotFoundMessage(
          "module with parameters", stage,
          std::vector<std::string>(known.begin(), known.end())));
    }
    if (!seen.insert(stage).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("stages names \"", Printable(stage), "\" twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace saliency
