// The command over a server that measures nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "client/cli/interrupt.h"
#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"

namespace saliency::calibrate_command_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CalibrateCommandTest : public testing::Test {
 protected:
  CalibrateCommandTest() {
    for (const char* name : {"cat/a.png", "cat/b.png", "dog/a.png"}) {
      folder_.AddImage(std::string("pets/") + name, 4, 4);
    }
  }

  RunResult Calibrate(const FakeServer& server,
                      std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"calibrate", folder_.path("pets")});
    arguments.insert(arguments.end(), {"--server", server.address()});
    return RunCommand(arguments);
  }

  const TestFolder folder_;
};

TEST_F(CalibrateCommandTest, SendsSettingsThenImagesAndPrintsTheLayers) {
  const FakeServer server;
  const RunResult result = Calibrate(server, {});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out_lines(),
              ElementsAre("tiny/3: classifiers learned from 70 images and "
                          "were judged by 30",
                          "calibrated 2024-05-31T12:00:00Z on 100 images of "
                          "3 classes: scenes",
                          "LAYER   FEATURE SPREAD  ACCURACY",
                          "layer1  0.25            -",
                          "layer3  0.5             0.875"));
  EXPECT_THAT(result.err, HasSubstr("3/3 images"));
  const auto requests = server.calibration_requests();
  ASSERT_EQ(requests.size(), 5);
  const v1::CalibrationSettings& settings = requests[0].settings();
  EXPECT_EQ(settings.model().name(), "tiny");
  EXPECT_EQ(settings.model().version(), 3);
  EXPECT_EQ(settings.data(), "pets");
  EXPECT_TRUE(settings.has_multi_label());
  EXPECT_FALSE(settings.multi_label()) << "a class each";
  EXPECT_EQ(settings.images_per_class(), 200);
  EXPECT_TRUE(settings.layers().empty());
  EXPECT_EQ(requests[4].end().images(), 3);
  EXPECT_EQ(requests[1].image().id(), "cat/a.png");
  EXPECT_EQ(requests[3].image().classes(0).label(), "dog");
}

