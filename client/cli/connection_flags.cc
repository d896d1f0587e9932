#include "client/cli/connection_flags.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/image_files.h"
#include "client/cli/request_text.h"
#include "core/base/status.h"
#include "core/base/text_lines.h"

namespace saliency {
namespace {

constexpr char kConnectionGroup[] = "Connection";

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  if (path.empty()) {
    // No flag has the token itself: others would see it in the process list.
    const char* token = std::getenv("SALIENCY_CLIENT_TOKEN");
    return std::string(
        absl::StripAsciiWhitespace(token == nullptr ? "" : token));
  }
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return Annotate(text.status(), "--token-file");
  // The server's list of tokens can be used as it is.
  const absl::StatusOr<std::vector<absl::string_view>> lines = TextLines(*text);
  if (!lines.ok()) return Annotate(lines.status(), "--token-file");
  for (absl::string_view line : *lines) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty() && line.front() != '#') return std::string(line);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--token-file: ", path, " holds no token"));
}

}  // namespace

v1::ModelRef ModelOf(const ConnectionFlags& flags) {
  v1::ModelRef model;
  model.set_name(flags.model);
  if (flags.model_version.has_value()) model.set_version(*flags.model_version);
  return model;
}

void AddConnectionFlags(CLI::App& command, ConnectionFlags& flags) {
  command
      .add_option("--server", flags.server,
                  "HOST:PORT of the server; several, separated by commas, are "
                  "used in turn")
      ->envname("SALIENCY_SERVER")
      ->capture_default_str()
      ->group(kConnectionGroup);
  command
      .add_option("--tls-ca", flags.tls.ca,
                  "CA certificate (PEM) that signed the server's; turns TLS on")
      ->envname("SALIENCY_CLIENT_TLS_CA")
      ->group(kConnectionGroup);
  command
      .add_option("--tls-cert", flags.tls.cert,
                  "our certificate (PEM), for mutual TLS")
      ->envname("SALIENCY_CLIENT_TLS_CERT")
      ->group(kConnectionGroup);
  command.add_option("--tls-key", flags.tls.key, "its private key (PEM)")
      ->envname("SALIENCY_CLIENT_TLS_KEY")
      ->group(kConnectionGroup);
  command
      .add_option("--tls-server-name", flags.tls_server_name,
                  "name in the servers' certificates; default: the host of the "
                  "first --server")
      ->envname("SALIENCY_CLIENT_TLS_SERVER_NAME")
      ->group(kConnectionGroup);
  command
      .add_option("--token-file", flags.token_file,
                  "file that holds the bearer token, on its first line that is "
                  "no # comment; sent over TLS, or within this machine; the "
                  "token itself can be in $SALIENCY_CLIENT_TOKEN")
      ->envname("SALIENCY_CLIENT_TOKEN_FILE")
      ->group(kConnectionGroup);
  command
      .add_option("--config", flags.config_file,
                  "file with server, tls-ca, tls-cert, tls-key, "
                  "tls-server-name and token-file as KEY = VALUE lines, for "
                  "what neither flags nor variables say; default: "
                  "saliency/client.conf in $XDG_CONFIG_HOME or ~/.config, if "
                  "it is there")
      ->envname("SALIENCY_CLIENT_CONFIG")
      ->group(kConnectionGroup);
  command
      .add_option("--timeout", flags.timeout,
                  "time for one call, retries included: seconds, or 500ms, 2m")
      ->capture_default_str()
      ->group(kConnectionGroup);
  command
      .add_option("--model", flags.model,
                  "name of the model; not needed when there is only one")
      ->group(kConnectionGroup);
  command
      .add_option("--model-version", flags.model_version,
                  "its version; default: the highest that is ready")
      ->check(CLI::PositiveNumber)
      ->group(kConnectionGroup);
  command.add_flag("--json", flags.json,
                   "print one JSON object per result on stdout");
}

absl::StatusOr<std::unique_ptr<SaliencyClient>> Connect(
    const ConnectionFlags& flags, const RetryOptions& retry) {
  if (!flags.tls_server_name.empty() && !flags.tls.any()) {
    return absl::InvalidArgumentError(
        "--tls-server-name: without TLS no name is checked: turn it on "
        "(--tls-ca)");
  }
  ClientOptions options;
  options.channel.retry = retry;
  options.channel.servers = absl::StrSplit(flags.server, ',');
  for (std::string& server : options.channel.servers) {
    absl::StripAsciiWhitespace(&server);
  }
  options.channel.tls = flags.tls;
  options.channel.tls_server_name = flags.tls_server_name;
  ASSIGN_OR_RETURN(options.token, ReadToken(flags.token_file));
  ASSIGN_OR_RETURN(options.timeout, ParseTimeout(flags.timeout));
  return SaliencyClient::Connect(std::move(options));
}

}  // namespace saliency
