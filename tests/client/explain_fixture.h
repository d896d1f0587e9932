// `explain` against a fake server, with an image of its own.

#ifndef SALIENCY_TESTS_CLIENT_EXPLAIN_FIXTURE_H_
#define SALIENCY_TESTS_CLIENT_EXPLAIN_FIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"

namespace saliency {

class ExplainFixture : public ::testing::Test {
 protected:
  // `explain` against the fake.
  static RunResult Explain(const FakeServer& server,
                           std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "explain");
    arguments.insert(arguments.end(), {"--server", server.address()});
    return RunCommand(arguments);
  }

  // The names of what a folder holds, sorted.
  static std::vector<std::string> FilesIn(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  const TestFolder folder_;
  const std::string cat_ = folder_.AddImage("cat.png", 6, 9);
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_CLIENT_EXPLAIN_FIXTURE_H_
