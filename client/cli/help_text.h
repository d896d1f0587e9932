// What --help says of each flag, and what stands in for CLI11's own words about
// a wrong command line. Pure functions but for the app that is changed;
// thread-compatible.

#ifndef SALIENCY_CLIENT_CLI_HELP_TEXT_H_
#define SALIENCY_CLIENT_CLI_HELP_TEXT_H_

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace saliency {

// The command of `app` that was called, as deep as it was understood.
CLI::App& CalledCommand(CLI::App& app);

// Gives each flag of `app` and its subcommands one word for what it takes
// ("1..100" instead of "INT:INT in [1 - 100]").
void SimplifyHelp(CLI::App& app);

// Why parsing failed, with the nearest names for a command or a flag that is
// not there, and the help text to read: `flag "--layr" not found; nearest:
// "--layer": see saliency explain --help`.
// REQUIRES: `root` has just failed with `error`.
std::string WhatIsWrong(CLI::App& root, const CLI::ParseError& error);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_HELP_TEXT_H_
