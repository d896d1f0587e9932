// Addresses of servers, as people write them and as gRPC wants them.
// Pure functions but for names looked up; safe from any thread.

#ifndef SALIENCY_CLIENT_SERVER_ADDRESS_H_
#define SALIENCY_CLIENT_SERVER_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace saliency {

enum class AddressFamily { kName, kIpv4, kIpv6 };

struct ServerAddress {
  std::string host;  // without brackets
  int port = 0;
  AddressFamily family = AddressFamily::kName;

  std::string text() const;  // "host:port", "[::1]:port"
  bool is_loopback() const;
};

// "host:port", "1.2.3.4:port" or "[::1]:port".
// Errors: INVALID_ARGUMENT naming the text.
absl::StatusOr<ServerAddress> ParseServerAddress(absl::string_view server);

// The gRPC target.  One host name stays a name and is looked up again as its
// addresses change (a headless Kubernetes service); of several servers each
// name is looked up once, here.
// Errors: INVALID_ARGUMENT for none, a bad address, or IPv4 and IPv6 mixed;
//   UNAVAILABLE when one of several names has no address.
absl::StatusOr<std::string> ChannelTarget(
    absl::Span<const std::string> servers);

// Whether calls can go to more than one address: of several servers, or of one
// name, which is looked up here.
bool HasSeveralAddresses(absl::Span<const std::string> servers);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_SERVER_ADDRESS_H_
