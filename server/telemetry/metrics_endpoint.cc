#include "server/telemetry/metrics_endpoint.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "core/base/status.h"
#include "prometheus/text_serializer.h"

namespace saliency {
namespace {

constexpr size_t kMaxPeers = 64;
constexpr size_t kMaxRequestBytes = 8 << 10;
// For a request to come, and then for its answer to be taken.
constexpr absl::Duration kPeerPatience = absl::Seconds(10);

std::string HttpAnswer(absl::string_view status, absl::string_view body,
                       bool with_body = true) {
  return absl::StrCat("HTTP/1.1 ", status,
                      "\r\nContent-Type: text/plain; version=0.0.4; "
                      "charset=utf-8\r\nContent-Length: ",
                      body.size(), "\r\nConnection: close\r\n\r\n",
                      with_body ? body : "");
}

bool WouldBlock() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(
    const std::string& address,
    std::vector<std::shared_ptr<prometheus::Collectable>> sources) {
  ASSIGN_OR_RETURN(ListeningSockets sockets,
                   ListeningSockets::Bind(address, "--metrics-address"));
  return std::unique_ptr<MetricsEndpoint>(
      new MetricsEndpoint(std::move(sockets), std::move(sources)));
}

MetricsEndpoint::MetricsEndpoint(
    ListeningSockets sockets,
    std::vector<std::shared_ptr<prometheus::Collectable>> sources)
    : sockets_(std::move(sockets)),
      sources_(std::move(sources)),
      wake_(eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Run(); }) {}

MetricsEndpoint::~MetricsEndpoint() {
  const uint64_t one = 1;
  // Eight bytes always find room in an event's counter.
  [[maybe_unused]] const ssize_t written =
      write(wake_.get(), &one, sizeof(one));
  thread_.join();
}

void MetricsEndpoint::Run() {
  while (Turn()) {
  }
}

bool MetricsEndpoint::Turn() {
  std::vector<pollfd> polled = {{.fd = wake_.get(), .events = POLLIN}};
  for (const FileDescriptor& socket : sockets_.sockets()) {
    polled.push_back({.fd = socket.get(), .events = POLLIN});
  }
  const size_t first_peer = polled.size();
  absl::Time wake = absl::InfiniteFuture();
  for (const Peer& peer : peers_) {
    const int16_t wanted = peer.answer.empty() ? POLLIN : POLLOUT;
    polled.push_back({.fd = peer.connection.get(), .events = wanted});
    wake = std::min(wake, peer.deadline);
  }
  // A millisecond more, so that the deadline has passed when it is over.
  const int timeout_ms =
      peers_.empty()
          ? -1
          : static_cast<int>(std::max<int64_t>(
                0, absl::ToInt64Milliseconds(wake - absl::Now()) + 1));
  if (poll(polled.data(), polled.size(), timeout_ms) < 0) return true;
  if (polled.front().revents != 0) return false;

  size_t at = first_peer;
  const absl::Time now = absl::Now();
  for (auto peer = peers_.begin(); peer != peers_.end(); ++at) {
    bool stays = now < peer->deadline;
    if (stays && polled[at].revents != 0) {
      stays = peer->answer.empty() ? Receive(*peer) : Send(*peer);
    }
    peer = stays ? std::next(peer) : peers_.erase(peer);
  }
  for (size_t i = 1; i < first_peer; ++i) {
    if (polled[i].revents != 0) Accept(polled[i].fd);
  }
  return true;
}

void MetricsEndpoint::Accept(int socket) {
  FileDescriptor connection(
      accept4(socket, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!connection.ok()) {
    // No file descriptor may be left: not again at once.
    constexpr int kPauseMs = 10;
    if (!WouldBlock()) poll(nullptr, 0, kPauseMs);
    return;
  }
  if (peers_.size() >= kMaxPeers) peers_.pop_front();
  peers_.push_back({.connection = std::move(connection),
                    .deadline = absl::Now() + kPeerPatience,
                    .request = "",
                    .answer = ""});
}

bool MetricsEndpoint::Receive(Peer& peer) const {
  char bytes[1024];
  const ssize_t count = recv(peer.connection.get(), bytes, sizeof(bytes), 0);
  if (count <= 0) return count < 0 && WouldBlock();
  peer.request.append(bytes, static_cast<size_t>(count));
  if (!absl::StrContains(peer.request, "\r\n\r\n")) {
    return peer.request.size() < kMaxRequestBytes;
  }
  peer.answer = AnswerTo(peer.request);
  peer.deadline = absl::Now() + kPeerPatience;
  return Send(peer);
}

bool MetricsEndpoint::Send(Peer& peer) const {
  const ssize_t count = send(peer.connection.get(), peer.answer.data(),
                             peer.answer.size(), MSG_NOSIGNAL);
  if (count < 0) return WouldBlock();
  peer.answer.erase(0, static_cast<size_t>(count));
  return !peer.answer.empty();
}

std::string MetricsEndpoint::AnswerTo(const std::string& request) const {
  const std::vector<absl::string_view> words = absl::StrSplit(
      absl::string_view(request).substr(0, request.find("\r\n")), ' ');
  if (words.size() != 3 || !absl::StartsWith(words[2], "HTTP/1.")) {
    return HttpAnswer("400 Bad Request", "");
  }
  if (words[0] != "GET" && words[0] != "HEAD") {
    return HttpAnswer("405 Method Not Allowed", "");
  }
  if (words[1].substr(0, words[1].find('?')) != "/metrics") {
    return HttpAnswer("404 Not Found", "");
  }
  return HttpAnswer("200 OK", Page(), words[0] == "GET");
}

std::string MetricsEndpoint::Page() const {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& source : sources_) {
    for (prometheus::MetricFamily& family : source->Collect()) {
      families.push_back(std::move(family));
    }
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace saliency
