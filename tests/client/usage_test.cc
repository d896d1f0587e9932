// Wrong usage ends with exit code 2 and one line on stderr, before any server
// is asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"

namespace saliency::usage_test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Joined(const std::vector<std::string>& arguments) {
  std::string text;
  for (const std::string& argument : arguments) text += argument + " ";
  return text;
}

TEST(UsageTest, WrongArgumentsExitWithTwoAndOneLine) {
  const TestFolder folder;
  const std::string cat = folder.AddImage("cat.png", 4, 4);
  const std::string dog = folder.AddImage("dog.png", 4, 4);
  const std::vector<std::vector<std::string>> cases = {
      {},
      {"explode"},
      {"explain"},
      {"explain", "--nonsense", cat},
      {"explain", folder.path("missing.png")},
      {"explain", cat, "--target", "top:x"},
      {"explain", cat, "--target"},
      {"explain", cat, "--method", "conv9x9+norm"},
      {"explain", cat, "--pair", "norm_grad"},
      {"explain", cat, "--size", "huge"},
      {"explain", cat, "--score", "loss"},
      {"explain", cat, "--smooth", "0.6"},
      {"explain", cat, "--top-k", "0"},
      {"explain", cat, "--concurrency", "0"},
      {"explain", cat, "--colour-map", "mud"},
      {"explain", cat, "--timeout", "0"},
      {"explain", cat, "--server", "nowhere"},
      {"explain", cat, "--token-file", folder.path("none")},
      {"explain", cat, "--tls-cert", cat},
      {"explain", cat, "--tls-server-name", "saliency-servers"},
      {"explain", cat, "--model-version", "0"},
      {"explain", cat, "--save", "npy"},
      {"explain", cat, "--save", "gif", "--out-dir", folder.path("out")},
      {"explain", cat, "--npy", "/nonexistent/x.npy"},
      {"explain", cat, "--out-dir", cat + "/below"},
      {"explain", cat, dog, "--overlay", folder.path("x.png")},
      {"explain", cat, "--target", "1", "--target", "2", "--overlay", "x.png"},
      {"explain", cat, "--overlay", folder.path("x.png"), "--size", "layer"},
      {"combine"},
      {"combine", cat, "--weighting", "heavy"},
      {"combine", cat, "--rule", "mean"},
      {"combine", cat, "--weight", "layer1"},
      {"combine", cat, "--weight", "layer1=-1"},
      {"combine", cat, "--weighting", "explicit"},
      {"combine", cat, "--weighting", "linear", "--weight", "layer1=1"},
      {"combine", cat, "--size", "layer"},
      {"combine", cat, "--layer-maps", "--overlay", "x.png"},
      {"combine", cat, "--rule", "sum", "--rule", "product", "--overlay",
       "x.png"},
      {"grid"},
      {"grid", cat, dog},
      {"grid", cat, "--target", "1", "--target", "2"},
      {"grid", folder.path("")},
      {"grid", cat, "--cell-width", "1"},
      {"models", "a", "b"},
      {"bench"},
      {"bench", cat, "--concurrency", "0"},
      {"bench", cat, "--rate", "-1"},
      {"bench", cat, "--duration", "0"},
      {"bench", cat, "--requests", "0"},
      {"bench", cat, "--encoding", "gif"},
  };
  for (const std::vector<std::string>& arguments : cases) {
    SCOPED_TRACE(Joined(arguments));
    const RunResult result = RunCommand(arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, StartsWith("saliency: "));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1)
        << result.err;
  }
}

TEST(UsageTest, HelpAndVersionAreFine) {
  const RunResult help = RunCommand({"explain", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("--target"));
  EXPECT_THAT(help.out, HasSubstr("SALIENCY_SERVER"));
  EXPECT_EQ(RunCommand({"--help"}).exit_code, 0);
  EXPECT_THAT(RunCommand({"--version"}).out, StartsWith("saliency "));
}

TEST(UsageTest, UnreachableServerIsExitCodeOneWithAdvice) {
  std::string address;
  {
    const FakeServer gone;
    address = gone.address();
  }
  const RunResult result = RunCommand({"models", "--server", address});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "saliency: cannot reach " + address +
                            ": is saliency-server running? set --server or "
                            "SALIENCY_SERVER\n");
}

TEST(UsageTest, ServerComesFromTheEnvironment) {
  const FakeServer server;
  setenv("SALIENCY_SERVER", server.address().c_str(), 1);
  EXPECT_EQ(RunCommand({"models"}).exit_code, 0);
  setenv("SALIENCY_SERVER", "nonsense", 1);
  EXPECT_EQ(RunCommand({"models"}).exit_code, 2);
  EXPECT_EQ(RunCommand({"models", "--server", server.address()}).exit_code, 0);
  unsetenv("SALIENCY_SERVER");
}

}  // namespace
}  // namespace saliency::usage_test
