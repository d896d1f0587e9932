#include "tests/server/http2_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/time/clock.h"

namespace saliency {
namespace {

constexpr size_t kHeadBytes = 9;  // length 3, type 1, flags 1, stream 4

int Connect(int port, const std::string& from) {
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in own = {};
  own.sin_family = AF_INET;
  inet_pton(AF_INET, from.c_str(), &own.sin_addr);
  if (bind(connection, reinterpret_cast<const sockaddr*>(&own), sizeof own) !=
      0) {
    std::abort();
  }
  sockaddr_in server = {};
  server.sin_family = AF_INET;
  server.sin_port = htons(static_cast<uint16_t>(port));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(connection, reinterpret_cast<const sockaddr*>(&server),
              sizeof server) != 0) {
    std::abort();
  }
  return connection;
}

uint32_t BigEndian(const std::string& bytes, size_t at, size_t count) {
  uint32_t value = 0;
  for (size_t i = at; i < at + count; ++i) {
    value = (value << 8) | static_cast<uint8_t>(bytes[i]);
  }
  return value;
}

void AppendBigEndian(uint32_t value, int count, std::string& bytes) {
  for (int i = count - 1; i >= 0; --i) {
    bytes.push_back(static_cast<char>(value >> (8 * i)));
  }
}

}  // namespace

std::string FrameBytes(const Frame& frame) {
  std::string bytes;
  AppendBigEndian(static_cast<uint32_t>(frame.payload.size()), 3, bytes);
  bytes.push_back(static_cast<char>(frame.type));
  bytes.push_back(static_cast<char>(frame.flags));
  AppendBigEndian(frame.stream, 4, bytes);
  return bytes + frame.payload;
}

std::string CallHeaders(const std::string& path) {
  std::string block;
  // Literals without indexing, of less than 127 bytes each.
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{
           {":method", "POST"},
           {":scheme", "http"},
           {":path", path},
           {":authority", "test"},
           {"te", "trailers"},
           {"content-type", "application/grpc"}}) {
    block.push_back('\0');
    for (const std::string& text : {name, value}) {
      block.push_back(static_cast<char>(text.size()));
      block += text;
    }
  }
  return block;
}

std::string MessagePrefix(uint32_t bytes) {
  std::string prefix(1, '\0');  // not compressed
  AppendBigEndian(bytes, 4, prefix);
  return prefix;
}

Http2Peer::Http2Peer(int port, const std::string& from)
    : socket_(Connect(port, from)) {}

Http2Peer::~Http2Peer() { close(socket_); }

void Http2Peer::Send(const std::string& bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t count =
        send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<size_t>(count);
  }
}

void Http2Peer::Send(const Frame& frame) { Send(FrameBytes(frame)); }

void Http2Peer::Greet() {
  Send(kHttp2Preface);
  Send(Frame{.type = FrameType::kSettings});
}

void Http2Peer::EndSending() { shutdown(socket_, SHUT_WR); }

bool Http2Peer::Receive(size_t size, absl::Time deadline) {
  while (received_.size() < size && !ended_) {
    pollfd waiting = {.fd = socket_, .events = POLLIN};
    const absl::Duration left =
        std::max(deadline - absl::Now(), absl::ZeroDuration());
    const int ready =
        poll(&waiting, 1, static_cast<int>(absl::ToInt64Milliseconds(left)));
    if (ready == 0) return false;
    char buffer[4096];
    const ssize_t count = recv(socket_, buffer, sizeof buffer, 0);
    if (count > 0) {
      received_.append(buffer, static_cast<size_t>(count));
    } else {
      ended_ = true;  // hung up, or reset
    }
  }
  return received_.size() >= size;
}

std::optional<Frame> Http2Peer::Read(absl::Duration idle_timeout) {
  const absl::Time deadline = absl::Now() + idle_timeout;
  if (!Receive(kHeadBytes, deadline)) return std::nullopt;
  const size_t length = BigEndian(received_, 0, 3);
  if (!Receive(kHeadBytes + length, deadline)) return std::nullopt;
  Frame frame = {.type = static_cast<FrameType>(received_[3]),
                 .flags = static_cast<uint8_t>(received_[4]),
                 .stream = BigEndian(received_, 5, 4),
                 .payload = received_.substr(kHeadBytes, length)};
  received_.erase(0, kHeadBytes + length);
  return frame;
}

std::string Http2Peer::ReadAll(absl::Duration idle_timeout) {
  const absl::Time deadline = absl::Now() + idle_timeout;
  while (!ended_ && absl::Now() < deadline) {
    Receive(received_.size() + 1, deadline);
  }
  return std::move(received_);
}

bool Http2Peer::AwaitEnd(absl::Duration idle_timeout) {
  const absl::Time deadline = absl::Now() + idle_timeout;
  while (!ended_ && absl::Now() < deadline) {
    received_.clear();
    Receive(1, deadline);
  }
  return ended_;
}

}  // namespace saliency
