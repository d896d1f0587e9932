// `saliency bench IMAGE...`: puts a server under load and tells latency,
// throughput and errors.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/connection_flags.h"
#include "client/cli/enum_text.h"
#include "client/cli/image_files.h"
#include "client/cli/load_run.h"
#include "client/cli/load_summary.h"
#include "client/cli/request_flags.h"
#include "client/cli/request_text.h"
#include "core/base/status.h"

namespace saliency {
namespace {

constexpr int kOpenLoopCallers = 256;
constexpr absl::Duration kTick = absl::Seconds(1);
constexpr int kPlainTicks = 5;  // between lines when there is no terminal

struct BenchFlags {
  ConnectionFlags connection;
  RequestFlags request;
  std::vector<std::string> images;
  bool recursive = false;
  std::string size = "image";
  std::string encoding = "float32";
  int concurrency = 0;  // 0: 16 in a closed loop, 256 in an open one
  double rate = 0;
  std::string duration;  // empty: 10s, or until --requests are done
  int64_t requests = 0;
};

// Understood, with the images in memory: disks are not what is measured.
struct BenchPlan {
  std::vector<v1::ComputeSaliencyRequest> requests;  // one for each image
  LoadOptions load;
};

absl::StatusOr<LoadOptions> MakeLoad(const BenchFlags& flags) {
  LoadOptions load = {.rate = flags.rate, .calls = flags.requests};
  load.callers = flags.concurrency;
  if (load.callers == 0) load.callers = flags.rate > 0 ? kOpenLoopCallers : 16;
  if (!flags.duration.empty()) {
    const absl::StatusOr<absl::Duration> duration =
        ParseTimeout(flags.duration);
    if (!duration.ok()) return Annotate(duration.status(), "--duration");
    load.duration = *duration;
  } else if (load.calls == 0) {
    load.duration = absl::Seconds(10);
  }
  return load;
}

absl::StatusOr<BenchPlan> MakePlan(const BenchFlags& flags,
                                   std::istream& input) {
  BenchPlan plan;
  ASSIGN_OR_RETURN(plan.load, MakeLoad(flags));
  ASSIGN_OR_RETURN(v1::ComputeSaliencyRequest request,
                   MakeRequest(flags.request, flags.connection));
  ASSIGN_OR_RETURN(const v1::OutputOptions size, ParseSize(flags.size));
  request.mutable_output()->MergeFrom(size);
  ASSIGN_OR_RETURN(const int encoding, ParseEnum(*v1::MapEncoding_descriptor(),
                                                 "encoding", flags.encoding));
  request.mutable_output()->set_encoding(
      static_cast<v1::MapEncoding>(encoding));
  ASSIGN_OR_RETURN(const std::vector<ImageFile> files,
                   ListImages(flags.images,
                              {.recursive = flags.recursive, .input = &input}));
  for (const ImageFile& file : files) {
    absl::StatusOr<std::string> image = ReadImage(file);
    if (!image.ok()) return Annotate(image.status(), file.path);
    plan.requests.push_back(request);
    plan.requests.back().mutable_input()->set_image(*std::move(image));
  }
  return plan;
}

// Says now and then how far the run is.
class LoadProgress {
 public:
  explicit LoadProgress(Console& console) : console_(console) {}

  void Show(const LoadCounts& counts, absl::Duration elapsed) {
    ++ticks_;
    const double seconds = absl::ToDoubleSeconds(elapsed);
    const std::string text = absl::StrFormat(
        "%.0fs: %d answered, %.1f/s, %d failed", seconds, counts.answered,
        static_cast<double>(counts.answered) / seconds, counts.failed);
    if (console_.err_is_terminal) {
      console_.err << "\r\x1b[K" << text << std::flush;
    } else if (ticks_ % kPlainTicks == 0) {
      console_.err << text << std::endl;
    }
  }
  void Hide() {
    if (ticks_ > 0 && console_.err_is_terminal) {
      console_.err << "\r\x1b[K" << std::flush;
    }
  }

