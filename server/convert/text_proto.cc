#include "server/convert/text_proto.h"

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "core/base/text_lines.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"

namespace saliency {
namespace {

// Collects what protobuf's parser has to say, instead of printing it.
class ErrorList : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    constexpr size_t kMaxErrors = 3;
    if (errors_.size() == kMaxErrors) return;
    errors_.push_back(absl::StrCat("line ", line + 1, ", column ", column + 1,
                                   ": ", Printable(message, 200)));
  }
  void AddWarning(int, google::protobuf::io::ColumnNumber,
                  const std::string& message) override {
    warnings_.push_back(message);
  }
  std::string Join() const { return absl::StrJoin(errors_, "; "); }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
};

// Where the messages below `message` are, by the name of their type: the path
// of the fields that lead there.
void AddPaths(const google::protobuf::Descriptor& message,
              const std::string& path,
              std::map<std::string, std::string>& paths) {
  if (!paths.try_emplace(message.full_name(), path).second) return;
  for (int i = 0; i < message.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *message.field(i);
    if (field.message_type() == nullptr) continue;
    AddPaths(*field.message_type(), absl::StrCat(path, field.name(), "."),
             paths);
  }
}

// From "Message type "a.B" has no field named "c"." to "path.to.b.c"; empty:
// another warning.
std::string UnknownField(const std::string& warning,
                         const std::map<std::string, std::string>& paths) {
  const std::vector<std::string> parts = absl::StrSplit(warning, '"');
  if (parts.size() != 5) return "";
  const auto path = paths.find(parts[1]);
  return path == paths.end() ? "" : path->second + Printable(parts[3]);
}

bool IsNameCharacter(char c) { return absl::ascii_isalnum(c) || c == '_'; }

// A list of messages may stand behind its field's name with or without a colon;
// protobuf's parser knows that of the fields that it has, but passes over the
// others only with one: "model_warmup [ {".  Puts it where it is missing, in
// the place of a blank where there is one, so that columns stay as they are.
std::string WithColonsBeforeLists(absl::string_view text) {
  std::string result;
  char quote = 0;  // of the string that we are in
  bool in_comment = false;
  bool behind_name = false;  // nothing but blanks since a name
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_comment) {
      in_comment = c != '\n';
    } else if (quote != 0) {
      if (c == '\\' && i + 1 < text.size()) {
        result += text[i++];
      } else if (c == quote) {
        quote = 0;
      }
    } else if (c == '#') {
      in_comment = true;
    } else if (c == '"' || c == '\'') {
      quote = c;
      behind_name = false;
    } else if (c == '[' && behind_name) {
      if (result.back() == ' ' || result.back() == '\t') result.pop_back();
      result += ':';
      behind_name = false;
    } else if (!absl::ascii_isspace(c)) {
      behind_name = IsNameCharacter(c);
    }
    result += text[i];
  }
  return result;
}

}  // namespace

absl::Status ParseTextProto(const std::string& text,
                            google::protobuf::Message& message) {
  ASSIGN_OR_RETURN(const absl::string_view plain, PlainText(text));
  ErrorList errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  if (parser.ParseFromString(std::string(plain), &message))
    return absl::OkStatus();
  return absl::InvalidArgumentError(errors.Join());
}

absl::StatusOr<std::vector<std::string>> ParseTextProtoLeniently(
    const std::string& text, google::protobuf::Message& message) {
  ASSIGN_OR_RETURN(const absl::string_view plain, PlainText(text));
  ErrorList errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.AllowUnknownField(true);
  if (!parser.ParseFromString(WithColonsBeforeLists(plain), &message)) {
    return absl::InvalidArgumentError(errors.Join());
  }
  std::map<std::string, std::string> paths;
  AddPaths(*message.GetDescriptor(), "", paths);
  std::set<std::string> unknown;
  for (const std::string& warning : errors.warnings()) {
    if (std::string field = UnknownField(warning, paths); !field.empty()) {
      unknown.insert(std::move(field));
    }
  }
  return std::vector<std::string>(unknown.begin(), unknown.end());
}

}  // namespace saliency
