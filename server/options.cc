#include "server/options.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/cpu_limit.h"
#include "core/base/status.h"
#include "core/base/text_lines.h"
#include "server/option_adder.h"
#include "server/options_transport.h"
#include "server/version.h"

namespace saliency {
namespace {

constexpr int64_t kMaxThreads = 1024;
constexpr int64_t kMaxBytes = int64_t{1} << 40;
// gRPC counts message bytes in an int.
constexpr int64_t kMaxMessageBytes = (int64_t{1} << 31) - (int64_t{1} << 20);

// CLI11 lets the file win over the environment; a container's environment is
// meant to override the file that it mounts.
class FileBelowEnvironment : public CLI::ConfigTOML {
 public:
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    const std::string text((std::istreambuf_iterator<char>(input)),
                           std::istreambuf_iterator<char>());
    const auto lines = TextLines(text);
    if (!lines.ok()) {
      throw CLI::FileError(
          absl::StrCat("--config: the file ", lines.status().message()),
          CLI::ExitCodes::FileError);
    }
    std::istringstream plain(absl::StrJoin(*lines, "\n"));
    std::vector<CLI::ConfigItem> read = CLI::ConfigTOML::from_config(plain);
    std::erase_if(read, [](const CLI::ConfigItem& item) {
      const char* value = std::getenv(EnvironmentName(item.name).c_str());
      return value != nullptr && *value != '\0';
    });
    return read;
  }
};

// The command line as CLI11 sees it.
class CommandLine {
 public:
  explicit CommandLine(ServerOptions& options)
      : options_(options),
        app_("Explains the decisions of image models over gRPC.",
             "saliency-server"),
        adder_(app_) {
    app_.config_formatter(std::make_shared<FileBelowEnvironment>());
    app_.set_config("--config", "", "Read options from this TOML or INI file")
        ->envname("SALIENCY_CONFIG");
    app_.allow_config_extras(CLI::config_extras_mode::error);
    app_.set_version_flag("--version", VersionText());
    AddAddresses();
    AddSecurityOptions(adder_, options_);
    AddThreads();
    AddLimits();
    AddConnectionOptions(adder_, options_);
    AddLifecycle();
    AddLogging();
  }

  CLI::App& app() { return app_; }

  // Completes the options.  Returns what is wrong with them, or nothing.
  std::string Finish() {
    options_.metrics_address =
        metrics_address_ == "off" ? "" : metrics_address_;
    return CheckSecurityOptions(options_);
  }

 private:
  void AddAddresses() {
    adder_
        .Add("models", options_.models,
             "Model repository: <model>/<version>/model.pt. A TorchScript file "
             "is code; load only what you trust")
        ->required()
        ->check(CLI::ExistingDirectory.description(""))
        ->type_name("DIR");
    adder_.AddSwitch("allow-calibration", options_.allow_calibration,
                     "Let callers measure layer weights "
                     "(CalibrateLayerWeights), which are stored in the model "
                     "repository");
    adder_.AddAddress("listen-address", options_.listen_address,
                      "Address of the gRPC port; [::] are all of IPv6 and "
                      "IPv4, 0.0.0.0 those of IPv4; port 0 takes a free one");
    adder_.AddAddress("health-address", options_.health_address,
                      "Second, plain text port with grpc.health.v1 alone, open "
                      "to all that reach it; none by default");
    metrics_address_ = options_.metrics_address;
    adder_
        .Add("metrics-address", metrics_address_,
             "Address of Prometheus' /metrics, or off")
        ->check((AddressValidator() | CLI::IsMember({"off"})).description(""))
        ->type_name("HOST:PORT");
    adder_.AddFile("port-file", options_.port_file,
                   "Write the bound ports here once they are open, as lines "
                   "grpc=PORT, health=PORT, metrics=PORT");
  }

