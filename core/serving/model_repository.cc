#include "core/serving/model_repository.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "core/base/text_lines.h"
#include "core/base/utf8.h"

namespace saliency {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxModelNameChars = 64;
constexpr uintmax_t kMaxTextBytes = 16 << 20;

// Whether `path`, all links followed, lies below `root` (already canonical),
// and if not, why: the message has no path.
absl::Status CheckInside(const fs::path& root, const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error == std::errc::no_such_file_or_directory ||
      error == std::errc::not_a_directory) {
    return absl::InvalidArgumentError("a link that is broken");
  }
  if (error == std::errc::too_many_symbolic_link_levels) {
    return absl::InvalidArgumentError("a link that goes round in circles");
  }
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot be read: ", error.message()));
  }
  if (std::mismatch(root.begin(), root.end(), real.begin(), real.end()).first ==
      root.end()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("a link that leaves the repository");
}

// Whether a folder's entries may be listed and opened.
absl::Status CheckFolder(const fs::path& path) {
  std::error_code error;
  const fs::directory_iterator entries(path, error);
  // What may be listed need not be what may be entered.
  if (!error) static_cast<void>(fs::status(path / ".", error));
  if (!error) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("cannot be read: ", error.message()));
}

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() != fs::file_type::not_found;
}

bool IsFolder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

absl::Status CheckFile(const fs::path& root, const fs::path& path) {
  const std::string name = path.filename().string();
  if (!Exists(path)) return absl::NotFoundError(absl::StrCat("no ", name));
  RETURN_IF_ERROR(Annotate(CheckInside(root, path), name));
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": not a file"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadText(const fs::path& root,
                                     const fs::path& path) {
  const std::string name = path.filename().string();
  RETURN_IF_ERROR(CheckFile(root, path));
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  if (error || size > kMaxTextBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": larger than ", kMaxTextBytes, " bytes"));
  }
  std::string text(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(size))) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": cannot be read"));
  }
  return text;
}

// The number that a version folder's name is; nullopt for another name ("01",
// "+1" and "0" among them).
std::optional<int64_t> VersionNumber(const std::string& name) {
  int64_t version = 0;
  if (!absl::SimpleAtoi(name, &version) || version < 1 ||
      absl::StrCat(version) != name) {
    return std::nullopt;
  }
  return version;
}

std::vector<fs::path> SortedEntries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    entries.push_back(it->path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

absl::Status ReadLayerWeights(const fs::path& root, const fs::path& folder,
                              RepositoryVersion& version) {
  const fs::path path = folder / "layer_weights.pbtxt";
  if (!Exists(path)) return absl::OkStatus();
  ASSIGN_OR_RETURN(version.layer_weights, ReadText(root, path));
  return absl::OkStatus();
}

std::vector<RepositoryVersion> ScanVersions(const fs::path& root,
                                            const fs::path& folder) {
  std::vector<RepositoryVersion> versions;
  for (const fs::path& entry : SortedEntries(folder)) {
    const auto number = VersionNumber(entry.filename().string());
    if (!number.has_value()) continue;
    RepositoryVersion version = {.version = *number};
    version.status = CheckInside(root, entry);
    if (version.status.ok()) {
      if (!IsFolder(entry)) continue;
      version.status = CheckFolder(entry);
    }
    if (version.status.ok()) {
      version.status = CheckFile(root, entry / "model.pt");
    } else {
      version.status =
          Annotate(version.status, absl::StrCat("version ", *number));
    }
    if (version.status.ok()) {
      version.model_file = (entry / "model.pt").string();
      version.status = ReadLayerWeights(root, entry, version);
    }
    versions.push_back(std::move(version));
  }
  std::sort(versions.begin(), versions.end(),
            [](const RepositoryVersion& a, const RepositoryVersion& b) {
              return a.version < b.version;
            });
  return versions;
}

absl::Status ReadModelTexts(const fs::path& root, const fs::path& folder,
                            const ParseModelConfig& parse_config,
                            RepositoryModel& model) {
  if (const fs::path path = folder / "config.pbtxt"; Exists(path)) {
    ASSIGN_OR_RETURN(const std::string text, ReadText(root, path));
    absl::StatusOr<ModelConfig> config = parse_config(text);
    if (!config.ok()) return Annotate(config.status(), "config.pbtxt");
    model.config = *std::move(config);
    if (!model.config.name.empty() && model.config.name != model.name) {
      model.config.notes.push_back(
          absl::StrCat("name: \"", Printable(model.config.name),
                       "\"; the folder's name \"", model.name, "\" counts"));
    }
  }
  if (const fs::path path = folder / "labels.txt"; Exists(path)) {
    ASSIGN_OR_RETURN(const std::string text, ReadText(root, path));
    absl::StatusOr<std::vector<std::string>> labels = ParseLabels(text);
    if (!labels.ok()) return Annotate(labels.status(), "labels.txt");
    model.labels = *std::move(labels);
  }
  return absl::OkStatus();
}

// Leaves the versions that the config chooses.
absl::Status ChooseVersions(RepositoryModel& model) {
  const VersionChoice& choice = model.config.versions;
  std::vector<RepositoryVersion> chosen;
  for (RepositoryVersion& version : model.versions) {
    const bool listed =
        choice.only.empty() || std::find(choice.only.begin(), choice.only.end(),
                                         version.version) != choice.only.end();
    if (listed) chosen.push_back(std::move(version));
  }
  if (chosen.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "config.pbtxt: version_policy names ", absl::StrJoin(choice.only, ", "),
        "; none of them is there"));
  }
  const auto latest = static_cast<size_t>(choice.latest);
  if (latest > 0 && chosen.size() > latest) {
    chosen.erase(chosen.begin(),
                 chosen.end() - static_cast<std::ptrdiff_t>(latest));
  }
  model.versions = std::move(chosen);
  return absl::OkStatus();
}

