#include "client/channel.h"

#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/server_address.h"
#include "core/base/status.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace saliency {
namespace {

absl::StatusOr<std::string> ReadPem(const std::string& path,
                                    absl::string_view what) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file || !absl::StrContains(text, "-----BEGIN ")) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read ", what, " (PEM) from ", path));
  }
  return text;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(
    const TlsFiles& tls, const std::string& token) {
  if (!tls.any()) {
    if (token.empty()) return grpc::InsecureChannelCredentials();
    return absl::InvalidArgumentError("a token needs TLS");
  }
  if (tls.cert.empty() != tls.key.empty()) {
    return absl::InvalidArgumentError(
        "a TLS certificate and its key go together: one of them is missing");
  }
  grpc::SslCredentialsOptions ssl;
  ASSIGN_OR_RETURN(ssl.pem_root_certs, ReadPem(tls.ca, "a CA certificate"));
  ASSIGN_OR_RETURN(ssl.pem_cert_chain, ReadPem(tls.cert, "a certificate"));
  ASSIGN_OR_RETURN(ssl.pem_private_key, ReadPem(tls.key, "a private key"));
  if (token.empty()) return grpc::SslCredentials(ssl);
  return grpc::CompositeChannelCredentials(grpc::SslCredentials(ssl),
                                           grpc::AccessTokenCredentials(token));
}

// Of a stream, questions are asked again, not all of it.
constexpr absl::string_view kNoRetry =
    R"({"name":[{"service":"saliency.v1.SaliencyService",)"
    R"("method":"StreamSaliency"}]})";

std::string JsonSeconds(absl::Duration duration) {
  return absl::StrFormat("%.3fs", absl::ToDoubleSeconds(duration));
}

}  // namespace

std::string ServiceConfigJson(const ChannelOptions& options) {
  const RetryOptions& retry = options.retry;
  std::string policy;
  if (retry.max_attempts > 1) {
    policy = absl::StrFormat(
        R"(,"retryPolicy":{"maxAttempts":%d,"initialBackoff":"%s",)"
        R"("maxBackoff":"%s","backoffMultiplier":2,)"
        R"("retryableStatusCodes":["UNAVAILABLE","RESOURCE_EXHAUSTED"]})",
        retry.max_attempts, JsonSeconds(retry.initial_backoff),
        JsonSeconds(retry.max_backoff));
  }
  return absl::StrCat(
      R"({"loadBalancingConfig":[{"round_robin":{}}],)",
      options.ready_servers_only ? R"("healthCheckConfig":{"serviceName":""},)"
                                 : "",
      R"("methodConfig":[{"name":[{}])", policy, "},", kNoRetry, "]}");
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> CreateChannel(
    const ChannelOptions& options) {
  ASSIGN_OR_RETURN(const std::string target, ChannelTarget(options.servers));
  ASSIGN_OR_RETURN(const ServerAddress first,
                   ParseServerAddress(options.servers.front()));
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials,
                   Credentials(options.tls, options.token));
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(ServiceConfigJson(options));
  // Ours alone: a DNS TXT record must not change how calls are retried.
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // A request larger than this buffer would silently never be retried.
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, options.max_send_bytes);
  arguments.SetMaxSendMessageSize(options.max_send_bytes);
  arguments.SetMaxReceiveMessageSize(options.max_receive_bytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000);
  if (first.is_loopback()) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A list of addresses is no name that a certificate could carry.
  std::string name = options.tls_server_name;
  if (name.empty() && options.servers.size() > 1) name = first.host;
  if (options.tls.any() && !name.empty()) {
    arguments.SetSslTargetNameOverride(name);
  }
  return grpc::CreateCustomChannel(target, credentials, arguments);
}

}  // namespace saliency
