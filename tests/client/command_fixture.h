// One image and a folder for a command that is run against a fake server.

#ifndef SALIENCY_TESTS_CLIENT_COMMAND_FIXTURE_H_
#define SALIENCY_TESTS_CLIENT_COMMAND_FIXTURE_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"

namespace saliency {

class CommandFixture : public ::testing::Test {
 protected:
  // `saliency COMMAND ARGUMENTS...` against the fake.
  static RunResult RunOn(const FakeServer& server, const std::string& command,
                         std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), command);
    arguments.insert(arguments.end(), {"--server", server.address()});
    return RunCommand(arguments);
  }

  const TestFolder folder_;
  const std::string cat_ = folder_.AddImage("cat.png", 6, 9);
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_CLIENT_COMMAND_FIXTURE_H_
