// `explain` against a fake server, with an image of its own.

#ifndef SALIENCY_TESTS_CLIENT_EXPLAIN_FIXTURE_H_
#define SALIENCY_TESTS_CLIENT_EXPLAIN_FIXTURE_H_

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/client/command_fixture.h"
#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"

namespace saliency {

class ExplainFixture : public CommandFixture {
 protected:
  // `explain` against the fake.
  static RunResult Explain(const FakeServer& server,
                           std::vector<std::string> arguments) {
    return RunOn(server, "explain", std::move(arguments));
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
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_CLIENT_EXPLAIN_FIXTURE_H_
