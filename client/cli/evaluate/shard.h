// One of several parts of a long piece of work, as `--shard i/n` names it.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_SHARD_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_SHARD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace saliency {

struct Shard {
  int index = 0;  // in [0, count)
  int count = 1;
};

// "0/4" is the first of four.  Errors: INVALID_ARGUMENT for anything else.
absl::StatusOr<Shard> ParseShard(absl::string_view text);

// Every count-th item, from the index-th on: neighbours in a list that is
// sorted by difficulty or size go to different shards.
std::vector<std::string> TakeShard(const std::vector<std::string>& items,
                                   const Shard& shard);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_SHARD_H_
