// `saliency evaluate pointing-game FOLDER`: how often the strongest point of a
// map lies on the object it explains, over a data set.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/connection_flags.h"
#include "client/evaluation_run.h"
#include "client/picture_files.h"
#include "client/pointing_questions.h"
#include "client/pointing_report.h"
#include "client/question_flags.h"
#include "client/shard.h"
#include "client/voc_folder.h"
#include "core/base/status.h"

namespace saliency {
namespace {

constexpr char kJournal[] = "/pointing_game.csv";

struct PointingFlags {
  ConnectionFlags connection;
  std::string folder;
  std::string set = "test";
  std::vector<std::string> methods;
  std::vector<std::string> layers;
  std::vector<std::string> joins;
  std::string out_dir;
  std::string shard = "0/1";
  std::vector<std::string> merge;
  int limit = 0;
  int concurrency = 8;
};

void AddFlags(CLI::App& command, PointingFlags& flags) {
  command.add_option("FOLDER", flags.folder,
                     "folder laid out as Pascal VOC's, such as "
                     "VOCdevkit/VOC2007");
  command
      .add_option("--set", flags.set,
                  "image set: a file of ImageSets/Main without its .txt")
      ->capture_default_str();
  AddRepeatable(command, "-m,--method", flags.methods,
                "method or pair; repeatable; default: gradient, gradient_sum, "
                "linear_approximation, grad_cam, norm_grad and "
                "selective_norm_grad");
  AddRepeatable(command, "-l,--layer", flags.layers,
                "layer, shallow to deep; repeatable; default: the model's "
                "combine layers");
  AddRepeatable(command, "--combination", flags.joins,
                "WEIGHTING+RULE, such as linear+product; repeatable; default: "
                "all that the model is calibrated for");
  command
      .add_option("-o,--out-dir", flags.out_dir,
                  "folder for the journal, tables and plots; a run that was "
                  "interrupted goes on from its journal")
      ->required();
  command
      .add_option("--shard", flags.shard,
                  "which part of the set, as INDEX/COUNT; join the parts' "
                  "folders with --merge")
      ->capture_default_str();
  AddRepeatable(command, "--merge", flags.merge,
                "out-dir of a shard: joins the journals instead of asking a "
                "server; repeatable");
  command
      .add_option("--limit", flags.limit,
                  "the first N pictures of the set alone; default: all")
      ->check(CLI::PositiveNumber);
  AddConnectionFlags(command, flags.connection);
  command
      .add_option("--concurrency", flags.concurrency,
                  "pictures in flight at once, for the server to batch")
      ->check(CLI::Range(1, 256))
      ->capture_default_str()
      ->group("Connection");
}

absl::StatusOr<PointingPlan> PlanOf(const PointingFlags& flags,
                                    const v1::GetModelResponse& model) {
  PointingPlan plan = {.methods = flags.methods, .layers = flags.layers};
  for (const std::string& text : flags.joins) {
    ASSIGN_OR_RETURN(const JoinKind join, ParseJoinKind(text));
    plan.joins.push_back(join);
  }
  return CompletePlan(std::move(plan), model);
}

absl::StatusOr<std::vector<std::string>> ItemsOf(const PointingFlags& flags) {
  if (flags.folder.empty()) {
    return absl::InvalidArgumentError("FOLDER is missing");
  }
  ASSIGN_OR_RETURN(const Shard shard, ParseShard(flags.shard));
  ASSIGN_OR_RETURN(std::vector<std::string> names,
                   ReadImageSet(flags.folder, flags.set));
  if (flags.limit > 0 && names.size() > static_cast<size_t>(flags.limit)) {
    names.resize(flags.limit);
  }
  return TakeShard(names, shard);
}

// Everything that measuring a picture needs.  Constant; any thread.
struct Sweep {
  const PointingFlags& flags;
  const SaliencyClient& client;
  PointingPlan plan;
  std::string model;
  int64_t version = 0;
};

absl::StatusOr<JournalRows> Measure(
    const Sweep& sweep, const std::string& name,
    const std::shared_ptr<CancelToken>& cancel) {
  ASSIGN_OR_RETURN(const VocAnnotation annotation,
                   ReadAnnotation(sweep.flags.folder, name));
  const auto categories = PlayedCategories(annotation);
  JournalRows rows;
  if (categories.empty()) return rows;  // nothing to point at
  ASSIGN_OR_RETURN(const std::string path,
                   PicturePath(sweep.flags.folder, name));
  ASSIGN_OR_RETURN(const std::string picture, ReadFile(path));
  for (const PointingGame& game : CentreGames(name, annotation, categories)) {
    rows.push_back(PointingRow(game));
  }
  for (v1::CombineLayersRequest& request :
       PointingRequests(sweep.plan, categories)) {
    request.set_model(sweep.model);
    request.set_version(sweep.version);
    request.mutable_input()->set_picture(picture);
    ASSIGN_OR_RETURN(const v1::CombineLayersResponse answer,
                     sweep.client.CombineLayers(request, {.cancel = cancel}));
    ASSIGN_OR_RETURN(const std::vector<PointingGame> games,
                     PointingGames(name, categories, answer));
    for (const PointingGame& game : games) rows.push_back(PointingRow(game));
  }
  return rows;
}

absl::Status Report(const std::vector<std::vector<std::string>>& rows,
                    const PointingReportOptions& options,
                    const PointingFlags& flags, Console& console) {
  PointingTally tally;
  for (const std::vector<std::string>& row : rows) {
    ASSIGN_OR_RETURN(const PointingGame game, ParsePointingRow(row));
    tally.Add(game);
  }
  RETURN_IF_ERROR(WritePointingReport(tally, options, flags.out_dir));
  console.out << (flags.connection.json ? PointingJson(tally, options)
                                        : PointingTables(tally, options));
  console.out.flush();
  return absl::OkStatus();
}

ExitCode Refuse(Console& console, const absl::Status& status) {
  PrintError(console, absl::StrCat(status.message(),
                                   ": see saliency evaluate pointing-game "
                                   "--help"));
  return kExitUsage;
}

absl::Status MakeOutDir(const std::string& out_dir) {
  std::error_code error;
  std::filesystem::create_directories(out_dir, error);
  if (!error) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--out-dir: cannot make ", out_dir, ": ", error.message()));
}

absl::StatusOr<JournalContents> JoinJournals(
    const std::vector<std::string>& folders) {
  JournalContents all;
  for (const std::string& folder : folders) {
    ASSIGN_OR_RETURN(JournalContents part, ReadJournal(folder + kJournal));
    if (!all.plan.empty() && part.plan != all.plan) {
      return absl::InvalidArgumentError(
          absl::StrCat("--merge: ", folder, " measured something else (",
                       part.plan, ") than ", folders.front()));
    }
    all.plan = part.plan;
    all.columns = part.columns;
    for (auto& row : part.rows) all.rows.push_back(std::move(row));
  }
  return all;
}

ExitCode Merge(const PointingFlags& flags, Console& console) {
  const absl::StatusOr<JournalContents> all = JoinJournals(flags.merge);
  absl::Status status = all.ok() ? MakeOutDir(flags.out_dir) : all.status();
  if (status.ok()) {
    status = Report(all->rows, {.title = all->plan}, flags, console);
  }
  return status.ok() ? kExitOk : Refuse(console, status);
}

ExitCode Play(const PointingFlags& flags, Console& console) {
  const absl::StatusOr<std::vector<std::string>> items = ItemsOf(flags);
  if (!items.ok()) return Refuse(console, items.status());
  const absl::Status made = MakeOutDir(flags.out_dir);
  if (!made.ok()) return Refuse(console, made);
  const absl::StatusOr<std::unique_ptr<SaliencyClient>> client =
      Connect(flags.connection);
  if (!client.ok()) return PrintConnectError(console, client.status());
  v1::GetModelRequest question;
  question.set_model(flags.connection.model);
  if (flags.connection.model_version.has_value()) {
    question.set_version(*flags.connection.model_version);
  }
  const absl::StatusOr<v1::GetModelResponse> model =
      (*client)->GetModel(question);
  if (!model.ok()) {
    PrintError(console, ErrorText(model.status()));
    return kExitFailed;
  }
  absl::StatusOr<PointingPlan> plan = PlanOf(flags, *model);
  if (!plan.ok()) return Refuse(console, plan.status());
  const Sweep sweep = {.flags = flags,
                       .client = **client,
                       .plan = *std::move(plan),
                       .model = model->name(),
                       .version = model->version()};
  const std::string title =
      absl::StrCat("pointing-game model=", sweep.model, "/", sweep.version,
                   " set=", flags.set, " ", sweep.plan.Text());
  const std::string path = flags.out_dir + kJournal;
  EvaluationOutcome outcome;
  {
    const auto journal =
        EvaluationJournal::Open(path, title, PointingColumns());
    if (!journal.ok()) return Refuse(console, journal.status());
    outcome = RunEvaluation(*items, flags.concurrency, **journal, console,
                            [&](const std::string& name,
                                const std::shared_ptr<CancelToken>& cancel) {
                              return Measure(sweep, name, cancel);
                            });
  }
  if (outcome.done == 0) return outcome.exit_code();
  const absl::StatusOr<JournalContents> all = ReadJournal(path);
  const absl::Status reported =
      all.ok() ? Report(all->rows,
                        {.title = title,
                         .weights = WeightCurves(sweep.plan, *model)},
                        flags, console)
               : all.status();
  if (!reported.ok()) return Refuse(console, reported);
  if (outcome.ended_early) {
    PrintError(
        console,
        absl::StrCat("ended early: ", outcome.done, " of ", items->size(),
                     " pictures; the same command goes on from there"));
  }
  return outcome.exit_code();
}

}  // namespace

Command AddPointingGameCommand(CLI::App& evaluate) {
  CLI::App* app = evaluate.add_subcommand(
      "pointing-game",
      "How often a map's strongest point lies on the object it explains");
  const auto flags = std::make_shared<PointingFlags>();
  AddFlags(*app, *flags);
  return {app, [flags](Console& console) {
            return flags->merge.empty() ? Play(*flags, console)
                                        : Merge(*flags, console);
          }};
}

}  // namespace saliency
