#include "server/transport/held_calls_watch.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "grpc/grpc.h"
#include "grpc/support/alloc.h"
#include "nlohmann/json.hpp"

namespace saliency {
namespace {

using nlohmann::json;

// A thousand calls may begin in between.
constexpr absl::Duration kLookEvery = absl::Milliseconds(20);
// For which a peer that does harm may not connect.
constexpr absl::Duration kPenalty = absl::Seconds(10);

// What channelz says; null when there is no such thing any more.
json Told(char* text) {
  const std::unique_ptr<char, decltype(&gpr_free)> owned(text, &gpr_free);
  if (text == nullptr) return nullptr;
  return json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
}

const json& At(const json& object, const char* name) {
  static const auto* const nothing = new json();
  const auto found = object.find(name);
  return found == object.end() ? *nothing : *found;
}

// Numbers of 64 bits are texts; 0 is left out.
int64_t Number(const json& object, const char* name) {
  const json& text = At(object, name);
  int64_t number = 0;
  return text.is_string() &&
                 absl::SimpleAtoi(text.get_ref<const std::string&>(), &number)
             ? number
             : 0;
}

// "chttp2 ipv4:127.0.0.1:4711" without its first word.
std::string ConnectionOf(const json& socket) {
  const json& name = At(socket, "name");
  if (!name.is_string()) return "";
  const std::vector<std::string> words =
      absl::StrSplit(name.get_ref<const std::string&>(), ' ');
  return words.back();
}

// Of the socket of that number.
HeldCalls ReadHeldCalls(int64_t socket, std::string connection,
                        const ConnectionLedger& ledger) {
  const json told = Told(grpc_channelz_get_socket(socket));
  const json& data = At(At(told, "socket"), "data");
  const int64_t answered = Number(data, "streamsSucceeded");
  std::string peer = ledger.PeerOf(connection).value_or("");
  return {.connection = std::move(connection),
          .peer = std::move(peer),
          .calls = Number(data, "streamsStarted") - answered -
                   Number(data, "streamsFailed"),
          .answered = answered};
}

std::vector<HeldCalls> ReadAllHeldCalls(int64_t server,
                                        const ConnectionLedger& ledger) {
  std::vector<HeldCalls> held;
  int64_t next = 0;
  for (bool end = false; !end;) {
    const json page = Told(grpc_channelz_get_server_sockets(server, next, 0));
    const json& sockets = At(page, "socketRef");
    end = sockets.empty() || At(page, "end") == true;
    for (const json& socket : sockets) {
      const int64_t number = Number(socket, "socketId");
      next = number + 1;
      held.push_back(ReadHeldCalls(number, ConnectionOf(socket), ledger));
    }
  }
  return held;
}

int64_t SumOf(const std::vector<HeldCalls>& held) {
  return std::accumulate(
      held.begin(), held.end(), int64_t{0},
      [](int64_t sum, const HeldCalls& one) { return sum + one.calls; });
}

// Takes out the largest connection of the peer that has the most.
HeldCalls TakeLargest(std::vector<HeldCalls>& held) {
  std::map<std::string, int64_t> peers;
  for (const HeldCalls& one : held) peers[one.peer] += one.calls;
  const auto rank = [&](const HeldCalls& one) {
    return std::pair(peers.at(one.peer), one.calls);
  };
  const auto largest = std::max_element(
      held.begin(), held.end(),
      [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  HeldCalls taken = std::move(*largest);
  held.erase(largest);
  return taken;
}

}  // namespace

std::vector<HeldCalls> OverLimits(const std::vector<HeldCalls>& held,
                                  const HeldCallsLimits& limits) {
  const bool strict = SumOf(held) > 2 * limits.total;
  std::vector<HeldCalls> open;
  std::vector<HeldCalls> over;
  for (const HeldCalls& one : held) {
    if (one.peer.empty()) continue;
    const bool goes =
        one.calls > limits.per_connection || (strict && one.answered == 0);
    (goes ? over : open).push_back(one);
  }
  int64_t sum = SumOf(open);
  while (sum > limits.total) {
    over.push_back(TakeLargest(open));
    sum -= over.back().calls;
  }
  return over;
}

int64_t NewestChannelzServer() {
  int64_t newest = 0;
  for (int64_t next = 0; true; next = newest + 1) {
    const json page = Told(grpc_channelz_get_servers(next));
    for (const json& server : At(page, "server")) {
      newest = Number(At(server, "ref"), "serverId");
    }
    if (At(page, "end") == true || At(page, "server").empty()) return newest;
  }
}

HeldCallsWatch::HeldCallsWatch(const HeldCallsLimits& limits, int64_t server,
                               ConnectionLedger& ledger, Clock& clock, Log& log)
    : limits_(limits),
      server_(server),
      ledger_(ledger),
      log_(log),
      look_(clock, kLookEvery, [this] { Look(); }) {}

void HeldCallsWatch::Look() {
  // A close look at a thousand connections takes 10 ms: only when enough has
  // begun that a limit may have been passed.
  const json told = Told(grpc_channelz_get_server(server_));
  const int64_t begun = Number(At(At(told, "server"), "data"), "callsStarted");
  if (!full_ && begun - begun_ < (limits_.per_connection + 1) / 2) return;
  begun_ = begun;
  CloseLook();
}

void HeldCallsWatch::CloseLook() {
  const std::vector<HeldCalls> held = ReadAllHeldCalls(server_, ledger_);
  for (const HeldCalls& one : OverLimits(held, limits_)) {
    log_.Warning("a connection begins calls faster than they end: reset",
                 {{"connection", one.connection}, {"calls", one.calls}});
    // One that held no more than HTTP/2 lets it may come again.
    const bool harms = one.calls > limits_.per_connection / 4;
    ledger_.Reset(one.connection,
                  absl::Now() + (harms ? kPenalty : absl::ZeroDuration()));
  }
  const int64_t sum = SumOf(held);
  if (full_ != (sum > limits_.total)) {
    full_ = !full_;
    log_.Warning(full_ ? "too many calls are held: nobody may connect"
                       : "fewer calls are held: everybody may connect again",
                 {{"calls", sum}});
    ledger_.Close(full_);
  }
}

}  // namespace saliency
