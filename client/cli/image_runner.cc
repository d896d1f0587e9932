#include "client/cli/image_runner.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/explain_report.h"
#include "client/cli/image_answer.h"
#include "client/cli/image_files.h"
#include "client/cli/npy.h"
#include "client/cli/ordered_fan_out.h"
#include "client/saliency_client.h"
#include "core/base/cancel_token.h"

namespace saliency {
namespace {

// Errors: INVALID_ARGUMENT the file of --npy cannot be made.
absl::StatusOr<std::unique_ptr<NpyStack>> MakeStack(const ExplainPlan& plan,
                                                    Console& console) {
  if (plan.npy.empty()) return std::unique_ptr<NpyStack>();
  if (plan.npy == kStandardOutput) return NpyStack::CreateFor(console.out);
  return NpyStack::Create(plan.npy);
}

// Makes the report and lets `ask` add to it.
template <typename Ask>
ExitCode Report(const ExplainPlan& plan, const ExplainFlags& flags,
                Console& console, const Ask& ask) {
  absl::StatusOr<std::unique_ptr<NpyStack>> stack = MakeStack(plan, console);
  if (!stack.ok()) {
    PrintError(console, absl::StrCat("--npy: ", stack.status().message()));
    return kExitUsage;
  }
  Console words =
      WritesPixelsToOutput(flags) ? WithWordsOnErr(console) : console;
  ExplainReport report({.num_images = static_cast<int>(plan.images.size()),
                        .json = flags.connection.json,
                        .top = flags.top_k.has_value(),
                        .pixels = &console.out},
                       words, *std::move(stack));
  ask(report);
  return report.Finish();
}

v1::Input& InputOf(v1::StreamSaliencyRequest& request) {
  if (request.has_combine()) {
    return *request.mutable_combine()->mutable_input();
  }
  if (request.has_meta()) return *request.mutable_meta()->mutable_input();
  return *request.mutable_compute()->mutable_input();
}

// The images of a plan as requests of a stream, and its answers as those of
// the images.  What cannot be read is not asked about, and reported in its
// turn.
class ImageStream {
 public:
  ImageStream(const ExplainPlan& plan, const v1::StreamSaliencyRequest& request,
              Console& console, ExplainReport& report)
      : plan_(plan), request_(request), console_(console), report_(report) {}

  std::optional<v1::StreamSaliencyRequest> Next() {
    while (next_ < plan_.images.size() && !console_.interrupt.raised()) {
      const size_t image = next_++;
      absl::StatusOr<std::string> bytes = ReadImage(plan_.images[image]);
      if (!bytes.ok()) {
        unreadable_[image] = bytes.status();
        continue;
      }
      asked_.push_back({image, console_.clock.Now()});
      v1::StreamSaliencyRequest request = request_;
      InputOf(request).set_image(*std::move(bytes));
      return request;
    }
    return std::nullopt;
  }

  bool Take(int64_t index,
            absl::StatusOr<v1::StreamSaliencyResponse> response) {
    const Asked& asked = asked_[index];
    in_work_.erase(index);
    ShowSamples();
    failed_ = !response.ok();
    const bool go_on = ReportUnreadable(asked.image);
    ImageAnswer answer =
        AnswerImage(std::move(response), plan_.images[asked.image], plan_.save,
                    console_.clock.Now() - asked.at);
    answer.correlated = request_.meta().plain_correlation();
    return report_.Add(answer) && go_on;
  }

  void Hear(int64_t index, const v1::SampleProgress& progress) {
    in_work_[index] = progress;
    ShowSamples();
  }

  // Whether the last answer was none.
  bool failed() const { return failed_; }

  // Those that come before `image` and have not been told.
  bool ReportUnreadable(size_t image) {
    bool go_on = true;
    while (!unreadable_.empty() && unreadable_.begin()->first < image) {
      const auto& [index, status] = *unreadable_.begin();
      go_on =
          report_.Add({.path = plan_.images[index].path, .status = status}) &&
          go_on;
      unreadable_.erase(unreadable_.begin());
    }
    return go_on;
  }

 private:
  struct Asked {
    size_t image;
    absl::Time at;
  };

  void ShowSamples() {
    int64_t done = 0, total = 0;
    for (const auto& [index, progress] : in_work_) {
      done += progress.done();
      total += progress.total();
    }
    report_.ShowSamples(done, total);
  }

