// Loads real TorchScript networks (tests/golden) from repositories that are
// made for each test.

#include "server/loading/model_loader.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/serving/file_digest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/model_config_text.h"
#include "server/telemetry/engine_reporter.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"

namespace saliency::model_loader_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kSmall[] = "input { height: 64 width: 64 }\n";

// A repository with the golden tiny_resnet as net/1.
class ModelLoaderTest : public testing::Test {
 protected:
  ModelLoaderTest() {
    folder_.Write("net/config.pbtxt", kSmall);
    AddModelFile("net/1");
  }

  void AddModelFile(const std::string& version) {
    folder_.Write(version + "/note", "");
    std::filesystem::copy_file(
        std::string(SALIENCY_GOLDEN_DIR) + "/tiny_resnet/model_script.pt",
        folder_ / (version + "/model.pt"));
  }

  absl::StatusOr<std::shared_ptr<LoadedModel>> Load() {
    const RepositoryContents contents =
        ScanRepository(folder_.path(), &ParseModelConfigText).value();
    const RepositoryModel& model = contents.models.at(0);
    return LoadVersion(model, model.versions.at(0));
  }

  TemporaryFolder folder_;
  LogLines lines_;
  Log log_{LogFormat::kJson, LogLevel::kDebug, lines_.Sink()};
  Metrics metrics_;
  EngineReporter reporter_{*metrics_.registry(), log_, [] {}};
  // Called at each change of the engine's models, as a test sets it before it
  // loads any.
  std::function<void()> on_change_ = [] {};
  Engine engine_{
      {.on_models_change = [this] { on_change_(); }}, Clock::Real(), reporter_};
  ModelTable& models_ = engine_.models();
};

TEST_F(ModelLoaderTest, FillsInWhatTheConfigLeavesOpen) {
  const std::shared_ptr<LoadedModel> loaded = Load().value();
  EXPECT_EQ(loaded->name, "net");
  EXPECT_EQ(loaded->version, 1);
  EXPECT_EQ(loaded->replicas.size(), 1);
  EXPECT_EQ(loaded->sha256, Sha256OfFile(folder_ / "net/1/model.pt").value());
  EXPECT_THAT(loaded->config.default_layers, Not(IsEmpty()));
  EXPECT_THAT(loaded->config.combine_layers, Not(IsEmpty()));
}

TEST_F(ModelLoaderTest, LoadsAReplicaForEachInstance) {
  folder_.Write("net/config.pbtxt",
                std::string(kSmall) + "instances { count: 2 } warm_up: false");
  EXPECT_EQ(Load().value()->replicas.size(), 2);
}

TEST_F(ModelLoaderTest, ADigestThatDiffersIsRefused) {
  folder_.Write("net/config.pbtxt", std::string(kSmall) + "sha256: \"" +
                                        std::string(64, '0') + "\"");
  const absl::Status status = Load().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has sha256 "));
}

TEST_F(ModelLoaderTest, LabelsMustMatchTheClasses) {
  folder_.Write("net/labels.txt", "only one\n");
  EXPECT_THAT(std::string(Load().status().message()),
              HasSubstr("labels.txt has 1 line, but the model has "));
}

TEST_F(ModelLoaderTest, ADefaultLayerThatIsNotThereIsRefused) {
  folder_.Write("net/config.pbtxt",
                std::string(kSmall) + "default_layers: \"layer99\"");
  EXPECT_THAT(std::string(Load().status().message()),
              HasSubstr("default_layers[0]: layer \"layer99\" not found"));
}

TEST_F(ModelLoaderTest, CalibratedWeightsAreThoseOfTheirVersion) {
  EXPECT_FALSE(Load().value()->layer_weights.calibrated());
  folder_.Write("net/1/layer_weights.pbtxt",
                "layers { layer: \"layer1\" feature_spread: 0.5 }\n"
                "layers { layer: \"layer4\" feature_spread: 2 }\n"
                "model_sha256: \"" +
                    Sha256OfFile(folder_ / "net/1/model.pt").value() + "\"");
  const std::shared_ptr<LoadedModel> loaded = Load().value();
  EXPECT_EQ(loaded->layer_weights.Gamma(Weighting::kFeatureSpread, "layer4"),
            2.0);
  EXPECT_EQ(MetadataOf(*loaded).layer_weights.layers.size(), 2);
}

