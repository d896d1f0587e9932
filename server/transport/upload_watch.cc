#include "server/transport/upload_watch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/refusal_reason.h"

namespace saliency {
namespace {

// What comes with a message besides: headers, frames, TLS records.
constexpr int64_t kHeaderBytes = 256;
constexpr int64_t kMessageBytesPerFrameByte = 256;

std::string WhyEnded(int64_t bytes) {
  return absl::StrCat(
      "the server holds more than ", bytes,
      " bytes of requests that have not come whole, most of it from here");
}

}  // namespace

UploadWatch::UploadWatch(Clock& clock, Log& log, const ConnectionLedger* ledger,
                         const Options& options)
    : clock_(clock),
      log_(log),
      ledger_(ledger),
      options_(options),
      thread_([this] { Run(); }) {}

UploadWatch::~UploadWatch() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

int64_t UploadWatch::Begin(grpc_call* call, const std::string& connection,
                           const std::string& request_id) {
  const std::optional<Arrived> arrived = Find(connection);
  grpc_call_ref(call);
  Upload upload = {.call = std::unique_ptr<grpc_call, Unref>(call),
                   .request_id = request_id,
                   .from = arrived.has_value() ? arrived->bytes : 0};
  MutexLock lock(&mu_);
  const int64_t ticket = upload.ticket = ++last_ticket_;
  Connection& entry = connections_[connection];
  if (arrived.has_value()) entry.peer = arrived->peer;
  entry.uploads.push_back(std::move(upload));
  awaited_.emplace_hint(awaited_.end(), ticket, connection);
  return ticket;
}

absl::Status UploadWatch::End(int64_t ticket, int64_t bytes) {
  Upload ended;  // outlives the lock: what it holds is let go under none
  MutexLock lock(&mu_);
  const auto awaited = awaited_.find(ticket);
  if (awaited == awaited_.end()) {
    return UploadsFullError(WhyEnded(options_.bytes));
  }
  const auto connection = connections_.find(awaited->second);
  awaited_.erase(awaited);
  std::deque<Upload>& uploads = connection->second.uploads;
  const auto upload =
      std::find_if(uploads.begin(), uploads.end(),
                   [&](const Upload& one) { return one.ticket == ticket; });
  // All of it came since those began that have waited longer.
  if (bytes > 0) {
    const int64_t gone =
        bytes + bytes / kMessageBytesPerFrameByte + kHeaderBytes;
    for (auto older = uploads.begin(); older != upload; ++older) {
      older->gone += gone;
    }
  }
  ended = std::move(*upload);
  uploads.erase(upload);
  if (uploads.empty()) connections_.erase(connection);
  return absl::OkStatus();
}

void UploadWatch::Run() {
  while (true) {
    {
      MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &UploadWatch::StoppingOrBusy));
      if (clock_.AwaitWithDeadline(&mu_, absl::Condition(&stopping_),
                                   clock_.Now() + options_.every)) {
        return;
      }
    }
    for (const Upload& upload : Look()) Cancel(upload);
  }
}

std::vector<UploadWatch::Upload> UploadWatch::Look() {
  std::map<std::string, Arrived> arrived;
  {
    MutexLock lock(&mu_);
    for (const auto& [name, connection] : connections_) arrived[name] = {};
  }
  for (auto it = arrived.begin(); it != arrived.end();) {
    std::optional<Arrived> found = Find(it->first);
    if (!found.has_value()) {
      it = arrived.erase(it);
    } else {
      (it++)->second = *std::move(found);
    }
  }
  std::vector<Upload> ended;
  MutexLock lock(&mu_);
  int64_t held = Measure(arrived);
  while (held > options_.bytes) {
    const auto largest = LargestOfLargestPeer();
    const int64_t before = largest->second.held;
    const auto uploads = static_cast<int64_t>(largest->second.uploads.size());
    ended.push_back(TakeOldest(largest));
    // Each is taken to hold as much as the next.
    held -= uploads == 1 ? before : before / uploads;
  }
  return ended;
}

int64_t UploadWatch::Measure(const std::map<std::string, Arrived>& arrived) {
  int64_t sum = 0;
  for (auto& [name, connection] : connections_) {
    const auto found = arrived.find(name);
    const Upload& oldest = connection.uploads.front();
    connection.held =
        found == arrived.end()
            ? 0
            : std::max<int64_t>(found->second.bytes - oldest.from - oldest.gone,
                                0);
    sum += connection.held;
  }
  return sum;
}

UploadWatch::Connections::iterator UploadWatch::LargestOfLargestPeer() {
  std::map<std::string, int64_t> peers;
  for (const auto& [name, connection] : connections_) {
    peers[connection.peer] += connection.held;
  }
  const auto rank = [&](const Connections::value_type& one) {
    return std::pair(peers.at(one.second.peer), one.second.held);
  };
  return std::max_element(
      connections_.begin(), connections_.end(),
      [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
}

UploadWatch::Upload UploadWatch::TakeOldest(Connections::iterator connection) {
  std::deque<Upload>& uploads = connection->second.uploads;
  const int64_t share =
      connection->second.held / static_cast<int64_t>(uploads.size());
  Upload oldest = std::move(uploads.front());
  uploads.pop_front();
  awaited_.erase(oldest.ticket);
  for (Upload& younger : uploads) younger.gone += share;
  connection->second.held -= share;
  if (uploads.empty()) connections_.erase(connection);
  return oldest;
}

std::optional<Arrived> UploadWatch::Find(const std::string& connection) const {
  return ledger_ == nullptr ? std::nullopt : ledger_->Find(connection);
}

void UploadWatch::Cancel(const Upload& upload) {
  log_.Warning("unfinished requests hold too much: one is ended",
               {{"request_id", upload.request_id}, {"bytes", options_.bytes}});
  grpc_call_cancel_with_status(upload.call.get(),
                               GRPC_STATUS_RESOURCE_EXHAUSTED,
                               WhyEnded(options_.bytes).c_str(), nullptr);
}

AwaitedUpload::AwaitedUpload(UploadWatch* watch,
                             grpc::CallbackServerContext& context,
                             const std::string& request_id)
    : watch_(watch),
      ticket_(watch == nullptr ? 0
                               : watch->Begin(context.c_call(), context.peer(),
                                              request_id)) {}

}  // namespace saliency
