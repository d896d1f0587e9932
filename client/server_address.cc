#include "client/server_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {
namespace {

AddressFamily FamilyOf(const std::string& host) {
  in6_addr scratch;
  if (inet_pton(AF_INET, host.c_str(), &scratch) == 1) {
    return AddressFamily::kIpv4;
  }
  if (inet_pton(AF_INET6, host.c_str(), &scratch) == 1) {
    return AddressFamily::kIpv6;
  }
  return AddressFamily::kName;
}

bool IsHostName(absl::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' ||
           c == '-' || c == '_';
  });
}

bool Contains(const std::vector<ServerAddress>& addresses,
              absl::string_view host) {
  return std::any_of(addresses.begin(), addresses.end(),
                     [&](const ServerAddress& a) { return a.host == host; });
}

// All addresses of a name, as numbers, each once.
absl::StatusOr<std::vector<ServerAddress>> LookUp(const ServerAddress& name) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(name.host.c_str(), nullptr, &hints, &found) != 0) {
    return absl::UnavailableError(
        absl::StrCat("server name \"", name.host, "\" has no address"));
  }
  std::vector<ServerAddress> addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    char host[NI_MAXHOST];
    if (getnameinfo(at->ai_addr, at->ai_addrlen, host, sizeof(host), nullptr, 0,
                    NI_NUMERICHOST) != 0 ||
        Contains(addresses, host)) {
      continue;
    }
    addresses.push_back({host, name.port, FamilyOf(host)});
  }
  freeaddrinfo(found);
  // "localhost" is often both: servers are usually told to bind IPv4.
  if (std::any_of(addresses.begin(), addresses.end(),
                  [](const ServerAddress& a) {
                    return a.family == AddressFamily::kIpv4;
                  })) {
    std::erase_if(addresses, [](const ServerAddress& a) {
      return a.family != AddressFamily::kIpv4;
    });
  }
  return addresses;
}

std::string NumericTarget(const std::vector<ServerAddress>& addresses) {
  return absl::StrCat(
      addresses.front().family == AddressFamily::kIpv4 ? "ipv4:" : "ipv6:",
      absl::StrJoin(addresses, ",",
                    [](std::string* out, const ServerAddress& a) {
                      absl::StrAppend(out, a.text());
                    }));
}

}  // namespace

std::string ServerAddress::text() const {
  return family == AddressFamily::kIpv6 ? absl::StrFormat("[%s]:%d", host, port)
                                        : absl::StrFormat("%s:%d", host, port);
}

bool ServerAddress::is_loopback() const {
  return host == "localhost" || host == "::1" ||
         (family == AddressFamily::kIpv4 && absl::StartsWith(host, "127."));
}

absl::StatusOr<ServerAddress> ParseServerAddress(absl::string_view server) {
  const auto refuse = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("server \"", Printable(server), "\" ", why));
  };
  const size_t colon = server.rfind(':');
  ServerAddress address;
  if (colon == absl::string_view::npos) return refuse("is not HOST:PORT");
  if (!absl::SimpleAtoi(server.substr(colon + 1), &address.port) ||
      address.port < 1 || address.port > 65535) {
    return refuse("has no port in [1, 65535]");
  }
  absl::string_view host = server.substr(0, colon);
  const bool bracketed =
      absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  address.host = std::string(host);
  address.family = FamilyOf(address.host);
  if (bracketed != (address.family == AddressFamily::kIpv6)) {
    return refuse("must write IPv6 as [ADDRESS]:PORT");
  }
  if (address.family == AddressFamily::kName && !IsHostName(host)) {
    return refuse("has no valid host");
  }
  return address;
}

absl::StatusOr<std::string> ChannelTarget(
    absl::Span<const std::string> servers) {
  if (servers.empty()) return absl::InvalidArgumentError("no server given");
  std::vector<ServerAddress> addresses;
  for (const std::string& server : servers) {
    ASSIGN_OR_RETURN(ServerAddress address, ParseServerAddress(server));
    if (address.family != AddressFamily::kName) {
      addresses.push_back(std::move(address));
    } else if (servers.size() == 1) {
      return absl::StrCat("dns:///", address.text());
    } else {
      ASSIGN_OR_RETURN(std::vector<ServerAddress> found, LookUp(address));
      addresses.insert(addresses.end(), found.begin(), found.end());
    }
  }
  if (addresses.empty()) {
    return absl::UnavailableError("the servers' names have no address");
  }
  for (const ServerAddress& address : addresses) {
    if (address.family != addresses.front().family) {
      return absl::InvalidArgumentError(
          absl::StrCat("servers mix IPv4 and IPv6 (", addresses.front().text(),
                       ", ", address.text(), ")"));
    }
  }
  return NumericTarget(addresses);
}

bool HasSeveralAddresses(absl::Span<const std::string> servers) {
  if (servers.size() != 1) return servers.size() > 1;
  const auto address = ParseServerAddress(servers.front());
  if (!address.ok() || address->family != AddressFamily::kName) return false;
  const auto found = LookUp(*address);
  return found.ok() && found->size() > 1;
}

}  // namespace saliency
