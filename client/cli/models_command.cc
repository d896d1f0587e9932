// `saliency models [NAME]`: which models a server holds, or all about one.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "client/cli/commands.h"
#include "client/cli/connection_flags.h"
#include "client/cli/model_text.h"
#include "saliency/v1/model_service.pb.h"

namespace saliency {
namespace {

struct ModelsFlags {
  ConnectionFlags connection;
  std::string name;
};

ExitCode Models(const ModelsFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<SaliencyClient>> client =
      Connect(flags.connection);
  if (!client.ok()) return PrintConnectError(console, client.status());
  const CallOptions options = {.cancel = console.interrupt.NewToken()};
  const std::string& name =
      flags.name.empty() ? flags.connection.model : flags.name;
  if (name.empty()) {
    const absl::StatusOr<v1::ListModelsResponse> list =
        (*client)->ListModels({}, options);
    if (!list.ok()) return PrintFailure(console, list.status());
    for (const v1::ModelSummary& model : list->models()) {
      if (flags.connection.json) {
        console.out << ModelSummaryJson(model) << '\n';
      }
    }
    if (!flags.connection.json) PrintModelList(*list, console.out);
    return kExitOk;
  }
  v1::GetModelRequest request;
  *request.mutable_model() = ModelOf(flags.connection);
  request.mutable_model()->set_name(name);
  const absl::StatusOr<v1::GetModelResponse> model =
      (*client)->GetModel(request, options);
  if (!model.ok()) return PrintFailure(console, model.status());
  if (flags.connection.json) {
    console.out << ModelJson(*model) << '\n';
  } else {
    PrintModel(*model, console.out);
  }
  return kExitOk;
}

}  // namespace

Command AddModelsCommand(CLI::App& root) {
  CLI::App* app = root.add_subcommand(
      "models", "Lists the server's models, or tells all about one");
  const auto flags = std::make_shared<ModelsFlags>();
  app->add_option("MODEL", flags->name,
                  "a model, for its layers, methods and input");
  AddConnectionFlags(*app, flags->connection);
  return {app, [flags](Console& console) { return Models(*flags, console); }};
}

}  // namespace saliency
