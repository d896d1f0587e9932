#include "client/cli/method_text.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/enum_text.h"
#include "client/cli/request_text.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {
namespace {

using Parameter = std::pair<std::string, std::string>;

// Parts between commas that stand in no brackets of their own.
std::vector<std::string> SplitOutsideBrackets(absl::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == ',' && depth == 0) {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  if (parts.size() == 1 && parts.front().empty()) parts.clear();
  return parts;
}

absl::Status UnknownParameter(const Parameter& parameter,
                              const std::vector<std::string>& known) {
  return absl::InvalidArgumentError(
      absl::StrCat("unknown parameter \"", Printable(parameter.first),
                   "\"; known: ", absl::StrJoin(known, ", ")));
}

template <typename Number, typename Parse>
absl::StatusOr<Number> NumberOf(const Parameter& parameter, Parse parse) {
  Number value = 0;
  if (parse(parameter.second, &value)) return value;
  return absl::InvalidArgumentError(
      absl::StrCat(parameter.first, ": \"", Printable(parameter.second),
                   "\" is not a number of its kind"));
}

absl::StatusOr<int32_t> IntegerOf(const Parameter& parameter) {
  return NumberOf<int32_t>(parameter, [](const std::string& text, int32_t* n) {
    return absl::SimpleAtoi(text, n);
  });
}

absl::Status SetSmoothGrad(const Parameter& parameter, v1::SmoothGrad& smooth) {
  const auto& [name, value] = parameter;
  if (name == "samples") {
    ASSIGN_OR_RETURN(const int32_t samples, IntegerOf(parameter));
    smooth.set_samples(samples);
  } else if (name == "noise_level") {
    ASSIGN_OR_RETURN(
        const double level,
        NumberOf<double>(parameter, [](const std::string& text, double* n) {
          return absl::SimpleAtod(text, n);
        }));
    smooth.set_noise_level(level);
  } else if (name == "seed") {
    ASSIGN_OR_RETURN(
        const uint64_t seed,
        NumberOf<uint64_t>(parameter, [](const std::string& text, uint64_t* n) {
          return absl::SimpleAtoi(text, n);
        }));
    smooth.set_seed(seed);
  } else if (name == "of") {
    ASSIGN_OR_RETURN(*smooth.mutable_base(), ParseMethod(value));
  } else {
    return UnknownParameter(parameter,
                            {"samples", "noise_level", "seed", "of"});
  }
  return absl::OkStatus();
}

absl::Status SetIntegratedGradients(const Parameter& parameter,
                                    v1::IntegratedGradients& method) {
  const auto& [name, value] = parameter;
  if (name == "steps") {
    ASSIGN_OR_RETURN(const int32_t steps, IntegerOf(parameter));
    method.set_steps(steps);
  } else if (name == "baseline") {
    ASSIGN_OR_RETURN(const int baseline,
                     ParseEnum(*v1::Baseline_descriptor(), "baseline", value));
    method.set_baseline(static_cast<v1::Baseline>(baseline));
  } else {
    return UnknownParameter(parameter, {"steps", "baseline"});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Parameter>> ParametersOf(absl::string_view text) {
  std::vector<Parameter> parameters;
  for (const std::string& part : SplitOutsideBrackets(text)) {
    const std::vector<std::string> sides =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    if (sides.size() != 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", Printable(part), "\" is not NAME=VALUE"));
    }
    parameters.emplace_back(absl::StripAsciiWhitespace(sides[0]),
                            absl::StripAsciiWhitespace(sides[1]));
  }
  return parameters;
}

// By the folded name; none for a method without parameters.
absl::StatusOr<v1::Attribution> NewMethod(absl::string_view name) {
  v1::Attribution attribution;
  const std::string folded = FoldedName(name);
  if (folded == "integratedgradients" || folded == "ig") {
    attribution.mutable_integrated_gradients();
  } else if (folded == "smoothgrad") {
    attribution.mutable_smooth_grad();
  } else if (folded == "smoothgradsquared" || folded == "smoothgradsq") {
    attribution.mutable_smooth_grad()->set_statistic(
        v1::SAMPLE_STATISTIC_MEAN_OF_SQUARES);
  } else if (folded == "vargrad") {
    attribution.mutable_smooth_grad()->set_statistic(
        v1::SAMPLE_STATISTIC_VARIANCE);
  } else {
    return absl::InvalidArgumentError(
        "it takes no parameters; integrated_gradients, smooth_grad, "
        "smooth_grad_squared and var_grad do");
  }
  return attribution;
}

absl::StatusOr<v1::Attribution> Parse(absl::string_view name,
                                      absl::string_view inside) {
  ASSIGN_OR_RETURN(v1::Attribution attribution, NewMethod(name));
  ASSIGN_OR_RETURN(const std::vector<Parameter> parameters,
                   ParametersOf(inside));
  for (const Parameter& parameter : parameters) {
    RETURN_IF_ERROR(
        attribution.has_smooth_grad()
            ? SetSmoothGrad(parameter, *attribution.mutable_smooth_grad())
            : SetIntegratedGradients(
                  parameter, *attribution.mutable_integrated_gradients()));
  }
  return attribution;
}

}  // namespace

bool HasParameters(absl::string_view text) {
  return text.find('(') != absl::string_view::npos && text.back() == ')';
}

absl::StatusOr<v1::Attribution> ParseParameters(absl::string_view text) {
  const std::size_t open = text.find('(');
  absl::StatusOr<v1::Attribution> parsed = Parse(
      text.substr(0, open), text.substr(open + 1, text.size() - open - 2));
  if (parsed.ok()) return parsed;
  return Annotate(parsed.status(),
                  absl::StrCat("method \"", Printable(text), "\""));
}

}  // namespace saliency
