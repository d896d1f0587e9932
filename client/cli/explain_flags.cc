#include "client/cli/explain_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/console.h"
#include "client/cli/request_text.h"
#include "core/base/status.h"

namespace saliency {
namespace {

void AddOutputFlags(CLI::App& command, ExplainFlags& flags) {
  constexpr char kGroup[] = "Output";
  command
      .add_option("--overlay", flags.overlay,
                  "the map over the image, for a single result: FILE.png, "
                  ".jpg or .webp; -: a PNG to standard output")
      ->group(kGroup);
  command
      .add_option("--npy", flags.npy,
                  "the maps for numpy: [H,W], or [results,H,W] of several; "
                  "-: to standard output")
      ->group(kGroup);
  command
      .add_option("-o,--out-dir", flags.out_dir,
                  "folder for files of each result, named by image, "
                  "class, method and layer")
      ->group(kGroup);
  AddRepeatable(command, "--save", flags.save,
                "what goes into --out-dir: png, jpg or webp, and npy; "
                "repeatable; default: png");
  command.get_option("--save")
      ->check(CLI::IsMember({"png", "jpg", "webp", "npy"}))
      ->group(kGroup);
  command
      .add_option("--size", flags.size,
                  "size of the maps: image, layer, input or "
                  "HEIGHTxWIDTH")
      ->capture_default_str()
      ->group(kGroup);
  command
      .add_option("--max-side", flags.max_side,
                  "longer side, pixels, that maps of the size image are "
                  "scaled down to; 0: none")
      ->check(CLI::Range(16, 65535) | CLI::IsMember({0}))
      ->capture_default_str()
      ->group(kGroup);
  command.add_flag("--raw", flags.raw, "do not stretch each map to [0,1]")
      ->group(kGroup);
}

bool IsImageSize(const ExplainFlags& flags) { return flags.size == "image"; }

absl::StatusOr<v1::ComputeSaliencyRequest> ExplainRequestOf(
    const ExplainFlags& flags) {
  ASSIGN_OR_RETURN(v1::ComputeSaliencyRequest request,
                   MakeRequest(flags.request, flags.connection));
  ASSIGN_OR_RETURN(const v1::OutputOptions size, ParseSize(flags.size));
  request.mutable_output()->MergeFrom(size);
  if (IsImageSize(flags)) {
    request.mutable_output()->set_max_side(flags.max_side);
  }
  request.mutable_output()->set_normalise(!flags.raw);
  const bool wants_pixels =
      !flags.overlay.empty() || !flags.npy.empty() || !flags.out_dir.empty();
  request.mutable_output()->set_encoding(wants_pixels ? v1::MAP_ENCODING_FLOAT32
                                                      : v1::MAP_ENCODING_NONE);
  if (flags.top_k.has_value()) request.set_top_k(*flags.top_k);
  return request;
}

bool Saves(const ExplainFlags& flags, const char* what) {
  return std::find(flags.save.begin(), flags.save.end(), what) !=
         flags.save.end();
}

// What the images of --out-dir end in; empty: there are none.
absl::StatusOr<std::string> OutImage(const ExplainFlags& flags) {
  if (flags.save.empty()) return std::string(".png");
  std::string ending;
  for (const char* kind : {"png", "jpg", "webp"}) {
    if (!Saves(flags, kind)) continue;
    if (!ending.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--save takes one kind of image, not ", ending.substr(1),
                       " and ", kind));
    }
    ending = absl::StrCat(".", kind);
  }
  return ending;
}

absl::StatusOr<SavePlan> MakeSavePlan(const ExplainFlags& flags) {
  SavePlan plan;
  plan.overlay = flags.overlay;
  plan.out_dir = flags.out_dir;
  plan.out_npy = Saves(flags, "npy");
  ASSIGN_OR_RETURN(plan.out_image, OutImage(flags));
  plan.style.colour_map = flags.request.colour_map;
  plan.style.form = flags.raw ? MapForm::kRaw : MapForm::kNormalised;
  plan.style.over_image = IsImageSize(flags);
  if (!flags.save.empty() && flags.out_dir.empty()) {
    return absl::InvalidArgumentError("--save needs --out-dir DIR");
  }
  if (!flags.overlay.empty() && !IsImageSize(flags)) {
    return absl::InvalidArgumentError("--overlay needs --size image");
  }
  return plan;
}

// Standard output holds one thing.
absl::Status CheckOutput(const ExplainFlags& flags) {
  if (flags.overlay == kStandardOutput && flags.npy == kStandardOutput) {
    return absl::InvalidArgumentError(
        "--overlay - and --npy - both want standard output");
  }
  if (WritesPixelsToOutput(flags) && flags.connection.json) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--json and ", flags.npy == kStandardOutput ? "--npy" : "--overlay",
        " - both want standard output"));
  }
  if (flags.out_dir == kStandardOutput) {
    return absl::InvalidArgumentError(
        "--out-dir is a folder and cannot be standard output (-)");
  }
  return absl::OkStatus();
}

absl::Status CheckSingleResult(const ExplainPlan& plan, int of_each) {
  const size_t results = plan.images.size() *
                         std::max(plan.request.targets_size(), 1) *
                         plan.request.attributions_size() * of_each;
  if (results == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--overlay holds one result and this asks for ", results,
                   ": use --out-dir DIR"));
}

}  // namespace

void AddExplainFlags(CLI::App& command, ExplainFlags& flags) {
  command
      .add_option("IMAGE", flags.images,
                  "JPEG, PNG, WebP, BMP or TIFF files, or folders of them; "
                  "-: standard input")
      ->required();
  AddRecursive(command, flags.recursive);
  AddRequestFlags(command, flags.request);
  command
      .add_option("--top-k", flags.top_k,
                  "print the K likeliest classes of each image")
      ->check(CLI::Range(1, 100));
  AddOutputFlags(command, flags);
  AddConnectionFlags(command, flags.connection);
  command
      .add_option("--concurrency", flags.concurrency,
                  "images in flight at once, for the server to batch; "
                  "default: 4, or 32 with --stream")
      ->check(CLI::Range(1, 256))
      ->group("Connection");
  command
      .add_flag("--stream", flags.stream,
                "ask about all images on one stream, by one thread")
      ->group("Connection");
}

int LayersOfEach(const ExplainFlags& flags) {
  return std::max(static_cast<int>(flags.request.layers.size()), 1);
}

bool WritesPixelsToOutput(const ExplainFlags& flags) {
  return flags.overlay == kStandardOutput || flags.npy == kStandardOutput;
}

absl::StatusOr<ExplainPlan> MakeExplainPlan(const ExplainFlags& flags,
                                            int results, std::istream& input) {
  ExplainPlan plan;
  plan.npy = flags.npy;
  ASSIGN_OR_RETURN(plan.request, ExplainRequestOf(flags));
  ASSIGN_OR_RETURN(plan.save, MakeSavePlan(flags));
  RETURN_IF_ERROR(CheckOutput(flags));
  ASSIGN_OR_RETURN(plan.images,
                   ListImages(flags.images,
                              {.recursive = flags.recursive, .input = &input}));
  if (!flags.overlay.empty()) {
    RETURN_IF_ERROR(CheckSingleResult(plan, results));
  }
  if (!flags.out_dir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(flags.out_dir, error);
    if (error) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--out-dir: cannot make ", flags.out_dir, ": ", error.message()));
    }
  }
  return plan;
}

}  // namespace saliency
