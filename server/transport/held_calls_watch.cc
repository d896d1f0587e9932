#include "server/transport/held_calls_watch.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
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

json Servers() { return At(Told(grpc_channelz_get_servers(0)), "server"); }

// By all servers of this process so far.
int64_t CallsBegun() {
  int64_t sum = 0;
  for (const json& server : Servers()) {
    sum += Number(At(server, "data"), "callsStarted");
  }
  return sum;
}

int64_t CallsHeld(int64_t socket) {
  const json told = Told(grpc_channelz_get_socket(socket));
  const json& data = At(At(told, "socket"), "data");
  return Number(data, "streamsStarted") - Number(data, "streamsSucceeded") -
         Number(data, "streamsFailed");
}

// "chttp2 ipv4:127.0.0.1:4711" without its first word.
std::string ConnectionOf(const json& socket) {
  const json& name = At(socket, "name");
  if (!name.is_string()) return "";
  const std::vector<std::string> words =
      absl::StrSplit(name.get_ref<const std::string&>(), ' ');
  return words.back();
}

// Of the ledger's connections.
std::vector<HeldCalls> ReadHeldCalls(const ConnectionLedger& ledger) {
  std::vector<HeldCalls> held;
  for (const json& server : Servers()) {
    const int64_t id = Number(At(server, "ref"), "serverId");
    int64_t next = 0;
    for (bool end = false; !end;) {
      const json page = Told(grpc_channelz_get_server_sockets(id, next, 0));
      const json& sockets = At(page, "socketRef");
      end = sockets.empty() || At(page, "end") == true;
      for (const json& socket : sockets) {
        const int64_t number = Number(socket, "socketId");
        next = number + 1;
        std::string name = ConnectionOf(socket);
        std::optional<std::string> peer = ledger.PeerOf(name);
        if (!peer.has_value()) continue;
        held.push_back({.connection = std::move(name),
                        .peer = *std::move(peer),
                        .calls = CallsHeld(number)});
      }
    }
  }
  return held;
}

}  // namespace

std::vector<HeldCalls> OverLimits(std::vector<HeldCalls> held,
                                  const HeldCallsLimits& limits) {
  const auto first_over = std::partition(
      held.begin(), held.end(), [&](const HeldCalls& connection) {
        return connection.calls <= limits.per_connection;
      });
  std::vector<HeldCalls> over(first_over, held.end());
  held.erase(first_over, held.end());
  std::map<std::string, int64_t> peers;
  int64_t sum = 0;
  for (const HeldCalls& connection : held) {
    peers[connection.peer] += connection.calls;
    sum += connection.calls;
  }
  while (sum > limits.total) {
    const auto rank = [&](const HeldCalls& one) {
      return std::pair(peers.at(one.peer), one.calls);
    };
    const auto largest = std::max_element(
        held.begin(), held.end(),
        [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    peers.at(largest->peer) -= largest->calls;
    sum -= largest->calls;
    over.push_back(std::move(*largest));
    held.erase(largest);
  }
  return over;
}

HeldCallsWatch::HeldCallsWatch(const HeldCallsLimits& limits,
                               ConnectionLedger& ledger, Clock& clock, Log& log)
    : limits_(limits),
      ledger_(ledger),
      log_(log),
      look_(clock, kLookEvery, [this] { Look(); }) {}

void HeldCallsWatch::Look() {
  // A close look at a thousand connections takes 10 ms: only when enough has
  // begun that a limit may have been passed.
  const int64_t begun = CallsBegun();
  if (std::abs(begun - begun_) < (limits_.per_connection + 1) / 2) return;
  begun_ = begun;
  for (const HeldCalls& one : OverLimits(ReadHeldCalls(ledger_), limits_)) {
    log_.Warning("a connection begins calls faster than they end: reset",
                 {{"connection", one.connection}, {"calls", one.calls}});
    ledger_.Reset(one.connection, absl::Now());
  }
}

}  // namespace saliency
