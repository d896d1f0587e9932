// What an evaluation saves by asking for all maps of an image at once: the
// pointing game's own requests against one request for each of their maps, to
// the same server, timed in turn.
//
//   sweep_bench MODELS [--filter REGEX] [--rounds N] [--json FILE]
//
// The model is the bundled one, whatever MODELS holds, and the images are its
// samples, with the categories of their annotations as targets.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "client/cli/evaluate/evaluation_plan.h"
#include "client/cli/evaluate/pointing_requests.h"
#include "client/cli/image_files.h"
#include "client/saliency_client.h"
#include "tests/bench/bench_arguments.h"
#include "tests/bench/ratio.h"
#include "tests/end_to_end/model_folder.h"
#include "tests/end_to_end/server_process.h"

namespace saliency {
namespace {

namespace fs = std::filesystem;

constexpr int kClients = 8;        // the evaluation's default
constexpr int kImagesARound = 10;  // so that five rounds ask about fifty

std::string Contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

// What is asked about one image.
struct Questions {
  std::vector<v1::CombineLayersRequest> together;
  std::vector<v1::ComputeSaliencyRequest> layers;      // one map each
  std::vector<v1::CombineLayersRequest> combinations;  // one map each
  size_t single_count() const { return layers.size() + combinations.size(); }
};

// One request for each target and layer that `together` wants, each method
// once, and for each target and combination.
void AddSingles(const v1::CombineLayersRequest& together,
                Questions& questions) {
  for (const v1::Target& target : together.targets()) {
    std::string method;
    for (const v1::Combination& combination : together.combinations()) {
      v1::CombineLayersRequest& single = questions.combinations.emplace_back();
      *single.mutable_input() = together.input();
      *single.add_targets() = target;
      *single.add_combinations() = combination;
      *single.mutable_output() = together.output();
      if (combination.attribution().method() == method) continue;
      method = combination.attribution().method();
      for (const std::string& layer : combination.attribution().layers()) {
        v1::ComputeSaliencyRequest& map = questions.layers.emplace_back();
        *map.mutable_input() = together.input();
        *map.add_targets() = target;
        v1::Attribution& attribution = *map.add_attributions();
        attribution.set_method(method);
        attribution.add_layers(layer);
        *map.mutable_output() = together.output();
      }
    }
  }
}

Questions QuestionsAbout(const fs::path& image, const EvaluationPlan& plan) {
  fs::path annotation = image;
  annotation.replace_extension(".xml");
  Questions questions;
  questions.together = PointingRequests(
      plan, PlayedCategories(OrDie(ParseVocAnnotation(Contents(annotation)))),
      PixelsOf(Contents(image)));
  for (v1::CombineLayersRequest& request : questions.together) {
    request.mutable_input()->set_image(Contents(image));
    AddSingles(request, questions);
  }
  return questions;
}

void CheckMap(const v1::SaliencyMap& map) {
  if (map.status().code() != 0) Die(absl::InternalError(map.method()));
}

class Sweep {
 public:
  Sweep() {
    models_.AddBundled("voc-emoji");
    server_ = OrDie(ServerProcess::Start({.models = models_.path()}));
    if (const absl::Status serving = server_->AwaitServing(); !serving.ok()) {
      Die(serving);
    }
    ClientOptions options;
    options.channel.servers = {server_->address()};
    client_ = OrDie(SaliencyClient::Connect(options));
    const v1::GetModelResponse model = OrDie(client_->GetModel({}));
    EvaluationPlan plan = OrDie(CompletePlan({}, model));
    plan.joins = AllJoins(plan, model);
    for (const auto& entry :
         fs::directory_iterator(SALIENCY_MODELS_DIR "/voc-emoji/samples")) {
      if (entry.path().extension() != ".jpg") continue;
      images_.push_back(QuestionsAbout(entry.path(), plan));
    }
    if (images_.empty()) Die(absl::NotFoundError("no sample images"));
  }

  // The next images of this way of asking; both go through the same ones.
  void AskTogether() {
    std::vector<const v1::CombineLayersRequest*> requests;
    for (int i = 0; i < kImagesARound; ++i) {
      for (const auto& request : Next(next_together_).together) {
        requests.push_back(&request);
      }
    }
    FromManyClients(requests.size(),
                    [&](size_t i) { AskCombine(*requests[i]); });
  }

  void AskOneByOne() {
    std::vector<const v1::ComputeSaliencyRequest*> layers;
    std::vector<const v1::CombineLayersRequest*> combinations;
    for (int i = 0; i < kImagesARound; ++i) {
      const Questions& questions = Next(next_single_);
      for (const auto& request : questions.layers) layers.push_back(&request);
      for (const auto& request : questions.combinations) {
        combinations.push_back(&request);
      }
    }
    FromManyClients(layers.size() + combinations.size(), [&](size_t i) {
      if (i < layers.size()) {
        CheckMap(OrDie(client_->ComputeSaliency(*layers[i])).maps(0));
      } else {
        AskCombine(*combinations[i - layers.size()]);
      }
    });
  }

  double MapsPerImage() const {
    size_t maps = 0;
    for (const Questions& image : images_) maps += image.single_count();
    return static_cast<double>(maps) / static_cast<double>(images_.size());
  }

 private:
  const Questions& Next(size_t& next) {
    return images_[next++ % images_.size()];
  }

  void AskCombine(const v1::CombineLayersRequest& request) const {
    const v1::CombineLayersResponse answer =
        OrDie(client_->CombineLayers(request));
    for (const v1::CombinedMap& map : answer.combined()) CheckMap(map.map());
  }

  // Closed loop.
  template <typename Ask>
  static void FromManyClients(size_t count, const Ask& ask) {
    std::atomic<size_t> next = 0;
    std::vector<std::thread> clients;
    for (int c = 0; c < kClients; ++c) {
      clients.emplace_back([&] {
        for (size_t i = next++; i < count; i = next++) ask(i);
      });
    }
    for (std::thread& client : clients) client.join();
  }

  ModelFolder models_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<SaliencyClient> client_;
  std::vector<Questions> images_;
  size_t next_together_ = 0;
  size_t next_single_ = 0;
};

int Main(int argc, char** argv) {
  const BenchArguments arguments = ParseBenchArguments(argc, argv);
  const std::string name = "voc-emoji/pointing-game/single_requests/c8";
  if (!std::regex_search(name, std::regex(arguments.filter))) {
    return arguments.json.empty() || WriteJson(arguments.json, {}) ? 0 : 1;
  }
  Sweep sweep;
  // Five rounds are fifty images, and one by one they take their time.
  const int rounds = std::min(arguments.rounds, 5);
  const double time_ratio = RatioOfMedians(
      rounds, [&] { sweep.AskTogether(); }, [&] { sweep.AskOneByOne(); });
  const BenchRow row = {.name = name,
                        .quantity = "ratio_to_sweep",
                        .value = 1 / time_ratio,
                        .target = 3,
                        .at_most = false};
  PrintRow(row);
  std::printf("  %d images, %.0f maps each on average\n",
              rounds * kImagesARound, sweep.MapsPerImage());
  if (!arguments.json.empty() && !WriteJson(arguments.json, {row})) return 1;
  return row.ok() ? 0 : 3;
}

}  // namespace
}  // namespace saliency

int main(int argc, char** argv) { return saliency::Main(argc, argv); }
