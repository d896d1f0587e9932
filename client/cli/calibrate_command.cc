// `saliency calibrate DIR`: has a model's layers weighed by labelled images.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/connection_flags.h"
#include "client/cli/labelled_folder.h"
#include "client/cli/model_text.h"
#include "client/cli/progress_reporter.h"
#include "client/cli/request_flags.h"
#include "client/cli/request_text.h"
#include "core/base/atomic_file.h"

namespace saliency {
namespace {

struct CalibrateFlags {
  ConnectionFlags connection;
  std::string folder;
  std::string set = "trainval";
  std::vector<std::string> layers;
  int per_class = 200;
  double held_out = 0.3;
  uint64_t seed = 0;
  bool multi_label = false;
  bool single_label = false;
  std::string data;
  std::string out;
  bool has_timeout = false;  // whether connection.timeout was given
};

void AddFlags(CLI::App& command, CalibrateFlags& flags) {
  command.add_option("DIR", flags.folder,
                     "labelled images: laid out as Pascal VOC's, or a "
                     "subfolder for each class");
  command
      .add_option("--set", flags.set,
                  "of a VOC folder: a file of ImageSets/Main without its .txt")
      ->capture_default_str();
  AddRepeatable(command, "-l,--layer", flags.layers,
                "layer, shallow to deep; repeatable; default: the model's "
                "combine layers");
  command
      .add_option("--per-class", flags.per_class,
                  "images of each class, chosen at random where there are "
                  "more")
      ->check(CLI::Range(2, 100'000))
      ->capture_default_str();
  command
      .add_option("--held-out", flags.held_out,
                  "share of each class's images that classifiers are judged "
                  "by")
      ->capture_default_str();
  command.add_option("--seed", flags.seed, "of the choice and the split")
      ->capture_default_str();
  CLI::Option* multi = command.add_flag(
      "--multi-label", flags.multi_label,
      "an image may show several classes; default for a VOC folder");
  command
      .add_flag("--single-label", flags.single_label,
                "an image shows one class; default for subfolders")
      ->excludes(multi);
  command.add_option("--data", flags.data,
                     "the images in words, stored with the weights; default: "
                     "the folder's name");
  command.add_option("-o,--out", flags.out,
                     "write layer_weights.pbtxt here as well; -: to standard "
                     "output");
  AddConnectionFlags(command, flags.connection);
  command.get_option("--timeout")
      ->description(
          "time for the whole calibration: seconds, or 500ms, 2m; default: "
          "none")
      ->default_str("");
}

std::string DataText(const CalibrateFlags& flags, bool is_voc) {
  if (!flags.data.empty()) return flags.data;
  std::error_code error;
  const auto whole = std::filesystem::canonical(flags.folder, error);
  std::string name = error ? flags.folder : whole.filename().string();
  if (is_voc) absl::StrAppend(&name, " ", flags.set);
  return name;
}

v1::CalibrationSettings SettingsOf(const CalibrateFlags& flags, bool is_voc,
                                   const v1::GetModelResponse& model) {
  v1::CalibrationSettings settings;
  *settings.mutable_model() = model.model();
  for (const std::string& layer : flags.layers) settings.add_layers(layer);
  settings.set_multi_label(flags.multi_label ||
                           (is_voc && !flags.single_label));
  settings.set_seed(flags.seed);
  settings.set_images_per_class(flags.per_class);
  settings.set_held_out(flags.held_out);
  settings.set_data(DataText(flags, is_voc));
  return settings;
}

// Hands out the folder's images one after another; those that cannot be read
// are told of and left out.
class ImageSource {
 public:
  ImageSource(const LabelledFolder& folder, bool names_are_indices,
              ProgressReporter& reporter)
      : folder_(folder),
        names_are_indices_(names_are_indices),
        reporter_(reporter) {}

  std::optional<v1::LabelledImage> Next() {
    while (next_ < folder_.items.size()) {
      const LabelledItem& item = folder_.items[next_++];
      absl::StatusOr<v1::LabelledImage> image =
          ReadLabelledImage(folder_, item, names_are_indices_);
      if (!image.ok()) {
        reporter_.Miss(item.name, image.status());
      } else if (image->classes().empty()) {
        reporter_.Skip();
      } else {
        return *std::move(image);
      }
    }
    return std::nullopt;
  }

 private:
  const LabelledFolder& folder_;
  const bool names_are_indices_;
  ProgressReporter& reporter_;
  std::size_t next_ = 0;
};

void PrintNotes(const v1::CalibrationResult& result,
                const ProgressReporter& reporter, Console& console) {
  for (const v1::LeftOutClass& one : result.left_out()) {
    PrintError(console, absl::StrCat("left out: class ",
                                     one.label().empty()
                                         ? absl::StrCat(one.class_index())
                                         : one.label(),
                                     " ", one.reason()));
  }
  if (reporter.skipped() > 0) {
    PrintError(console, absl::StrCat(reporter.skipped(),
                                     " images show nothing "
                                     "for certain and took no part"));
  }
}

// Whether all of it is where it was meant to be.
bool Keep(const v1::CalibrationResult& result, const CalibrateFlags& flags,
          Console& console) {
  bool all = true;
  if (flags.out == kStandardOutput) {
    console.out << result.file_text() << std::flush;
  } else if (!flags.out.empty()) {
    const absl::Status written =
        WriteFileAtomically(flags.out, result.file_text());
    if (!written.ok()) {
      PrintError(console, absl::StrCat("--out: ", written.message()));
      all = false;
    }
  }
  if (result.stored().code() != 0) {
    PrintError(console,
               absl::StrCat("not stored: ", result.stored().message(),
                            flags.out.empty() || flags.out == kStandardOutput
                                ? ": write the file with --out and put it into "
                                  "the version's folder"
                                : absl::StrCat(": put ", flags.out,
                                               " into the version's folder")));
    all = false;
  }
  return all;
}

ExitCode Report(const v1::CalibrationResult& result,
                const CalibrateFlags& flags, const ProgressReporter& reporter,
                Console& console) {
  PrintNotes(result, reporter, console);
  std::ostream& words =
      flags.out == kStandardOutput ? console.err : console.out;
  if (flags.connection.json) {
    words << CalibrationJson(result) << '\n';
  } else {
    PrintCalibration(result, words);
  }
  words.flush();
  const bool all = Keep(result, flags, console);
  return all && reporter.failed() == 0 ? kExitOk : kExitSomeFailed;
}

ExitCode Measure(const CalibrateFlags& flags, const LabelledFolder& folder,
                 const SaliencyClient& client, Console& console) {
  CallOptions options = {.cancel = console.interrupt.NewToken()};
  v1::GetModelRequest request;
  *request.mutable_model() = ModelOf(flags.connection);
  const absl::StatusOr<v1::GetModelResponse> model =
      client.GetModel(request, options);
  if (!model.ok()) return PrintFailure(console, model.status());
  const v1::CalibrationSettings settings =
      SettingsOf(flags, folder.is_voc, *model);
  const int layers = settings.layers().empty()
                         ? model->config().combine_layers_size()
                         : settings.layers_size();
  ProgressReporter reporter(static_cast<int>(folder.items.size()), layers,
                            console);
  ImageSource source(folder, model->labels().empty(), reporter);
  if (flags.has_timeout) {
    // Connect has parsed it too.
    options.timeout = *ParseTimeout(flags.connection.timeout);
  }
  const absl::StatusOr<v1::CalibrationResult> result =
      client.CalibrateLayerWeights(
          settings, [&] { return source.Next(); },
          [&](const v1::CalibrateLayerWeightsResponse& news) {
            reporter.Hear(news);
          },
          options);
  reporter.Hide();
  if (!result.ok()) return PrintFailure(console, result.status());
  return Report(*result, flags, reporter, console);
}

ExitCode Refuse(Console& console, absl::string_view why) {
  return PrintUsageError(console, "calibrate", why);
}

ExitCode Calibrate(const CalibrateFlags& flags, Console& console) {
  if (flags.folder.empty()) return Refuse(console, "DIR is missing");
  if (!(flags.held_out > 0 && flags.held_out < 1)) {
    return Refuse(console, absl::StrCat("--held-out: ", flags.held_out,
                                        " not in (0, 1)"));
  }
  if (flags.out == kStandardOutput && flags.connection.json) {
    return Refuse(console, "--json and --out - both want standard output");
  }
  if (absl::StrContains(flags.connection.server, ',')) {
    return Refuse(console,
                  "--server: calibrate one server, and give the others its "
                  "layer_weights.pbtxt");
  }
  const absl::StatusOr<LabelledFolder> folder =
      OpenLabelledFolder(flags.folder, flags.set);
  if (!folder.ok()) return Refuse(console, folder.status().message());
  const absl::StatusOr<std::unique_ptr<SaliencyClient>> client =
      Connect(flags.connection);
  if (!client.ok()) return PrintConnectError(console, client.status());
  return Measure(flags, *folder, **client, console);
}

}  // namespace

Command AddCalibrateCommand(CLI::App& root) {
  CLI::App* app = root.add_subcommand(
      "calibrate",
      "Measures how much each layer counts when layers are combined");
  const auto flags = std::make_shared<CalibrateFlags>();
  AddFlags(*app, *flags);
  return {app, [app, flags](Console& console) {
            flags->has_timeout = app->count("--timeout") > 0;
            return Calibrate(*flags, console);
          }};
}

}  // namespace saliency
