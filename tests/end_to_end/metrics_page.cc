#include "tests/end_to_end/metrics_page.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/status.h"

namespace saliency {
namespace {

absl::Status Unreachable(absl::string_view address) {
  return absl::UnavailableError(
      absl::StrCat("cannot read metrics from ", address));
}

absl::StatusOr<int> Connect(const std::string& address) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(address, ':');
  int port = 0;
  sockaddr_in peer = {};
  peer.sin_family = AF_INET;
  if (!absl::SimpleAtoi(parts.second, &port) ||
      inet_pton(AF_INET, parts.first.c_str(), &peer.sin_addr) != 1) {
    return Unreachable(address);
  }
  peer.sin_port = htons(static_cast<uint16_t>(port));
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(connection, reinterpret_cast<const sockaddr*>(&peer),
              sizeof(peer)) != 0) {
    close(connection);
    return Unreachable(address);
  }
  return connection;
}

// HTTP/1.0: the answer ends with the connection.
absl::StatusOr<std::string> HttpGet(const std::string& address,
                                    absl::string_view path) {
  ASSIGN_OR_RETURN(const int connection, Connect(address));
  const std::string request =
      absl::StrCat("GET ", path, " HTTP/1.0\r\nHost: ", address, "\r\n\r\n");
  std::string answer;
  if (send(connection, request.data(), request.size(), MSG_NOSIGNAL) ==
      static_cast<ssize_t>(request.size())) {
    char buffer[4096];
    for (ssize_t count = 0;
         (count = recv(connection, buffer, sizeof(buffer), 0)) > 0;) {
      answer.append(buffer, count);
    }
  }
  close(connection);
  const size_t head = answer.find("\r\n\r\n");
  if (answer.find(" 200 ") > answer.find("\r\n") || head == std::string::npos) {
    return absl::InternalError(
        absl::StrCat("not an answer of HTTP 200: ", answer.substr(0, 80)));
  }
  return answer.substr(head + 4);
}

// name{label="value",...} number
std::optional<MetricSample> ParseLine(absl::string_view line) {
  const size_t space = line.rfind(' ');
  MetricSample sample;
  if (space == absl::string_view::npos ||
      !absl::SimpleAtod(line.substr(space + 1), &sample.value)) {
    return std::nullopt;
  }
  absl::string_view series = line.substr(0, space);
  const size_t brace = series.find('{');
  sample.name = std::string(series.substr(0, brace));
  if (brace == absl::string_view::npos) return sample;
  series.remove_prefix(brace + 1);
  if (!absl::ConsumeSuffix(&series, "}")) return std::nullopt;
  // No value that this server sends holds a quote or a comma.
  for (const absl::string_view label :
       absl::StrSplit(series, ',', absl::SkipEmpty())) {
    const std::pair<std::string, absl::string_view> parts =
        absl::StrSplit(label, absl::MaxSplits('=', 1));
    absl::string_view value = parts.second;
    absl::ConsumePrefix(&value, "\"");
    absl::ConsumeSuffix(&value, "\"");
    sample.labels[parts.first] = std::string(value);
  }
  return sample;
}

bool Carries(const MetricSample& sample, const MetricLabels& labels) {
  return std::all_of(labels.begin(), labels.end(), [&](const auto& wanted) {
    const auto found = sample.labels.find(wanted.first);
    return found != sample.labels.end() && found->second == wanted.second;
  });
}

}  // namespace

absl::StatusOr<MetricsPage> MetricsPage::Fetch(const std::string& address) {
  ASSIGN_OR_RETURN(const std::string text, HttpGet(address, "/metrics"));
  MetricsPage page;
  for (const absl::string_view line :
       absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (line.front() == '#') continue;
    std::optional<MetricSample> sample =
        ParseLine(absl::StripSuffix(line, "\r"));
    if (!sample.has_value()) {
      return absl::InternalError(absl::StrCat("not a metric: ", line));
    }
    page.samples_.push_back(*std::move(sample));
  }
  return page;
}

double MetricsPage::Sum(absl::string_view name,
                        const MetricLabels& labels) const {
  double sum = 0;
  for (const MetricSample& sample : samples_) {
    if (sample.name == name && Carries(sample, labels)) sum += sample.value;
  }
  return sum;
}

}  // namespace saliency