// By what it begins and ends with; a bracket alone may be a label's.
bool LooksLikeJson(const std::vector<absl::string_view>& lines) {
  const absl::string_view first = absl::StripAsciiWhitespace(lines.front());
  const absl::string_view last = absl::StripAsciiWhitespace(lines.back());
  const bool is_list =
      absl::StartsWith(first, "[") && absl::EndsWith(last, "]");
  const bool is_map = absl::StartsWith(first, "{") && absl::EndsWith(last, "}");
  const auto has_quote = [](absl::string_view line) {
    return absl::StrContains(line, '"');
  };
  return (is_list || is_map) &&
         std::any_of(lines.begin(), lines.end(), has_quote);
}

}  // namespace

bool IsModelName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxModelNameChars) return false;
  if (name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' ||
           c == '.' || c == '-';
  });
}

absl::StatusOr<std::vector<std::string>> ParseLabels(absl::string_view text) {
  ASSIGN_OR_RETURN(std::vector<absl::string_view> lines, TextLines(text));
  const auto is_empty = [](absl::string_view line) {
    return absl::StripAsciiWhitespace(line).empty();
  };
  while (!lines.empty() && is_empty(lines.back())) lines.pop_back();
  if (lines.empty()) return absl::InvalidArgumentError("line 1 is empty");
  if (LooksLikeJson(lines)) {
    return absl::InvalidArgumentError("is JSON; it must hold one label a line");
  }
  std::vector<std::string> labels;
  for (const absl::string_view line : lines) {
    const size_t number = labels.size() + 1;
    if (is_empty(line)) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, " is empty"));
    }
    if (!IsUtf8(line)) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, " is not UTF-8"));
    }
    labels.emplace_back(absl::StripAsciiWhitespace(line));
  }
  return labels;
}

absl::StatusOr<RepositoryContents> ScanRepository(
    const std::string& root, const ParseModelConfig& parse_config) {
  std::error_code error;
  const fs::path real_root = fs::canonical(root, error);
  if (error || !IsFolder(real_root)) {
    return absl::NotFoundError("the model repository is not a readable folder");
  }
  RepositoryContents contents;
  for (const fs::path& entry : SortedEntries(real_root)) {
    const std::string name = entry.filename().string();
    const auto ignore = [&](absl::string_view why) {
      contents.ignored.push_back(
          absl::StrCat("\"", Printable(name), "\": ", why));
    };
    if (const absl::Status inside = CheckInside(real_root, entry);
        !inside.ok()) {
      ignore(inside.message());
    } else if (!IsFolder(entry)) {
      ignore("not a folder");
    } else if (!IsModelName(name)) {
      ignore("not a model name, [A-Za-z0-9_.-]{1,64}");
    } else if (const absl::Status readable = CheckFolder(entry);
               !readable.ok()) {
      ignore(readable.message());
    } else {
      RepositoryModel model = {.name = name};
      model.versions = ScanVersions(real_root, entry);
      if (model.versions.empty()) {
        ignore("no version folder (a positive integer)");
        continue;
      }
      model.status = ReadModelTexts(real_root, entry, parse_config, model);
      if (model.status.ok()) model.status = ChooseVersions(model);
      contents.models.push_back(std::move(model));
    }
  }
  return contents;
}

}  // namespace saliency
