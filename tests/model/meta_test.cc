// Meta-saliency: the step of each row, on both paths, held
// against a plain pass of a model that was stepped outside; and what must hold
// whatever happens to a call.

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <cmath>
#include <functional>
#include <limits>

#include "gmock/gmock.h"
#include "tests/model/meta_calls.h"
#include "tests/model/meta_nets.h"
#include "tests/model/model_fixture.h"
#include "tests/support/cpu_memory.h"
#include "tests/support/tensor_close.h"

namespace saliency::meta_test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Key;

// Another order of the same float32 sums, over a forward, a backward and
// another forward and backward.
constexpr double kOtherPath = 1e-4;

class OneThread {
 public:
  OneThread() { at::set_num_threads(1); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() { at::set_num_threads(before_); }

 private:
  const int before_ = at::get_num_threads();
};

LoadOptions OnPath(MetaPath path) {
  LoadOptions options;
  options.reference_meta_path = path == MetaPath::kReference;
  return options;
}

// Rows of all kinds on three images, two of them on the same one.
std::vector<ProbeRow> MixedRows() {
  const MetaStep first = {.epsilon = 0.02};
  const MetaStep second = {.epsilon = 0.01,
                           .direction = MetaDirection::kAscent};
  const MetaStep third = {.epsilon = 0.04,
                          .loss = MetaLoss::kBinaryCrossEntropy};
  const MetaStep fourth = {.epsilon = 0.03,
                           .direction = MetaDirection::kAscent,
                           .loss = MetaLoss::kBinaryCrossEntropy};
  return {{.image = 0, .target = ClassIndex{1}, .meta = first},
          {.image = 1,
           .target = ClassIndex{4},
           .score = Score::kLogSoftmax,
           .meta = second},
          {.image = 1, .target = ClassIndex{0}, .meta = third},
          {.image = 2,
           .target = RankFromTop{0},
           .score = Score::kSigmoid,
           .meta = fourth}};
}

ProbeRequest MixedRequest(const at::Tensor& images,
                          const std::vector<std::string>& layers) {
  ProbeRequest request = {.input = images, .rows = MixedRows()};
  for (const std::string& layer : layers) request.probes.push_back({layer});
  return request;
}

std::vector<std::string> SpatialLayers(const ProbedModel& model) {
  std::vector<std::string> names;
  for (const LayerInfo& layer : model.layers()) {
    if (layer.spatial()) names.push_back(layer.name);
  }
  return names;
}

// The part of `request` that is row r.
ProbeRequest SingleRow(const ProbeRequest& request, size_t r) {
  ProbeRequest single = request;
  const int64_t image = request.rows[r].image;
  single.input = request.input.slice(0, image, image + 1);
  single.rows = {request.rows[r]};
  single.rows[0].image = 0;
  return single;
}

at::Tensor LossOf(const at::Tensor& logits, int64_t c, MetaLoss loss) {
  return loss == MetaLoss::kCrossEntropy
             ? at::cross_entropy_loss(logits, at::tensor({c}, at::kLong))
             : at::binary_cross_entropy_with_logits(logits[0][c], at::ones({}));
}

// The network after one step of plain SGD on one image.
torch::jit::Module SteppedBySgd(const TinyModule& net, const at::Tensor& x,
                                int64_t c, const MetaStep& step) {
  torch::jit::Module module = Build(net);
  module.eval();
  std::vector<at::Tensor> parameters;
  for (const at::Tensor& parameter : module.parameters()) {
    parameters.push_back(parameter);
  }
  const at::Tensor logits = module.forward({x}).toTensor();
  const std::vector<at::Tensor> gradients = torch::autograd::grad(
      {LossOf(logits, c, step.loss)}, parameters, /*grad_outputs=*/{},
      /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true);
  const double rate =
      2 * step.epsilon * (step.direction == MetaDirection::kDescent ? 1 : -1);
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (gradients[i].defined()) parameters[i].sub_(gradients[i] * rate);
  }
  return module;
}

