// `saliency health`: whether a server would answer now, for scripts and for
// containers, whose image holds no other program to ask with.

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/connection_flags.h"
#include "grpc/health/v1/health.pb.h"

namespace saliency {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

struct HealthFlags {
  ConnectionFlags connection;
  std::string service;
};

ExitCode CheckHealth(const HealthFlags& flags, Console& console) {
  if (!flags.service.empty() && !flags.connection.model.empty()) {
    return PrintUsageError(console, "health",
                           "--service and --model exclude each other");
  }
  const absl::StatusOr<std::unique_ptr<SaliencyClient>> client =
      Connect(flags.connection);
  if (!client.ok()) return PrintConnectError(console, client.status());
  HealthCheckRequest request;
  request.set_service(flags.connection.model.empty()
                          ? flags.service
                          : absl::StrCat("model/", flags.connection.model));
  const absl::StatusOr<HealthCheckResponse> health =
      (*client)->CheckHealth(request, {.cancel = console.interrupt.NewToken()});
  if (!health.ok()) {
    return PrintFailure(console, health.status());
  }
  const std::string& status =
      HealthCheckResponse::ServingStatus_Name(health->status());
  if (flags.connection.json) {
    console.out << nlohmann::ordered_json(
                       {{"service", request.service()}, {"status", status}})
                << '\n';
  } else {
    console.out << status << '\n';
  }
  return health->status() == HealthCheckResponse::SERVING ? kExitOk
                                                          : kExitFailed;
}

}  // namespace

Command AddHealthCommand(CLI::App& root) {
  CLI::App* app = root.add_subcommand(
      "health",
      "Says whether the server, or one --model, is serving; exit code 0 if so");
  const auto flags = std::make_shared<HealthFlags>();
  app->add_option("--service", flags->service,
                  "a name of grpc.health.v1, as saliency.v1.ModelService; "
                  "default: the server as a whole");
  AddConnectionFlags(*app, flags->connection);
  return {app,
          [flags](Console& console) { return CheckHealth(*flags, console); }};
}

}  // namespace saliency
