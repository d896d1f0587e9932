#include "client/cli/evaluate/evaluation.h"

#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli/evaluate/evaluation_journal.h"
#include "client/cli/evaluate/shard.h"
#include "core/base/status.h"

namespace saliency {
namespace {

std::string JournalPath(const std::string& folder,
                        const Evaluation& evaluation) {
  return absl::StrCat(folder, "/",
                      absl::StrReplaceAll(evaluation.kind().name, {{"-", "_"}}),
                      ".csv");
}

ExitCode Refuse(const Evaluation& evaluation, const absl::Status& status,
                Console& console) {
  return PrintUsageError(
      console, absl::StrCat("evaluate ", evaluation.kind().name), status);
}

absl::Status MakeOutDir(const std::string& out_dir) {
  std::error_code error;
  std::filesystem::create_directories(out_dir, error);
  if (!error) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--out-dir: cannot make ", out_dir, ": ", error.message()));
}

// Names in order.
struct Items {
  std::vector<std::string> all;   // of the folder
  std::vector<std::string> ours;  // within the limit and the shard
};

absl::StatusOr<Items> ItemsOf(const EvaluationFlags& flags,
                              Evaluation& evaluation) {
  if (flags.has_folder && flags.folder.empty()) {
    return absl::InvalidArgumentError("FOLDER is missing");
  }
  ASSIGN_OR_RETURN(const Shard shard, ParseShard(flags.shard));
  ASSIGN_OR_RETURN(std::vector<std::string> names, evaluation.Items());
  Items items = {.all = names};
  if (flags.limit > 0 && names.size() > static_cast<size_t>(flags.limit)) {
    names.resize(flags.limit);
  }
  items.ours = TakeShard(names, shard);
  return items;
}

// A journal's plan does not name the folder, which other machines have
// elsewhere: its items tell.
absl::Status CheckSameFolder(const EvaluationFlags& flags, const Items& items,
                             const EvaluationJournal& journal) {
  if (!flags.has_folder) return absl::OkStatus();
  const std::set<std::string> known(items.all.begin(), items.all.end());
  for (const std::string& item : journal.done()) {
    if (known.contains(item)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(flags.out_dir, " holds results of ", item, ", which ",
                     flags.folder, " does not have: take another --out-dir"));
  }
  return absl::OkStatus();
}

absl::Status Report(const Evaluation& evaluation,
                    const absl::StatusOr<JournalContents>& journal,
                    const std::string& title, Console& console) {
  RETURN_IF_ERROR(journal.status());
  ASSIGN_OR_RETURN(const std::string text,
                   evaluation.Report(journal->rows, title));
  console.out << text;
  console.out.flush();
  return absl::OkStatus();
}

absl::StatusOr<JournalContents> JoinJournals(
    const std::vector<std::string>& folders, const Evaluation& evaluation) {
  JournalContents all;
  std::set<std::string> done;
  for (const std::string& folder : folders) {
    ASSIGN_OR_RETURN(JournalContents part,
                     ReadJournal(JournalPath(folder, evaluation)));
    if (!all.plan.empty() && part.plan != all.plan) {
      return absl::InvalidArgumentError(
          absl::StrCat("--merge: ", folder, " measured something else (",
                       part.plan, ") than ", folders.front()));
    }
    for (const std::string& item : part.done) {
      if (done.insert(item).second) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "--merge: ", folder, " measured ", item, ", as did one before it"));
    }
    all.plan = part.plan;
    all.columns = part.columns;
    for (auto& row : part.rows) all.rows.push_back(std::move(row));
  }
  return all;
}

ExitCode Merge(const EvaluationFlags& flags, const Evaluation& evaluation,
               Console& console) {
  const absl::StatusOr<JournalContents> all =
      JoinJournals(flags.merge, evaluation);
  absl::Status status = all.ok() ? MakeOutDir(flags.out_dir) : all.status();
  if (status.ok()) status = Report(evaluation, all, all->plan, console);
  return status.ok() ? kExitOk : Refuse(evaluation, status, console);
}

v1::GetModelRequest RequestOf(const ConnectionFlags& connection) {
  v1::GetModelRequest request;
  *request.mutable_model() = ModelOf(connection);
  return request;
}

// Measures what is left and reports all there is.  `title` is settled.
ExitCode RunAndReport(const EvaluationFlags& flags, const Items& items,
                      const std::string& title, const SaliencyClient& client,
                      const Evaluation& evaluation, Console& console) {
  const std::string path = JournalPath(flags.out_dir, evaluation);
  EvaluationOutcome outcome;
  {
    const auto journal =
        EvaluationJournal::Open(path, title, evaluation.kind().columns);
    if (!journal.ok()) return Refuse(evaluation, journal.status(), console);
    const absl::Status same = CheckSameFolder(flags, items, **journal);
    if (!same.ok()) return Refuse(evaluation, same, console);
    outcome = RunEvaluation(items.ours, flags.concurrency, **journal, console,
                            [&](const std::string& name,
                                const std::shared_ptr<CancelToken>& cancel) {
                              return evaluation.Measure(client, name, cancel);
                            });
  }
  if (outcome.done > 0) {
    const absl::Status reported =
        Report(evaluation, ReadJournal(path), title, console);
    if (!reported.ok()) return Refuse(evaluation, reported, console);
  }
  if (outcome.ended_early) {
    PrintError(
        console,
        absl::StrCat("ended early: ", outcome.done, " of ", items.ours.size(),
                     " images; the same command goes on from there"));
  }
  return outcome.exit_code();
}

ExitCode Run(const EvaluationFlags& flags, Evaluation& evaluation,
             Console& console) {
  const absl::StatusOr<Items> items = ItemsOf(flags, evaluation);
  if (!items.ok()) return Refuse(evaluation, items.status(), console);
  const absl::Status made = MakeOutDir(flags.out_dir);
  if (!made.ok()) return Refuse(evaluation, made, console);
  const absl::StatusOr<std::unique_ptr<SaliencyClient>> client =
      Connect(flags.connection);
  if (!client.ok()) return PrintConnectError(console, client.status());
  const absl::StatusOr<v1::GetModelResponse> model =
      (*client)->GetModel(RequestOf(flags.connection));
  if (!model.ok()) {
    return PrintFailure(console, model.status());
  }
  const absl::StatusOr<std::string> plan = evaluation.Plan(*model);
  if (!plan.ok()) return Refuse(evaluation, plan.status(), console);
  const std::string title =
      absl::StrCat(evaluation.kind().name, " model=", model->model().name(),
                   "/", model->model().version(), " ", *plan);
  return RunAndReport(flags, *items, title, **client, evaluation, console);
}

}  // namespace

ExitCode Evaluate(const EvaluationFlags& flags, Evaluation& evaluation,
                  Console& console) {
  return flags.merge.empty() ? Run(flags, evaluation, console)
                             : Merge(flags, evaluation, console);
}

}  // namespace saliency
