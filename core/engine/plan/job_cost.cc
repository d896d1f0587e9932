#include "core/engine/plan/job_cost.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/engine/plan/shown_size.h"

namespace saliency {
namespace {

// Names, numbers and status of a result.
constexpr double kResultBytes = 512;
// A message is copied once more to be sent.
constexpr double kCopies = 2;
// Of a file, beside what its pixels are worth: headers, filters, and a
// compressor's worst case; the band of an overlay's title.
constexpr double kFileBytes = 256 << 10;
constexpr double kFileGrowth = 1.01;

constexpr double kSmoothWork = 2;
constexpr double kFileWork = 5;
constexpr double kRankWork = 16;

// Bytes for each pixel of the largest map while it is made: it resized,
// smoothed and on the way to its file; and of two maps while they are ranked.
constexpr double kMapScratch = 24;
constexpr double kRankScratch = 56;
// Of an image as its decoder gives it (16 bits of four channels at worst), and
// turned upright.
constexpr double kDecodeScratch = 11;
constexpr double kInputScratch = 24;  // three float planes, twice

// A double of untrusted sizes as bytes.
int64_t Whole(double bytes) {
  constexpr auto kMost = static_cast<double>(int64_t{1} << 60);
  return static_cast<int64_t>(std::ceil(std::min(bytes, kMost)));
}

double EncodedBytes(const OutputOptions& output, double pixels) {
  switch (output.encoding) {
    case MapEncoding::kNone:
      return 0;
    case MapEncoding::kFloat32:
      return 4 * pixels;
    case MapEncoding::kPng16:
      return kFileGrowth * 2 * pixels + kFileBytes;
    case MapEncoding::kColourPng:
    case MapEncoding::kOverlayPng:
    case MapEncoding::kOverlayJpeg:
    case MapEncoding::kOverlayWebp:
      break;
  }
  return kFileGrowth * 3 * pixels + kFileBytes;
}

bool IsFile(const OutputOptions& output) {
  return output.encoding != MapEncoding::kNone &&
         output.encoding != MapEncoding::kFloat32;
}

// Adds up a job's cost, map by map.
class Sum {
 public:
  Sum(const Job& job, const MapSizes& sizes) : job_(job), sizes_(sizes) {
    const double rows = static_cast<double>(sizes.rows);
    raw_rows_ = rows;
    // `rows` counts plain ones again where the pass makes them.
    rows_ = job.needs_plain() && !job.plain_maps ? rows / 2 : rows;
  }

  // A map that is planned, of a layer of so many pixels; handed out or not.
  void AddMap(const PlannedResult& plan, bool is_handed_out) {
    if (!plan.status.ok()) return;
    const double layer = static_cast<double>(plan.layer_pixels) * sizes_.growth;
    const double pixels = PixelsOf(layer);
    raw_bytes_ += raw_rows_ * 4 * layer;
    raw_bytes_ += static_cast<double>(sizes_.input.images) * 4 *
                  static_cast<double>(plan.kept_values) * sizes_.growth;
    if (is_handed_out) AddEncoded(pixels);
    Make(pixels);
  }

  // A combination of layers at the output's size.
  void AddCombination(const PlannedCombination& plan) {
    if (!plan.status.ok()) return;
    const double pixels = PixelsOf(0);
    const double each = plan.rule == CombineRule::kProduct ? 2 : 1;
    cost_.work +=
        rows_ * pixels * each * static_cast<double>(plan.layers.size());
    AddEncoded(pixels);
    Make(pixels);
  }

  // The layers' maps of a row are held until all of its combinations are made.
  void AddHeldLayers(double layers) {
    const double rows = job_.correlate == Correlate::kNone ? 1 : 2;
    held_bytes_ += rows * layers * 4 * PixelsOf(0);
  }

