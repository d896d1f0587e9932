// The server's options: each is a flag, an environment variable
// (SALIENCY_LISTEN_ADDRESS for --listen-address) and a key of the file named by
// --config.  A flag wins over the environment, the environment over the file.
// Pure functions of arguments and environment; call before threads start.

#ifndef SALIENCY_SERVER_OPTIONS_H_
#define SALIENCY_SERVER_OPTIONS_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/engine/engine_limits.h"
#include "server/telemetry/freed_memory.h"
#include "server/transport/transport_options.h"

namespace saliency {

enum class LogFormat { kText, kJson };
enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct ServerOptions {
  std::string models;  // the repository's folder
  std::string listen_address = "127.0.0.1:50051";
  std::string health_address;                      // empty: no second port
  std::string metrics_address = "127.0.0.1:9464";  // empty: off
  std::string port_file;                           // empty: none
  bool insecure = false;   // plain text on an address that is not loopback
  ServerTlsFiles tls;      // of the gRPC port
  std::string token_file;  // empty: no tokens
  bool health_without_token = false;  // on the gRPC port
  bool allow_calibration = false;     // which writes into the repository
  int cpu_threads = 2;                // decode and render
  int torch_threads = 1;              // of one pass, on a CPU
  int64_t max_message_bytes = int64_t{32} << 20;
  EngineLimits limits;
  ConnectionLimits connections;
  StreamLimits stream;
  FreedMemoryOptions freed_memory;
  int max_weight_studies = 1;  // MeasureWeightSensitivity at a time
  int parallel_loads = 4;      // versions of models
  absl::Duration load_timeout = absl::Minutes(10);  // of one; zero: for ever
  absl::Duration stall_timeout = absl::Minutes(5);  // zero: not looked for
  bool exit_on_stall = false;
  absl::Duration send_timeout = absl::Minutes(5);     // zero: for ever
  absl::Duration receive_timeout = absl::Minutes(1);  // zero: for ever
  int max_calls = 4096;                               // in progress
  absl::Duration drain_delay = absl::Seconds(5);
  absl::Duration drain_timeout = absl::Seconds(30);
  LogFormat log_format = LogFormat::kText;
  LogLevel log_level = LogLevel::kInfo;
  int log_lines_per_second = 1000;
};

// Nothing to run: what to print, where, and the exit code (0 for --help and
// --version, 2 for wrong usage).
struct CommandLineExit {
  int code = 0;
  std::string output;  // to stdout when code is 0, else to stderr
};

// `arguments` is the command line without the program's name.
std::variant<ServerOptions, CommandLineExit> ParseCommandLine(
    std::vector<std::string> arguments);

// One row of the documentation, in the order of --help.
struct OptionRow {
  std::string flag;
  std::string environment;
  std::string default_value;
  std::string description;
};
std::vector<OptionRow> DescribeOptions();

// Whether only this machine can reach `address` ("host:port").
bool IsLoopback(absl::string_view address);

}  // namespace saliency

#endif  // SALIENCY_SERVER_OPTIONS_H_
