#include "server/loading/model_loader.h"

#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/base/status.h"
#include "core/engine/run/pass_explainer.h"
#include "core/model/device_memory.h"
#include "core/serving/default_layers.h"
#include "core/serving/file_digest.h"
#include "server/convert/layer_weights_text.h"
#include "server/convert/meaning_text.h"
#include "server/convert/model_config_text.h"
#include "server/convert/public_status.h"
#include "server/loading/first_questions.h"
#include "server/loading/warm_up.h"

namespace saliency {
namespace {

// How long the first questions may take before a model is READY without them.
constexpr absl::Duration kPatienceWithFirst = absl::Seconds(30);

absl::Status LoadReplicas(const std::string& path, LoadedModel& loaded) {
  const ModelConfig& config = loaded.config;
  LoadOptions options = LoadOptionsOf(config);
  // Two labels are those of targets 0 and 1, as one trains with: the output
  // speaks for 1.
  options.output_class = loaded.labels.size() == 2 ? 1 : 0;
  for (const InstanceConfig& instance : config.instances) {
    options.device = instance.device;
    for (int i = 0; i < instance.count; ++i) {
      ASSIGN_OR_RETURN(std::unique_ptr<ProbedModel> replica,
                       ProbedModel::Load(path, options));
      loaded.replicas.push_back(std::move(replica));
      options.known = loaded.replicas.front()->check();
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDigest(const LoadedModel& loaded) {
  if (loaded.config.sha256.empty() || loaded.config.sha256 == loaded.sha256) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("model.pt has sha256 ", loaded.sha256,
                   ", but config.pbtxt names ", loaded.config.sha256));
}

std::string OutputText(const ModelOutput& output) {
  return absl::StrCat(output.name, " [", absl::StrJoin(output.shape, ","), "]");
}

// Of several outputs, when the configuration names none: which one it is.
std::string OutputChoice(const ModelConfig& config, const ModelOutput& output) {
  const bool is_named =
      config.output_index.has_value() || !config.output_key.empty();
  if (is_named || output.others.empty()) return "";
  const bool is_dict = absl::StrContains(output.name, "\"");
  return absl::StrCat(
      "of ", output.others.size() + 1,
      " outputs the first tensor is explained, ", OutputText(output), "; ",
      is_dict ? "output_key" : "output_index",
      " in config.pbtxt picks another: ", absl::StrJoin(output.others, ", "));
}

// A single label is that of a single output; its opposite gets one too.
absl::Status CheckLabels(LoadedModel& loaded) {
  const ProbedModel& model = *loaded.replicas.front();
  const int64_t classes = model.num_classes();
  const auto labels = static_cast<int64_t>(loaded.labels.size());
  if (labels == 0 || labels == classes) return absl::OkStatus();
  if (model.meaning().one_output) {
    if (labels == 1) {
      loaded.labels.push_back(absl::StrCat("not ", loaded.labels.front()));
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "labels.txt has ", labels,
        " lines, but the model has one output: one line names its class, two "
        "name the other class and then its own"));
  }
  const std::string choice = OutputChoice(loaded.config, model.output());
  return absl::InvalidArgumentError(
      absl::StrCat("labels.txt has ", labels, labels == 1 ? " line" : " lines",
                   ", but the model has ", classes, " classes",
                   choice.empty() ? "" : ": ", choice));
}

absl::Status ReadLayerWeights(const RepositoryVersion& version,
                              LoadedModel& loaded) {
  if (!version.layer_weights.has_value()) return absl::OkStatus();
  constexpr absl::string_view kFile = "layer_weights.pbtxt";
  absl::StatusOr<LayerWeights> weights =
      ParseLayerWeightsText(*version.layer_weights);
  if (!weights.ok()) return Annotate(weights.status(), kFile);
  loaded.layer_weights = *std::move(weights);
  return Annotate(
      CheckLayerWeights(loaded.layer_weights, loaded.replicas.front()->layers(),
                        loaded.sha256),
      kFile);
}

absl::Status WarmUpReplicas(const LoadedModel& loaded) {
  if (!loaded.config.warm_up) return absl::OkStatus();
  const ModelMetadata metadata = MetadataOf(loaded);
  for (const std::unique_ptr<ProbedModel>& replica : loaded.replicas) {
    PassExplainer explainer(*replica,
                            {.max_rows = metadata.config.batching.max_rows});
    const absl::Status status = WarmUp(metadata, explainer);
    if (status.ok()) continue;
    const std::string choice = OutputChoice(loaded.config, metadata.output);
    if (!absl::IsFailedPrecondition(status) || choice.empty()) return status;
    return absl::FailedPreconditionError(
        absl::StrCat(status.message(), "; ", choice));
  }
  return absl::OkStatus();
}

std::string LimitsOf(const SelfCheck& check) {
  std::vector<std::string> limits;
  if (!check.deterministic) {
    limits.push_back(absl::StrCat(
        "the model is random: it answers the same image differently each "
        "time",
        check.random_operator.empty()
            ? ""
            : absl::StrCat(" (operator ", check.random_operator,
                           "; was it exported without eval()?)")));
  }
  if (!check.rows_independent) {
    limits.push_back(absl::StrCat(
        "rows of a batch depend on each other: the model is run one image "
        "at a time",
        check.rows_depend_because.empty()
            ? ""
            : absl::StrCat(" (", check.rows_depend_because, ")")));
  } else if (!check.expand_rows_at_probe && check.deterministic) {
    limits.push_back(
        "the targets of an image share no work: no spatial layer that every "
        "path crosses lets its rows be repeated");
  }
  return absl::StrJoin(limits, "; ");
}

std::string Sentences(std::vector<std::string> notes) {
  std::erase(notes, "");
  return absl::StrJoin(notes, "; ");
}

const char* YesOrNo(bool yes) { return yes ? "yes" : "no"; }

ModelVersion VersionOf(const RepositoryModel& model,
                       const RepositoryVersion& version,
                       const LoadedModel& loaded) {
  auto metadata = std::make_shared<const ModelMetadata>(MetadataOf(loaded));
  return {
      .model = model.name,
      .version = version.version,
      .state = ModelState::kReady,
      .message = Sentences({LimitsOf(metadata->self_check),
                            OutputChoice(metadata->config, metadata->output)}),
      .required = model.config.required,
      .metadata = metadata,
      .sha256 = loaded.sha256,
      .folder =
          std::filesystem::path(version.model_file).parent_path().string()};
}

// How the model takes them, in the words of the log.
std::string MetaSteps(const ModelMetadata& metadata) {
  switch (metadata.meta_path) {
    case MetaPath::kNone:
      return absl::StrCat("none: ", metadata.meta_refusal);
    case MetaPath::kReference:
      return "row by row";
    case MetaPath::kFast:
      return "in batches";
  }
  return "";
}

}  // namespace

absl::StatusOr<std::shared_ptr<LoadedModel>> LoadVersion(
    const RepositoryModel& model, const RepositoryVersion& version) {
  RETURN_IF_ERROR(model.status);
  RETURN_IF_ERROR(version.status);
  auto loaded = std::make_shared<LoadedModel>();
  loaded->name = model.name;
  loaded->version = version.version;
  loaded->config = model.config;
  loaded->labels = model.labels;
  const absl::StatusOr<std::string> digest = Sha256OfFile(version.model_file);
  if (!digest.ok()) return Annotate(digest.status(), "model.pt");
  loaded->sha256 = *digest;
  RETURN_IF_ERROR(CheckDigest(*loaded));
  RETURN_IF_ERROR(LoadReplicas(version.model_file, *loaded));
  RETURN_IF_ERROR(CheckLabels(*loaded));
  RETURN_IF_ERROR(
      FillDefaultLayers(loaded->replicas.front()->layers(), loaded->config));
  FillActivation(loaded->replicas.front()->meaning(), loaded->config);
  RETURN_IF_ERROR(ReadLayerWeights(version, *loaded));
  RETURN_IF_ERROR(WarmUpReplicas(*loaded));
  return loaded;
}

ModelLoader::ModelLoader(Options options, Engine& engine, Metrics& metrics,
                         Log& log, Clock& clock)
    : options_(std::move(options)),
      engine_(engine),
      models_(engine.models()),
      metrics_(metrics),
      log_(log),
      clock_(clock),
      tasks_(
          {.at_once = options_.parallel_loads, .limit = options_.load_timeout},
          clock),
      thread_([this] {
        const bool ended = Run();
        MutexLock lock(&mu_);
        ended_ = ended;
      }) {}

ModelLoader::~ModelLoader() {
  Stop();
  thread_.join();
}

bool ModelLoader::Stop() {
  tasks_.Stop();
  MutexLock lock(&mu_);
  return ended_;
}

bool ModelLoader::Run() {
  const absl::StatusOr<RepositoryContents> contents = ScanRepository(
      options_.repository, [gpus = CountGpus()](const std::string& text) {
        return ParseModelConfigTextWith(gpus, text);
      });
  if (!contents.ok()) {
    // Health stays NOT_SERVING: nothing is marked as listed.
    log_.Error("model repository", {{"folder", options_.repository},
                                    {"error", contents.status().message()}});
    return true;
  }
  for (const std::string& ignored : contents->ignored) {
    log_.Warning("ignored in the model repository", {{"entry", ignored}});
  }
  for (const RepositoryModel& model : contents->models) {
    for (const std::string& note : model.config.notes) {
      log_.Warning("config.pbtxt", {{"model", model.name}, {"note", note}});
    }
    for (const RepositoryVersion& version : model.versions) {
      models_.Reserve(model.name, version.version, model.config.required);
    }
  }
  models_.MarkListed();
  if (contents->models.empty()) {
    log_.Error("model repository", {{"folder", options_.repository},
                                    {"error", "it has no models"}});
  }
  return tasks_.Run(TasksFor(*contents));
}

std::vector<TimedTask> ModelLoader::TasksFor(
    const RepositoryContents& contents) {
  std::vector<TimedTask> tasks;
  for (const RepositoryModel& model : contents.models) {
    for (auto it = model.versions.rbegin(); it != model.versions.rend(); ++it) {
      tasks.push_back(TaskFor(model, *it));
    }
  }
  return tasks;
}

TimedTask ModelLoader::TaskFor(const RepositoryModel& model,
                               const RepositoryVersion& version) {
  // Copies: the thread may outlive the repository's listing and this.
  TimedTask task;
  task.work = [this, load = options_.load, model, version] {
    const absl::Time start = absl::Now();
    auto loaded = load(model, version);
    const absl::Duration took = absl::Now() - start;
    // Called on the loader's thread alone, and never when time was up.
    return [this, model, version, loaded = std::move(loaded), took] {
      Finish(model, version, loaded, took);
    };
  };
  task.give_up = [this, name = model.name, number = version.version] {
    Fail(name, number,
         absl::DeadlineExceededError(absl::StrCat(
             "not loaded within ", absl::FormatDuration(options_.load_timeout),
             ", the limit of --load-timeout: given up")));
  };
  task.ended_late = [this, name = model.name,
                     number = version.version](absl::Duration took) {
    log_.Warning("a load that was given up has ended; its result is dropped",
                 {{"model", name},
                  {"version", number},
                  {"seconds", absl::ToDoubleSeconds(took)}});
  };
  return task;
}

void ModelLoader::Finish(const RepositoryModel& model,
                         const RepositoryVersion& version,
                         absl::StatusOr<std::shared_ptr<LoadedModel>> loaded,
                         absl::Duration took) {
  if (!loaded.ok()) return Fail(model.name, version.version, loaded.status());
  ModelVersion entry = VersionOf(model, version, **loaded);
  const ModelMetadata& metadata = *entry.metadata;
  const std::string unused =
      UnusedActivation(metadata.config.activation, metadata.meaning);
  if (!unused.empty()) {
    log_.Warning("output activation", {{"model", entry.model},
                                       {"version", entry.version},
                                       {"warning", unused}});
  }
  metrics_.ObserveModelLoad(entry.model, took);
  std::shared_ptr<ServedModel> served = engine_.StartModel(*std::move(loaded));
  if (metadata.config.warm_up) {
    AskFirst({std::make_shared<const ModelVersion>(entry), served});
  }
  log_.Info(
      "model ready",
      {{"model", entry.model},
       {"version", entry.version},
       {"seconds", absl::ToDoubleSeconds(took)},
       {"classes", metadata.num_classes},
       {"output", OutputText(metadata.output)},
       {"outputs_are", MeaningText(metadata.meaning)},
       {"meta_steps", MetaSteps(metadata)},
       {"rows_independent", YesOrNo(metadata.self_check.rows_independent)},
       {"deterministic", YesOrNo(metadata.self_check.deterministic)},
       {"note", entry.message}});
  models_.Publish(std::move(entry), std::move(served));
}

// A model that loaded and cannot answer them is served all the same: its
// callers are told why, as here.
void ModelLoader::AskFirst(const ModelTable::Entry& loaded) {
  const ModelMetadata& metadata = *loaded.version->metadata;
  const absl::Status asked = AskFirstQuestions(
      metadata,
      [&](Job job, JobDone done) {
        engine_.SubmitTo(loaded, std::move(job), std::move(done));
      },
      kPatienceWithFirst);
  if (asked.ok()) return;
  log_.Warning("first questions", {{"model", metadata.name},
                                   {"version", metadata.version},
                                   {"error", asked.ToString()}});
}

void ModelLoader::Fail(const std::string& model, int64_t version,
                       const absl::Status& why) {
  log_.Error(
      "model failed",
      {{"model", model}, {"version", version}, {"error", why.ToString()}});
  models_.Fail(model, version,
               HidesDetail(why)
                   ? "internal error while loading; the log says more"
                   : std::string(why.message()));
}

}  // namespace saliency