  void AddThreads() {
    options_.cpu_threads = AvailableCpus();
    options_.torch_threads = AvailableCpus();
    adder_.AddCount(
        "cpu-threads", options_.cpu_threads, kMaxThreads,
        "Threads that decode images and render maps; default: the CPUs "
        "this process may use");
    adder_.AddCount(
        "torch-threads", options_.torch_threads, kMaxThreads,
        "Threads of one pass on the CPU; default: the CPUs this process "
        "may use");
  }

  void AddLimits() {
    EngineLimits& limits = options_.limits;
    adder_.AddBytes("max-message-bytes", options_.max_message_bytes,
                    kMaxMessageBytes, "Largest request, bytes");
    adder_.AddBytes("max-image-bytes", limits.decode.max_bytes, kMaxBytes,
                    "Largest encoded image, bytes");
    adder_.AddCount(
        "max-pixels", limits.decode.max_pixels, int64_t{1} << 30,
        "Largest image, pixels, read from its header before decoding");
    adder_.AddCount("max-targets", limits.max_targets, 1 << 16,
                    "Targets of one request");
    adder_.AddCount("max-rows", limits.max_rows, 1 << 20,
                    "Rows (images x targets) of one request");
    adder_.AddCount("max-attributions", limits.max_attributions, 1 << 16,
                    "Attributions of one request");
    adder_.AddCount("max-layers", limits.max_layers, 1 << 20,
                    "Layers of one request, summed over its attributions");
    adder_.AddCount("max-output-pixels", limits.max_output_pixels,
                    int64_t{1} << 30, "Pixels of one map");
    adder_.AddCount("max-map-pixels", limits.max_map_pixels, int64_t{1} << 40,
                    "Maps x pixels of one answer");
    adder_.AddCount("max-work", limits.max_work, int64_t{1} << 50,
                    "Pixels of one request's decoding and rendering, each "
                    "counted as often as what is done to it costs: 1 a map, 2 "
                    "more to smooth it, 5 for a PNG, 16 for a correlation");
    adder_.AddBytes("max-answer-bytes", limits.max_answer_bytes,
                    kMaxMessageBytes,
                    "Largest answer, bytes, to a caller that does not say in "
                    "output.max_answer_bytes what it can receive; gRPC's "
                    "clients take 4 MiB unless told otherwise");
    adder_.AddCount("max-weight-studies", options_.max_weight_studies, 64,
                    "Calls of MeasureWeightSensitivity at a time; each holds a "
                    "copy of its model");
    adder_.AddCount("queue-items", limits.queue_items, 1 << 20,
                    "Requests that may wait: to be decoded, to be run, to be "
                    "rendered");
    adder_.AddBytes("queue-bytes", limits.queue_bytes, kMaxBytes,
                    "Bytes of inputs, images and answers held, these until "
                    "they were taken");
    adder_
        .Add("caller-share", limits.caller_share,
             "The part of --queue-items and --queue-bytes that one caller (a "
             "token, or else a connection) may have")
        ->check(CLI::Range(0.001, 1.0))
        ->type_name("0.001..1");
    adder_.AddBytes("scratch-bytes", limits.scratch_bytes, kMaxBytes,
                    "Bytes that decoding and rendering use at a time, all "
                    "--cpu-threads together, or one request alone");
    adder_.AddBytes("keep-freed-bytes", options_.freed_memory.keep_bytes,
                    kMaxBytes,
                    "Freed memory that is kept for the next request while "
                    "there is work");
    adder_.AddDuration("return-freed-after", options_.freed_memory.after,
                       absl::ZeroDuration(),
                       "Give freed memory beyond that, and without work all of "
                       "it, back to the system when it was not needed for as "
                       "long; 0: never");
  }

