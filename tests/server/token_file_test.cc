#include "server/security/token_file.h"

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "grpcpp/test/server_context_test_spouse.h"
#include "gtest/gtest.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"
#include "tests/support/fakes.h"

namespace saliency::token_file_test {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

class TokenFileTest : public testing::Test {
 protected:
  // What a call that carries these values gets.
  absl::Status Check(const std::vector<std::string>& authorization) {
    grpc::ServerContext context;
    grpc::testing::ServerContextTestSpouse metadata(&context);
    for (const std::string& value : authorization) {
      metadata.AddClientMetadata("authorization", value);
    }
    return file_->Check(context);
  }
  bool Accepts(const std::string& token) {
    return Check({"Bearer " + token}).ok();
  }

  void Open(const std::string& text) {
    folder_.Write("tokens", text);
    file_ = TokenFile::Open(folder_ / "tokens", clock_, log_).value();
  }
  // Lets seconds pass until the log has a line that is not there yet.
  void AwaitLine(const std::string& text) {
    const auto said = [&] {
      for (const std::string& line : lines_.all()) {
        if (line.find(text) != std::string::npos) return true;
      }
      return false;
    };
    while (!said()) {
      clock_.Advance(absl::Seconds(1));
      std::this_thread::yield();
    }
  }

  TemporaryFolder folder_;
  LogLines lines_;
  Log log_{LogFormat::kJson, LogLevel::kDebug, lines_.Sink()};
  FakeClock clock_;
  std::unique_ptr<TokenFile> file_;
};

TEST_F(TokenFileTest, EachOfSeveralTokensLetsIn) {
  Open("one\ntwo\n");
  EXPECT_TRUE(Accepts("one"));
  EXPECT_TRUE(Accepts("two"));
  EXPECT_TRUE(Check({"bearer one"}).ok()) << "the scheme has no case";
}

TEST_F(TokenFileTest, AnythingElseIsUnauthenticatedAndNotRepeated) {
  Open("one\n");
  const std::vector<std::vector<std::string>> refused = {
      {},      {"Bearer wrong"}, {"Bearer "},
      {"one"}, {"Basic one"},    {"Bearer one", "Bearer one"}};
  for (const std::vector<std::string>& authorization : refused) {
    const absl::Status status = Check(authorization);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("wrong")));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("one\"")));
  }
}

TEST_F(TokenFileTest, AChangedFileCountsASecondLater) {
  Open("old\n");
  folder_.Write("tokens", "new\n");
  EXPECT_TRUE(Accepts("old"));
  EXPECT_FALSE(Accepts("new"));
  AwaitLine("tokens changed");
  EXPECT_FALSE(Accepts("old"));
  EXPECT_TRUE(Accepts("new"));
}

TEST_F(TokenFileTest, ASpoiltFileLeavesTheTokensAsTheyWereAndIsToldOnce) {
  Open("old\n");
  folder_.Write("tokens", "not a token\n");
  AwaitLine("line 1 is no bearer token");
  EXPECT_TRUE(Accepts("old"));
  std::filesystem::remove(folder_ / "tokens");
  AwaitLine("No such file");
  EXPECT_TRUE(Accepts("old"));
  // It says nothing more until something new happens, however often it looks.
  const size_t lines = lines_.all().size();
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(absl::Seconds(1));
    std::this_thread::yield();
  }
  folder_.Write("tokens", "mended\n");
  AwaitLine("tokens changed");
  EXPECT_EQ(lines_.all().size(), lines + 1);
  EXPECT_TRUE(Accepts("mended"));
}

TEST_F(TokenFileTest, TheLogNeverShowsAToken) {
  Open("swordfish\n");
  folder_.Write("tokens", "open sesame\n");
  AwaitLine("line 1");
  folder_.Write("tokens", "abracadabra\n");
  AwaitLine("tokens changed");
  for (const char* secret : {"swordfish", "sesame", "abracadabra"}) {
    EXPECT_THAT(lines_.all(), Each(Not(HasSubstr(secret))));
  }
}

TEST_F(TokenFileTest, AFileThatCannotBeUsedStopsTheStartNamingTheFlag) {
  for (const char* text : {"", "not a token", "# nothing\n"}) {
    folder_.Write("tokens", text);
    const auto opened = TokenFile::Open(folder_ / "tokens", clock_, log_);
    ASSERT_FALSE(opened.ok());
    EXPECT_THAT(std::string(opened.status().message()),
                HasSubstr("--token-file: " + folder_.path()));
  }
  EXPECT_THAT(
      std::string(
          TokenFile::Open(folder_ / "none", clock_, log_).status().message()),
      HasSubstr("--token-file: " + folder_ / "none: No such file"));
  EXPECT_FALSE(TokenFile::Open(folder_.path(), clock_, log_).ok());
}

}  // namespace
}  // namespace saliency::token_file_test
