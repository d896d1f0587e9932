// The other end of a connection, byte by byte: for what no well-behaved client
// does.  Speaks HTTP/2 as far as frames go.
// Thread-compatible.

#ifndef SALIENCY_TESTS_SERVER_HTTP2_PEER_H_
#define SALIENCY_TESTS_SERVER_HTTP2_PEER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace saliency {

enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
};

struct Frame {
  FrameType type;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;
};

class Http2Peer {
 public:
  // Connects to 127.0.0.1:port, from an IPv4 address of loopback.  Aborts the
  // test when nobody listens.
  explicit Http2Peer(int port, const std::string& from = "127.0.0.1");
  ~Http2Peer();
  Http2Peer(const Http2Peer&) = delete;
  Http2Peer& operator=(const Http2Peer&) = delete;

  // Bytes as they are.  Stops silently once the server has hung up.
  void Send(const std::string& bytes);
  void Send(const Frame& frame);
  // The greeting of a client: preface and empty settings.
  void Greet();
  void EndSending();

  // The next frame; nullopt when the server hangs up, or `idle_timeout` is
  // over. `ended` tells which.
  std::optional<Frame> Read(absl::Duration idle_timeout = absl::Seconds(60));
  bool ended() const { return ended_; }
  // All that comes until the server hangs up.
  std::string ReadAll(absl::Duration idle_timeout = absl::Seconds(60));
  // Reads on, without answering, until the server hangs up; whether it did.
  bool AwaitEnd(absl::Duration idle_timeout = absl::Seconds(60));

 private:
  // Until `received_` holds `size` bytes; false at the end, or in time.
  bool Receive(size_t size, absl::Time deadline);

  const int socket_;
  std::string received_;
  bool ended_ = false;
};

// The bytes of a frame.
std::string FrameBytes(const Frame& frame);
// The payload of HEADERS that begin a call of gRPC; `path` is
// "/package.Service/Method".
std::string CallHeaders(const std::string& path);
// A message's prefix, which claims that it has so many bytes.
std::string MessagePrefix(uint32_t bytes);

inline constexpr char kHttp2Preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace saliency

#endif  // SALIENCY_TESTS_SERVER_HTTP2_PEER_H_
