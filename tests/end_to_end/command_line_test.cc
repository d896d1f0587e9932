// `saliency` and the Python example as processes, against the real server with
// voc-emoji.

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/image/image.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/server_environment.h"
#include "tests/end_to_end/wire.h"

namespace saliency::command_line_test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

ServerEnvironment& environment = UseEmojiModel();

class CommandLineTest : public ::testing::Test {
 protected:
  static std::string Sample(const std::string& name) {
    return absl::StrCat(SampleFolder(), "/", name, ".jpg");
  }

  // `saliency ARGUMENTS` against the server, run in a folder of the test's own.
  ProgramResult Run(const std::vector<std::string>& arguments) const {
    ChildProcess::Options options = {
        .command = {SALIENCY_CLIENT_BINARY},
        .environment = {"SALIENCY_SERVER=" + environment.server().address()},
        .folder = folder_.path()};
    options.command.insert(options.command.end(), arguments.begin(),
                           arguments.end());
    return RunProgram(options);
  }

  // What numpy makes of a file: its dtype and shape as text, its numbers as
  // bytes.
  struct NumpyArray {
    std::string description;
    std::string bytes;
  };
  NumpyArray ReadWithNumpy(const std::string& file) const {
    const std::string raw = folder_ / "raw";
    const ProgramResult result = RunProgram(
        {.command = {"/usr/bin/python3", "-c",
                     "import numpy, sys\n"
                     "array = numpy.load(sys.argv[1], allow_pickle=False)\n"
                     "print(array.dtype, array.shape)\n"
                     "array.tofile(sys.argv[2])\n",
                     folder_ / file, raw}});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return {.description = result.out, .bytes = ReadBytes(raw)};
  }

  std::vector<std::string> FilesIn(const std::string& folder) const {
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator(folder_ / folder)) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  Image DecodeFile(const std::string& file) const {
    const absl::StatusOr<Image> image =
        DecodeImage(ReadBytes(folder_ / file), DecodeLimits());
    EXPECT_TRUE(image.ok()) << file << ": " << image.status();
    return image.ok() ? *image : Image();
  }

  const TemporaryFolder folder_;
};

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