// Row r of `actual` is the only row of `expected`.
void ExpectRow(const ProbeResult& actual, int64_t r,
               const ProbeResult& expected, double tolerance) {
  const auto row = [r](const at::Tensor& all) {
    return all.slice(0, r, r + 1);
  };
  ASSERT_EQ(actual.records.size(), expected.records.size());
  for (size_t i = 0; i < expected.records.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_TRUE(RowsClose(row(actual.records[i].activation),
                          expected.records[i].activation, tolerance));
    EXPECT_TRUE(RowsClose(row(actual.records[i].gradient),
                          expected.records[i].gradient, tolerance));
  }
  EXPECT_EQ(actual.class_index[r], expected.class_index[0]);
  EXPECT_NEAR(actual.score[r], expected.score[0],
              tolerance * (1 + std::abs(expected.score[0])));
}

class MetaTest : public ModelTest {
 protected:
  // A plain pass of the stepped network.
  ProbeResult Expected(const MetaNet& net, const ProbeRequest& single,
                       int64_t explained) const {
    const ModelFile file(SteppedBySgd(net.module, single.input, explained,
                                      *single.rows[0].meta));
    LoadOptions options;
    options.device = GetParam();
    options.input_height = options.input_width = 8;
    ProbeRequest plain = single;
    plain.rows[0].meta.reset();
    plain.rows[0].target = ClassIndex{explained};
    return ProbedModel::Load(file.path(), options).value()->Run(plain).value();
  }

  void ExpectStepped(const MetaNet& net, ProbedModel& model,
                     const ProbeRequest& request) const {
    const ProbeResult result = model.Run(request).value();
    ProbeRequest plain = request;
    for (ProbeRow& row : plain.rows) row.meta.reset();
    EXPECT_TRUE(
        RowsClose(result.logits, model.Run(plain).value().logits, kOtherPath));
    for (size_t r = 0; r < request.rows.size(); ++r) {
      SCOPED_TRACE(testing::Message() << "row " << r);
      const auto row = static_cast<int64_t>(r);
      const ProbeResult expected =
          Expected(net, SingleRow(request, r), result.class_index[r]);
      ExpectRow(result, row, expected, kOtherPath);
      EXPECT_TRUE(RowsClose(result.stepped_logits.slice(0, row, row + 1),
                            expected.logits, kOtherPath));
      // The step is large enough to be seen.
      EXPECT_FALSE(RowsClose(result.stepped_logits.slice(0, row, row + 1),
                             result.logits.slice(0, request.rows[r].image,
                                                 request.rows[r].image + 1),
                             10 * kOtherPath));
    }
  }
};
SALIENCY_INSTANTIATE_DEVICES(MetaTest);

TEST_P(MetaTest, EachNetworkTakesThePathThatKnowsItsOperators) {
  for (const MetaNet& net : MetaNets()) {
    SCOPED_TRACE(net.name);
    EXPECT_EQ(Load(net.module)->meta_path(), net.path);
    EXPECT_EQ(Load(net.module, OnPath(MetaPath::kReference))->meta_path(),
              MetaPath::kReference);
  }
}

TEST_P(MetaTest, EveryRowIsThePlainPassOfItsSteppedModel) {
  for (const MetaNet& net : MetaNets()) {
    SCOPED_TRACE(net.name);
    const at::Tensor images = Images(3);
    for (const MetaPath path : {MetaPath::kReference, net.path}) {
      SCOPED_TRACE(path == MetaPath::kFast ? "fast" : "reference");
      const auto model = Load(net.module, OnPath(path));
      // All at once, and the last alone: probes part operators that would
      // otherwise run as one.
      ExpectStepped(net, *model, MixedRequest(images, SpatialLayers(*model)));
      ExpectStepped(net, *model, MixedRequest(images, {net.last_layer}));
    }
  }
}

TEST_P(MetaTest, BatchRowsAreTheirSingleRuns) {
  for (const MetaNet& net : MetaNets()) {
    SCOPED_TRACE(net.name);
    const auto model = Load(net.module);
    const ProbeRequest request =
        MixedRequest(Images(3), {"input", net.last_layer});
    const ProbeResult batch = model->Run(request).value();
    for (size_t r = 0; r < request.rows.size(); ++r) {
      SCOPED_TRACE(r);
      ExpectRow(batch, static_cast<int64_t>(r),
                model->Run(SingleRow(request, r)).value(), kOtherPath);
    }
  }
}

