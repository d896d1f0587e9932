#include "client/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/commands.h"

namespace saliency {
namespace {

// The help text to point to: that of the subcommand, when one was named.
std::string HelpCommand(const std::vector<Command>& commands) {
  for (const Command& command : commands) {
    if (command.app->parsed()) {
      return absl::StrCat("saliency ", command.app->get_name(), " --help");
    }
  }
  return "saliency --help";
}

}  // namespace

ExitCode RunCommandLine(const std::vector<std::string>& arguments,
                        Console& console) {
  CLI::App root(
      "Asks a saliency-server which parts of a picture mattered to a model.",
      "saliency");
  root.set_version_flag("--version", "saliency " SALIENCY_VERSION);
  root.require_subcommand(1);
  root.footer(
      "Exit codes: 0 fine, 1 the server refused or failed, 2 wrong usage, 3 "
      "some items failed.");
  const std::vector<Command> commands = {
      AddModelsCommand(root),   AddExplainCommand(root),
      AddCombineCommand(root),  AddMetaCommand(root),
      AddGridCommand(root),     AddCalibrateCommand(root),
      AddEvaluateCommand(root), AddHealthCommand(root),
      AddBenchCommand(root)};
  // CLI11 reports by exceptions, help included.
  try {
    // It takes the arguments last first.
    root.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Success& success) {  // --help, --version
    root.exit(success, console.out, console.err);
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    PrintError(console,
               absl::StrCat(error.what(), ": see ", HelpCommand(commands)));
    return kExitUsage;
  }
  const auto called = std::find_if(
      commands.begin(), commands.end(),
      [](const Command& command) { return command.app->parsed(); });
  return called->run(console);
}

}  // namespace saliency