TEST_F(ModelLoaderTest, CalibratedWeightsThatAreWrongAreRefused) {
  const auto refusal = [&](const std::string& text) {
    folder_.Write("net/1/layer_weights.pbtxt", text);
    return std::string(Load().status().message());
  };
  EXPECT_THAT(refusal("nonsense"), HasSubstr("layer_weights.pbtxt: line 1"));
  EXPECT_THAT(refusal("layers { layer: \"layer9\" feature_spread: 1 }"),
              HasSubstr("layer_weights.pbtxt: layers[0]: layer \"layer9\" not "
                        "found; nearest: \"layer"));
  EXPECT_THAT(refusal("layers { layer: \"layer4\" feature_spread: -1 }"),
              HasSubstr("layer_weights.pbtxt: layers[0].feature_spread: -1"));
  EXPECT_THAT(refusal("layers { layer: \"layer4\" } model_sha256: \"ab\""),
              HasSubstr("layer_weights.pbtxt: model_sha256: measured on"));
}

TEST_F(ModelLoaderTest, CalibratedWeightsOutsideTheRepositoryAreRefused) {
  TemporaryFolder elsewhere;
  elsewhere.Write("weights", "layers { layer: \"layer4\" }");
  folder_.Link("net/1/layer_weights.pbtxt", elsewhere / "weights");
  EXPECT_THAT(std::string(Load().status().message()),
              HasSubstr("layer_weights.pbtxt: a link that leaves"));
}

TEST_F(ModelLoaderTest, AFileThatIsNoModelIsRefusedWithoutALibrarysWords) {
  folder_.Write("net/1/model.pt", "PK nonsense");
  const absl::Status status = Load().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("/")));
}

// A folder of Triton's as it is.
TEST_F(ModelLoaderTest, ATritonConfigLoadsAndTheLogTellsWhatItLeft) {
  folder_.Write("net/config.pbtxt", R"(
      name: "net" platform: "pytorch_libtorch" max_batch_size: 4
      input [ { name: "INPUT__0" data_type: TYPE_FP32 dims: [ 3, 64, 64 ] } ]
      output [ { name: "OUTPUT__0" data_type: TYPE_FP32 dims: [ 10 ] } ]
      instance_group [ { kind: KIND_GPU count: 1 } ]
      optimization { cuda { graphs: true } })");
  folder_.Write("net/2/model.pt", "of another version");
  std::filesystem::rename(folder_ / "net/1", folder_ / "net/3");
  Gate ready;
  on_change_ = [&] {
    if (models_.FindReady("net", 3).ok()) ready.Open();
  };
  const ModelLoader loader({.repository = folder_.path()}, engine_, metrics_,
                           log_);
  ready.Pass();
  const auto metadata = models_.FindReady("net", 0).value()->metadata;
  EXPECT_EQ(metadata->config.batching.max_rows, 4);
  EXPECT_EQ(metadata->config.input.height, 64);
  EXPECT_THAT(models_.List(), testing::SizeIs(1)) << "the latest alone";
  EXPECT_THAT(lines_.all(),
              testing::Contains(HasSubstr("ignored fields: optimization")));
}

TEST_F(ModelLoaderTest, GoodModelsServeBesideFailedOnes) {
  folder_.Write("net/2/model.pt", "nonsense");
  folder_.Write("broken/1/model.pt", "x");
  folder_.Write("broken/config.pbtxt", "nonsense");
  Gate net_1_decided;
  on_change_ = [&] {
    for (const ModelVersionPtr& entry : models_.List()) {
      if (entry->model == "net" && entry->version == 1 &&
          entry->state != ModelState::kLoading) {
        net_1_decided.Open();
      }
    }
  };
  const ModelLoader loader({.repository = folder_.path()}, engine_, metrics_,
                           log_);
  net_1_decided.Pass();
  EXPECT_EQ(models_.FindReady("net", 0).value()->version, 1);
  EXPECT_THAT(lines_.all(), testing::Contains(AllOf(HasSubstr("model ready"),
                                                    HasSubstr("in batches"))));
  EXPECT_TRUE(models_.Find("net", 1).ok());
  EXPECT_EQ(models_.FindModel("net")->at(1)->state, ModelState::kFailed);
  EXPECT_THAT(models_.FindModel("broken")->at(0)->message,
              HasSubstr("config.pbtxt: line 1"));
}