TEST_F(CalibrateCommandTest, FlagsBecomeTheSettings) {
  const FakeServer server;
  const RunResult result = Calibrate(
      server, {"--layer", "layer1", "-l", "layer2", "--per-class", "7",
               "--held-out", "0.5", "--seed", "9", "--multi-label", "--data",
               "two pets", "--model", "tiny", "--model-version", "3"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const v1::CalibrationSettings settings =
      server.calibration_requests()[0].settings();
  EXPECT_THAT(settings.layers(), ElementsAre("layer1", "layer2"));
  EXPECT_EQ(settings.images_per_class(), 7);
  EXPECT_EQ(settings.held_out(), 0.5);
  EXPECT_EQ(settings.seed(), 9);
  EXPECT_TRUE(settings.multi_label());
  EXPECT_EQ(settings.data(), "two pets");
}

TEST_F(CalibrateCommandTest, AVocFolderHasSeveralLabelsUnlessToldOtherwise) {
  folder_.AddImage("voc/JPEGImages/1.png", 4, 4);
  folder_.AddImage("voc/JPEGImages/2.png", 4, 4);
  const std::string start =
      "<annotation><size><width>4</width><height>4</height></size>"
      "<object><name>cat</name><difficult>";
  const std::string end =
      "</difficult><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax>"
      "<ymax>3</ymax></bndbox></object></annotation>";
  folder_.AddFile("voc/Annotations/1.xml", start + "0" + end);
  folder_.AddFile("voc/Annotations/2.xml", start + "1" + end);
  folder_.AddFile("voc/ImageSets/Main/all.txt", "1\n2\n");
  const auto calibrate = [&](const FakeServer& server,
                             std::vector<std::string> more) {
    std::vector<std::string> arguments = {"calibrate", folder_.path("voc"),
                                          "--set",     "all",
                                          "--server",  server.address()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunCommand(arguments);
  };
  const FakeServer several;
  const RunResult result = calibrate(several, {});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(several.calibration_requests()[0].settings().multi_label());
  EXPECT_EQ(several.calibration_requests()[0].settings().data(), "voc all");
  EXPECT_EQ(several.calibration_requests().size(), 3)
      << "the second image shows nothing for certain";
  EXPECT_THAT(result.err, HasSubstr("1 images show nothing for certain"));
  const FakeServer one;
  EXPECT_EQ(calibrate(one, {"--single-label"}).exit_code, 0);
  EXPECT_FALSE(one.calibration_requests()[0].settings().multi_label());
}

TEST_F(CalibrateCommandTest, ImagesOfNoUseAreToldAndTheRestCounts) {
  folder_.AddImage("pets/dog/bad.png", 4, 4);
  const FakeServer server;
  const RunResult result = Calibrate(server, {});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err,
              HasSubstr("saliency: dog/bad.png: input.image: no image"));
  EXPECT_THAT(result.out, HasSubstr("layer3"));
}

TEST_F(CalibrateCommandTest, JsonTellsAll) {
  const FakeServer server;
  const auto json =
      nlohmann::json::parse(Calibrate(server, {"--json"}).out_lines().at(0));
  EXPECT_EQ(json["model"], "tiny");
  EXPECT_EQ(json["stored"], true);
  EXPECT_EQ(json["training_images"], 70);
  EXPECT_EQ(json["layer_weights"]["layers"][1]["layer"], "layer3");
  EXPECT_EQ(json["layer_weights"]["layers"][1]["classification_accuracy"],
            0.875);
  EXPECT_EQ(json["left_out"].size(), 0);
  EXPECT_THAT(std::string(json["file_text"]), HasSubstr("layer1"));
}

// Answers with a result that the server could not store.
grpc::Status NotStored(grpc::ServerContext&,
                       FakeServer::CalibrationStream& stream) {
  v1::CalibrateLayerWeightsRequest request;
  while (stream.Read(&request)) {
  }
  v1::CalibrateLayerWeightsResponse response;
  v1::CalibrationResult& result = *response.mutable_result();
  result.mutable_model()->set_name("tiny");
  result.mutable_stored()->set_code(grpc::StatusCode::FAILED_PRECONDITION);
  result.mutable_stored()->set_message("read-only");
  result.set_file_text("the text");
  v1::LeftOutClass& left_out = *result.add_left_out();
  left_out.set_class_index(2);
  left_out.set_label("bird");
  left_out.set_reason("has 1 image, of at least 2");
  stream.Write(response);
  return grpc::Status::OK;
}

TEST_F(CalibrateCommandTest, WhatIsNotStoredCanBeWrittenHere) {
  FakeServer server;
  server.SetCalibrate(NotStored);
  const RunResult without = Calibrate(server, {});
  EXPECT_EQ(without.exit_code, 3);
  EXPECT_THAT(without.err, HasSubstr("not stored: read-only"));
  EXPECT_THAT(without.err, HasSubstr("--out"));
  EXPECT_THAT(without.err,
              HasSubstr("left out: class bird has 1 image, of at least 2"));
  const std::string out = folder_.path("weights.pbtxt");
  EXPECT_EQ(Calibrate(server, {"--out", out}).exit_code, 3);
  EXPECT_EQ(ReadAll(out), "the text");
}

TEST_F(CalibrateCommandTest, AServerThatRefusesSaysHowToAllowIt) {
  FakeServer server;
  server.SetCalibrate([](auto&, auto&) {
    return grpc::Status(
        grpc::StatusCode::PERMISSION_DENIED,
        "calibration is off: start the server with --allow-calibration");
  });
  const RunResult result = Calibrate(server, {});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err,
            "saliency: calibration is off: start the server with "
            "--allow-calibration\n");
}

TEST_F(CalibrateCommandTest, WrongUsageIsExitCodeTwo) {
  const FakeServer server;
  EXPECT_EQ(RunCommand({"calibrate"}).exit_code, 2);
  EXPECT_EQ(RunCommand({"calibrate", folder_.path("nowhere")}).exit_code, 2);
  EXPECT_EQ(Calibrate(server, {"--per-class", "1"}).exit_code, 2);
  EXPECT_EQ(Calibrate(server, {"--held-out", "1"}).exit_code, 2);
  EXPECT_EQ(Calibrate(server, {"--multi-label", "--single-label"}).exit_code,
            2);
  const RunResult several =
      RunCommand({"calibrate", folder_.path("pets"), "--server", "a:1,b:2"});
  EXPECT_EQ(several.exit_code, 2);
  EXPECT_THAT(several.err, HasSubstr("one server"));
}

TEST_F(CalibrateCommandTest, TakesAsLongAsItTakesUnlessThereIsATimeout) {
  FakeServer server;
  bool has_deadline = false;
  server.SetCalibrate(
      [&](grpc::ServerContext& context, FakeServer::CalibrationStream& stream) {
        has_deadline =
            context.deadline() != std::chrono::system_clock::time_point::max();
        v1::CalibrateLayerWeightsRequest request;
        while (stream.Read(&request)) {
        }
        // The caller goes when its time is up.
        while (has_deadline && !context.IsCancelled()) {
          std::this_thread::yield();
        }
        return grpc::Status(grpc::StatusCode::INTERNAL, "the end");
      });
  RunResult result = Calibrate(server, {});
  EXPECT_FALSE(has_deadline);
  EXPECT_THAT(result.err, HasSubstr("the end"));
  result = Calibrate(server, {"--timeout", "1s"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("within 1s"));
  EXPECT_EQ(Calibrate(server, {"--timeout", "soon"}).exit_code, 2);
}

TEST_F(CalibrateCommandTest, AnInterruptEndsTheCall) {
  Interrupt interrupt;
  FakeServer server;
  // Never answers; tells when it was cancelled.
  bool cancelled = false;
  server.SetCalibrate(
      [&](grpc::ServerContext& context, FakeServer::CalibrationStream& stream) {
        v1::CalibrateLayerWeightsRequest request;
        while (stream.Read(&request) && !request.has_image()) {
        }
        interrupt.Raise();
        while (!context.IsCancelled()) std::this_thread::yield();
        cancelled = true;
        return grpc::Status::CANCELLED;
      });
  const RunResult result = RunCommand(
      {"calibrate", folder_.path("pets"), "--server", server.address()},
      interrupt);
  EXPECT_EQ(result.exit_code, 1);
  server.Stop();
  EXPECT_TRUE(cancelled);
}

}  // namespace
}  // namespace saliency::calibrate_command_test