 private:
  Console& console_;
  int ticks_ = 0;
};

CallOutcome Ask(const SaliencyClient& client,
                const v1::ComputeSaliencyRequest& request,
                const std::shared_ptr<CancelToken>& cancel) {
  const absl::StatusOr<v1::ComputeSaliencyResponse> response =
      client.ComputeSaliency(request, {.cancel = cancel});
  if (!response.ok()) return {.status = response.status()};
  return {.batch_requests = response->summary().batch().requests()};
}

ExitCode Report(const BenchFlags& flags, const LoadOptions& load,
                const LoadResult& result, Console& console) {
  if (flags.connection.json) {
    console.out << LoadJson(load, result) << '\n';
  } else {
    console.out << LoadText(load, result);
  }
  if (result.left > 0) {
    PrintError(console, absl::StrCat("interrupted: ", result.left, " of ",
                                     load.calls, " requests have no answer"));
  }
  const int64_t failed = result.failed() + result.left;
  if (failed == 0) return kExitOk;
  return result.latencies.empty() ? kExitFailed : kExitSomeFailed;
}

ExitCode Bench(const BenchFlags& flags, Console& console) {
  const absl::StatusOr<BenchPlan> plan = MakePlan(flags, console.in);
  if (!plan.ok()) {
    return PrintUsageError(console, "bench", plan.status());
  }
  // A call that is tried again would hide the refusal that it met.
  const absl::StatusOr<std::unique_ptr<SaliencyClient>> client =
      Connect(flags.connection, {.max_attempts = 1});
  if (!client.ok()) return PrintConnectError(console, client.status());
  // Connects, and finds out whether the request can be answered at all.
  const CallOutcome first =
      Ask(**client, plan->requests.front(), console.interrupt.NewToken());
  if (!first.status.ok()) {
    return PrintFailure(console, first.status);
  }
  LoadProgress progress(console);
  const LoadResult result = RunLoad(
      plan->load, console.clock, console.interrupt,
      [&](int64_t index, const std::shared_ptr<CancelToken>& cancel) {
        return Ask(**client, plan->requests[index % plan->requests.size()],
                   cancel);
      },
      kTick,
      [&](const LoadCounts& counts, absl::Duration elapsed) {
        progress.Show(counts, elapsed);
      });
  progress.Hide();
  return Report(flags, plan->load, result, console);
}

void AddLoadFlags(CLI::App& command, BenchFlags& flags) {
  constexpr char kGroup[] = "Load";
  command
      .add_option("--concurrency", flags.concurrency,
                  "callers; each calls again when it has its answer; default: "
                  "16; with --rate: calls at once at most, default: 256")
      ->check(CLI::Range(1, 4096))
      ->group(kGroup);
  command
      .add_option("--rate", flags.rate,
                  "open loop: requests per second, sent when they are due "
                  "whatever became of those before; latency counts from then")
      ->check(CLI::Range(1e-3, 1e6))
      ->group(kGroup);
  command
      .add_option("--duration", flags.duration,
                  "how long: seconds, or 500ms, 2m; default: 10s, or until "
                  "--requests are done")
      ->group(kGroup);
  command.add_option("--requests", flags.requests, "how many in all")
      ->check(CLI::PositiveNumber)
      ->group(kGroup);
}

}  // namespace

Command AddBenchCommand(CLI::App& root) {
  CLI::App* app = root.add_subcommand(
      "bench", "Puts a server under load: latency, throughput and errors");
  const auto flags = std::make_shared<BenchFlags>();
  app->add_option("IMAGE", flags->images,
                  "images or folders of them, asked about in turn; -: "
                  "standard input")
      ->required();
  AddRecursive(*app, flags->recursive);
  AddRequestFlags(*app, flags->request);
  app->add_option("--size", flags->size,
                  "size of the maps: image, layer, input or HEIGHTxWIDTH")
      ->capture_default_str();
  app->add_option("--encoding", flags->encoding,
                  "form of the maps: none, float32, png16, colour_png or "
                  "overlay_png")
      ->capture_default_str();
  AddLoadFlags(*app, *flags);
  AddConnectionFlags(*app, flags->connection);
  app->footer(
      "One request goes first and is not counted. Nothing is tried again: "
      "refusals are counted by their code.");
  return {app, [flags](Console& console) { return Bench(*flags, console); }};
}

}  // namespace saliency
