#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/attribution/extract_aggregate.h"
#include "core/base/near_names.h"

namespace saliency {
namespace {

// The member of `all` called `wanted`.
template <typename All, typename Name>
absl::StatusOr<typename All::value_type> ParseName(absl::string_view field,
                                                   absl::string_view wanted,
                                                   const All& all,
                                                   const Name& name_of) {
  for (const auto value : all) {
    if (name_of(value) == wanted) return value;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      field, " \"", Printable(wanted), "\" is unknown; known: ",
      absl::StrJoin(all, ", ", [&](std::string* out, const auto value) {
        absl::StrAppend(out, name_of(value));
      })));
}

}  // namespace

absl::string_view ExtractName(Extract extract) {
  switch (extract) {
    case Extract::kBias:
      return "bias";
    case Extract::kScaling:
      return "scaling";
    case Extract::kConv1x1:
      return "conv1x1";
    case Extract::kConv3x3:
      return "conv3x3";
    case Extract::kDepthwise3x3:
      return "depthwise3x3";
  }
  return "";
}

absl::string_view AggregateName(Aggregate aggregate) {
  switch (aggregate) {
    case Aggregate::kSum:
      return "sum";
    case Aggregate::kPositiveSum:
      return "positive_sum";
    case Aggregate::kNorm:
      return "norm";
    case Aggregate::kPositiveNorm:
      return "positive_norm";
    case Aggregate::kMax:
      return "max";
    case Aggregate::kMaxAbs:
      return "max_abs";
  }
  return "";
}

absl::StatusOr<Extract> ParseExtract(absl::string_view name) {
  return ParseName("extract", name, kAllExtracts, ExtractName);
}

absl::StatusOr<Aggregate> ParseAggregate(absl::string_view name) {
  return ParseName("aggregate", name, kAllAggregates, AggregateName);
}

}  // namespace saliency
