#include "server/transport/self_dial.h"

#include <netdb.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace saliency {
namespace {

// What a client of HTTP/2 says first: the preface and empty settings.
std::string Http2Greeting() {
  return absl::StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                      std::string("\0\0\0\4\0\0\0\0\0", 9));
}

// What a client of TLS says first.  The server answers it whatever becomes of
// the rest.
std::string TlsGreeting() {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(
      SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(
      context == nullptr ? nullptr : SSL_new(context.get()), &SSL_free);
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  if (ssl == nullptr || in == nullptr || out == nullptr) {
    BIO_free(in);
    BIO_free(out);
    return "";
  }
  SSL_set_bio(ssl.get(), in, out);  // its own from here on
  constexpr unsigned char kProtocols[] = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl.get(), kProtocols, sizeof(kProtocols));
  SSL_connect(ssl.get());  // comes as far as its first message
  ERR_clear_error();
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  return std::string(data, static_cast<size_t>(size));
}

// Where we listen at all addresses, loopback is one of them.
sockaddr_storage AddressOf(const std::string& host, int port, socklen_t& size) {
  std::string name = host;
  if (name == "0.0.0.0" || name == "[::]") name = "127.0.0.1";
  if (name.size() > 1 && name.front() == '[') {
    name = name.substr(1, name.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  sockaddr_storage address = {};
  size = 0;
  if (getaddrinfo(name.c_str(), absl::StrCat(port).c_str(), &hints, &found) ==
      0) {
    size = found->ai_addrlen;
    std::memcpy(&address, found->ai_addr, size);
    freeaddrinfo(found);
  }
  return address;
}

int OwnPort(int socket) {
  sockaddr_storage here = {};
  socklen_t size = sizeof(here);
  getsockname(socket, reinterpret_cast<sockaddr*>(&here), &size);
  return ntohs(here.ss_family == AF_INET6
                   ? reinterpret_cast<sockaddr_in6&>(here).sin6_port
                   : reinterpret_cast<sockaddr_in&>(here).sin_port);
}

bool AwaitEvent(int socket, int16_t event, absl::Duration idle_timeout) {
  pollfd wanted = {.fd = socket, .events = event, .revents = 0};
  return poll(&wanted, 1,
              static_cast<int>(absl::ToInt64Milliseconds(idle_timeout))) > 0;
}

absl::Status Greet(int socket, const sockaddr_storage& address, socklen_t size,
                   const SelfDialOptions& options) {
  const auto failed = [](const char* what) {
    return absl::UnavailableError(what);
  };
  if (connect(socket, reinterpret_cast<const sockaddr*>(&address), size) != 0 &&
      errno != EINPROGRESS) {
    return failed("the port refuses connections");
  }
  if (!AwaitEvent(socket, POLLOUT, options.idle_timeout)) {
    return failed("no connection comes about");
  }
  const std::string greeting = options.tls ? TlsGreeting() : Http2Greeting();
  if (send(socket, greeting.data(), greeting.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(greeting.size())) {
    return failed("the connection is closed at once");
  }
  char byte = 0;
  if (!AwaitEvent(socket, POLLIN, options.idle_timeout)) {
    return failed("a connection is not answered");
  }
  if (recv(socket, &byte, 1, 0) != 1) {
    return failed("the connection is closed without an answer");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status DialOnce(const SelfDialOptions& options,
                      ConnectionAcceptor& acceptor) {
  socklen_t size = 0;
  const sockaddr_storage address =
      AddressOf(options.host, acceptor.port(), size);
  const FileDescriptor socket(::socket(
      address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (size == 0 || !socket.ok()) {
    return absl::UnavailableError("no socket can be opened");
  }
  // Bound before it connects, so that its number is known in time.
  sockaddr_storage any = {};
  any.ss_family = address.ss_family;
  bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), size);
  const int own_port = OwnPort(socket.get());
  acceptor.Expect(own_port);
  absl::Status met = Greet(socket.get(), address, size, options);
  acceptor.ExpectNoMore(own_port);
  return met;
}

SelfDial::SelfDial(const SelfDialOptions& options, ConnectionAcceptor& acceptor,
                   Clock& clock, Log& log,
                   std::function<void(bool answers)> answers)
    : options_(options),
      acceptor_(acceptor),
      log_(log),
      answers_(std::move(answers)),
      look_(clock, options.every, [this] { Look(); }) {}

void SelfDial::Look() {
  const absl::Status met = DialOnce(options_, acceptor_);
  failures_ = met.ok() ? 0 : failures_ + 1;
  if (met.ok() && dead_) {
    dead_ = false;
    log_.Info("the gRPC port answers again: health is told");
    answers_(true);
  } else if (failures_ >= options_.failures && !dead_) {
    dead_ = true;
    log_.Error("the gRPC port does not answer: health is NOT_SERVING",
               {{"error", met.message()}});
    answers_(false);
  }
}

}  // namespace saliency
