#include "tests/proto/api_listing.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.pb.h"
#include "saliency/v1/explanation.pb.h"
#include "saliency/v1/model_config.pb.h"
#include "saliency/v1/model_service.pb.h"
#include "saliency/v1/saliency_service.pb.h"
#include "saliency/v1/triton_config.pb.h"

namespace saliency {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

std::string TypeOf(const FieldDescriptor& field) {
  if (field.message_type() != nullptr) return field.message_type()->full_name();
  if (field.enum_type() != nullptr) return field.enum_type()->full_name();
  return field.type_name();
}

// "repeated ", "optional " or "".
std::string LabelOf(const FieldDescriptor& field) {
  if (field.is_repeated()) return "repeated ";
  return field.has_optional_keyword() ? "optional " : "";
}

void ListField(const FieldDescriptor& field, std::vector<std::string>& lines) {
  const auto* oneof = field.real_containing_oneof();
  lines.push_back(absl::StrCat(
      "field ", field.full_name(), " = ", field.number(), ": ", LabelOf(field),
      TypeOf(field), oneof == nullptr ? "" : ", of oneof ",
      oneof == nullptr ? "" : oneof->name()));
}

void ListEnum(const EnumDescriptor& type, std::vector<std::string>& lines) {
  lines.push_back(
      absl::StrCat("enum ", type.full_name(), " in ", type.file()->name()));
  for (int i = 0; i < type.value_count(); ++i) {
    lines.push_back(absl::StrCat("value ", type.full_name(), ".",
                                 type.value(i)->name(), " = ",
                                 type.value(i)->number()));
  }
}

void ListMessage(const Descriptor& type, std::vector<std::string>& lines) {
  lines.push_back(
      absl::StrCat("message ", type.full_name(), " in ", type.file()->name()));
  for (int i = 0; i < type.field_count(); ++i) {
    ListField(*type.field(i), lines);
  }
  for (int i = 0; i < type.enum_type_count(); ++i) {
    ListEnum(*type.enum_type(i), lines);
  }
  for (int i = 0; i < type.nested_type_count(); ++i) {
    ListMessage(*type.nested_type(i), lines);
  }
}

std::string StreamWord(bool is_stream) { return is_stream ? "stream " : ""; }

void ListService(const ServiceDescriptor& service,
                 std::vector<std::string>& lines) {
  lines.push_back(absl::StrCat("service ", service.full_name(), " in ",
                               service.file()->name()));
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& call = *service.method(i);
    lines.push_back(absl::StrCat("rpc ", call.full_name(), "(",
                                 StreamWord(call.client_streaming()),
                                 call.input_type()->full_name(), ") returns (",
                                 StreamWord(call.server_streaming()),
                                 call.output_type()->full_name(), ")"));
  }
}

void ListFile(const FileDescriptor& file, std::vector<std::string>& lines) {
  lines.push_back(absl::StrCat("file ", file.name(), ": package ",
                               file.package(), ", ",
                               file.options().ShortDebugString()));
  for (int i = 0; i < file.enum_type_count(); ++i) {
    ListEnum(*file.enum_type(i), lines);
  }
  for (int i = 0; i < file.message_type_count(); ++i) {
    ListMessage(*file.message_type(i), lines);
  }
  for (int i = 0; i < file.service_count(); ++i) {
    ListService(*file.service(i), lines);
  }
}

}  // namespace

std::vector<const FileDescriptor*> ApiFiles() {
  return {v1::Attribution::descriptor()->file(),
          v1::ModelConfig::descriptor()->file(),
          v1::GetModelRequest::descriptor()->file(),
          v1::ComputeSaliencyRequest::descriptor()->file(),
          v1::TritonModelConfig::descriptor()->file()};
}

std::vector<std::string> ApiListing(
    const std::vector<const FileDescriptor*>& files) {
  std::vector<std::string> lines;
  for (const FileDescriptor* file : files) ListFile(*file, lines);
  return lines;
}

std::vector<std::string> LinesGone(const std::vector<std::string>& before,
                                   const std::vector<std::string>& after) {
  const std::set<std::string> there(after.begin(), after.end());
  std::vector<std::string> gone;
  std::copy_if(before.begin(), before.end(), std::back_inserter(gone),
               [&](const std::string& line) { return !there.contains(line); });
  return gone;
}

}  // namespace saliency
