// Runs a command line in this process, and the files that it reads and writes.
// Thread-compatible.

#ifndef SALIENCY_TESTS_CLIENT_RUN_COMMAND_H_
#define SALIENCY_TESTS_CLIENT_RUN_COMMAND_H_

#include <filesystem>
#include <string>
#include <vector>

#include "client/cli/interrupt.h"

namespace saliency {

// A command line run to its end.
struct RunResult {
  int exit_code = 0;
  std::string out;
  std::string err;
  std::vector<std::string> out_lines() const;
};
RunResult RunCommand(const std::vector<std::string>& arguments);
// The same with something on standard input, and with a settings file.
struct RunWorld {
  std::string input;
  std::string config_file;
  bool err_is_terminal = false;
};
RunResult RunCommand(const std::vector<std::string>& arguments,
                     const RunWorld& world);
RunResult RunCommand(const std::vector<std::string>& arguments,
                     Interrupt& interrupt);

// A folder that goes with the test.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  std::string path(const std::string& name) const;
  // Writes a PNG of that size and returns its path.
  std::string AddImage(const std::string& name, int height, int width) const;
  std::string AddFile(const std::string& name, const std::string& bytes) const;

 private:
  std::filesystem::path folder_;
};

std::string ReadAll(const std::string& path);

}  // namespace saliency

#endif  // SALIENCY_TESTS_CLIENT_RUN_COMMAND_H_
