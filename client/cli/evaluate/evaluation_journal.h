// What an evaluation has found out so far, on disk: a CSV file that grows item
// by item, so that an interrupted run goes on where it stopped and ends with
// the same bytes as one that was not.
//
//   # saliency evaluation 1
//   # pointing-game model=resnet50 ...
//   image,category,...
//   000001,cat,...
//   # done 000001
//
// An item counts only with its last line; what a crash left behind it is cut
// off, and a heading that it left unfinished is written anew.
// Thread-compatible.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_JOURNAL_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_JOURNAL_H_

#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace saliency {

// What a journal holds, whoever wrote it.
struct JournalContents {
  std::string plan;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // of finished items, in order
  std::vector<std::string> done;               // names of those items
};

// Errors: NOT_FOUND no such file; INVALID_ARGUMENT not a journal, by line.
absl::StatusOr<JournalContents> ReadJournal(const std::string& path);

class EvaluationJournal {
 public:
  // Goes on with the file at `path`, or starts it.  `plan` is one line that
  // says what is measured.
  // Errors: INVALID_ARGUMENT the file belongs to another plan or is no journal,
  //   or cannot be written.
  static absl::StatusOr<std::unique_ptr<EvaluationJournal>> Open(
      const std::string& path, const std::string& plan,
      const std::vector<std::string>& columns);
  ~EvaluationJournal();
  EvaluationJournal(const EvaluationJournal&) = delete;
  EvaluationJournal& operator=(const EvaluationJournal&) = delete;

  bool IsDone(const std::string& item) const { return done_.count(item) > 0; }
  const std::set<std::string>& done() const { return done_; }

  // Adds all rows of a finished item; they are on their way to the disk when
  // this returns.  REQUIRES: as many fields in each row as columns.
  // Errors: INVALID_ARGUMENT naming the file and the system's reason.  The same
  //   for ever after: what follows half an item could not be read.
  absl::Status Add(const std::string& item,
                   absl::Span<const std::vector<std::string>> rows);

 private:
  EvaluationJournal(std::string path, std::FILE* file,
                    std::set<std::string> done)
      : path_(std::move(path)), file_(file), done_(std::move(done)) {}

  const std::string path_;
  std::FILE* const file_;
  std::set<std::string> done_;
  absl::Status written_;  // of the first Add that failed
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_JOURNAL_H_
