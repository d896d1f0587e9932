#include "tests/client/run_command.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "absl/strings/str_split.h"
#include "client/cli/command_line.h"
#include "core/base/clock.h"
#include "core/image/image.h"
#include "core/image/render.h"

namespace saliency {
namespace {

RunResult RunIn(const RunWorld& world,
                const std::vector<std::string>& arguments,
                Interrupt& interrupt) {
  std::istringstream in(world.input);
  std::ostringstream out;
  std::ostringstream err;
  Console console{.out = out,
                  .err = err,
                  .err_is_terminal = world.err_is_terminal,
                  .clock = Clock::Real(),
                  .interrupt = interrupt,
                  .in = in,
                  .config_file = world.config_file};
  const int exit_code = RunCommandLine(arguments, console);
  return {exit_code, out.str(), err.str()};
}

}  // namespace

std::vector<std::string> RunResult::out_lines() const {
  return absl::StrSplit(out, '\n', absl::SkipEmpty());
}

RunResult RunCommand(const std::vector<std::string>& arguments) {
  Interrupt interrupt;
  return RunCommand(arguments, interrupt);
}

RunResult RunCommand(const std::vector<std::string>& arguments,
                     const RunWorld& world) {
  Interrupt interrupt;
  return RunIn(world, arguments, interrupt);
}

RunResult RunCommand(const std::vector<std::string>& arguments,
                     Interrupt& interrupt) {
  return RunIn({}, arguments, interrupt);
}

TestFolder::TestFolder() {
  std::string name =
      (std::filesystem::temp_directory_path() / "saliency_client_XXXXXX")
          .string();
  folder_ = mkdtemp(name.data());
}

TestFolder::~TestFolder() { std::filesystem::remove_all(folder_); }

std::string TestFolder::path(const std::string& name) const {
  return (folder_ / name).string();
}

std::string TestFolder::AddImage(const std::string& name, int height,
                                 int width) const {
  Image image;
  image.height = height;
  image.width = width;
  for (int i = 0; i < height * width * 3; ++i) {
    image.rgb.push_back(static_cast<uint8_t>(i * 37));
  }
  return AddFile(name, EncodePng(image).value());
}

std::string TestFolder::AddFile(const std::string& name,
                                const std::string& bytes) const {
  const std::filesystem::path file = folder_ / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
  return file.string();
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace saliency
