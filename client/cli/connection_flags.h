// The flags that every subcommand takes.  Their environment variables begin
// with SALIENCY_CLIENT_, but for SALIENCY_SERVER: those of the server's own
// options, which may be set in the same container, begin with SALIENCY_ alone.

#ifndef SALIENCY_CLIENT_CLI_CONNECTION_FLAGS_H_
#define SALIENCY_CLIENT_CLI_CONNECTION_FLAGS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/saliency_client.h"

namespace CLI {
class App;
}  // namespace CLI

namespace saliency {

struct ConnectionFlags {
  std::string server = "127.0.0.1:50051";  // or several, separated by commas
  TlsFiles tls;
  std::string tls_server_name;  // empty: the host of the first server
  std::string token_file;       // empty: $SALIENCY_CLIENT_TOKEN, if that is set
  std::string config_file;      // see config_file.h
  std::string timeout = "60s";
  std::string model;  // empty: the only one
  std::optional<int64_t> model_version;
  bool json = false;
};

// The model that --model and --model-version name.
v1::ModelRef ModelOf(const ConnectionFlags& flags);

// `flags` outlives `command`.
void AddConnectionFlags(CLI::App& command, ConnectionFlags& flags);

// Errors: INVALID_ARGUMENT naming the flag; as SaliencyClient::Connect.
absl::StatusOr<std::unique_ptr<SaliencyClient>> Connect(
    const ConnectionFlags& flags, const RetryOptions& retry = {});

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_CONNECTION_FLAGS_H_