TEST_P(MetaTest, EpsilonZeroIsThePlainMapBitForBit) {
  // On several, LibTorch 2.6 does not repeat itself to the last bit.
  const OneThread one_thread;
  for (const MetaPath path : {MetaPath::kReference, MetaPath::kFast}) {
    const auto model = Load(ResidualNet(), OnPath(path));
    ProbeRequest plain = MixedRequest(Images(3), {"input", "block", "tail"});
    ProbeRequest still = plain;
    for (ProbeRow& row : plain.rows) row.meta.reset();
    for (ProbeRow& row : still.rows) row.meta->epsilon = 0;
    const ProbeResult expected = model->Run(plain).value();
    const ProbeResult result = model->Run(still).value();
    for (size_t i = 0; i < plain.probes.size(); ++i) {
      EXPECT_TRUE(Identical(result.records[i].activation,
                            expected.records[i].activation));
      EXPECT_TRUE(
          Identical(result.records[i].gradient, expected.records[i].gradient));
    }
    EXPECT_TRUE(Identical(result.logits, expected.logits));
    EXPECT_EQ(result.score, expected.score);
  }
}

TEST_P(MetaTest, RowsWithAndWithoutAStepShareABatch) {
  const auto model = Load(ResidualNet());
  ProbeRequest request = MixedRequest(Images(3), {"input", "tail"});
  request.rows[1].meta->epsilon = 0;
  request.rows[3].meta->epsilon = 0;
  const ProbeResult result = model->Run(request).value();
  for (size_t r = 0; r < request.rows.size(); ++r) {
    SCOPED_TRACE(r);
    ProbeRequest single = SingleRow(request, r);
    if (single.rows[0].meta->epsilon == 0) single.rows[0].meta.reset();
    const ProbeResult expected = model->Run(single).value();
    const auto row = static_cast<int64_t>(r);
    ExpectRow(result, row, expected, kOtherPath);
    EXPECT_TRUE(RowsClose(
        result.stepped_logits.slice(0, row, row + 1),
        single.rows[0].meta ? expected.stepped_logits : expected.logits,
        kOtherPath));
  }
}

TEST_P(MetaTest, ARowThatIsNotFiniteLeavesItsNeighboursAlone) {
  for (const MetaNet& net : MetaNets()) {
    SCOPED_TRACE(net.name);
    const auto model = Load(net.module);
    ProbeRequest request = MixedRequest(Images(3), {"input", net.last_layer});
    const ProbeResult expected = model->Run(request).value();
    request.rows[0].target = ClassIndex{1};
    request.input[0][1][2][3] = std::numeric_limits<float>::quiet_NaN();
    const ProbeResult result = model->Run(request).value();
    EXPECT_TRUE(result.stepped_logits[0].isnan().any().item<bool>());
    for (const int64_t row : {1, 2, 3}) {
      EXPECT_TRUE(RowsClose(result.stepped_logits.slice(0, row, row + 1),
                            expected.stepped_logits.slice(0, row, row + 1),
                            kOtherPath));
      EXPECT_TRUE(RowsClose(result.records[1].gradient.slice(0, row, row + 1),
                            expected.records[1].gradient.slice(0, row, row + 1),
                            kOtherPath));
    }
  }
}

