// The whole of `saliency`, but for the process around it.

#ifndef SALIENCY_CLIENT_CLI_COMMAND_LINE_H_
#define SALIENCY_CLIENT_CLI_COMMAND_LINE_H_

#include <string>
#include <vector>

#include "client/cli/console.h"

namespace saliency {

// Runs the subcommand that `arguments` (without the program's name) call for
// and returns the exit code of the process.
ExitCode RunCommandLine(const std::vector<std::string>& arguments,
                        Console& console);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_COMMAND_LINE_H_