  const ExplainPlan& plan_;
  const v1::StreamSaliencyRequest& request_;
  Console& console_;
  ExplainReport& report_;
  size_t next_ = 0;
  bool failed_ = false;
  std::vector<Asked> asked_;  // by index of the request
  std::map<size_t, absl::Status> unreadable_;
  std::map<int64_t, v1::SampleProgress> in_work_;  // by index of the request
};

v1::StreamSaliencyRequest AsStreamRequest(
    const v1::ComputeSaliencyRequest& request) {
  v1::StreamSaliencyRequest streamed;
  *streamed.mutable_compute() = request;
  return streamed;
}

v1::StreamSaliencyRequest AsStreamRequest(
    const v1::CombineLayersRequest& request) {
  v1::StreamSaliencyRequest streamed;
  *streamed.mutable_combine() = request;
  return streamed;
}

v1::StreamSaliencyRequest AsStreamRequest(
    const v1::MetaSaliencyRequest& request) {
  v1::StreamSaliencyRequest streamed;
  *streamed.mutable_meta() = request;
  return streamed;
}

// Each image in a call of its own.
template <typename Request>
ExitCode CallImages(const ExplainPlan& plan, const ExplainFlags& flags,
                    const SaliencyClient& client, const Request& request,
                    Console& console) {
  return Report(plan, flags, console, [&](ExplainReport& report) {
    OrderedFanOut(
        static_cast<int>(plan.images.size()), flags.window(), console.interrupt,
        [&](int index,
            const std::shared_ptr<CancelToken>& cancel) -> FinishItem {
          auto answer = std::make_shared<const ImageAnswer>(
              AnswerImage(client, request, plan.images[index], plan.save,
                          cancel, console.clock));
          return [&report, answer] { return report.Add(*answer); };
        });
  });
}

// The same on one stream: with `request` for each image.
ExitCode StreamImages(const ExplainPlan& plan, const ExplainFlags& flags,
                      const SaliencyClient& client,
                      const v1::StreamSaliencyRequest& request,
                      Console& console) {
  return Report(plan, flags, console, [&](ExplainReport& report) {
    ImageStream images(plan, request, console, report);
    HearProgress on_progress;
    if (console.err_is_terminal) {
      on_progress = [&](int64_t index, const v1::SampleProgress& progress) {
        images.Hear(index, progress);
      };
    }
    const absl::Status ended = client.Stream(
        [&] { return images.Next(); },
        [&](int64_t index, absl::StatusOr<v1::StreamSaliencyResponse> answer) {
          return images.Take(index, std::move(answer));
        },
        {.window = flags.window(),
         .in_order = true,
         .on_progress = on_progress,
         .cancel = console.interrupt.NewToken()});
    if (ended.ok()) {
      images.ReportUnreadable(plan.images.size());
    } else if (!images.failed() && !absl::IsCancelled(ended)) {
      PrintError(console, ErrorText(ended));  // no image told of it
    }
  });
}

template <typename Request>
ExitCode ConnectAndAsk(const ExplainPlan& plan, const ExplainFlags& flags,
                       const Request& request, Console& console) {
  const absl::StatusOr<std::unique_ptr<SaliencyClient>> client =
      Connect(flags.connection);
  if (!client.ok()) return PrintConnectError(console, client.status());
  // A stream alone tells how far a single image is.
  const bool is_watched = console.err_is_terminal && plan.images.size() == 1;
  return flags.stream || is_watched
             ? StreamImages(plan, flags, **client, AsStreamRequest(request),
                            console)
             : CallImages(plan, flags, **client, request, console);
}

}  // namespace

ExitCode RunImages(const ExplainPlan& plan, const ExplainFlags& flags,
                   const v1::ComputeSaliencyRequest& request,
                   Console& console) {
  return ConnectAndAsk(plan, flags, request, console);
}

ExitCode RunImages(const ExplainPlan& plan, const ExplainFlags& flags,
                   const v1::CombineLayersRequest& request, Console& console) {
  return ConnectAndAsk(plan, flags, request, console);
}

ExitCode RunImages(const ExplainPlan& plan, const ExplainFlags& flags,
                   const v1::MetaSaliencyRequest& request, Console& console) {
  return ConnectAndAsk(plan, flags, request, console);
}

}  // namespace saliency
