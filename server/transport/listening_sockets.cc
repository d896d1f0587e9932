#include "server/transport/listening_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace saliency {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses Resolve(absl::string_view address) {
  const size_t colon = address.rfind(':');
  std::string host(address.substr(0, colon));
  const std::string port(address.substr(colon + 1));
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) {
    found = nullptr;
  }
  return {found, &freeaddrinfo};
}

// The port's place in an address of either family.
in_port_t& PortOf(sockaddr& address) {
  return address.sa_family == AF_INET6
             ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
             : reinterpret_cast<sockaddr_in&>(address).sin_port;
}

int BoundPort(int socket) {
  sockaddr_storage bound = {};
  socklen_t size = sizeof(bound);
  auto& address = reinterpret_cast<sockaddr&>(bound);
  getsockname(socket, &address, &size);
  return ntohs(PortOf(address));
}

// Not ok, with errno, where it cannot be bound.
FileDescriptor BindOne(const addrinfo& address) {
  FileDescriptor socket(::socket(
      address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  const int off = 0;
  if (!socket.ok()) return socket;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6) {
    setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  if (bind(socket.get(), address.ai_addr, address.ai_addrlen) != 0 ||
      listen(socket.get(), SOMAXCONN) != 0) {
    return FileDescriptor();
  }
  return socket;
}

}  // namespace

absl::StatusOr<ListeningSockets> ListeningSockets::Bind(
    const std::string& address, const std::string& flag) {
  const auto failed = [&] {
    return absl::UnavailableError(
        absl::StrCat(flag, " ", address,
                     ": cannot listen there (in use, or not an address of "
                     "this machine)"));
  };
  const Addresses addresses = Resolve(address);
  std::vector<FileDescriptor> sockets;
  int port = 0;
  for (addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
    // The port that the first one got is that of all.
    if (port != 0) PortOf(*one->ai_addr) = htons(static_cast<uint16_t>(port));
    FileDescriptor socket = BindOne(*one);
    if (socket.ok()) {
      port = BoundPort(socket.get());
      sockets.push_back(std::move(socket));
    } else if (errno == EADDRINUSE) {
      return failed();
    }
  }
  if (sockets.empty()) {
    // A kernel without IPv6.
    constexpr absl::string_view kEveryAddress = "[::]:";
    return absl::StartsWith(address, kEveryAddress)
               ? Bind(absl::StrCat("0.0.0.0:",
                                   address.substr(kEveryAddress.size())),
                      flag)
               : failed();
  }
  return ListeningSockets(std::move(sockets), port);
}

}  // namespace saliency