TEST_F(ModelLoaderTest, AFolderWithoutModelsIsAnErrorInTheLogThatNamesIt) {
  const TemporaryFolder empty;
  {
    const ModelLoader loader({.repository = empty.path()}, engine_, metrics_,
                             log_);
  }
  EXPECT_THAT(lines_.all(),
              ElementsAre(AllOf(HasSubstr(empty.path()), HasSubstr("error"),
                                HasSubstr("it has no models"))));
}

TEST_F(ModelLoaderTest, StoppedItTellsWhetherALoadGoesOnAndLeavesTheRest) {
  Gate held;  // its thread, where it tells of the first change
  on_change_ = [&] { held.Pass(); };
  ModelLoader loader({.repository = folder_.path()}, engine_, metrics_, log_);
  held.AwaitArrivals(1);
  EXPECT_FALSE(loader.Stop());
  held.Open();
  while (!loader.Stop()) std::this_thread::yield();
  EXPECT_EQ(models_.List().at(0)->state, ModelState::kLoading);
}

// Loads in the place of LoadVersion: models named "stalled" wait at `gate`, and
// all fail in the end.  Owns the gate with the threads that wait there.
ModelLoader::Options Stalling(const std::string& repository,
                              const std::shared_ptr<Gate>& gate) {
  ModelLoader::Options options;
  options.repository = repository;
  options.parallel_loads = 2;
  options.load_timeout = absl::Minutes(3);
  options.load = [gate](const RepositoryModel& model, const RepositoryVersion&)
      -> absl::StatusOr<std::shared_ptr<LoadedModel>> {
    if (absl::StrContains(model.name, "stalled")) gate->Pass();
    return absl::InvalidArgumentError(absl::StrCat(model.name, " came"));
  };
  return options;
}

// Waits until a version is FAILED and returns why.
class Failures {
 public:
  void Look(const ModelTable& models) {
    for (const ModelVersionPtr& entry : models.List()) {
      if (entry->state != ModelState::kFailed) continue;
      MutexLock lock(&mu_);
      messages_[entry->model] = entry->message;
    }
  }
  std::string Await(const std::string& model) {
    MutexLock lock(&mu_);
    wanted_ = model;
    mu_.Await(absl::Condition(this, &Failures::Came));
    return messages_[model];
  }

 private:
  bool Came() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return messages_.count(wanted_) != 0;
  }
  Mutex mu_;
  std::string wanted_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::string> messages_ ABSL_GUARDED_BY(mu_);
};

TEST_F(ModelLoaderTest, AStalledModelHoldsUpNoneOfTheOthers) {
  for (const char* name : {"a_stalled", "b", "c", "d"}) {
    AddModelFile(absl::StrCat(name, "/1"));
  }
  const auto gate = std::make_shared<Gate>();
  Failures failures;
  on_change_ = [&] { failures.Look(models_); };
  FakeClock clock;
  const ModelLoader loader(Stalling(folder_.path(), gate), engine_, metrics_,
                           log_, clock);
  EXPECT_EQ(failures.Await("b"), "b came");
  EXPECT_EQ(failures.Await("d"), "d came");
  EXPECT_EQ(failures.Await("net"), "net came");
  EXPECT_EQ(models_.FindModel("a_stalled")->at(0)->state, ModelState::kLoading);
  gate->Open();
  EXPECT_EQ(failures.Await("a_stalled"), "a_stalled came");
}

TEST_F(ModelLoaderTest, LoadsWhoseTimeIsUpAreGivenUpAndMakeRoom) {
  for (const char* name : {"a_stalled", "b_stalled"}) {
    AddModelFile(absl::StrCat(name, "/1"));
  }
  const auto gate = std::make_shared<Gate>();
  Failures failures;
  on_change_ = [&] { failures.Look(models_); };
  FakeClock clock;
  ModelLoader loader(Stalling(folder_.path(), gate), engine_, metrics_, log_,
                     clock);
  gate->AwaitArrivals(2);
  EXPECT_EQ(models_.FindModel("net")->at(0)->state, ModelState::kLoading);
  clock.Advance(absl::Minutes(3));
  EXPECT_THAT(failures.Await("a_stalled"),
              HasSubstr("not loaded within 3m, the limit of --load-timeout"));
  EXPECT_THAT(failures.Await("b_stalled"), HasSubstr("given up"));
  EXPECT_EQ(failures.Await("net"), "net came");
  EXPECT_FALSE(loader.Stop());  // their threads go on
  gate->Open();
}

}  // namespace
}  // namespace saliency::model_loader_test