TEST_F(CommandLineTest, ModelsListsAndDescribes) {
  const ProgramResult list = Run({"models"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  EXPECT_THAT(list.out, ContainsRegex("voc-emoji +1 +ready"));
  const ProgramResult one = Run({"models", "voc-emoji"});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_THAT(one.out, HasSubstr("layer4"));
  EXPECT_THAT(one.out, HasSubstr("norm_grad"));
  const auto json =
      nlohmann::json::parse(Run({"models", "voc-emoji", "--json"}).out);
  EXPECT_EQ(json["labels"].size(), 20U);
  EXPECT_EQ(json["labels"][11], "dog");
}

TEST_F(CommandLineTest, HealthIsServing) {
  const ProgramResult result = Run({"health", "--model", "voc-emoji"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "SERVING\n");
}

TEST_F(CommandLineTest, NpyHoldsTheApisFloat32AndTheOverlayTheImage) {
  const std::string image = Sample("dog-tvmonitor");
  const ProgramResult result =
      Run({"explain", image, "--target", "dog", "--layer", "layer3", "--method",
           "linear_approximation", "--npy", "map.npy", "--overlay",
           "overlay.png", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;

  v1::ComputeSaliencyRequest request;
  *request.mutable_input() = ImageInput(image);
  *request.add_targets() = LabelTarget("dog");
  *request.add_attributions() = At("linear_approximation", {"layer3"});
  request.mutable_output()->set_named_size(v1::NAMED_SIZE_IMAGE);
  const auto response = environment.client().ComputeSaliency(request);
  ASSERT_TRUE(response.ok()) << response.status();
  const v1::SaliencyMap& map = response->maps(0);

  const NumpyArray array = ReadWithNumpy("map.npy");
  EXPECT_EQ(array.description, "float32 (375, 500)\n");
  EXPECT_EQ(array.bytes, map.data()) << "bit for bit";

  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["class"]["label"], "dog");
  EXPECT_EQ(json["class"]["index"], 11);
  EXPECT_EQ(json["point"]["y"], map.point().y());
  EXPECT_EQ(json["point"]["x"], map.point().x());

  const Image overlay = DecodeFile("overlay.png");
  EXPECT_EQ(overlay.width, 500);
  EXPECT_GT(overlay.height, 375) << "a title stands above";
}

TEST_F(CommandLineTest, SeveralTargetsMethodsAndLayersAreAllAnswered) {
  const ProgramResult result = Run({"explain",   Sample("dog-tvmonitor"),
                                    "-t",        "dog",
                                    "-t",        "tvmonitor",
                                    "-m",        "norm_grad",
                                    "-m",        "grad_cam",
                                    "-l",        "layer3",
                                    "-l",        "layer4",
                                    "--out-dir", "out",
                                    "--save",    "png",
                                    "--save",    "npy",
                                    "--npy",     "stack.npy",
                                    "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::vector<std::string> lines = Lines(result.out);
  ASSERT_EQ(lines.size(), 8U);
  std::vector<std::string> expected;
  for (const char* label : {"11-dog", "19-tvmonitor"}) {
    for (const char* method : {"norm_grad", "grad_cam"}) {
      for (const char* layer : {"layer3", "layer4"}) {
        const std::string name =
            absl::StrCat("dog-tvmonitor_", label, "_", method, "_", layer);
        expected.push_back(name + ".npy");
        expected.push_back(name + ".png");
        const auto json = nlohmann::json::parse(lines[expected.size() / 2 - 1]);
        EXPECT_EQ(json["method"], method);
        EXPECT_EQ(json["layer"], layer);
      }
    }
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(FilesIn("out"), expected);
  const NumpyArray stack = ReadWithNumpy("stack.npy");
  EXPECT_EQ(stack.description, "float32 (8, 375, 500)\n");
  const NumpyArray third =
      ReadWithNumpy("out/dog-tvmonitor_11-dog_grad_cam_layer3.npy");
  EXPECT_EQ(third.description, "float32 (375, 500)\n");
  const size_t bytes = third.bytes.size();
  EXPECT_EQ(stack.bytes.substr(2 * bytes, bytes), third.bytes);
}

TEST_F(CommandLineTest, FoldersAreExplainedImageByImage) {
  const ProgramResult result =
      Run({"explain", SampleFolder(), "--out-dir", "out", "--top-k", "2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  int images = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(SampleFolder())) {
    if (entry.path().extension() != ".jpg") continue;
    ++images;
    EXPECT_THAT(result.out, HasSubstr(entry.path().string() + ": top "));
  }
  EXPECT_GE(images, 6);
  const std::vector<std::string> files = FilesIn("out");
  EXPECT_EQ(static_cast<int>(files.size()), images);
  for (const std::string& file : files) {
    EXPECT_GT(DecodeFile("out/" + file).width, 0);
  }
  EXPECT_THAT(result.err,
              HasSubstr(absl::StrCat(images, "/", images, " images")));
}

TEST_F(CommandLineTest, ExitCodesTellHowItEnded) {
  const std::string good = Sample("dog-tvmonitor");
  folder_.Write("bad.jpg", ReadBytes(good).substr(0, 5000));
  const ProgramResult some = Run({"explain", "bad.jpg", good});
  EXPECT_EQ(some.exit_code, 3);
  EXPECT_EQ(Lines(some.out).size(), 1U);
  EXPECT_THAT(some.err, HasSubstr("saliency: bad.jpg: input.image: "));

  const ProgramResult none = Run({"explain", "bad.jpg"});
  EXPECT_EQ(none.exit_code, 1);
  const ProgramResult layer = Run({"explain", good, "--layer", "layer9"});
  EXPECT_EQ(layer.exit_code, 1);
  EXPECT_THAT(layer.err, HasSubstr("\"layer9\" not found"));
  EXPECT_THAT(layer.err, HasSubstr("see the layers with: saliency models"));
  const ProgramResult part =
      Run({"explain", good, "--layer", "layer9", "--layer", "layer4"});
  EXPECT_EQ(part.exit_code, 3);
  const ProgramResult usage = Run({"explain", good, "--nonsense"});
  EXPECT_EQ(usage.exit_code, 2);
  for (const ProgramResult& result : {none, layer, part, usage}) {
    EXPECT_THAT(result.err, StartsWith("saliency: "));
    EXPECT_EQ(Lines(result.err).size(), 1U) << result.err;
  }
}

TEST_F(CommandLineTest, AnImageIsPipedThroughUnderAnotherNameOfTheMethod) {
  const ProgramResult result = RunProgram(
      {.command = {"/bin/sh", "-c",
                   absl::StrCat("'", SALIENCY_CLIENT_BINARY,
                                "' explain - --method Grad-CAM --layer layer4 "
                                "--overlay - < '",
                                Sample("dog-tvmonitor"), "'")},
       .environment = {"SALIENCY_SERVER=" + environment.server().address()},
       .folder = folder_.path()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, StartsWith("stdin: dog (11) "));
  EXPECT_THAT(result.err, HasSubstr("grad_cam @ layer4"));
  const absl::StatusOr<Image> overlay = DecodeImage(result.out, DecodeLimits());
  ASSERT_TRUE(overlay.ok()) << overlay.status();
  EXPECT_EQ(overlay->width, 500);
}

TEST_F(CommandLineTest, AMistakeIsToldOnceAndWithTheNearestNames) {
  const ProgramResult result =
      Run({"explain", SampleFolder(), "--target", "dgo"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("nearest: \"dog\""));
  const size_t first = result.err.find("dgo");
  EXPECT_EQ(result.err.find("dgo", first + 1), std::string::npos)
      << "not once for each image: " << result.err;
  const ProgramResult missing = Run({"explain", Sample("dog-tvmonitor"),
                                     "--method", "meaningful perturbation"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err,
              HasSubstr("occlusion, rise, lime and kernel_shap are offered"));
}

TEST_F(CommandLineTest, MethodsTakeParametersAndTellTheirGap) {
  const ProgramResult result =
      Run({"explain", Sample("dog-tvmonitor"), "-m",
           "integrated_gradients(steps=12,baseline=mean)", "-m",
           "smooth_grad(of=norm_grad,samples=4,noise_level=0.1)", "-m",
           "rise(masks=20)", "-m", "occlusion(patch_size=32,stride=32)", "-m",
           "lime(samples=20,segments=6)", "-m", "Kernel-SHAP(segments=4)", "-m",
           "guided_backprop", "-m", "lrp_gamma(gamma=0.5)", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("\"method\":\"integrated_gradients\""));
  EXPECT_THAT(result.out, HasSubstr("\"completeness_gap\":"));
  EXPECT_THAT(result.out, HasSubstr("\"method\":\"smooth_grad(norm_grad)\""));
  EXPECT_THAT(result.out, HasSubstr("\"method\":\"rise\""));
  EXPECT_THAT(result.out, HasSubstr("\"method\":\"guided_backprop\""));
  EXPECT_THAT(result.out, HasSubstr("\"method\":\"lrp_gamma\""));
  EXPECT_THAT(result.out, HasSubstr("\"method\":\"occlusion\""));
  EXPECT_THAT(result.out, HasSubstr("\"method\":\"lime\""));
  EXPECT_THAT(result.out, HasSubstr("\"method\":\"kernel_shap\""));
  const ProgramResult wrong =
      Run({"explain", Sample("dog-tvmonitor"), "-m", "ig(steps=2000)"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("steps: 2000 not in [1, 1000]"));
}

TEST_F(CommandLineTest, GridMakesAContactSheetOfLayersAndMethods) {
  const ProgramResult result =
      Run({"grid", Sample("bus-cow-horse-train"), "--target", "train", "-l",
           "layer2", "-l", "layer4", "-m", "gradient", "-m", "norm_grad", "-m",
           "grad_cam", "--cell-width", "100", "--out", "sheet.png"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(Lines(result.out).size(), 1U + 6U);
  const Image sheet = DecodeFile("sheet.png");
  EXPECT_GE(sheet.width, 3 * 100);
  EXPECT_GE(sheet.height, 2 * 75);

  const ProgramResult defaults = Run({"grid", Sample("dog-tvmonitor")});
  ASSERT_EQ(defaults.exit_code, 0) << defaults.err;
  EXPECT_GT(DecodeFile("dog-tvmonitor_grid.png").height, sheet.height)
      << "more layers by default";
}

TEST_F(CommandLineTest, BenchMeasuresTheServer) {
  const ProgramResult result =
      Run({"bench", SampleFolder(), "--requests", "24", "--concurrency", "8",
           "--size", "layer", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["answered"], 24);
  EXPECT_GT(json["per_second"], 0);
  EXPECT_GE(json["latency_seconds"]["p99"], json["latency_seconds"]["p50"]);
  EXPECT_GE(json["batch_requests"], 1);
}

// The example that users of other languages start from.
TEST_F(CommandLineTest, PythonClientGetsTheSameMapBitForBit) {
  const std::string image = Sample("motorbike-pottedplant-sofa");
  const ProgramResult python = RunProgram(
      {.command = {"/usr/bin/python3", SALIENCY_PYTHON_CLIENT, image,
                   "--server", environment.server().address(), "--target",
                   "sofa", "--layer", "layer3", "--method",
                   "linear_approximation", "--npy", folder_ / "python.npy",
                   "--stubs", folder_ / "stubs"}});
  ASSERT_EQ(python.exit_code, 0) << python.err;
  const ProgramResult ours = Run(
      {"explain", image, "--target", "sofa", "--layer", "layer3", "--method",
       "linear_approximation", "--size", "input", "--npy", "ours.npy"});
  ASSERT_EQ(ours.exit_code, 0) << ours.err;
  const NumpyArray theirs = ReadWithNumpy("python.npy");
  EXPECT_EQ(theirs.description, "float32 (224, 224)\n") << "the model's input";
  EXPECT_EQ(theirs.bytes, ReadWithNumpy("ours.npy").bytes);
  EXPECT_THAT(python.out,
              ContainsRegex("linear_approximation @ layer3: sofa \\(17\\) "
                            "[0-9.]+ %, score [0-9.e+-]+, point y=[0-9]+ "
                            "x=[0-9]+\n"));
}

TEST_F(CommandLineTest, PythonClientTellsTheServersRefusal) {
  const ProgramResult result =
      RunProgram({.command = {"/usr/bin/python3", SALIENCY_PYTHON_CLIENT,
                              Sample("dog-tvmonitor"), "--server",
                              environment.server().address(), "--target",
                              "unicorn", "--stubs", folder_ / "stubs"}});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, StartsWith("explain.py: INVALID_ARGUMENT: "));
  EXPECT_THAT(result.err, HasSubstr("unicorn"));
}

}  // namespace
}  // namespace saliency::command_line_test
