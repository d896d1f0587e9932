#include "tests/end_to_end/server_process.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/status.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace saliency {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<fs::path> MakeFolder() {
  std::string name =
      (fs::temp_directory_path() / "saliency-server-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    return absl::InternalError("cannot make a temporary folder");
  }
  return fs::path(name);
}

std::vector<std::string> CommandFor(const ServerProcess::Options& options,
                                    const fs::path& port_file) {
  std::vector<std::string> command = {SALIENCY_SERVER_BINARY,
                                      "--models=" + options.models,
                                      "--port-file=" + port_file.string()};
  const std::vector<std::string> defaults = {"--listen-address=127.0.0.1:0",
                                             "--metrics-address=127.0.0.1:0",
                                             "--drain-delay=0s"};
  for (const std::string& flag : defaults) {
    const std::string name = flag.substr(0, flag.find('=') + 1);
    const bool given = std::any_of(
        options.flags.begin(), options.flags.end(),
        [&](const std::string& own) { return absl::StartsWith(own, name); });
    if (!given) command.push_back(flag);
  }
  command.insert(command.end(), options.flags.begin(), options.flags.end());
  return command;
}

// Lines "grpc=50051".
std::string AddressIn(const fs::path& port_file, absl::string_view name) {
  std::ifstream file(port_file);
  for (std::string line; std::getline(file, line);) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(line, absl::MaxSplits('=', 1));
    if (parts.first == name) return absl::StrCat("127.0.0.1:", parts.second);
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(
    Options options) {
  ASSIGN_OR_RETURN(fs::path folder, MakeFolder());
  ChildProcess::Options child = {
      .command = CommandFor(options, folder / "ports"),
      .environment = std::move(options.environment)};
  ASSIGN_OR_RETURN(std::unique_ptr<ChildProcess> process,
                   ChildProcess::Start(child));
  std::unique_ptr<ServerProcess> server(
      new ServerProcess(std::move(folder), std::move(process)));
  RETURN_IF_ERROR(server->AwaitPorts());
  return server;
}

ServerProcess::~ServerProcess() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

// The file is in its place before the server says that it listens.
absl::Status ServerProcess::AwaitPorts() {
  if (!process_->AwaitError("listening")) {
    return absl::InternalError(
        absl::StrCat("the server did not start: ", process_->err()));
  }
  const fs::path port_file = folder_ / "ports";
  address_ = AddressIn(port_file, "grpc");
  health_address_ = AddressIn(port_file, "health");
  metrics_address_ = AddressIn(port_file, "metrics");
  if (address_.empty()) return absl::InternalError("no port was written");
  grpc::ChannelArguments arguments;
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Not shared with other servers or clients of this process.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  channel_ = grpc::CreateCustomChannel(
      address_, grpc::InsecureChannelCredentials(), arguments);
  return absl::OkStatus();
}

absl::Status ServerProcess::AwaitServing(const std::string& service,
                                         absl::Duration timeout) {
  const auto stub = grpc::health::v1::Health::NewStub(channel_);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  const auto watch = stub->Watch(&context, request);
  grpc::health::v1::HealthCheckResponse response;
  while (watch->Read(&response)) {
    if (response.status() == grpc::health::v1::HealthCheckResponse::SERVING) {
      context.TryCancel();
      watch->Finish();
      return absl::OkStatus();
    }
  }
  const grpc::Status status = watch->Finish();
  return absl::Status(
      static_cast<absl::StatusCode>(status.error_code()),
      absl::StrCat("\"", service, "\" is not SERVING: ", status.error_message(),
                   "; the server says: ", process_->err()));
}

std::optional<int> ServerProcess::Stop(absl::Duration timeout) {
  process_->Signal(SIGTERM);
  return process_->AwaitExit(timeout);
}

}  // namespace saliency
