#include "client/cli/request_text.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/enum_text.h"
#include "client/cli/method_text.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {
namespace {

absl::Status Refuse(absl::string_view noun, absl::string_view text,
                    absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(noun, " \"", Printable(text), "\" ", why));
}

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

// The N of "top:N"; 0 for "top".
absl::StatusOr<int32_t> ParseRank(absl::string_view text,
                                  absl::string_view after_word) {
  if (after_word.empty()) return 0;
  int32_t rank = 0;
  if (!absl::ConsumePrefix(&after_word, ":") || !IsDigits(after_word) ||
      !absl::SimpleAtoi(after_word, &rank)) {
    return Refuse("target", text,
                  "needs a whole number >= 0 after the colon "
                  "(a label that looks like this: label:TEXT)");
  }
  return rank;
}

// Whether `text` is `word` alone or followed by a colon.
bool IsRankForm(absl::string_view text, absl::string_view word) {
  return absl::ConsumePrefix(&text, word) &&
         (text.empty() || text.front() == ':');
}

absl::StatusOr<v1::Target> ParseLabel(absl::string_view whole,
                                      absl::string_view label) {
  if (label.empty()) return Refuse("target", whole, "holds no label");
  v1::Target target;
  target.set_label(std::string(label));
  return target;
}

absl::StatusOr<v1::Target> ParseIndex(absl::string_view text) {
  int32_t index = 0;
  if (!absl::SimpleAtoi(text, &index) || index < 0) {
    return Refuse("target", text,
                  absl::StrCat("is not a class index in [0, ",
                               std::numeric_limits<int32_t>::max(),
                               "] (a label of digits: label:TEXT)"));
  }
  v1::Target target;
  target.set_class_index(index);
  return target;
}

}  // namespace

namespace {

absl::StatusOr<v1::Target> ParseClass(absl::string_view text) {
  v1::Target target;
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "label:")) return ParseLabel(text, rest);
  if (IsRankForm(text, "top")) {
    ASSIGN_OR_RETURN(const int32_t rank, ParseRank(text, text.substr(3)));
    target.set_rank_from_top(rank);
    return target;
  }
  if (IsRankForm(text, "bottom")) {
    ASSIGN_OR_RETURN(const int32_t rank, ParseRank(text, text.substr(6)));
    target.set_rank_from_bottom(rank);
    return target;
  }
  absl::ConsumePrefix(&rest, "-");
  if (IsDigits(rest)) return ParseIndex(text);
  return ParseLabel(text, text);
}

// The first " + " or " - " of the text; npos: there is none.
std::size_t NextSign(absl::string_view text) {
  return std::min(text.find(" + "), text.find(" - "));
}

// "0.5 cat", "cat".
absl::StatusOr<v1::ScoreTerm> ParseTerm(absl::string_view text, double sign) {
  v1::ScoreTerm term;
  double size = 1;
  const std::pair<absl::string_view, absl::string_view> sides =
      absl::StrSplit(text, absl::MaxSplits(' ', 1));
  const bool has_size =
      !sides.second.empty() && absl::SimpleAtod(sides.first, &size);
  ASSIGN_OR_RETURN(const v1::Target other,
                   ParseClass(has_size ? sides.second : text));
  if (other.has_class_index()) {
    term.set_class_index(other.class_index());
  } else if (other.has_label()) {
    term.set_label(other.label());
  } else {
    return Refuse("target", text,
                  "is a rank, which only the first class may be");
  }
  if (has_size || sign < 0) term.set_weight(sign * size);
  return term;
}

}  // namespace

absl::StatusOr<v1::Target> ParseTarget(absl::string_view text) {
  std::size_t sign = NextSign(text);
  ASSIGN_OR_RETURN(v1::Target target, ParseClass(text.substr(0, sign)));
  while (sign != absl::string_view::npos) {
    const double factor = text[sign + 1] == '-' ? -1 : 1;
    text.remove_prefix(sign + 3);
    sign = NextSign(text);
    ASSIGN_OR_RETURN(*target.add_others(),
                     ParseTerm(text.substr(0, sign), factor));
  }
  return target;
}

bool IsPair(absl::string_view text) {
  return std::count(text.begin(), text.end(), '+') == 1;
}

