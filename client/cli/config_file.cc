#include "client/cli/config_file.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/image_files.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string>& ConfigKeys() {
  static const auto* const keys =
      new std::vector<std::string>{"server",  "tls-ca",          "tls-cert",
                                   "tls-key", "tls-server-name", "token-file"};
  return *keys;
}

bool IsPathKey(const std::string& key) {
  return key != "server" && key != "tls-server-name";
}

std::string EnvironmentVariable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string ResolvedConfigPath(const std::string& value,
                               const std::string& file) {
  if (absl::StartsWith(value, "~/")) {
    return absl::StrCat(EnvironmentVariable("HOME"), value.substr(1));
  }
  return (fs::path(file).parent_path() / value).string();
}

// "KEY = VALUE", the value with or without quotes.
absl::StatusOr<ConfigSetting> ParseConfigLine(absl::string_view line) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(line, absl::MaxSplits('=', 1));
  ConfigSetting setting;
  setting.key = std::string(absl::StripAsciiWhitespace(parts.first));
  absl::string_view value = absl::StripAsciiWhitespace(parts.second);
  if (value.size() >= 2 && value.front() == value.back() &&
      (value.front() == '"' || value.front() == '\'')) {
    value = value.substr(1, value.size() - 2);
  }
  setting.value = std::string(value);
  if (setting.key.empty() || setting.value.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", Printable(line), "\" is not KEY = VALUE"));
  }
  const std::vector<std::string>& known = ConfigKeys();
  if (std::find(known.begin(), known.end(), setting.key) == known.end()) {
    return absl::InvalidArgumentError(
        NotFoundMessage("key", setting.key, known));
  }
  return setting;
}

}  // namespace

std::string DefaultConfigFile() {
  constexpr char kName[] = "/saliency/client.conf";
  if (const std::string home = EnvironmentVariable("XDG_CONFIG_HOME");
      !home.empty()) {
    return home + kName;
  }
  const std::string home = EnvironmentVariable("HOME");
  return home.empty() ? "" : absl::StrCat(home, "/.config", kName);
}

absl::StatusOr<std::vector<ConfigSetting>> ReadConfigFile(
    const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  std::vector<ConfigSetting> settings;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    const std::string at = absl::StrCat(path, " line ", number);
    absl::StatusOr<ConfigSetting> setting = ParseConfigLine(line);
    if (!setting.ok()) return Annotate(setting.status(), at);
    for (const ConfigSetting& earlier : settings) {
      if (earlier.key != setting->key) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(at, ": ", setting->key, " is set twice"));
    }
    if (IsPathKey(setting->key)) {
      setting->value = ResolvedConfigPath(setting->value, path);
    }
    settings.push_back(*std::move(setting));
  }
  return settings;
}

absl::Status ApplyConfigFile(CLI::App& command,
                             const std::string& default_path) {
  const CLI::Option* config = command.get_option_no_throw("--config");
  if (config == nullptr) return absl::OkStatus();
  std::string path = default_path;
  if (config->count() > 0) {
    path = config->as<std::string>();
  } else {
    std::error_code error;
    if (path.empty() || !fs::exists(path, error)) return absl::OkStatus();
  }
  if (path.empty()) return absl::OkStatus();  // --config "": none
  ASSIGN_OR_RETURN(const std::vector<ConfigSetting> settings,
                   ReadConfigFile(path));
  const auto is_server = [](const ConfigSetting& setting) {
    return setting.key == "server";
  };
  const bool of_one_server =
      std::any_of(settings.begin(), settings.end(), is_server);
  if (of_one_server && command.get_option("--server")->count() > 0) {
    return absl::OkStatus();
  }
  for (const ConfigSetting& setting : settings) {
    CLI::Option* option = command.get_option("--" + setting.key);
    if (option->count() > 0) continue;
    option->add_result(setting.value);
    option->run_callback();
  }
  return absl::OkStatus();
}

}  // namespace saliency
