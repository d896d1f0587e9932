#include "client/cli/evaluate/evaluation_journal.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/evaluate/csv.h"
#include "client/cli/image_files.h"
#include "core/base/status.h"

namespace saliency {
namespace {

constexpr absl::string_view kFirstLine = "# saliency evaluation 1";
constexpr absl::string_view kDone = "# done ";

absl::Status NoJournal(const std::string& path, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, " is no evaluation journal: ", why));
}

struct ReadResult {
  JournalContents contents;
  size_t whole_bytes = 0;  // up to and with the last finished item
};

// Takes the next whole line off `rest`; false when there is none.
bool TakeLine(absl::string_view& rest, absl::string_view& line) {
  const size_t end = rest.find('\n');
  if (end == absl::string_view::npos) return false;
  line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

absl::Status ReadItems(const std::string& path, absl::string_view all,
                       absl::string_view rest, ReadResult& result) {
  std::vector<std::vector<std::string>> pending;
  absl::string_view line;
  while (TakeLine(rest, line)) {
    if (absl::StartsWith(line, kDone)) {
      for (auto& row : pending) {
        result.contents.rows.push_back(std::move(row));
      }
      pending.clear();
      result.contents.done.emplace_back(absl::StripPrefix(line, kDone));
      result.whole_bytes = all.size() - rest.size();
      continue;
    }
    absl::StatusOr<std::vector<std::string>> row = ParseCsvRow(line);
    if (!row.ok() || row->size() != result.contents.columns.size()) {
      return NoJournal(path, absl::StrCat("bad line ", line.substr(0, 60)));
    }
    pending.push_back(*std::move(row));
  }
  return absl::OkStatus();
}

absl::StatusOr<ReadResult> Read(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return absl::NotFoundError(text.status().message());
  ReadResult result;
  absl::string_view rest = *text;
  absl::string_view first;
  absl::string_view plan;
  absl::string_view columns;
  if (!TakeLine(rest, first) || first != kFirstLine) {
    return NoJournal(path, "its first line is another one");
  }
  if (!TakeLine(rest, plan) || !TakeLine(rest, columns)) {
    return NoJournal(path, "it has no heading");
  }
  result.contents.plan = std::string(absl::StripPrefix(plan, "# "));
  ASSIGN_OR_RETURN(result.contents.columns, ParseCsvRow(columns));
  result.whole_bytes = text->size() - rest.size();
  RETURN_IF_ERROR(ReadItems(path, *text, rest, result));
  return result;
}

absl::Status CannotWrite(const std::string& path) {
  return absl::InvalidArgumentError(
      absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
}

// Whether the file is what a crash left of `heading`, or is not there.
bool HasNoHeading(const std::string& path, const std::string& heading) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return true;
  const auto size = std::filesystem::file_size(path, error);
  if (error || size >= heading.size()) return false;
  const absl::StatusOr<std::string> text = ReadFile(path);
  return text.ok() && absl::StartsWith(heading, *text);
}

}  // namespace

absl::StatusOr<JournalContents> ReadJournal(const std::string& path) {
  ASSIGN_OR_RETURN(ReadResult result, Read(path));
  return std::move(result.contents);
}

absl::StatusOr<std::unique_ptr<EvaluationJournal>> EvaluationJournal::Open(
    const std::string& path, const std::string& plan,
    const std::vector<std::string>& columns) {
  const std::string heading =
      absl::StrCat(kFirstLine, "\n# ", plan, "\n", CsvRow(columns), "\n");
  const bool is_new = HasNoHeading(path, heading);
  std::set<std::string> done;
  if (!is_new) {
    ASSIGN_OR_RETURN(const ReadResult found, Read(path));
    if (found.contents.plan != plan || found.contents.columns != columns) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, " belongs to another evaluation (", found.contents.plan,
          "): take another --out-dir, or remove it"));
    }
    std::error_code error;
    std::filesystem::resize_file(path, found.whole_bytes, error);
    if (error) return CannotWrite(path);
    done.insert(found.contents.done.begin(), found.contents.done.end());
  }
  std::FILE* const file = std::fopen(path.c_str(), is_new ? "wb" : "ab");
  if (file == nullptr) return CannotWrite(path);
  auto journal = std::unique_ptr<EvaluationJournal>(
      new EvaluationJournal(path, file, std::move(done)));
  if (is_new) {
    std::fwrite(heading.data(), 1, heading.size(), file);
    if (std::fflush(file) != 0) return CannotWrite(path);
  }
  return journal;
}

EvaluationJournal::~EvaluationJournal() { std::fclose(file_); }

absl::Status EvaluationJournal::Add(
    const std::string& item, absl::Span<const std::vector<std::string>> rows) {
  RETURN_IF_ERROR(written_);
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    absl::StrAppend(&text, CsvRow(row), "\n");
  }
  absl::StrAppend(&text, kDone, item, "\n");
  const bool written =
      std::fwrite(text.data(), 1, text.size(), file_) == text.size() &&
      std::fflush(file_) == 0;
  if (!written) return written_ = CannotWrite(path_);
  done_.insert(item);
  return absl::OkStatus();
}

}  // namespace saliency
