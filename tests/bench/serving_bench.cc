// What serving costs on top of the engine: the real server as a process of its
// own, over loopback TCP, against the same passes called in this process, timed
// in turn.
//
//   serving_bench MODELS [--device cpu] [--filter REGEX] [--rounds N]
//                 [--json FILE]
//
// MODELS is a folder with resnet50/1/model.pt.  A request is a JPEG in,
// norm_grad at layer4 of the predicted class, float32 at the layer's resolution
// out.  The engine that it is compared with gets its images decoded.

#include <ATen/Parallel.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "client/saliency_client.h"
#include "core/base/cpu_limit.h"
#include "core/base/heap.h"
#include "core/engine/plan/prepare.h"
#include "core/engine/run/pass_explainer.h"
#include "tests/bench/bench_arguments.h"
#include "tests/bench/ratio.h"
#include "tests/end_to_end/server_process.h"
#include "tests/server/temporary_folder.h"

namespace saliency {
namespace {

namespace fs = std::filesystem;

constexpr char kNetwork[] = "resnet50";
constexpr char kMethod[] = "norm_grad";
constexpr char kLayer[] = "layer4";
constexpr int kClients = 16;
constexpr int kBatchRows = 16;     // the default of both
constexpr int kBatchesARound = 6;  // of kBatchRows images
constexpr int kCallsARound = 24;   // one after another

std::vector<std::string> SampleImages() {
  std::vector<std::string> images;
  for (const auto& entry :
       fs::directory_iterator(SALIENCY_MODELS_DIR "/voc-emoji/samples")) {
    if (entry.path().extension() != ".jpg") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    images.emplace_back(std::istreambuf_iterator<char>(file),
                        std::istreambuf_iterator<char>());
  }
  if (images.empty()) Die(absl::NotFoundError("no sample images"));
  return images;
}

std::string ModelFile(const BenchArguments& arguments) {
  return arguments.models + "/" + kNetwork + "/1/model.pt";
}

// The passes in this process, as a replica's worker runs them.
class OfflineEngine {
 public:
  OfflineEngine(const BenchArguments& arguments,
                const std::vector<std::string>& images) {
    LoadOptions options;
    options.device = arguments.device;
    loaded_.name = kNetwork;
    loaded_.version = 1;
    loaded_.replicas.push_back(
        OrDie(ProbedModel::Load(ModelFile(arguments), options)));
    explainer_ = std::make_unique<PassExplainer>(
        *loaded_.replicas.front(),
        PassExplainer::Options{.max_rows = kBatchRows});
    const ModelMetadata metadata = MetadataOf(loaded_);
    for (const std::string& image : images) {
      Job job;
      job.input = EncodedImage{image};
      job.attributions.push_back(
          {.attribution = OrDie(Attribution::Named(kMethod)),
           .layers = {kLayer}});
      prepared_.push_back(OrDie(PrepareJob(job, metadata, EngineLimits())));
    }
  }

  // One batch of `count` images.
  void Explain(int count) {
    std::vector<const PassItem*> items;
    for (int i = 0; i < count; ++i) {
      items.push_back(&prepared_[next_++ % prepared_.size()].item);
    }
    const PassAnswers answers = OrDie(explainer_->Explain(items));
    for (const PassAnswer& answer : answers.items) {
      const auto& map = answer.variants.front().maps.front();
      if (!map.ok()) Die(map.status());
    }
  }

 private:
  LoadedModel loaded_;
  std::unique_ptr<PassExplainer> explainer_;
  std::vector<PreparedJob> prepared_;
  size_t next_ = 0;
};

// A repository with this one network, by a hard link where the file system can
// make one: the server follows no other link out of it.
void FillRepository(const BenchArguments& arguments,
                    const TemporaryFolder& folder) {
  const std::string network = kNetwork;
  folder.Write(network + "/config.pbtxt",
               "instances { device: \"" + arguments.device + "\" }\n");
  const fs::path file = folder / (network + "/1/model.pt");
  fs::create_directories(file.parent_path());
  std::error_code cannot_link;
  fs::create_hard_link(ModelFile(arguments), file, cannot_link);
  if (cannot_link) fs::copy_file(ModelFile(arguments), file);
}

// The server and its clients.
class Serving {
 public:
  Serving(const BenchArguments& arguments,
          const std::vector<std::string>& images) {
    FillRepository(arguments, folder_);
    server_ = OrDie(ServerProcess::Start({.models = folder_.path()}));
    const absl::Status serving = server_->AwaitServing();
    if (!serving.ok()) Die(serving);
    ClientOptions options;
    options.channel.servers = {server_->address()};
    client_ = OrDie(SaliencyClient::Connect(options));
    v1::ComputeSaliencyRequest request;
    v1::Attribution& attribution = *request.add_attributions();
    attribution.set_method(kMethod);
    attribution.add_layers(kLayer);
    request.mutable_output()->set_named_size(v1::NAMED_SIZE_LAYER);
    for (const std::string& image : images) {
      request.mutable_input()->set_image(image);
      requests_.push_back(request);
    }
  }

