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
#include "client/cli/image_files.h"
#include "client/cli/request_text.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace saliency {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
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

// What a field is called between brackets.
std::string NameOf(const FieldDescriptor& field) {
  return field.message_type() == v1::Attribution::descriptor() ? "of"
                                                               : field.name();
}

// The field of `message` that a parameter sets.
absl::StatusOr<const FieldDescriptor*> FindField(const Message& message,
                                                 const std::string& name) {
  std::vector<std::string> known;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (NameOf(*field) == name) return field;
    known.push_back(NameOf(*field));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown parameter \"", Printable(name),
                   "\"; known: ", absl::StrJoin(known, ", ")));
}

template <typename Number>
absl::StatusOr<Number> NumberOf(const Parameter& parameter,
                                bool (*parse)(absl::string_view, Number*)) {
  Number value = 0;
  if (parse(parameter.second, &value)) return value;
  return absl::InvalidArgumentError(
      absl::StrCat(parameter.first, ": \"", Printable(parameter.second),
                   "\" is not a number of its kind"));
}

// REQUIRES: parameters of methods are of the types below.
absl::Status SetField(const Parameter& parameter, Message& message) {
  ASSIGN_OR_RETURN(const FieldDescriptor* const field,
                   FindField(message, parameter.first));
  const Reflection& reflection = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      ASSIGN_OR_RETURN(const auto value,
                       NumberOf<int32_t>(parameter, &absl::SimpleAtoi));
      reflection.SetInt32(&message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      ASSIGN_OR_RETURN(const auto value,
                       NumberOf<uint64_t>(parameter, &absl::SimpleAtoi));
      reflection.SetUInt64(&message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      ASSIGN_OR_RETURN(const auto value,
                       NumberOf<double>(parameter, &absl::SimpleAtod));
      reflection.SetDouble(&message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      ASSIGN_OR_RETURN(const auto value,
                       NumberOf<bool>(parameter, &absl::SimpleAtob));
      reflection.SetBool(&message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      ASSIGN_OR_RETURN(
          const int value,
          ParseEnum(*field->enum_type(), field->name(), parameter.second));
      reflection.SetEnumValue(&message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      ASSIGN_OR_RETURN(std::string bytes, ReadFile(parameter.second));
      reflection.SetString(&message, field, std::move(bytes));
      return absl::OkStatus();
    }
    default: {
      ASSIGN_OR_RETURN(const v1::Attribution base,
                       ParseMethod(parameter.second));
      reflection.MutableMessage(&message, field)->CopyFrom(base);
      return absl::OkStatus();
    }
  }
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

// A name that stands for a method's message with one field set.
struct StatisticName {
  const char* folded;
  v1::SampleStatistic statistic;
};
constexpr StatisticName kStatisticNames[] = {
    {"smoothgradsquared", v1::SAMPLE_STATISTIC_MEAN_OF_SQUARES},
    {"smoothgradsq", v1::SAMPLE_STATISTIC_MEAN_OF_SQUARES},
    {"vargrad", v1::SAMPLE_STATISTIC_VARIANCE},
};

// The fields of `kind` that hold a method's parameters.
std::vector<const FieldDescriptor*> MethodFields() {
  std::vector<const FieldDescriptor*> fields;
  const auto& kinds = *v1::Attribution::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds.field_count(); ++i) {
    const FieldDescriptor* field = kinds.field(i);
    const bool has_parameters =
        field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
        field->message_type() != v1::ExtractAggregate::descriptor();
    if (has_parameters) fields.push_back(field);
  }
  return fields;
}

// With the method's message set in `kind`.
// Errors: INVALID_ARGUMENT listing the methods that have parameters.
absl::StatusOr<v1::Attribution> NewMethod(absl::string_view name) {
  v1::Attribution attribution;
  const std::string folded = FoldedName(name);
  for (const StatisticName& known : kStatisticNames) {
    if (folded != known.folded) continue;
    attribution.mutable_smooth_grad()->set_statistic(known.statistic);
    return attribution;
  }
  std::vector<std::string> known;
  for (const FieldDescriptor* field : MethodFields()) {
    const bool is_short =
        folded == "ig" && field->name() == "integrated_gradients";
    if (folded == FoldedName(field->name()) || is_short) {
      v1::Attribution::GetReflection()->MutableMessage(&attribution, field);
      return attribution;
    }
    known.push_back(field->name());
  }
  return absl::InvalidArgumentError(
      absl::StrCat("it takes no parameters; ", absl::StrJoin(known, ", "),
                   ", smooth_grad_squared and var_grad do"));
}

absl::StatusOr<v1::Attribution> Parse(absl::string_view name,
                                      absl::string_view inside) {
  ASSIGN_OR_RETURN(v1::Attribution attribution, NewMethod(name));
  ASSIGN_OR_RETURN(const std::vector<Parameter> parameters,
                   ParametersOf(inside));
  const Reflection& reflection = *v1::Attribution::GetReflection();
  const FieldDescriptor* const kind = reflection.GetOneofFieldDescriptor(
      attribution, v1::Attribution::descriptor()->FindOneofByName("kind"));
  Message& method = *reflection.MutableMessage(&attribution, kind);
  for (const Parameter& parameter : parameters) {
    RETURN_IF_ERROR(SetField(parameter, method));
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
