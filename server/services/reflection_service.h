// grpc.reflection.v1 and v1alpha for the services of this server and the files
// that define them.  Our own: gRPC's lets everybody in, holds a thread for each
// caller for as long as he likes, and shows the messages of every library.
// Thread-safe.

#ifndef SALIENCY_SERVER_SERVICES_REFLECTION_SERVICE_H_
#define SALIENCY_SERVER_SERVICES_REFLECTION_SERVICE_H_

#include <set>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "server/security/token_file.h"
#include "server/transport/one_request.h"
#include "server/transport/streamed_service.h"

namespace saliency {

// The two published versions, which differ in their package's name alone.
struct ReflectionV1 {
  using Service = grpc::reflection::v1::ServerReflection;
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
};
struct ReflectionV1Alpha {
  using Service = grpc::reflection::v1alpha::ServerReflection;
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
};

// What may be told: services, the files that define them, and all that these
// import.
class ReflectedFiles {
 public:
  using File = google::protobuf::FileDescriptor;

  // REQUIRES: each name is that of a service compiled into this program.
  explicit ReflectedFiles(std::vector<std::string> services);

  const std::vector<std::string>& services() const { return services_; }
  // Null where there is none, or none of ours.
  const File* FileWith(const std::string& symbol) const;
  const File* FileNamed(const std::string& name) const;

 private:
  void AddFile(const File& file);

  std::vector<std::string> services_;
  std::set<const File*> files_;
};

template <typename Version>
class ReflectionService : public StreamedService {
 public:
  using Request = typename Version::Request;
  using Response = typename Version::Response;

  // Full names of what the server offers; both versions of this service are
  // added to them.  `tokens`, null: everybody may ask, and `watches`, which
  // bound how questions come, outlive this. REQUIRES: each name is that of a
  // service compiled into this program.
  ReflectionService(std::vector<std::string> services, const TokenFile* tokens,
                    const RequestWatches& watches = {});

  // The answer to one question.
  Response Answer(const Request& request) const;

 private:
  const ReflectedFiles files_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_SERVICES_REFLECTION_SERVICE_H_