  // Returns the time that decoding took.
  double Ask(size_t index) const {
    const v1::ComputeSaliencyResponse response =
        OrDie(client_->ComputeSaliency(requests_[index % requests_.size()]));
    if (response.maps(0).data().empty()) {
      Die(absl::InternalError(response.maps(0).status().message()));
    }
    return response.summary().timing().decode_seconds();
  }

  // Closed loop.
  void AskFromManyClients(int images) const {
    std::vector<std::thread> clients;
    for (int c = 0; c < kClients; ++c) {
      clients.emplace_back([this, c, images] {
        for (int i = c; i < images; i += kClients) Ask(i);
      });
    }
    for (std::thread& client : clients) client.join();
  }

  // How many requests shared a batch so far, on average.
  double RequestsPerBatch() const {
    const MetricsPage page = OrDie(server_->Metrics());
    return page.Sum("saliency_batch_requests_sum") /
           page.Sum("saliency_batch_requests_count");
  }

 private:
  const TemporaryFolder folder_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<SaliencyClient> client_;
  std::vector<v1::ComputeSaliencyRequest> requests_;
};

// Saturated throughput over that of the engine: both do the same images.
BenchRow MeasureThroughput(const std::string& name, int rounds,
                           OfflineEngine& engine, const Serving& serving) {
  const double time_ratio = RatioOfMedians(
      rounds, [&] { serving.AskFromManyClients(kBatchesARound * kBatchRows); },
      [&] {
        for (int i = 0; i < kBatchesARound; ++i) engine.Explain(kBatchRows);
      });
  return {.name = name,
          .quantity = "throughput_to_offline_engine",
          .value = 1 / time_ratio,
          .target = 0.85,
          .at_most = false};
}

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

// One client: the time of a call less its decoding, over that of the engine for
// the same image.
BenchRow MeasureOneClient(const std::string& name, int rounds,
                          OfflineEngine& engine, const Serving& serving) {
  std::vector<double> served, alone;
  for (int i = 0; i < rounds * kCallsARound + 3; ++i) {
    auto start = std::chrono::steady_clock::now();
    engine.Explain(1);
    const double engine_seconds = SecondsSince(start);
    start = std::chrono::steady_clock::now();
    const double decode_seconds = serving.Ask(i);
    const double served_seconds = SecondsSince(start) - decode_seconds;
    if (i < 3) continue;  // warm-up
    alone.push_back(engine_seconds);
    served.push_back(served_seconds);
  }
  return {.name = name,
          .quantity = "time_beyond_decode_to_engine",
          .value = Median(served) / Median(alone),
          .target = 1.05};
}

int Main(int argc, char** argv) {
  const BenchArguments arguments = ParseBenchArguments(argc, argv);
  KeepFreedMemory();  // as the server does
  const std::regex filter(arguments.filter);
  const std::string many = "resnet50/serving/norm_grad/layer4/c16/fp32";
  const std::string one = "resnet50/serving/norm_grad/layer4/c1/fp32";
  std::vector<BenchRow> rows;
  if (std::regex_search(many, filter) || std::regex_search(one, filter)) {
    at::set_num_threads(AvailableCpus());
    const std::vector<std::string> images = SampleImages();
    OfflineEngine engine(arguments, images);
    const Serving serving(arguments, images);
    if (std::regex_search(one, filter)) {
      rows.push_back(MeasureOneClient(one, arguments.rounds, engine, serving));
      PrintRow(rows.back());
    }
    if (std::regex_search(many, filter)) {
      rows.push_back(
          MeasureThroughput(many, arguments.rounds, engine, serving));
      PrintRow(rows.back());
    }
    std::printf("  %.1f requests per batch, all in all\n",
                serving.RequestsPerBatch());
  }
  bool all_ok = true;
  for (const BenchRow& row : rows) all_ok = all_ok && row.ok();
  if (!arguments.json.empty() && !WriteJson(arguments.json, rows)) return 1;
  return all_ok ? 0 : 3;
}

}  // namespace
}  // namespace saliency

int main(int argc, char** argv) { return saliency::Main(argc, argv); }
