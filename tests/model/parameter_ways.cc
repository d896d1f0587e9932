#include "tests/model/parameter_ways.h"

#include <utility>

#include "gtest/gtest.h"
#include "tests/model/root_module.h"

namespace saliency {
namespace parameter_ways {
namespace {

using root_module::Body;
using root_module::Root;
using root_module::Weight;
using root_module::WithHead;
using torch::jit::Module;

Module Holder(const std::string& name, const at::Tensor& value,
              const std::string& method = "") {
  Module holder("__torch__.Holder");
  holder.register_parameter(name, value, /*is_buffer=*/false);
  if (!method.empty()) holder.define(method);
  return holder;
}

const c10::TypePtr& Tensors() {
  static const auto* const type =
      new c10::TypePtr(c10::ListType::create(c10::TensorType::get()));
  return *type;
}

c10::IValue ListOf(const std::vector<at::Tensor>& tensors) {
  return c10::IValue(c10::List<at::Tensor>(tensors));
}

std::vector<ParameterWay> SharedWays() {
  return {
      {"tied",
       [] {
         const at::Tensor w = Weight({4, 4, 3, 3}, 0.2);
         return WithHead().Parameter("a", w).Parameter("b", w).Forward(Body(
             "  y = torch.tanh(torch.conv2d(y, self.a, None, [1, 1], [1, 1]))\n"
             "  y = torch.conv2d(y, self.b, None, [1, 1], [1, 1])\n"));
       }},
      {"one the transpose of the other",
       [] {
         const at::Tensor w = Weight({4, 6});
         const at::Tensor t = w.detach().t().requires_grad_(true);
         return WithHead().Parameter("up", w).Parameter("down", t).Forward(
             Body("  z = torch.tanh(torch.matmul(y.permute([0, 2, 3, 1]), "
                  "self.up))\n"
                  "  y = torch.matmul(z, self.down).permute([0, 3, 1, 2])\n"));
       }},
      {"one a slice of the other",
       [] {
         const at::Tensor w = Weight({8, 4, 1, 1});
         const at::Tensor part = w.detach().slice(0, 2, 6).requires_grad_(true);
         return WithHead()
             .Parameter("w", w)
             .Parameter("part", part)
             .Forward(Body("  y = torch.tanh(torch.conv2d(y, self.part))\n"
                           "  y = torch.conv2d(y, self.w)[:, 1:5]\n"));
       }},
      {"neighbours in one storage",
       [] {
         const at::Tensor all = at::randn({40}) * 0.4;
         const auto part = [&](int64_t from, at::IntArrayRef sizes) {
           return all.slice(0, from, from + c10::multiply_integers(sizes))
               .view(sizes)
               .requires_grad_(true);
         };
         return WithHead()
             .Parameter("w", part(4, {4, 4, 1, 1}))
             .Parameter("b", part(20, {4}))
             .Forward(Body("  y = torch.conv2d(y, self.w, self.b)\n"));
       }},
      {"a buffer in a parameter's memory",
       [] {
         const at::Tensor w = Weight({4, 4, 1, 1});
         return WithHead()
             .Parameter("w", w)
             .Buffer("alias", w)
             .Forward(Body("  y = torch.tanh(torch.conv2d(y, self.alias))\n"
                           "  y = torch.conv2d(y, self.w)\n"));
       }},
      {"a buffer read alone in a parameter's memory",
       [] {
         const at::Tensor w = Weight({4, 4, 1, 1});
         return WithHead()
             .Parameter("w", w)
             .Buffer("alias", w)
             .Forward(Body("  y = torch.tanh(torch.conv2d(y, self.alias))\n"));
       }},
  };
}

std::vector<ParameterWay> ContainedWays() {
  const std::string use_two =
      "  y = torch.tanh(torch.conv2d(y, a)) + torch.conv2d(y, b)\n";
  return {
      {"in a list",
       [=] {
         const at::Tensor a = Weight({4, 4, 1, 1}), b = Weight({4, 4, 1, 1});
         return WithHead()
             .Parameter("a", a)
             .Parameter("b", b)
             .Attribute("all", Tensors(), ListOf({a, b}))
             .Forward(Body("  a, b = self.all[0], self.all[1]\n" + use_two));
       }},
      {"in a list, walked, and by itself",
       [=] {
         const at::Tensor a = Weight({4, 4, 1, 1}), b = Weight({4, 4, 1, 1});
         return WithHead()
             .Parameter("a", a)
             .Parameter("b", b)
             .Attribute("all", Tensors(), ListOf({a, b}))
             .Forward(Body("  for w in self.all:\n"
                           "    y = torch.tanh(torch.conv2d(y, w))\n"
                           "  y = torch.conv2d(y, self.b)\n"));
       }},
      {"in a dictionary",
       [=] {
         const at::Tensor a = Weight({4, 4, 1, 1}), b = Weight({4, 4, 1, 1});
         c10::Dict<std::string, at::Tensor> all;
         all.insert("first", a);
         all.insert("second", b);
         return WithHead()
             .Parameter("a", a)
             .Parameter("b", b)
             .Attribute("all",
                        c10::DictType::create(c10::StringType::get(),
                                              c10::TensorType::get()),
                        all)
             .Forward(
                 Body("  a, b = self.all[\"first\"], self.all[\"second\"]\n" +
                      use_two));
       }},
      {"in a tuple of a list",
       [=] {
         const at::Tensor a = Weight({4, 4, 1, 1}), b = Weight({4, 4, 1, 1});
         return WithHead()
             .Parameter("a", a)
             .Parameter("b", b)
             .Attribute(
                 "all",
                 c10::TupleType::create({Tensors(), c10::TensorType::get()}),
                 c10::ivalue::Tuple::create(ListOf({a}), b))
             .Forward(Body("  a, b = self.all[0][0], self.all[1]\n" + use_two));
       }},
      {"in a list made on the way",
       [] {
         return WithHead()
             .Parameter("a", Weight({4, 1, 1}))
             .Parameter("b", Weight({4, 1, 1}))
             .Forward(Body("  both = [self.a, self.b]\n"
                           "  y = y * torch.stack(both).sum(0) + both[1]\n"));
       }},
      {"as a list of parameters",
       [] {
         Module list("__torch__.ParameterList");
         list.register_parameter("0", Weight({4, 4, 1, 1}), false);
         list.register_parameter("1", Weight({4, 4, 1, 1}), false);
         return WithHead()
             .Child("all", list)
             .Forward(Body(
                 "  y = torch.tanh(torch.conv2d(y, getattr(self.all, \"0\")))\n"
                 "  y = torch.conv2d(y, getattr(self.all, \"1\"))\n"));
       }},
  };
}

std::vector<ParameterWay> ReadingWays() {
  return {
      {"sliced",
       [] {
         return WithHead()
             .Parameter("w", Weight({8, 6, 1, 1}))
             .Forward(Body("  y = torch.conv2d(y, self.w[2:6, 1:5])\n"));
       }},
      {"read twice",
       [] {
         return WithHead()
             .Parameter("b", Weight({4}))
             .Forward(Body("  b = self.b.view([-1, 1, 1])\n"
                           "  y = torch.tanh(y * b) + b + self.shift[0]\n"));
       }},
      {"normed on the way",
       [] {
         return WithHead()
             .Parameter("g", Weight({4, 1, 1, 1}))
             .Parameter("v", Weight({4, 4, 1, 1}))
             .Forward(Body("  w = self.g * self.v / self.v.norm()\n"
                           "  y = torch.conv2d(y, w)\n"));
       }},
      {"down a chain",
       [] {
         Module deep("__torch__.Deep");
         deep.register_module("c", Holder("weight", Weight({4, 4, 1, 1})));
         Module middle("__torch__.Middle");
         middle.register_module("b", deep);
         return WithHead()
             .Child("a", middle)
             .Forward(Body("  y = torch.conv2d(y, self.a.b.c.weight)\n"));
       }},
      {"by a method of a child",
       [] {
         return WithHead()
             .Child("a", Holder("w", Weight({4, 4, 1, 1}),
                                "def doubled(self):\n  return self.w * 2\n"))
             .Forward(Body("  y = torch.conv2d(y, self.a.doubled())\n"));
       }},
      {"handed to a function",
       [] {
         return WithHead()
             .Parameter("w", Weight({4, 4, 1, 1}))
             .Function("mixed",
                       "def mixed(y, w):\n"
                       "  return torch.conv2d(torch.tanh(y), w * 1.5)\n")
             .Forward(Body("  y = mixed(y, self.w)\n"));
       }},
      {"in a loop",
       [] {
         return WithHead()
             .Parameter("w", Weight({4, 4, 1, 1}))
             .Forward(
                 Body("  for i in range(x.size(2) - 5):\n"
                      "    y = y + torch.tanh(torch.conv2d(y, self.w))\n"));
       }},
      {"in a branch",
       [] {
         return WithHead()
             .Parameter("a", Weight({4, 4, 1, 1}))
             .Parameter("b", Weight({4, 4, 1, 1}))
             .Forward(Body("  if bool(x.sum() > -1e9):\n"
                           "    y = torch.conv2d(y, self.a)\n"
                           "  else:\n"
                           "    y = torch.conv2d(y, self.b)\n"));
       }},
      {"chosen by a branch",
       [] {
         return WithHead()
             .Parameter("a", Weight({4, 4, 1, 1}))
             .Parameter("b", Weight({4, 4, 1, 1}))
             .Forward(Body("  w = self.a\n"
                           "  if bool(x.sum() < -1e9):\n"
                           "    w = self.b\n"
                           "  y = torch.conv2d(y, w)\n"));
       }},
      {"overwritten on the way",
       [] {
         return WithHead()
             .Parameter("w", Weight({4, 4, 1, 1}))
             .Forward(Body("  w = self.w.clone()\n"
                           "  w[:, 1:3] = 0.5\n"
                           "  y = torch.conv2d(y, w.mul_(2))\n"));
       }},
      {"as one number",
       [] {
         return WithHead()
             .Parameter("scale", Weight({}, 1))
             .Forward(Body("  y = y * self.scale\n"));
       }},
      {"as a number out of the tensor",
       [] {
         return WithHead()
             .Parameter("scale", Weight({}, 1))
             .Forward(Body("  y = y * float(self.scale)\n"));
       }},
      {"detached in one of two places",
       [] {
         return WithHead()
             .Parameter("w", Weight({4, 4, 1, 1}))
             .Forward(
                 Body("  y = torch.tanh(torch.conv2d(y, self.w.detach()))\n"
                      "  y = torch.conv2d(y, self.w)\n"));
       }},
      {"before the image",
       [] {
         return WithHead()
             .Parameter("shade", Weight({1, 3, 8, 8}))
             .Methods("def forward(self, x):\n  x = x * 0.5 + self.shade\n" +
                      Body(""));
       }},
      {"nowhere",
       [] { return WithHead().Parameter("w", Weight({4})).Forward(Body("")); }},
  };
}

std::vector<ParameterWay> KindsOfParameters() {
  return {
      {"buffers are none",
       [] {
         return WithHead()
             .Buffer("w", Weight({4, 4, 1, 1}).detach())
             .Forward(Body("  y = torch.conv2d(y, self.w)\n"));
       }},
      {"frozen ones are",
       [] {
         return WithHead()
             .Parameter("w", Weight({4, 4, 1, 1}).detach())
             .Forward(Body("  y = torch.conv2d(y, self.w)\n"));
       }},
      {"whole numbers stay",
       [] {
         return WithHead()
             .Parameter("q", at::randint(-8, 8, {4, 4, 1, 1}, at::kChar))
             .Parameter("scale", Weight({4, 1, 1, 1}))
             .Forward(Body("  y = torch.conv2d(y, self.q * self.scale)\n"));
       }},
      {"complex numbers",
       [] {
         return WithHead()
             .Parameter("filter",
                        (at::randn({4, 8, 8}, at::kComplexFloat) * 0.4)
                            .requires_grad_(true))
             .Forward(Body("  z = torch.fft_fft2(y) * self.filter\n"
                           "  y = torch.real(torch.fft_ifft2(z))\n"));
       }},
      {"norms, slopes and transposed kernels",
       [] {
         return WithHead()
             .Parameter("gamma", Weight({8}, 1))
             .Parameter("beta", Weight({8}))
             .Parameter("group", Weight({4}, 1))
             .Parameter("slope", at::rand({4}).requires_grad_(true))
             .Parameter("up", Weight({4, 4, 2, 2}))
             .Forward(Body(
                 "  y = torch.layer_norm(y, [8], self.gamma, self.beta)\n"
                 "  y = torch.group_norm(y, 2, self.group, None)\n"
                 "  y = torch.prelu(y, self.slope)\n"
                 "  y = torch.conv_transpose2d(y, self.up, None, [2, 2])\n"));
       }},
      {"a transformer",
       [] {
         return Root()
             .Parameter("patch", Weight({8, 3, 4, 4}, 0.2))
             .Parameter("class_token", Weight({1, 1, 8}))
             .Parameter("positions", Weight({1, 5, 8}))
             .Parameter("in_weight", Weight({24, 8}))
             .Parameter("in_bias", Weight({24}))
             .Parameter("out_weight", Weight({8, 8}))
             .Parameter("out_bias", Weight({8}))
             .Parameter("gamma", Weight({8}, 1))
             .Parameter("beta", Weight({8}))
             .Parameter("head", Weight({5, 8}))
             .Forward(
                 "  y = torch.conv2d(x, self.patch, None, [4, 4])\n"
                 "  y = y.flatten(2).transpose(1, 2)\n"
                 "  first = self.class_token.expand([y.size(0), -1, -1])\n"
                 "  y = torch.cat([first, y], 1) + self.positions\n"
                 "  z = torch.layer_norm(y, [8], self.gamma, self.beta)\n"
                 "  qkv = torch.linear(z, self.in_weight, self.in_bias)\n"
                 "  q, k, v = torch.chunk(qkv, 3, 2)\n"
                 "  w = torch.softmax(torch.matmul(q, k.transpose(1, 2)), 2)\n"
                 "  y = y + torch.linear(torch.matmul(w, v), self.out_weight,\n"
                 "                       self.out_bias)\n"
                 "  return torch.linear(y[:, 0], self.head)\n");
       }},
  };
}

}  // namespace
}  // namespace parameter_ways

std::vector<ParameterWay> AllParameterWays() {
  std::vector<ParameterWay> all;
  for (const auto& ways :
       {parameter_ways::SharedWays(), parameter_ways::ContainedWays(),
        parameter_ways::ReadingWays(), parameter_ways::KindsOfParameters()}) {
    all.insert(all.end(), ways.begin(), ways.end());
  }
  return all;
}

ParameterWay ParameterWayCalled(const std::string& name) {
  for (const ParameterWay& way : AllParameterWays()) {
    if (way.name == name) return way;
  }
  ADD_FAILURE() << "no way is called \"" << name << '"';
  return {};
}

}  // namespace saliency
