#include "server/reflection_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "google/protobuf/descriptor.pb.h"
#include "server/public_status.h"

namespace saliency {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1alpha::FileDescriptorResponse;
using grpc::reflection::v1alpha::ServerReflection;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;
using Reactor =
    grpc::ServerBidiReactor<ServerReflectionRequest, ServerReflectionResponse>;

const DescriptorPool& Pool() { return *DescriptorPool::generated_pool(); }

class RefusedStream : public Reactor {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

// One caller: reads a question, writes its answer, reads the next.
class AnsweringStream : public Reactor {
 public:
  explicit AnsweringStream(const ReflectionService& service)
      : service_(service) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);  // no more questions
    response_ = service_.Answer(request_);
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  const ReflectionService& service_;
  ServerReflectionRequest request_;
  ServerReflectionResponse response_;
};

void AddWithImports(const FileDescriptor& file,
                    std::set<const FileDescriptor*>& added,
                    FileDescriptorResponse& response) {
  if (!added.insert(&file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddWithImports(*file.dependency(i), added, response);
  }
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  proto.SerializeToString(response.add_file_descriptor_proto());
}

void SetFile(const FileDescriptor* file, const std::string& asked,
             ServerReflectionResponse& response) {
  if (file == nullptr) {
    auto& error = *response.mutable_error_response();
    error.set_error_code(grpc::StatusCode::NOT_FOUND);
    error.set_error_message(
        absl::StrCat("\"", Printable(asked), "\" is not known"));
    return;
  }
  std::set<const FileDescriptor*> added;
  AddWithImports(*file, added, *response.mutable_file_descriptor_response());
}

}  // namespace

ReflectionService::ReflectionService(std::vector<std::string> services,
                                     const TokenFile* tokens)
    : services_(std::move(services)), tokens_(tokens) {
  services_.emplace_back(ServerReflection::service_full_name());
  for (const std::string& name : services_) {
    AddFile(*Pool().FindServiceByName(name)->file());
  }
}

void ReflectionService::AddFile(const File& file) {
  if (!files_.insert(&file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddFile(*file.dependency(i));
  }
}

const FileDescriptor* ReflectionService::FileWith(
    const std::string& symbol) const {
  const File* file = Pool().FindFileContainingSymbol(symbol);
  return files_.count(file) > 0 ? file : nullptr;
}

const FileDescriptor* ReflectionService::FileNamed(
    const std::string& name) const {
  const File* file = Pool().FindFileByName(name);
  return files_.count(file) > 0 ? file : nullptr;
}

ServerReflectionResponse ReflectionService::Answer(
    const ServerReflectionRequest& request) const {
  ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kListServices:
      for (const std::string& name : services_) {
        response.mutable_list_services_response()->add_service()->set_name(
            name);
      }
      break;
    case ServerReflectionRequest::kFileByFilename:
      SetFile(FileNamed(request.file_by_filename()), request.file_by_filename(),
              response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      SetFile(FileWith(request.file_containing_symbol()),
              request.file_containing_symbol(), response);
      break;
    case ServerReflectionRequest::kFileContainingExtension:
      SetFile(nullptr, request.file_containing_extension().containing_type(),
              response);
      break;
    case ServerReflectionRequest::kAllExtensionNumbersOfType: {
      const std::string& type = request.all_extension_numbers_of_type();
      if (FileWith(type) == nullptr) {
        SetFile(nullptr, type, response);
      } else {
        response.mutable_all_extension_numbers_response()->set_base_type_name(
            type);
      }
      break;
    }
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET: {
      auto& error = *response.mutable_error_response();
      error.set_error_code(grpc::StatusCode::INVALID_ARGUMENT);
      error.set_error_message("no question was asked");
      break;
    }
  }
  return response;
}

Reactor* ReflectionService::ServerReflectionInfo(
    grpc::CallbackServerContext* context) {
  if (const absl::Status known = CheckToken(tokens_, *context); !known.ok()) {
    return new RefusedStream(ToGrpcStatus(known));
  }
  return new AnsweringStream(*this);
}

}  // namespace saliency
