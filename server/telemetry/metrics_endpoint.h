// Serves /metrics over HTTP, read only.
//
// One thread serves all peers at once, none of them waits for another: a peer
// that is slow, silent or half done costs its place alone, until its time is
// over or the place is needed.
// Thread-safe.

#ifndef SALIENCY_SERVER_TELEMETRY_METRICS_ENDPOINT_H_
#define SALIENCY_SERVER_TELEMETRY_METRICS_ENDPOINT_H_

#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "prometheus/collectable.h"
#include "server/transport/file_descriptor.h"
#include "server/transport/listening_sockets.h"

namespace saliency {

class MetricsEndpoint {
 public:
  // Errors: UNAVAILABLE the address (HOST:PORT) cannot be bound.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(
      const std::string& address,
      std::vector<std::shared_ptr<prometheus::Collectable>> sources);
  ~MetricsEndpoint();
  MetricsEndpoint(const MetricsEndpoint&) = delete;
  MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;

  int port() const { return sockets_.port(); }  // the bound one

 private:
  struct Peer {
    FileDescriptor connection;
    absl::Time deadline;
    std::string request;  // as far as it has come
    std::string answer;   // what has not left; empty: the request is not whole
  };

  MetricsEndpoint(
      ListeningSockets sockets,
      std::vector<std::shared_ptr<prometheus::Collectable>> sources);

  void Run();
  // Waits for something to happen; false when it is time to stop.
  bool Turn();
  void Accept(int socket);
  // Each takes or gives what there is; false: the peer is to go.
  bool Receive(Peer& peer) const;
  bool Send(Peer& peer) const;
  std::string AnswerTo(const std::string& request) const;
  std::string Page() const;

  const ListeningSockets sockets_;
  const std::vector<std::shared_ptr<prometheus::Collectable>> sources_;
  const FileDescriptor wake_;  // readable: stop
  std::list<Peer> peers_;      // oldest first; the thread's own
  std::thread thread_;         // last: uses all of the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TELEMETRY_METRICS_ENDPOINT_H_
