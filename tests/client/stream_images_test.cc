// `explain --stream` and `combine --stream`.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/interrupt.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_answers.h"
#include "tests/client/run_command.h"

namespace saliency::stream_images_test {
namespace {

using ::testing::HasSubstr;

// Times differ from run to run.
std::string WithoutTimes(const std::string& text) {
  static const auto* const times =
      new std::regex("[0-9]+ ms|\"milliseconds\":[0-9.e-]+");
  return std::regex_replace(text, *times, "T");
}

class StreamImagesTest : public ::testing::Test {
 protected:
  StreamImagesTest() {
    for (int i = 0; i < 5; ++i) {
      images_.push_back(
          folder_.AddImage(absl::StrCat("image", i, ".png"), 6, 9));
    }
  }

  RunResult Run(const FakeServer& server, const std::string& command,
                std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), command);
    arguments.insert(arguments.end(), images_.begin(), images_.end());
    arguments.insert(arguments.end(), {"--server", server.address()});
    return RunCommand(arguments);
  }

  // Expects the same answers and files with the flag as without.
  void ExpectSame(const std::string& command) const {
    const FakeServer server;
    const RunResult calls =
        Run(server, command,
            {"--out-dir", folder_.path("calls"), "--save", "npy", "--save",
             "png", "--npy", folder_.path("calls.npy")});
    EXPECT_EQ(server.streams(), 0);
    const RunResult stream =
        Run(server, command,
            {"--stream", "--out-dir", folder_.path("stream"), "--save", "npy",
             "--save", "png", "--npy", folder_.path("stream.npy")});
    EXPECT_EQ(server.streams(), 1);
    EXPECT_EQ(calls.exit_code, 0) << calls.err;
    EXPECT_EQ(stream.exit_code, 0) << stream.err;
    EXPECT_EQ(std::regex_replace(WithoutTimes(stream.out),
                                 std::regex("/stream/"), "/calls/"),
              WithoutTimes(calls.out));
    EXPECT_TRUE(ReadAll(folder_.path("stream.npy")) ==
                ReadAll(folder_.path("calls.npy")));
    int files = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(folder_.path("calls"))) {
      const std::string name = entry.path().filename().string();
      EXPECT_TRUE(ReadAll(folder_.path("stream/" + name)) ==
                  ReadAll(folder_.path("calls/" + name)))
          << name;
      ++files;
    }
    EXPECT_GE(files, 2 * static_cast<int>(images_.size()));
  }

  const TestFolder folder_;
  std::vector<std::string> images_;
};

TEST_F(StreamImagesTest, ExplainGivesWhatItGivesWithoutTheFlag) {
  ExpectSame("explain");
}

TEST_F(StreamImagesTest, CombineGivesWhatItGivesWithoutTheFlag) {
  ExpectSame("combine");
}

TEST_F(StreamImagesTest, BadImagesAreToldInTheirTurnAndDoNotStopTheRest) {
  images_[1] = folder_.AddFile("garbage.png", "no image");
  images_.push_back(folder_.AddImage("gone.png", 3, 3));
  const FakeServer server([&](auto&, const v1::ComputeSaliencyRequest& request,
                              v1::ComputeSaliencyResponse& response) {
    std::filesystem::remove(folder_.path("gone.png"));
    return AnswerWithRamps(request, response);
  });
  const RunResult result =
      Run(server, "explain", {"--stream", "--json", "--concurrency", "1"});
  EXPECT_EQ(result.exit_code, 3);
  ASSERT_EQ(result.out_lines().size(), 6U);
  EXPECT_THAT(result.out_lines()[1], HasSubstr("garbage.png"));
  EXPECT_THAT(result.out_lines()[5], HasSubstr("gone.png"));
  EXPECT_THAT(result.err, HasSubstr("garbage.png: "));
  EXPECT_THAT(result.err, HasSubstr("gone.png: "));
}

