#include "server/services/reflection_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "google/protobuf/descriptor.pb.h"
#include "server/convert/public_status.h"

namespace saliency {
namespace {

using google::protobuf::DescriptorPool;

const DescriptorPool& Pool() { return *DescriptorPool::generated_pool(); }

// A question is a name; its answer repeats it.
constexpr int64_t kMaxQuestionBytes = 4 << 10;

template <typename Version>
using ReflectionReactor =
    StreamReactor<typename Version::Request, typename Version::Response>;

// One caller: reads a question, writes its answer, reads the next.
template <typename Version>
class AnsweringReflection : public ReflectionReactor<Version> {
 public:
  AnsweringReflection(const ReflectionService<Version>& service,
                      grpc::CallbackServerContext& context,
                      const absl::Status& known, const RequestWatches& watches)
      : service_(service), context_(context), uploads_(watches.uploads) {
    if (known.ok()) {
      Read();
    } else {
      this->Finish(ToGrpcStatus(known));
    }
  }

 private:
  void Read() {
    upload_ = AwaitedUpload(uploads_, context_, "reflection");
    this->StartRead(&incoming_);
  }

  // OK: it is to be answered.
  absl::Status Check(bool ok) {
    RETURN_IF_ERROR(upload_.Came(ok ? incoming_.bytes : 0));
    if (!ok) return absl::OkStatus();
    if (incoming_.bytes > kMaxQuestionBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("a question of ", incoming_.bytes, " bytes; at most ",
                       kMaxQuestionBytes));
    }
    return incoming_.parsed;
  }

  void OnReadDone(bool ok) override {
    const absl::Status right = Check(ok);
    if (!right.ok()) return this->Finish(ToGrpcStatus(right));
    if (!ok) return this->Finish(grpc::Status::OK);  // no more questions
    response_ = service_.Answer(incoming_.message);
    this->StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status::CANCELLED);
    Read();
  }
  void OnDone() override { delete this; }

  const ReflectionService<Version>& service_;
  grpc::CallbackServerContext& context_;
  UploadWatch* const uploads_;
  AwaitedUpload upload_;
  Incoming<typename Version::Request> incoming_;
  typename Version::Response response_;
};

template <typename FileResponse>
void AddWithImports(const google::protobuf::FileDescriptor& file,
                    std::set<const google::protobuf::FileDescriptor*>& added,
                    FileResponse& response) {
  if (!added.insert(&file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddWithImports(*file.dependency(i), added, response);
  }
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  proto.SerializeToString(response.add_file_descriptor_proto());
}

template <typename Response>
void SetFile(const google::protobuf::FileDescriptor* file,
             const std::string& asked, Response& response) {
  if (file == nullptr) {
    auto& error = *response.mutable_error_response();
    error.set_error_code(grpc::StatusCode::NOT_FOUND);
    error.set_error_message(
        absl::StrCat("\"", Printable(asked), "\" is not known"));
    return;
  }
  std::set<const google::protobuf::FileDescriptor*> added;
  AddWithImports(*file, added, *response.mutable_file_descriptor_response());
}

std::vector<std::string> WithReflection(std::vector<std::string> services) {
  services.emplace_back(ReflectionV1::Service::service_full_name());
  services.emplace_back(ReflectionV1Alpha::Service::service_full_name());
  return services;
}

}  // namespace

ReflectedFiles::ReflectedFiles(std::vector<std::string> services)
    : services_(std::move(services)) {
  for (const std::string& name : services_) {
    AddFile(*Pool().FindServiceByName(name)->file());
  }
}

void ReflectedFiles::AddFile(const File& file) {
  if (!files_.insert(&file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddFile(*file.dependency(i));
  }
}

const google::protobuf::FileDescriptor* ReflectedFiles::FileWith(
    const std::string& symbol) const {
  const File* file = Pool().FindFileContainingSymbol(symbol);
  return files_.count(file) > 0 ? file : nullptr;
}

const google::protobuf::FileDescriptor* ReflectedFiles::FileNamed(
    const std::string& name) const {
  const File* file = Pool().FindFileByName(name);
  return files_.count(file) > 0 ? file : nullptr;
}

template <typename Version>
ReflectionService<Version>::ReflectionService(std::vector<std::string> services,
                                              const TokenFile* tokens,
                                              const RequestWatches& watches)
    : StreamedService(Version::Service::service_full_name()),
      files_(WithReflection(std::move(services))) {
  Serve<Request, Response>(
      "ServerReflectionInfo",
      [this, tokens, watches](grpc::CallbackServerContext* context) {
        return new AnsweringReflection<Version>(
            *this, *context, CheckToken(tokens, *context), watches);
      });
}

template <typename Version>
typename Version::Response ReflectionService<Version>::Answer(
    const Request& request) const {
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kListServices:
      for (const std::string& name : files_.services()) {
        response.mutable_list_services_response()->add_service()->set_name(
            name);
      }
      break;
    case Request::kFileByFilename:
      SetFile(files_.FileNamed(request.file_by_filename()),
              request.file_by_filename(), response);
      break;
    case Request::kFileContainingSymbol:
      SetFile(files_.FileWith(request.file_containing_symbol()),
              request.file_containing_symbol(), response);
      break;
    case Request::kFileContainingExtension:
      SetFile(nullptr, request.file_containing_extension().containing_type(),
              response);
      break;
    case Request::kAllExtensionNumbersOfType: {
      const std::string& type = request.all_extension_numbers_of_type();
      if (files_.FileWith(type) == nullptr) {
        SetFile(nullptr, type, response);
      } else {
        response.mutable_all_extension_numbers_response()->set_base_type_name(
            type);
      }
      break;
    }
    case Request::MESSAGE_REQUEST_NOT_SET: {
      auto& error = *response.mutable_error_response();
      error.set_error_code(grpc::StatusCode::INVALID_ARGUMENT);
      error.set_error_message("no question was asked");
      break;
    }
  }
  return response;
}

template class ReflectionService<ReflectionV1>;
template class ReflectionService<ReflectionV1Alpha>;

}  // namespace saliency
