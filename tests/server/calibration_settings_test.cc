// What a calibration is refused for, before or while it runs.

#include <functional>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/calibration_caller.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"

namespace saliency::calibration_settings_test {
namespace {

using testing::HasSubstr;

struct BadSettings {
  std::string name;
  std::function<void(v1::CalibrationSettings&)> spoil;
  grpc::StatusCode code = grpc::StatusCode::INVALID_ARGUMENT;
  std::string message;
};

class BadSettingsTest : public testing::TestWithParam<BadSettings> {};

TEST_P(BadSettingsTest, AreRefusedByName) {
  TestServer server({.allow_calibration = true});
  server.AddFakeModel();
  v1::CalibrationSettings settings = FakeSettings();
  GetParam().spoil(settings);
  CalibrationCaller caller(server.models());
  caller.Send(settings);
  const CalibrationOutcome outcome = caller.ReadToTheEnd();
  EXPECT_EQ(outcome.status.error_code(), GetParam().code);
  EXPECT_EQ(outcome.status.error_message(), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadSettingsTest,
    testing::Values(
        BadSettings{
            .name = "UnknownLayer",
            .spoil = [](auto& s) { s.add_layers("konv"); },
            .code = grpc::StatusCode::NOT_FOUND,
            .message = "settings.layers[2]: layer \"konv\" not found; nearest: "
                       "\"conv\", \"norm\", \"pool\""},
        BadSettings{
            .name = "NotSpatial",
            .spoil = [](auto& s) { s.set_layers(0, "pool"); },
            .message = "settings.layers[0]: layer \"pool\" has shape [8]; maps "
                       "need a spatial layer of shape [K,H,W]"},
        BadSettings{.name = "LayerTwice",
                    .spoil = [](auto& s) { s.add_layers("conv"); },
                    .message = "settings.layers[2]: \"conv\" is named twice"},
        BadSettings{.name = "NoLayers",
                    .spoil = [](auto& s) { s.clear_layers(); },
                    .message = "settings.layers: empty, and the model has no "
                               "combine_layers"},
        BadSettings{.name = "PerClass",
                    .spoil = [](auto& s) { s.set_images_per_class(1); },
                    .message = "settings.images_per_class: 1 not in [2, "
                               "100000]"},
        BadSettings{.name = "HeldOutAll",
                    .spoil = [](auto& s) { s.set_held_out(1); },
                    .message = "settings.held_out: 1 not in (0, 1)"},
        BadSettings{.name = "HeldOutNan",
                    .spoil =
                        [](auto& s) {
                          s.set_held_out(
                              std::numeric_limits<double>::quiet_NaN());
                        },
                    .message = "settings.held_out: nan not in (0, 1)"},
        BadSettings{
            .name = "Penalty",
            .spoil = [](auto& s) { s.set_l2_penalty(-1); },
            .message = "settings.l2_penalty: -1 is not a finite number >= 0"},
        BadSettings{.name = "Data",
                    .spoil = [](auto& s) { s.set_data(std::string(257, 'x')); },
                    .message = "settings.data: bytes: 257 of at most 256"},
        BadSettings{.name = "Version",
                    .spoil = [](auto& s) { s.mutable_model()->set_version(0); },
                    .message = "settings: model.version: 0 is less than 1"},
        BadSettings{
            .name = "Model",
            .spoil = [](auto& s) { s.mutable_model()->set_name("fame"); },
            .code = grpc::StatusCode::NOT_FOUND,
            .message = "model \"fame\" not found; nearest: \"fake\""}),
    [](const auto& suite) { return suite.param.name; });

struct BadImage {
  std::string name;
  std::function<void(v1::LabelledImage&)> spoil;
  std::string message;
};

class BadImageTest : public testing::TestWithParam<BadImage> {};

TEST_P(BadImageTest, IsRejectedAndTheRestGoesOn) {
  const TemporaryFolder folder;
  TestServer server({.allow_calibration = true, .folder = folder.path()});
  server.AddFakeModel();
  CalibrationCaller caller(server.models());
  caller.Send(FakeSettings());
  v1::LabelledImage image = FakeImage(99, 1, {0});
  GetParam().spoil(image);
  caller.Send(image);
  caller.SendTwoClasses(10);
  const CalibrationOutcome outcome = caller.Finish();
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  ASSERT_EQ(outcome.rejected.size(), 1);
  EXPECT_EQ(outcome.rejected.begin()->second.code(),
            static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_THAT(outcome.rejected.begin()->second.message(),
              HasSubstr(GetParam().message));
  EXPECT_EQ(outcome.result.layer_weights().images(), 20);
  EXPECT_EQ(outcome.progress.back().done(), 2) << "layers";
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadImageTest,
    testing::Values(
        BadImage{
            .name = "Undecodable",
            .spoil = [](auto& p) { p.mutable_input()->set_image("no image"); },
            .message = "input.image"},
        BadImage{.name = "NoInput",
                 .spoil = [](auto& p) { p.clear_input(); },
                 .message = "input: neither image nor tensor is set"},
        BadImage{.name = "TwoImages",
                 .spoil =
                     [](auto& p) {
                       v1::Tensor& tensor =
                           *p.mutable_input()->mutable_tensor();
                       tensor.clear_shape();
                       for (const int size : {2, 3, 8, 4})
                         tensor.add_shape(size);
                     },
                 .message = "input.tensor: 2 images, of exactly 1"},
        BadImage{
            .name = "NotFinite",
            .spoil =
                [](auto& p) {
                  const float value = std::numeric_limits<float>::infinity();
                  p.mutable_input()->mutable_tensor()->mutable_data()->replace(
                      0, sizeof(value), reinterpret_cast<const char*>(&value),
                      sizeof(value));
                },
            .message = "finite"},
        BadImage{
            .name = "UnknownLabel",
            .spoil = [](auto& p) { p.mutable_classes(0)->set_label("clasp7"); },
            .message = "classes[0]: label \"clasp7\" not found; nearest: "
                       "\"class7\""},
        BadImage{
            .name = "ClassOutOfRange",
            .spoil = [](auto& p) { p.mutable_classes(0)->set_class_index(10); },
            .message = "classes[0].class_index 10 not in [0, 10)"},
        BadImage{
            .name = "Rank",
            .spoil =
                [](auto& p) { p.mutable_classes(0)->set_rank_from_top(0); },
            .message = "classes[0]: neither class_index nor label is set"},
        BadImage{.name = "NoClass",
                 .spoil = [](auto& p) { p.clear_classes(); },
                 .message = "classes: none, of at least 1"},
        BadImage{.name = "TwoClasses",
                 .spoil = [](auto& p) { p.add_classes()->set_class_index(1); },
                 .message = "classes: 2, of exactly 1 without multi_label"},
        BadImage{.name = "TheSameTwice",
                 .spoil = [](auto& p) { p.add_classes()->set_class_index(0); },
                 .message = "classes[1]: class 0 is named twice"},
        BadImage{
            .name = "Uncertain",
            .spoil = [](auto& p) { p.add_uncertain()->set_class_index(3); },
            .message = "uncertain: 1, of none without multi_label"},
        BadImage{.name = "LongName",
                 .spoil = [](auto& p) { p.set_id(std::string(300, 'n')); },
                 .message = "id: bytes: 300 of at most 256"}),
    [](const auto& suite) { return suite.param.name; });

class ProtocolTest : public testing::Test {
 protected:
  ProtocolTest() : server_({.allow_calibration = true}) {
    server_.AddFakeModel();
  }
  void ExpectRefusal(const CalibrationOutcome& outcome,
                     const std::string& message) {
    EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(outcome.status.error_message(), message);
  }
  TestServer server_;
};

TEST_F(ProtocolTest, AnImageMayNotComeFirst) {
  CalibrationCaller caller(server_.models());
  caller.Send(FakeImage(1, 1, {0}));
  ExpectRefusal(caller.ReadToTheEnd(),
                "settings: missing; they are the first message");
}

TEST_F(ProtocolTest, TheEndMayNotBeAll) {
  CalibrationCaller caller(server_.models());
  ExpectRefusal(caller.Finish(),
                "settings: missing; they are the first message");
}

TEST_F(ProtocolTest, SettingsComeOnce) {
  CalibrationCaller caller(server_.models());
  caller.Send(FakeSettings());
  caller.Send(FakeImage(1, 1, {0}));
  caller.Send(FakeSettings());
  ExpectRefusal(caller.ReadToTheEnd(),
                "settings: sent again; they are the first message alone");
}

TEST_F(ProtocolTest, AMessageHoldsSomething) {
  CalibrationCaller caller(server_.models());
  caller.Send(FakeSettings());
  caller.SendNothing();
  ExpectRefusal(caller.ReadToTheEnd(),
                "part: neither settings nor image nor end");
}

TEST_F(ProtocolTest, TooFewImagesAreRefused) {
  CalibrationCaller caller(server_.models());
  caller.Send(FakeSettings());
  caller.Send(FakeImage(1, 1, {0}));
  caller.Send(FakeImage(2, 1, {0}));
  caller.Send(FakeImage(3, 1, {1}));
  ExpectRefusal(caller.Finish(),
                "images: 2 of 1 class can be used, of at least 4 of 2 "
                "classes that have 2 each");
}

}  // namespace
}  // namespace saliency::calibration_settings_test
