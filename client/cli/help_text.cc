#include "client/cli/help_text.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "core/base/near_names.h"

namespace saliency {
namespace {

// CLI11's "TYPE" or "TYPE:CHECK" as one word.
std::string FlagTypeText(absl::string_view type_and_check) {
  const size_t colon = type_and_check.find(':');
  const std::string type(type_and_check.substr(0, colon));
  if (colon == absl::string_view::npos) return type;
  absl::string_view check = type_and_check.substr(colon + 1);
  if (check == "POSITIVE") return absl::StrCat(type, ">0");
  if (absl::ConsumePrefix(&check, "{") && absl::ConsumeSuffix(&check, "}")) {
    return absl::StrReplaceAll(check, {{",", "|"}});
  }
  const size_t range = check.find(" in [");
  if (range == absl::string_view::npos) return type;
  check.remove_prefix(range + 5);
  absl::ConsumeSuffix(&check, "]");
  return absl::StrReplaceAll(check, {{" - ", ".."}});
}

// CLI11 writes 0.5 as 0.500000.
std::string WithoutTrailingZeros(std::string text) {
  for (size_t dot = text.find('.'); dot != std::string::npos;
       dot = text.find('.', dot + 1)) {
    const size_t end =
        std::min(text.find_first_not_of("0123456789", dot + 1), text.size());
    if (end - dot != 7) continue;
    const size_t last = text.find_last_not_of('0', end - 1);
    const size_t keep = last == dot ? dot : last + 1;
    text.erase(keep, end - keep);
  }
  return text;
}

// CLI11's reason in fewer words.
std::string ParseErrorReason(const CLI::ParseError& error) {
  const std::string what = error.what();
  const size_t mismatch = what.find(": 1 required ");
  if (mismatch != std::string::npos) {
    return what.substr(0, mismatch) + " needs a value";
  }
  return WithoutTrailingZeros(what);
}

// What follows the flag's name.
std::string FlagText(const CLI::Option& option) {
  std::string text;
  if (option.get_type_size() != 0) {
    if (!option.get_positional()) text = FlagTypeText(option.get_type_name());
    if (!option.get_default_str().empty()) {
      absl::StrAppend(&text, "=", option.get_default_str());
    }
    if (option.get_positional() &&
        option.get_expected_max() == CLI::detail::expected_max_vector_size) {
      absl::StrAppend(&text, "...");
    }
    if (option.get_required()) {
      absl::StrAppend(&text, text.empty() ? "" : " ", "(required)");
    }
  }
  if (!option.get_envname().empty()) {
    absl::StrAppend(&text, text.empty() ? "" : " ", "($", option.get_envname(),
                    ")");
  }
  return text;
}

std::string FullCommandName(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  if (parent == nullptr) return app.get_name();
  return absl::StrCat(FullCommandName(*parent), " ", app.get_name());
}

std::vector<std::string> SubcommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands(nullptr)) {
    names.push_back(sub->get_name());
  }
  return names;
}

std::vector<std::string> FlagNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  return names;
}

bool SomeCommandTakes(const CLI::App& app, const std::string& flag) {
  const std::vector<std::string> flags = FlagNames(app);
  if (std::find(flags.begin(), flags.end(), flag) != flags.end()) return true;
  const auto subs = app.get_subcommands(nullptr);
  return std::any_of(subs.begin(), subs.end(), [&](const CLI::App* sub) {
    return SomeCommandTakes(*sub, flag);
  });
}

// What was typed and nothing took, when it looks like a command or a flag.
std::string WordNotFound(const CLI::App& app) {
  const std::vector<std::string> commands = SubcommandNames(app);
  for (const std::string& word : app.remaining()) {
    if (!absl::StartsWith(word, "-") || word == "-") {
      if (commands.empty()) continue;
      return NotFoundMessage("command", word, commands);
    }
    const std::string flag = word.substr(0, word.find('='));
    if (!commands.empty() && SomeCommandTakes(app, flag)) {
      return absl::StrCat(flag,
                          " comes after the command: ", FullCommandName(app),
                          " COMMAND ", flag, " ...");
    }
    return NotFoundMessage("flag", flag, FlagNames(app));
  }
  return "";
}

}  // namespace

CLI::App& CalledCommand(CLI::App& app) {
  const std::vector<CLI::App*> called = app.get_subcommands();
  return called.empty() ? app : CalledCommand(*called.front());
}

void SimplifyHelp(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string text = FlagText(*option);
    if (!text.empty()) option->option_text(text);
    if (option->get_positional()) option->type_name("");
  }
  for (CLI::App* sub : app.get_subcommands(nullptr)) SimplifyHelp(*sub);
}

std::string WhatIsWrong(CLI::App& root, const CLI::ParseError& error) {
  const CLI::App& called = CalledCommand(root);
  std::string why;
  for (const CLI::App* app = &called; app != nullptr && why.empty();
       app = app->get_parent()) {
    why = WordNotFound(*app);
  }
  if (why.empty()) {
    why = called.get_subcommands(nullptr).empty()
              ? ParseErrorReason(error)
              : absl::StrCat("a command is missing: one of ",
                             absl::StrJoin(SubcommandNames(called), ", "));
  }
  return absl::StrCat(why, ": see ", FullCommandName(called), " --help");
}

}  // namespace saliency
