// What --help says, and what is said of a command line that is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/client/run_command.h"

namespace saliency::help_text_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::vector<std::string>>& AllCommands() {
  static const auto* const commands = new std::vector<std::vector<std::string>>{
      {},
      {"models"},
      {"explain"},
      {"combine"},
      {"meta"},
      {"grid"},
      {"calibrate"},
      {"evaluate"},
      {"evaluate", "pointing-game"},
      {"evaluate", "class-sensitivity"},
      {"evaluate", "identity-check"},
      {"evaluate", "weight-sensitivity"},
      {"health"},
      {"bench"}};
  return *commands;
}

std::string Help(std::vector<std::string> command) {
  command.emplace_back("--help");
  const RunResult result = RunCommand(command);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  return result.out;
}

std::string Error(const std::vector<std::string>& arguments) {
  const RunResult result = RunCommand(arguments);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  return result.err;
}

TEST(HelpTest, TellsEachTypeOnce) {
  for (const std::vector<std::string>& command : AllCommands()) {
    const std::string help = Help(command);
    for (const char* doubled : {"INT:", "UINT:", "FLOAT:", "TEXT:", "INT in [",
                                "FLOAT in [", "POSITIVE", "{png"}) {
      EXPECT_THAT(help, Not(HasSubstr(doubled)));
    }
    EXPECT_THAT(help, Not(HasSubstr("IMAGE TEXT")));
  }
  const std::string explain = Help({"explain"});
  EXPECT_THAT(explain, HasSubstr("--top-k 1..100 "));
  EXPECT_THAT(explain, HasSubstr("--save png|jpg|webp|npy "));
  EXPECT_THAT(explain, HasSubstr("--smooth 0..0.5 "));
  EXPECT_THAT(explain, HasSubstr("--model-version INT>0 "));
  EXPECT_THAT(explain, HasSubstr("--timeout TEXT=60s "));
}

TEST(HelpTest, NamesTheVariablesAndTheSettingsFile) {
  for (const std::vector<std::string>& command : AllCommands()) {
    if (command.empty() || command.back() == "evaluate") continue;
    const std::string help = Help(command);
    for (const char* variable :
         {"$SALIENCY_SERVER", "$SALIENCY_CLIENT_TLS_CA",
          "$SALIENCY_CLIENT_TLS_CERT", "$SALIENCY_CLIENT_TLS_KEY",
          "$SALIENCY_CLIENT_TLS_SERVER_NAME", "$SALIENCY_CLIENT_TOKEN_FILE",
          "$SALIENCY_CLIENT_CONFIG"}) {
      EXPECT_THAT(help, HasSubstr(variable)) << command.back();
    }
  }
  EXPECT_THAT(Help({}), HasSubstr("client.conf"));
}

TEST(WrongUsageTest, ACommandThatIsNotThereGetsTheNearestNames) {
  EXPECT_EQ(Error({"explian", "cat.jpg"}),
            "saliency: command \"explian\" not found; nearest: \"explain\", "
            "\"evaluate\", \"combine\": see saliency --help\n");
  EXPECT_THAT(Error({"model"}), HasSubstr("nearest: \"models\""));
  EXPECT_THAT(Error({"evaluate", "pointing"}),
              HasSubstr("command \"pointing\" not found; nearest: "));
  EXPECT_THAT(Error({"evaluate", "pointing"}),
              HasSubstr("see saliency evaluate --help"));
}

TEST(WrongUsageTest, AFlagThatIsNotThereGetsTheNearestNames) {
  EXPECT_THAT(Error({"explain", "cat.jpg", "--layr", "layer4"}),
              HasSubstr("flag \"--layr\" not found; nearest: \"--layer\""));
  EXPECT_THAT(Error({"explain", "--metod=grad_cam", "cat.jpg"}),
              HasSubstr("flag \"--metod\" not found; nearest: \"--method\""));
  // Whatever else is wrong too.
  EXPECT_THAT(Error({"explain", "--targt"}),
              HasSubstr("nearest: \"--target\""));
  EXPECT_THAT(Error({"evaluate", "pointing-game", "--limt", "3"}),
              HasSubstr("nearest: \"--limit\""));
  EXPECT_THAT(Error({"evaluate", "pointing-game", "--limt", "3"}),
              HasSubstr("see saliency evaluate pointing-game --help"));
}

TEST(WrongUsageTest, AFlagBeforeTheCommandIsToldItsPlace) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{
           {"--server", "a:1", "models"}, {"--json", "models"}, {"--json"}}) {
    EXPECT_THAT(Error(arguments), HasSubstr("comes after the command: saliency "
                                            "COMMAND " +
                                            arguments.front()));
  }
}

TEST(WrongUsageTest, AValueThatIsMissingOrOutOfRangeIsToldPlainly) {
  EXPECT_EQ(Error({"explain", "cat.jpg", "--target"}),
            "saliency: --target needs a value: see saliency explain --help\n");
  EXPECT_EQ(
      Error({"explain", "cat.jpg", "--smooth", "0.75"}),
      "saliency: --smooth: Value 0.75 not in range 0 to 0.5: see saliency "
      "explain --help\n");
  EXPECT_EQ(Error({"explain"}),
            "saliency: IMAGE is required: see saliency explain --help\n");
}

TEST(WrongUsageTest, AFileThatIsNotThereIsNotInTheHelp) {
  EXPECT_EQ(Error({"explain", "/nowhere.jpg"}),
            "saliency: no such image: /nowhere.jpg\n");
}

TEST(WrongUsageTest, AMissingCommandIsToldWhichThereAre) {
  EXPECT_EQ(Error({}),
            "saliency: a command is missing: one of models, explain, combine, "
            "meta, grid, calibrate, evaluate, health, bench: see saliency "
            "--help\n");
  EXPECT_THAT(Error({"evaluate"}),
              HasSubstr("one of pointing-game, class-sensitivity, "));
}

}  // namespace
}  // namespace saliency::help_text_test