  JobCost Take() {
    if (job_.correlate != Correlate::kNone) {
      const double times = job_.correlate == Correlate::kStages ? 2 : 1;
      cost_.work += times * ranked_pixels_ * kRankWork;
      scratch_ = std::max(scratch_, kRankScratch * largest_);
    }
    const auto images = static_cast<double>(sizes_.input.images);
    const auto image = static_cast<double>(sizes_.input.image_pixels());
    cost_.work += images * image;
    cost_.answer_bytes =
        Whole(raw_bytes_ + held_bytes_ + kCopies * encoded_bytes_);
    cost_.render_scratch_bytes = Whole(scratch_);
    cost_.decode_scratch_bytes = DecodeScratch(sizes_.input);
    return cost_;
  }

 private:
  double PixelsOf(double layer) const {
    const InputSize& input = sizes_.input;
    switch (job_.output.size) {
      case OutputSize::kImage: {
        const ImageGeometry shown = ShownSize(job_.output, input);
        return static_cast<double>(shown.height * shown.width);
      }
      case OutputSize::kLayer:
        break;
      case OutputSize::kModelInput:
        return static_cast<double>(input.input_pixels);
      case OutputSize::kExplicit:
        return static_cast<double>(job_.output.height) *
               static_cast<double>(job_.output.width);
    }
    return layer;
  }

  void AddEncoded(double pixels) {
    encoded_bytes_ +=
        rows_ * (kResultBytes + EncodedBytes(job_.output, pixels));
  }

  void Make(double pixels) {
    const double each = 1 + (job_.output.smooth_sigma > 0 ? kSmoothWork : 0) +
                        (IsFile(job_.output) ? kFileWork : 0);
    cost_.work += rows_ * pixels * each;
    ranked_pixels_ += rows_ * pixels;
    largest_ = std::max(largest_, pixels);
    scratch_ = std::max(scratch_, kMapScratch * pixels);
  }

  const Job& job_;
  const MapSizes& sizes_;
  double rows_ = 1;      // that maps are handed out of
  double raw_rows_ = 1;  // that the pass makes maps of
  double raw_bytes_ = 0;
  double held_bytes_ = 0;
  double encoded_bytes_ = 0;
  double ranked_pixels_ = 0;
  double largest_ = 0;
  double scratch_ = 0;
  JobCost cost_;
};

}  // namespace

JobCost CostOf(const Job& job, const ResultPlan& plan, const MapSizes& sizes) {
  Sum sum(job, sizes);
  for (const PlannedResult& result : plan.results) sum.AddMap(result, true);
  for (const PlannedResult& layer : plan.layer_results) {
    sum.AddMap(layer, job.layer_maps);
  }
  for (const PlannedCombination& combination : plan.combinations) {
    sum.AddCombination(combination);
  }
  if (!plan.combinations.empty()) {
    sum.AddHeldLayers(static_cast<double>(plan.layer_results.size()));
  }
  return sum.Take();
}

int64_t DecodeScratch(const InputSize& size) {
  return Whole(kDecodeScratch * static_cast<double>(size.image_pixels()) +
               kInputScratch * static_cast<double>(size.input_pixels));
}

absl::Status CheckWork(const JobCost& cost, const EngineLimits& limits) {
  if (cost.work <= static_cast<double>(limits.max_work)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the maps' sizes, smoothing, encoding and correlations come to ",
      Whole(cost.work), " pixels of work, of at most ", limits.max_work));
}

int64_t BytesOf(const Explanation& explanation) {
  int64_t bytes = 0;
  const auto add = [&bytes](const MapResult& map) {
    bytes += static_cast<int64_t>(map.data.size() + kResultBytes);
  };
  for (const MapResult& map : explanation.results) add(map);
  for (const MapResult& map : explanation.layer_maps) add(map);
  for (const MapResult& map : explanation.plain_results) add(map);
  for (const CombinedResult& combined : explanation.combined) {
    add(combined.map);
  }
  for (const CombinedResult& combined : explanation.plain_combined) {
    add(combined.map);
  }
  return static_cast<int64_t>(kCopies) * bytes;
}

}  // namespace saliency