absl::StatusOr<v1::ExtractAggregate> ParsePair(absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '+');
  if (parts.size() != 2) {
    return Refuse("pair", text,
                  "is not EXTRACT+AGGREGATE, such as conv1x1+norm");
  }
  ASSIGN_OR_RETURN(const int extract, ParseEnum(*v1::Extract_descriptor(),
                                                "extract", parts.front()));
  ASSIGN_OR_RETURN(const int aggregate, ParseEnum(*v1::Aggregate_descriptor(),
                                                  "aggregate", parts.back()));
  v1::ExtractAggregate pair;
  pair.set_extract(static_cast<v1::Extract>(extract));
  pair.set_aggregate(static_cast<v1::Aggregate>(aggregate));
  return pair;
}

absl::StatusOr<v1::Attribution> ParseMethod(absl::string_view text) {
  v1::Attribution attribution;
  if (text.empty()) return Refuse("method", text, "is empty");
  if (HasParameters(text)) return ParseParameters(text);
  if (!IsPair(text)) {
    attribution.set_method(std::string(text));
    return attribution;
  }
  ASSIGN_OR_RETURN(*attribution.mutable_pair(), ParsePair(text));
  return attribution;
}

absl::StatusOr<v1::Score> ParseScore(absl::string_view text) {
  ASSIGN_OR_RETURN(const int score,
                   ParseEnum(*v1::Score_descriptor(), "score", text));
  return static_cast<v1::Score>(score);
}

absl::StatusOr<v1::Weighting> ParseWeighting(absl::string_view text) {
  ASSIGN_OR_RETURN(const int weighting,
                   ParseEnum(*v1::Weighting_descriptor(), "weighting", text));
  return static_cast<v1::Weighting>(weighting);
}

absl::StatusOr<v1::CombineRule> ParseCombineRule(absl::string_view text) {
  ASSIGN_OR_RETURN(const int rule,
                   ParseEnum(*v1::CombineRule_descriptor(), "rule", text));
  return static_cast<v1::CombineRule>(rule);
}

absl::StatusOr<v1::LayerWeight> ParseLayerWeight(absl::string_view text) {
  const size_t equals = text.rfind('=');
  float weight = 0;
  if (equals == absl::string_view::npos || equals == 0 ||
      !absl::SimpleAtof(text.substr(equals + 1), &weight) ||
      !(weight >= 0 && std::isfinite(weight))) {
    return Refuse("weight", text, "is not LAYER=W with a finite number W >= 0");
  }
  v1::LayerWeight parsed;
  parsed.set_layer(std::string(text.substr(0, equals)));
  parsed.set_weight(weight);
  return parsed;
}

absl::StatusOr<v1::OutputOptions> ParseSize(absl::string_view text) {
  v1::OutputOptions output;
  if (text == "image") {
    output.set_named_size(v1::NAMED_SIZE_IMAGE);
  } else if (text == "layer") {
    output.set_named_size(v1::NAMED_SIZE_LAYER);
  } else if (text == "input") {
    output.set_named_size(v1::NAMED_SIZE_MODEL_INPUT);
  } else {
    const std::vector<std::string> parts = absl::StrSplit(text, 'x');
    int32_t height = 0;
    int32_t width = 0;
    if (parts.size() != 2 || !IsDigits(parts[0]) || !IsDigits(parts[1]) ||
        !absl::SimpleAtoi(parts[0], &height) ||
        !absl::SimpleAtoi(parts[1], &width) || height < 1 || width < 1) {
      return Refuse("size", text,
                    "is not image, layer, input or HEIGHTxWIDTH in pixels");
    }
    output.mutable_explicit_size()->set_height(height);
    output.mutable_explicit_size()->set_width(width);
  }
  return output;
}

absl::StatusOr<absl::Duration> ParseTimeout(absl::string_view text) {
  absl::Duration timeout;
  double seconds = 0;
  if (absl::SimpleAtod(text, &seconds)) {
    timeout = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &timeout)) {
    return Refuse("timeout", text, "is not seconds (30) or a time (30s, 2m)");
  }
  // The upper end also refuses "inf" and "nan".
  if (!(timeout > absl::ZeroDuration() && timeout <= absl::Hours(24 * 365))) {
    return Refuse("timeout", text, "is not in (0, 1 year]");
  }
  return timeout;
}

}  // namespace saliency
