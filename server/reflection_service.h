// grpc.reflection.v1alpha for the services of this server and the files that
// define them.  Our own: gRPC's lets everybody in, holds a thread for each
// caller for as long as he likes, and shows the messages of every library.
// Thread-safe.

#ifndef SALIENCY_SERVER_REFLECTION_SERVICE_H_
#define SALIENCY_SERVER_REFLECTION_SERVICE_H_

#include <set>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "server/token_file.h"

namespace saliency {

class ReflectionService
    : public grpc::reflection::v1alpha::ServerReflection::CallbackService {
 public:
  // Full names of what the server offers; this service is added to them.
  // `tokens` outlives this and may be null: everybody may ask.
  // REQUIRES: each name is that of a service compiled into this program.
  ReflectionService(std::vector<std::string> services, const TokenFile* tokens);

  grpc::ServerBidiReactor<grpc::reflection::v1alpha::ServerReflectionRequest,
                          grpc::reflection::v1alpha::ServerReflectionResponse>*
  ServerReflectionInfo(grpc::CallbackServerContext* context) override;

  // The answer to one question.
  grpc::reflection::v1alpha::ServerReflectionResponse Answer(
      const grpc::reflection::v1alpha::ServerReflectionRequest& request) const;

 private:
  using File = google::protobuf::FileDescriptor;

  void AddFile(const File& file);
  // Null where there is none, or none of ours.
  const File* FileWith(const std::string& symbol) const;
  const File* FileNamed(const std::string& name) const;

  std::vector<std::string> services_;
  const TokenFile* const tokens_;
  // Those that define the services, and all that they import.
  std::set<const File*> files_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_REFLECTION_SERVICE_H_