TEST_P(MetaTest, SmallStepsFollowTheDirectionalDerivative) {
  const TinyModule net = SmoothNet();
  const at::Tensor images = Images(1);
  for (const MetaPath path : {MetaPath::kReference, MetaPath::kFast}) {
    const auto model = Load(net, OnPath(path));
    ASSERT_EQ(model->meta_path(), path);
    for (const MetaDirection direction :
         {MetaDirection::kDescent, MetaDirection::kAscent}) {
      const at::Tensor derivative =
          SmoothNetDerivative(net, images, /*target=*/2) *
          (direction == MetaDirection::kDescent ? 1 : -1);
      const auto map = [&](double epsilon) {
        ProbeRequest request = {
            .input = images,
            .rows = {{.target = ClassIndex{2},
                      .meta = MetaStep{epsilon, direction}}},
            .probes = {{"body"}}};
        const auto record = model->Run(request).value().records[0];
        return (record.activation * record.gradient)
            .sum(1)
            .to(at::kCPU, at::kDouble);
      };
      const at::Tensor plain = map(0);
      const auto error = [&](double epsilon) {
        const at::Tensor quotient = (map(epsilon) - plain) / epsilon;
        return ((quotient - derivative).norm() / derivative.norm())
            .item<double>();
      };
      // Half the step, half the error, down to what float32 can tell apart.
      EXPECT_LT(error(8e-3), 0.6 * error(16e-3));
      EXPECT_LT(error(4e-3), 0.6 * error(8e-3));
      EXPECT_LT(error(1e-3), 0.01);
    }
  }
}

TEST_P(MetaTest, StepsThatAreNotDefinedAreInvalid) {
  const auto model = Load(ResidualNet());
  const ProbeRequest good = MixedRequest(Images(3), {"tail"});
  const auto error = [&](const std::function<void(ProbeRow&)>& change) {
    ProbeRequest request = good;
    change(request.rows[1]);
    const absl::Status status = model->Run(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(error([](ProbeRow& row) { row.meta->epsilon = -0.5; }),
              HasSubstr("epsilon -0.5"));
  EXPECT_THAT(error([](ProbeRow& row) { row.meta->epsilon = std::nan(""); }),
              HasSubstr("epsilon nan"));
  EXPECT_THAT(error([](ProbeRow& row) { row.score = Score::kScalarOutput; }),
              HasSubstr("SCALAR_OUTPUT"));
  EXPECT_THAT(error([](ProbeRow& row) { row.target = ClassIndex{5}; }),
              HasSubstr("5 not in [0, 5)"));
}

TEST_P(MetaTest, AFrozenModelHasNoParametersToMove) {
  torch::jit::Module module = Build(ResidualNet());
  module.eval();
  const ModelFile file(torch::jit::freeze(module));
  LoadOptions options;
  options.device = GetParam();
  options.input_height = options.input_width = 8;
  const auto model = ProbedModel::Load(file.path(), options).value();
  EXPECT_EQ(model->meta_path(), MetaPath::kNone);
  const absl::Status status =
      model->Run(MixedRequest(Images(3), {"input"})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("frozen"));
}

TEST_P(MetaTest, NoCallWritesToTheModelHoweverItEnds) {
  constexpr int kCalls = 250;  // on each path
  const CpuMemory& memory = CpuMemory::Watch();
  for (const MetaPath path : {MetaPath::kReference, MetaPath::kFast}) {
    const int64_t first = memory.made();
    const auto model = Load(ResidualNet(), OnPath(path));
    const int64_t last = memory.made();
    ASSERT_GE(last - first,
              static_cast<int64_t>(model->parameter_names().size()));
    const uint64_t digest = memory.Digest(first, last);
    MetaCalls calls(*model, Images(3));
    const ProbeResult before = calls.Yardstick();
    const int64_t held = memory.bytes();
    for (int i = 0; i < kCalls; ++i) EXPECT_TRUE(calls.Make()) << "call " << i;
    EXPECT_LE(memory.bytes(), held);
    EXPECT_EQ(memory.Digest(first, last), digest);
    const ProbeResult after = calls.Yardstick();
    EXPECT_TRUE(Identical(after.stepped_logits, before.stepped_logits));
    EXPECT_TRUE(
        Identical(after.records[0].gradient, before.records[0].gradient));
    EXPECT_THAT(calls.ends(),
                AllOf(Contains(Key(absl::StatusCode::kOk)),
                      Contains(Key(absl::StatusCode::kInvalidArgument)),
                      Contains(Key(absl::StatusCode::kNotFound)),
                      Contains(Key(absl::StatusCode::kResourceExhausted))));
  }
}

}  // namespace
}  // namespace saliency::meta_test
