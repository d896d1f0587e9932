// All golden networks, scripted and traced, in one server: every named method
// at every layer that is listed answers, or says why it cannot.

#include <algorithm>
#include <cstdio>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/model_folder.h"
#include "tests/end_to_end/server_environment.h"
#include "tests/end_to_end/wire.h"

namespace saliency::every_method_test {
namespace {

const std::vector<std::string> kForms = {"script", "trace"};

ServerEnvironment& environment = UseServer([](ModelFolder& models) {
  for (const std::string& net : GoldenNetNames()) {
    for (const std::string& form : kForms) {
      models.AddGolden(net, form, absl::StrCat(net, "-", form));
    }
  }
});

v1::GetModelResponse Describe(const std::string& model) {
  v1::GetModelRequest request;
  request.mutable_model()->set_name(model);
  const auto response = environment.client().GetModel(request);
  EXPECT_TRUE(response.ok()) << response.status();
  return response.ok() ? *response : v1::GetModelResponse();
}

// Every method that any of the models has.
const std::set<std::string>& AllMethods() {
  static const auto* const all = [] {
    auto* names = new std::set<std::string>;
    for (const std::string& net : GoldenNetNames()) {
      const v1::GetModelResponse model = Describe(absl::StrCat(net, "-script"));
      for (const v1::Method& method : model.methods()) {
        names->insert(method.name());
      }
    }
    return names;
  }();
  return *all;
}

// Whether GetModel promises a map.
bool Promised(const v1::GetModelResponse& model, const std::string& method,
              const v1::Layer& layer) {
  if (layer.shape_size() != 3) return false;
  const auto found =
      std::find_if(model.methods().begin(), model.methods().end(),
                   [&](const v1::Method& m) { return m.name() == method; });
  return found != model.methods().end() &&
         (found->layers().empty() ||
          std::count(found->layers().begin(), found->layers().end(),
                     layer.name()) > 0);
}

void CheckResult(const v1::GetModelResponse& model, const v1::Layer& layer,
                 const v1::SaliencyMap& map) {
  SCOPED_TRACE(absl::StrCat(map.method(), " at ", layer.name(), " (",
                            layer.kind(), ")"));
  if (!Promised(model, map.method(), layer)) {
    EXPECT_EQ(map.status().code(),
              static_cast<int>(absl::StatusCode::kInvalidArgument));
    ExpectFitForCallers(map.status().message());
    return;
  }
  ASSERT_EQ(map.status().code(), 0) << map.status().message();
  EXPECT_EQ(map.layer(), layer.name());
  // A product with a map at the input has that one's size.
  const v1::Layer& sized =
      map.method() == "guided_grad_cam" ? model.layers(0) : layer;
  EXPECT_EQ(map.height(), sized.shape(1));
  EXPECT_EQ(map.width(), sized.shape(2));
  EXPECT_EQ(map.data().size(), 4U * map.height() * map.width());
  EXPECT_LE(map.raw_min(), map.raw_max());
}

class EveryMethodTest
    : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(EveryMethodTest, AnswersAtEveryListedLayerOrSaysWhyNot) {
  const auto& [net, form] = GetParam();
  const std::string name = absl::StrCat(net, "-", form);
  const v1::GetModelResponse model = Describe(name);
  ASSERT_GE(model.methods_size(), 8);
  EXPECT_GE(model.layers_size(), 10);
  std::set<std::string> named;
  for (const v1::Method& method : model.methods()) named.insert(method.name());
  for (const v1::MethodRefusal& refusal : model.method_refusals()) {
    EXPECT_TRUE(named.insert(refusal.name()).second) << refusal.name();
    ExpectFitForCallers(refusal.reason());
  }
  EXPECT_EQ(named, AllMethods());
  v1::ComputeSaliencyRequest request;
  request.mutable_model()->set_name(name);
  *request.mutable_input() = RandomTensor(5, GoldenInputSize(net));
  request.mutable_output()->set_named_size(v1::NAMED_SIZE_LAYER);
  int maps = 0;
  for (const v1::Layer& layer : model.layers()) {
    request.clear_attributions();
    for (const std::string& method : AllMethods()) {
      *request.add_attributions() = At(method, {layer.name()});
    }
    const auto response = environment.client().ComputeSaliency(request);
    if (layer.shape_size() != 3) {
      // Every result failed, so the call does.
      EXPECT_EQ(response.status().code(), absl::StatusCode::kInvalidArgument)
          << layer.name();
      ExpectFitForCallers(std::string(response.status().message()));
      continue;
    }
    ASSERT_TRUE(response.ok()) << layer.name() << ": " << response.status();
    ASSERT_EQ(response->maps_size(), static_cast<int>(AllMethods().size()));
    for (const v1::SaliencyMap& map : response->maps()) {
      CheckResult(model, layer, map);
      if (map.status().code() == 0) ++maps;
    }
  }
  EXPECT_GE(maps, 8 * 5);
  std::printf("%s: %d layers, %d methods, %d maps\n", name.c_str(),
              model.layers_size(), static_cast<int>(AllMethods().size()), maps);
}

INSTANTIATE_TEST_SUITE_P(
    All, EveryMethodTest,
    ::testing::Combine(::testing::ValuesIn(GoldenNetNames()),
                       ::testing::ValuesIn(kForms)),
    [](const auto& test) {
      return absl::StrCat(std::get<0>(test.param), "_",
                          std::get<1>(test.param));
    });

TEST(ScriptAndTraceTest, GiveTheSameMaps) {
  for (const std::string& net : GoldenNetNames()) {
    SCOPED_TRACE(net);
    v1::ComputeSaliencyRequest request;
    *request.mutable_input() = RandomTensor(9, GoldenInputSize(net));
    for (const char* method : {"norm_grad", "linear_approximation"}) {
      request.add_attributions()->set_method(method);
    }
    request.mutable_model()->set_name(net + "-script");
    const auto script = environment.client().ComputeSaliency(request);
    request.mutable_model()->set_name(net + "-trace");
    const auto trace = environment.client().ComputeSaliency(request);
    ASSERT_TRUE(script.ok() && trace.ok());
    ASSERT_EQ(script->maps_size(), trace->maps_size());
    for (int i = 0; i < script->maps_size(); ++i) {
      ExpectSameMap(trace->maps(i), script->maps(i), 1e-5F);
    }
  }
}

}  // namespace
}  // namespace saliency::every_method_test
