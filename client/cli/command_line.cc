#include "client/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "client/cli/commands.h"
#include "client/cli/config_file.h"
#include "client/cli/help_text.h"

namespace saliency {

ExitCode RunCommandLine(const std::vector<std::string>& arguments,
                        Console& console) {
  CLI::App root(
      "Asks a saliency-server which parts of an image mattered to a model.",
      "saliency");
  root.set_version_flag("--version", "saliency " SALIENCY_VERSION);
  root.require_subcommand(1);
  constexpr char kExitCodes[] =
      "Exit codes: 0 fine, 1 the server refused or failed, 2 wrong usage, 3 "
      "some items failed.";
  root.footer(kExitCodes);  // of the commands that have no other as well
  const std::vector<Command> commands = {
      AddModelsCommand(root),   AddExplainCommand(root),
      AddCombineCommand(root),  AddMetaCommand(root),
      AddGridCommand(root),     AddCalibrateCommand(root),
      AddEvaluateCommand(root), AddHealthCommand(root),
      AddBenchCommand(root)};
  root.footer(
      std::string(
          "Flags come after the command. The server and how it is reached can "
          "also be told by environment variables and in "
          "~/.config/saliency/client.conf: see the Connection flags of each "
          "command.\n\n") +
      kExitCodes);
  SimplifyHelp(root);
  // CLI11 reports by exceptions, help included.
  try {
    // It takes the arguments last first.
    root.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Success& success) {  // --help, --version
    root.exit(success, console.out, console.err);
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    PrintError(console, WhatIsWrong(root, error));
    return kExitUsage;
  }
  const absl::Status configured =
      ApplyConfigFile(CalledCommand(root), console.config_file);
  if (!configured.ok()) {
    PrintError(console, configured.message());
    return kExitUsage;
  }
  const auto called = std::find_if(
      commands.begin(), commands.end(),
      [](const Command& command) { return command.app->parsed(); });
  return called->run(console);
}

}  // namespace saliency
