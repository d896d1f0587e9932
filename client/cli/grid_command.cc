// `saliency grid IMAGE`: a contact sheet of one image and one class, layers
// down, methods across.  All cells come from one request, that is from one
// forward and one backward pass.

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/connection_flags.h"
#include "client/cli/grid_plan.h"
#include "client/cli/grid_sheet.h"
#include "client/cli/image_answer.h"
#include "client/cli/map_pixels.h"
#include "client/cli/request_flags.h"
#include "client/cli/result_text.h"
#include "core/base/atomic_file.h"
#include "core/base/status.h"

namespace saliency {
namespace {

struct GridFlags {
  ConnectionFlags connection;
  RequestFlags request;
  std::string image;
  std::string out;  // empty: STEM_grid.png in the working folder
  int cell_width = 240;
};

// Fills in the layers and methods that were not named.
absl::Status AddDefaults(const SaliencyClient& client,
                         const ConnectionFlags& connection,
                         const CallOptions& options, RequestFlags& flags) {
  const bool wants_methods = flags.methods.empty() && flags.pairs.empty();
  if (!wants_methods && !flags.layers.empty()) return absl::OkStatus();
  v1::GetModelRequest request;
  *request.mutable_model() = ModelOf(connection);
  ASSIGN_OR_RETURN(const v1::GetModelResponse model,
                   client.GetModel(request, options));
  if (flags.layers.empty()) flags.layers = GridLayers(model);
  if (wants_methods) flags.methods = GridMethods(model);
  if (flags.layers.empty()) {
    return absl::FailedPreconditionError(
        "the model has no layers to show: name them with --layer");
  }
  return absl::OkStatus();
}

// REQUIRES: flags.request names layers and methods.
absl::StatusOr<Grid> AskForGrid(const SaliencyClient& client,
                                const GridFlags& flags, const ImageFile& file,
                                const CallOptions& options, Clock& clock) {
  Grid grid;
  grid.layers = flags.request.layers;
  grid.methods = flags.request.methods;
  grid.methods.insert(grid.methods.end(), flags.request.pairs.begin(),
                      flags.request.pairs.end());
  if (grid.methods.empty()) grid.methods = {"norm_grad"};
  const absl::StatusOr<std::string> bytes = ReadImage(file);
  if (!bytes.ok()) return Annotate(bytes.status(), file.path);
  ASSIGN_OR_RETURN(grid.cell, CellImage(*bytes, flags.cell_width));
  ASSIGN_OR_RETURN(v1::ComputeSaliencyRequest request,
                   MakeRequest(flags.request, flags.connection));
  v1::Size* size = request.mutable_output()->mutable_explicit_size();
  size->set_height(static_cast<int>(grid.cell.height));
  size->set_width(static_cast<int>(grid.cell.width));
  request.mutable_output()->set_encoding(v1::MAP_ENCODING_FLOAT32);
  grid.answer = AnswerImage(client, std::move(request), file, SavePlan(),
                            options.cancel, clock);
  RETURN_IF_ERROR(grid.answer.status);
  // What was typed may be an alias.
  for (const v1::SaliencyMap& map : grid.answer.response.maps()) {
    if (map.attribution() >= 0 &&
        map.attribution() < static_cast<int>(grid.methods.size())) {
      grid.methods[map.attribution()] = map.method();
    }
  }
  return grid;
}

// What all cells have in common, once: "cat.jpg: tabby 93.2 %, 5 layers x 3
// methods, 45 ms -> cat_grid.png".
std::string SheetLine(const Grid& grid) {
  std::string line = absl::StrCat(grid.answer.path, ": ");
  for (const v1::SaliencyMap& map : grid.answer.response.maps()) {
    if (map.status().code() != 0) continue;
    absl::StrAppend(&line, TargetText(map), ", ");
    break;
  }
  absl::StrAppendFormat(&line, "%d layers x %d methods, %.0f ms -> %s",
                        grid.layers.size(), grid.methods.size(),
                        absl::ToDoubleMilliseconds(grid.answer.took),
                        grid.answer.files.front().image);
  return OneLine(line);
}

// "  norm_grad @ layer4: point y=120 x=88".
std::string CellLine(const v1::SaliencyMap& map) {
  return absl::StrCat(
      "  ", OneLine(absl::StrCat(map.method(), " @ ", map.layer())), ": ",
      map.constant()
          ? "constant map"
          : absl::StrCat("point y=", map.point().y(), " x=", map.point().x()));
}

ExitCode PrintGrid(const Grid& grid, bool as_json, Console& console) {
  Tally tally;
  if (!as_json) console.out << SheetLine(grid) << '\n';
  for (int i = 0; i < grid.answer.response.maps_size(); ++i) {
    const absl::Status status = grid.answer.MapStatus(i);
    tally.Count(status);
    if (as_json) console.out << ResultJson(grid.answer, i) << '\n';
    if (!status.ok()) {
      PrintError(console, ResultLine(grid.answer, i));
    } else if (!as_json) {
      console.out << CellLine(grid.answer.response.maps(i)) << '\n';
    }
  }
  return tally.exit_code();
}

// What can be seen to be wrong without a server.
absl::StatusOr<ImageFile> CheckFlags(const GridFlags& flags,
                                     std::istream& input) {
  RETURN_IF_ERROR(MakeRequest(flags.request, flags.connection).status());
  if (flags.request.targets.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a sheet shows one target, not ", flags.request.targets.size()));
  }
  if (flags.out == kStandardOutput && flags.connection.json) {
    return absl::InvalidArgumentError(
        "--json and --out - both want standard output");
  }
  ASSIGN_OR_RETURN(const std::vector<ImageFile> files,
                   ListImages({flags.image}, {.input = &input}));
  if (files.front().bytes == nullptr && files.front().path != flags.image) {
    return absl::InvalidArgumentError(
        absl::StrCat(flags.image, " is a folder and a sheet shows an image"));
  }
  return files.front();
}

ExitCode MakeGrid(GridFlags flags, Console& console) {
  const absl::StatusOr<ImageFile> file = CheckFlags(flags, console.in);
  if (!file.ok()) {
    return PrintUsageError(console, "grid", file.status());
  }
  const absl::StatusOr<std::unique_ptr<SaliencyClient>> client =
      Connect(flags.connection);
  if (!client.ok()) return PrintConnectError(console, client.status());
  const CallOptions options = {.cancel = console.interrupt.NewToken()};
  const absl::Status defaults =
      AddDefaults(**client, flags.connection, options, flags.request);
  if (!defaults.ok()) return PrintFailure(console, defaults);
  absl::StatusOr<Grid> grid =
      AskForGrid(**client, flags, *file, options, console.clock);
  if (!grid.ok()) return PrintFailure(console, grid.status());
  const std::string out =
      flags.out.empty() ? file->stem + "_grid.png" : flags.out;
  const absl::StatusOr<std::string> png =
      SheetPng(*grid, flags.request.colour_map);
  if (!png.ok()) return PrintFailure(console, png.status());
  for (MapFiles& files : grid->answer.files) {
    files.image = out == kStandardOutput ? "stdout" : out;
  }
  if (out == kStandardOutput) {
    console.out << *png << std::flush;
    Console words = WithWordsOnErr(console);
    return PrintGrid(*grid, flags.connection.json, words);
  }
  const absl::Status written = WriteFileAtomically(out, *png);
  if (!written.ok()) return PrintFailure(console, written);
  return PrintGrid(*grid, flags.connection.json, console);
}

}  // namespace

Command AddGridCommand(CLI::App& root) {
  CLI::App* app = root.add_subcommand(
      "grid", "Makes a contact sheet of one image: layers x methods");
  const auto flags = std::make_shared<GridFlags>();
  app->add_option("IMAGE", flags->image,
                  "a JPEG, PNG, WebP, BMP or TIFF file; -: standard input")
      ->required();
  AddRequestFlags(*app, flags->request);
  app->add_option("-o,--out", flags->out,
                  "PNG to write; default: IMAGE's name with _grid.png; -: "
                  "to standard output");
  app->add_option("--cell-width", flags->cell_width,
                  "width of each cell, pixels")
      ->check(CLI::Range(32, 2048))
      ->capture_default_str();
  AddConnectionFlags(*app, flags->connection);
  app->footer(
      "Default layers: the model's combine_layers, else the last of each "
      "resolution. Default methods: gradient, linear_approximation, norm_grad, "
      "selective_norm_grad and grad_cam.");
  return {app, [flags](Console& console) { return MakeGrid(*flags, console); }};
}

}  // namespace saliency