TEST_F(StreamImagesTest, WhatConcernsAllImagesIsToldOnce) {
  const FakeServer server(nullptr, nullptr, nullptr,
                          [](grpc::ServerContext&, FakeServer::Answers&) {
                            return grpc::Status(
                                grpc::StatusCode::UNAUTHENTICATED, "no token");
                          });
  const RunResult result = Run(server, "explain", {"--stream"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err.find("no token"), result.err.rfind("no token"))
      << result.err;
  EXPECT_THAT(result.err, HasSubstr("no token"));
}

// Tells how far each question is that wants to know, then answers it.
grpc::Status TellThenAnswer(FakeServer::Answers& answers) {
  v1::StreamSaliencyRequest question;
  while (answers.Read(&question)) {
    v1::StreamSaliencyResponse answer;
    answer.set_id(question.id());
    if (question.progress()) {
      answer.mutable_progress()->set_done(300);
      answer.mutable_progress()->set_total(4000);
      answers.Write(answer);
    }
    const grpc::Status status =
        AnswerWithRamps(question.compute(), *answer.mutable_compute());
    if (!status.ok()) return status;
    answers.Write(answer);
  }
  return grpc::Status::OK;
}

TEST_F(StreamImagesTest, ATerminalShowsTheSamplesOfASingleImage) {
  const FakeServer server(nullptr, nullptr, nullptr,
                          [](auto&, FakeServer::Answers& answers) {
                            return TellThenAnswer(answers);
                          });
  const std::vector<std::string> arguments = {"explain", images_[0], "--server",
                                              server.address()};
  const RunResult watched =
      RunCommand(arguments, RunWorld{.err_is_terminal = true});
  EXPECT_EQ(watched.exit_code, 0) << watched.err;
  EXPECT_THAT(watched.err, HasSubstr("] 300/4000 samples"));
  EXPECT_EQ(watched.out_lines().size(), 1U);
  EXPECT_EQ(server.streams(), 1);
  const RunResult unwatched = RunCommand(arguments);
  EXPECT_EQ(unwatched.exit_code, 0) << unwatched.err;
  EXPECT_EQ(unwatched.err, "");
  EXPECT_EQ(server.streams(), 1) << "a call of its own";
  EXPECT_EQ(WithoutTimes(unwatched.out), WithoutTimes(watched.out));
}

TEST_F(StreamImagesTest, ATerminalShowsTheSamplesOfManyImagesOnAStream) {
  const FakeServer server(nullptr, nullptr, nullptr,
                          [](auto&, FakeServer::Answers& answers) {
                            return TellThenAnswer(answers);
                          });
  std::vector<std::string> arguments = {"explain", "--stream", "--server",
                                        server.address()};
  arguments.insert(arguments.end(), images_.begin(), images_.end());
  const RunResult result =
      RunCommand(arguments, RunWorld{.err_is_terminal = true});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("0/5 images; 300/4000 samples"));
  EXPECT_EQ(result.out_lines().size(), 5U);
}

TEST_F(StreamImagesTest, AnInterruptEndsItWithWhatIsDone) {
  Interrupt interrupt;
  const FakeServer server(
      [&](auto&, const v1::ComputeSaliencyRequest& request,
          v1::ComputeSaliencyResponse& response) {
        return AnswerWithRamps(request, response);
      },
      nullptr, nullptr,
      [&](grpc::ServerContext&, FakeServer::Answers& answers) {
        v1::StreamSaliencyRequest question;
        while (answers.Read(&question)) interrupt.Raise();
        return grpc::Status::OK;
      });
  std::vector<std::string> arguments = {"explain", "--stream", "--server",
                                        server.address()};
  arguments.insert(arguments.end(), images_.begin(), images_.end());
  const RunResult result = RunCommand(arguments, interrupt);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("interrupted: 0 of 5 images done"));
}

}  // namespace
}  // namespace saliency::stream_images_test
