// The bundled ImageNet network on its sample photographs: it knows what they
// show, its maps point at the object asked for, and every method answers.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/evaluate/voc_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/server_environment.h"
#include "tests/end_to_end/wire.h"

namespace saliency::photographs_test {
namespace {

using ::testing::Contains;
using ::testing::IsSupersetOf;

constexpr char kModel[] = "efficientnet_lite0";

ServerEnvironment& environment =
    UseServer([](ModelFolder& models) { models.AddBundled(kModel); });

struct Photograph {
  std::string name;
  VocAnnotation annotation;
  std::set<std::string> classes;  // that it shows
};

// In the order of their names.
const std::vector<Photograph>& Photographs() {
  static const auto* const all = [] {
    auto* photographs = new std::vector<Photograph>;
    for (const auto& entry :
         std::filesystem::directory_iterator(SampleFolder(kModel))) {
      if (entry.path().extension() != ".xml") continue;
      Photograph photograph = {
          .name = entry.path().stem(),
          .annotation = ParseVocAnnotation(ReadBytes(entry.path())).value()};
      for (const VocObject& object : photograph.annotation.objects) {
        photograph.classes.insert(object.category);
      }
      photographs->push_back(std::move(photograph));
    }
    std::sort(photographs->begin(), photographs->end(),
              [](const Photograph& a, const Photograph& b) {
                return a.name < b.name;
              });
    return photographs;
  }();
  return *all;
}

v1::ComputeSaliencyRequest About(const Photograph& photograph) {
  v1::ComputeSaliencyRequest request;
  *request.mutable_input() = ImageInput(
      absl::StrCat(SampleFolder(kModel), "/", photograph.name, ".jpg"));
  request.mutable_output()->set_encoding(v1::MAP_ENCODING_NONE);
  return request;
}

v1::ComputeSaliencyResponse Ask(const v1::ComputeSaliencyRequest& request) {
  const auto response = environment.client().ComputeSaliency(request);
  EXPECT_TRUE(response.ok()) << response.status();
  return response.ok() ? *response : v1::ComputeSaliencyResponse();
}

TEST(PhotographsTest, WhatTheyShowIsAmongTheFiveLikeliestClasses) {
  int classes = 0;
  int first = 0;
  for (const Photograph& photograph : Photographs()) {
    SCOPED_TRACE(photograph.name);
    v1::ComputeSaliencyRequest request = About(photograph);
    request.set_top_k(5);
    std::vector<std::string> likeliest;
    const v1::ComputeSaliencyResponse answer = Ask(request);
    for (const v1::ClassScore& top : answer.summary().images(0).top()) {
      likeliest.push_back(top.label());
    }
    ASSERT_EQ(likeliest.size(), 5U);
    for (const std::string& shown : photograph.classes) {
      EXPECT_THAT(likeliest, Contains(shown));
    }
    classes += static_cast<int>(photograph.classes.size());
    first += static_cast<int>(photograph.classes.count(likeliest[0]));
  }
  std::printf("%d photographs show %d classes; %d are the likeliest\n",
              static_cast<int>(Photographs().size()), classes, first);
  EXPECT_GE(Photographs().size(), 8U);
}

bool LiesOn(const Photograph& photograph, const std::string& shown,
            const v1::Point& point) {
  const auto& objects = photograph.annotation.objects;
  return std::any_of(
      objects.begin(), objects.end(), [&](const VocObject& object) {
        const PixelRect& box = object.box;
        return object.category == shown && point.y() >= box.y &&
               point.y() < box.y + box.height && point.x() >= box.x &&
               point.x() < box.x + box.width;
      });
}

// ram-hen.jpg shows both; a map that did not mind the class would fail for one.
TEST(PhotographsTest, MapsPointAtTheObjectOfTheirClass) {
  for (const char* method : {"norm_grad", "linear_approximation", "grad_cam"}) {
    for (const Photograph& photograph : Photographs()) {
      v1::ComputeSaliencyRequest request = About(photograph);
      for (const std::string& shown : photograph.classes) {
        *request.add_targets() = LabelTarget(shown);
      }
      request.add_attributions()->set_method(method);
      const v1::ComputeSaliencyResponse answer = Ask(request);
      EXPECT_EQ(answer.maps_size(),
                static_cast<int>(photograph.classes.size()));
      for (const v1::SaliencyMap& map : answer.maps()) {
        const std::string& shown = map.explained_class().label();
        EXPECT_TRUE(LiesOn(photograph, shown, map.image_point()))
            << photograph.name << ": " << method << " of " << shown
            << " at y=" << map.image_point().y()
            << " x=" << map.image_point().x();
      }
    }
  }
  const auto& all = Photographs();
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const Photograph& one) {
    return one.classes.size() == 2;
  }));
}

// By its name, but for few of the passes that a method takes by default.
v1::Attribution Cheaply(const std::string& method) {
  v1::Attribution attribution;
  if (method == "smooth_grad") {
    attribution.mutable_smooth_grad()->set_samples(2);
  } else if (method == "integrated_gradients") {
    attribution.mutable_integrated_gradients()->set_steps(3);
  } else if (method == "occlusion") {
    attribution.mutable_occlusion()->set_patch_size(112);
  } else if (method == "rise") {
    attribution.mutable_rise()->set_masks(8);
  } else if (method == "lime") {
    attribution.mutable_lime()->set_samples(8);
  } else if (method == "kernel_shap") {
    attribution.mutable_kernel_shap()->set_samples(8);
  } else {
    attribution.set_method(method);
  }
  return attribution;
}

TEST(PhotographsTest, EveryMethodAnswersAtTheDefaultLayer) {
  v1::GetModelRequest about;
  about.mutable_model()->set_name(kModel);
  const auto model = environment.client().GetModel(about);
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(model->config().default_layers_size(), 1);
  const std::string layer = model->config().default_layers(0);
  std::vector<std::string> names;
  v1::ComputeSaliencyRequest request = About(Photographs()[0]);
  for (const v1::Method& method : model->methods()) {
    names.push_back(method.name());
    // Other statistics of the samples of smooth_grad.
    if (method.name() == "smooth_grad_squared" || method.name() == "var_grad") {
      continue;
    }
    v1::Attribution& attribution = *request.add_attributions();
    attribution = Cheaply(method.name());
    const auto& layers = method.layers();
    if (layers.empty() || std::count(layers.begin(), layers.end(), layer) > 0) {
      attribution.add_layers(layer);
    } else {  // cam, norm_grad_real_conv; those of the input alone
      attribution.add_layers(*layers.rbegin());
    }
  }
  // Every operator is one that all backward rules are defined for.
  EXPECT_THAT(names, IsSupersetOf(
                         {"deconvnet", "guided_backprop", "excitation_backprop",
                          "contrastive_excitation_backprop", "lrp_epsilon",
                          "lrp_gamma", "lrp_alpha_beta", "lrp_composite",
                          "deep_lift", "cam", "norm_grad_real_conv"}));
  const v1::ComputeSaliencyResponse answer = Ask(request);
  ASSERT_EQ(answer.maps_size(), request.attributions_size());
  for (const v1::SaliencyMap& map : answer.maps()) {
    SCOPED_TRACE(absl::StrCat(map.method(), " at ", map.layer()));
    EXPECT_EQ(map.status().code(), 0) << map.status().message();
    EXPECT_LT(map.raw_min(), map.raw_max());
  }
}

}  // namespace
}  // namespace saliency::photographs_test
