#include "client/cli/evaluate/shard.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/near_names.h"

namespace saliency {

absl::StatusOr<Shard> ParseShard(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  Shard shard;
  if (parts.size() == 2 && absl::SimpleAtoi(parts[0], &shard.index) &&
      absl::SimpleAtoi(parts[1], &shard.count) && shard.index >= 0 &&
      shard.index < shard.count) {
    return shard;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", Printable(text),
                   "\" is no shard: 0/4 is the first of four, 3/4 the last"));
}

std::vector<std::string> TakeShard(const std::vector<std::string>& items,
                                   const Shard& shard) {
  std::vector<std::string> taken;
  for (size_t i = shard.index; i < items.size(); i += shard.count) {
    taken.push_back(items[i]);
  }
  return taken;
}

}  // namespace saliency
