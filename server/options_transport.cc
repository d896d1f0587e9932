#include "server/options_transport.h"

#include "absl/strings/str_cat.h"

namespace saliency {
namespace {

constexpr absl::Duration kShortest = absl::Seconds(1);
constexpr absl::Duration kZero = absl::ZeroDuration();

}  // namespace

void AddSecurityOptions(OptionAdder& adder, ServerOptions& options) {
  adder.AddFile(
      "tls-cert", options.tls.cert,
      "Certificate chain of the gRPC port (PEM, our own first); turns "
      "TLS on. Renewed files are used within a second");
  adder.AddFile("tls-key", options.tls.key,
                "Private key of --tls-cert (PEM, not encrypted)");
  adder.AddFile("tls-client-ca", options.tls.client_ca,
                "Certificates (PEM) that sign callers' certificates; turns "
                "mutual TLS on: callers without one are not let in");
  adder.AddFile(
      "token-file", options.token_file,
      "Bearer tokens, one a line; each caller must send one of them "
      "as metadata \"authorization: Bearer TOKEN\". A changed file is "
      "used within a second");
  adder.AddSwitch("health-without-token", options.health_without_token,
                  "Answer grpc.health.v1 on the gRPC port without a token");
  adder.AddSwitch("insecure", options.insecure,
                  "Allow plain text on an address that other machines can "
                  "reach");
}

void AddConnectionOptions(OptionAdder& adder, ServerOptions& options) {
  ConnectionLimits& limits = options.connections;
  adder.AddDuration("keepalive-time", limits.keepalive_time, kShortest,
                    "Ask a peer that was quiet for this long whether it lives");
  adder.AddDuration("keepalive-timeout", limits.keepalive_timeout, kShortest,
                    "How long it may take to answer that");
  adder.AddDuration("handshake-timeout", limits.handshake_timeout, kShortest,
                    "From a connection to the end of its TLS and HTTP/2 "
                    "greeting");
  adder.AddDuration("max-connection-idle", limits.max_idle, kZero,
                    "Close a connection without calls after this; 0: never");
  adder.AddDuration("max-connection-age", limits.max_age, kZero,
                    "Ask clients to connect anew after this; 0: never");
  adder.AddDuration("max-connection-age-grace", limits.max_age_grace, kZero,
                    "Then cancel what is left of the old connection's calls; "
                    "0: never");
  adder.AddCount("max-concurrent-streams", limits.max_streams, 1 << 20,
                 "Calls of one connection at a time; more wait at the client. "
                 "One with four times as many that have not ended is reset");
  adder.AddCount("stream-window", options.stream.window, 1 << 16,
                 "Questions of one stream that are in work or whose answers "
                 "wait to be taken; no more are read meanwhile");
  adder.AddDuration("send-timeout", options.send_timeout, kZero,
                    "Cancel a call whose answer is not taken for this long; 0: "
                    "never");
  adder.AddDuration("receive-timeout", options.receive_timeout, kZero,
                    "End a call whose request has not come whole by then; 0: "
                    "never");
  adder.AddCount("max-calls", options.max_calls, 1 << 20,
                 "Calls in progress, streams included; more are refused. When "
                 "twice as many are held, nobody else may connect");
  adder.AddCount("max-connections", limits.caps.total, 1 << 20,
                 "Connections at a time; more are hung up on");
  adder.AddCount("max-connections-per-peer", limits.caps.per_peer, 1 << 20,
                 "Connections of one address, or one /64 of IPv6, at a time");
  adder.AddBytes(
      "transport-bytes", limits.transport_bytes, int64_t{1} << 40,
      "What gRPC may hold of messages that have not come whole or "
      "not left, bytes; at least twice --max-message-bytes. When requests that "
      "have not come whole hold half of it, those of whoever holds the most "
      "are "
      "ended");
}

std::string CheckSecurityOptions(const ServerOptions& options) {
  const ServerTlsFiles& tls = options.tls;
  if (tls.cert.empty() != tls.key.empty()) {
    return "--tls-cert and --tls-key go together: one of them is missing";
  }
  if (!tls.client_ca.empty() && !tls.enabled()) {
    return "--tls-client-ca needs --tls-cert and --tls-key";
  }
  if (!options.insecure && !tls.enabled() &&
      !IsLoopback(options.listen_address)) {
    return absl::StrCat(
        "--listen-address ", options.listen_address,
        " can be reached from other machines and the server speaks plain text: "
        "turn TLS on with --tls-cert and --tls-key, say --insecure to allow "
        "plain text, or listen on 127.0.0.1");
  }
  return "";
}

}  // namespace saliency