  void AddLifecycle() {
    adder_.AddCount("parallel-loads", options_.parallel_loads, 64,
                    "Versions of models that are loaded at a time");
    adder_.AddDuration("load-timeout", options_.load_timeout,
                       absl::ZeroDuration(),
                       "How long one version may take to load and warm up "
                       "before it is FAILED and given up; 0 waits for ever");
    adder_.AddDuration("stall-timeout", options_.stall_timeout,
                       absl::ZeroDuration(),
                       "How long a pass, a decoding or a rendering may be "
                       "without progress before health says NOT_SERVING; 0 "
                       "never");
    adder_.AddSwitch("exit-on-stall", options_.exit_on_stall,
                     "Drain and exit with code 6 when that happens");
    adder_.AddDuration("drain-delay", options_.drain_delay,
                       absl::ZeroDuration(),
                       "After SIGTERM, SIGINT or SIGHUP: how long to go on "
                       "serving while health says NOT_SERVING");
    adder_.AddDuration("drain-timeout", options_.drain_timeout,
                       absl::ZeroDuration(),
                       "After the delay: how long to finish what is in flight");
  }

  void AddLogging() {
    adder_
        .Add("log-format", options_.log_format,
             "text or json (one object a line)")
        ->transform(CLI::Transformer(std::map<std::string, LogFormat>{
                                         {"text", LogFormat::kText},
                                         {"json", LogFormat::kJson}})
                        .description(""))
        ->default_str("text")
        ->type_name("FORMAT");
    adder_
        .Add("log-level", options_.log_level, "debug, info, warning or error")
        ->transform(CLI::Transformer(std::map<std::string, LogLevel>{
                                         {"debug", LogLevel::kDebug},
                                         {"info", LogLevel::kInfo},
                                         {"warning", LogLevel::kWarning},
                                         {"error", LogLevel::kError}})
                        .description(""))
        ->default_str("info")
        ->type_name("LEVEL");
    adder_.AddCount("log-lines-per-second", options_.log_lines_per_second,
                    1 << 20,
                    "Lines of the log a second, warnings and errors apart; "
                    "more are dropped and counted");
  }

  ServerOptions& options_;
  CLI::App app_;
  OptionAdder adder_;
  std::string metrics_address_;
};

CommandLineExit WrongUsage(absl::string_view message) {
  return {
      .code = 2,
      .output = absl::StrCat("saliency-server: ", message, " (see --help)\n")};
}

}  // namespace

std::variant<ServerOptions, CommandLineExit> ParseCommandLine(
    std::vector<std::string> arguments) {
  ServerOptions options;
  CommandLine line(options);
  // CLI11 takes its arguments last first, and throws to say anything.
  std::reverse(arguments.begin(), arguments.end());
  std::string problem;
  const absl::Status parsed = CatchAsStatus(
      "command line",
      [&] {
        line.app().parse(std::move(arguments));
        return absl::OkStatus();
      },
      [&](absl::string_view what) { problem = std::string(what); });
  if (line.app().get_help_ptr()->count() > 0) {
    return CommandLineExit{.output = line.app().help()};
  }
  if (line.app().get_version_ptr()->count() > 0) {
    return CommandLineExit{.output = absl::StrCat(VersionText(), "\n")};
  }
  if (!parsed.ok()) return WrongUsage(problem);
  if (const std::string wrong = line.Finish(); !wrong.empty()) {
    return WrongUsage(wrong);
  }
  return options;
}

std::vector<OptionRow> DescribeOptions() {
  ServerOptions options;
  CommandLine line(options);
  std::vector<OptionRow> rows;
  for (const CLI::Option* option : line.app().get_options()) {
    rows.push_back({.flag = option->get_name(),
                    .environment = option->get_envname(),
                    .default_value = option->get_default_str(),
                    .description = option->get_description()});
  }
  return rows;
}

bool IsLoopback(absl::string_view address) {
  const absl::string_view host = address.substr(0, address.rfind(':'));
  if (host == "localhost" || host == "[::1]") return true;
  // A name may begin with 127 too: only numbers are trusted.
  return absl::StartsWith(host, "127.") &&
         host.find_first_not_of("0123456789.") == absl::string_view::npos;
}

}  // namespace saliency
