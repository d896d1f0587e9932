// Where a command writes, and how it ends.

#ifndef SALIENCY_CLIENT_CLI_CONSOLE_H_
#define SALIENCY_CLIENT_CLI_CONSOLE_H_

#include <iostream>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cli/interrupt.h"
#include "core/base/clock.h"

namespace saliency {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,      // the server refused or failed; nothing came of it
  kExitUsage = 2,       // the command line is wrong
  kExitSomeFailed = 3,  // some items failed, the others are done
};

// The world of a command; everything outlives it.  Used by one thread.
struct Console {
  std::ostream& out;
  std::ostream& err;
  bool err_is_terminal = false;
  Clock& clock;
  Interrupt& interrupt;
  std::istream& in = std::cin;
  std::string config_file;  // read unless --config names one; may be absent
};

// What "-" means where a file to write is asked for.
inline constexpr char kStandardOutput[] = "-";

// The same console, but what goes to `out` goes to `err`: where the output is
// a file's bytes, words go there.
Console WithWordsOnErr(Console& console);

// Text of others made safe for one line on a terminal: control characters
// become spaces.  UTF-8 stays.
std::string OneLine(absl::string_view text);

// What went wrong and what to do next, in one line.
std::string ErrorText(const absl::Status& status);

// "saliency: TEXT" on the console's `err`.
void PrintError(const Console& console, absl::string_view text);

// Why the command line of `saliency COMMAND` is wrong, and where to read on.
ExitCode PrintUsageError(const Console& console, absl::string_view command,
                         absl::string_view why);

// The same by a status; the help has nothing to say of what is NOT_FOUND.
ExitCode PrintUsageError(const Console& console, absl::string_view command,
                         const absl::Status& status);

// As PrintError, for a call that failed; returns kExitFailed.
ExitCode PrintFailure(const Console& console, const absl::Status& status);

// As PrintError, for what Connect() returns; a wrong flag is wrong usage.
ExitCode PrintConnectError(const Console& console, const absl::Status& status);

// Errors that every further item would meet too: the server is away, the model
// or a layer is unknown, the caller is not let in.
bool ConcernsEveryItem(const absl::Status& status);

// The same for errors about what is asked of every image alike: its targets,
// methods, layers and options.
bool ConcernsTheRequest(const absl::Status& status);

// Counts items; thread-compatible.
struct Tally {
  int ok = 0;
  int failed = 0;

  void Count(const absl::Status& status) { ++(status.ok() ? ok : failed); }
  ExitCode exit_code() const {
    if (failed == 0) return kExitOk;
    return ok == 0 ? kExitFailed : kExitSomeFailed;
  }
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_CONSOLE_H_
