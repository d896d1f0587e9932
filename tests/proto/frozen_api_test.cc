// saliency.v1 is frozen: what callers depend on stays, and only additions are
// allowed.

#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "gtest/gtest.h"
#include "tests/proto/api_listing.h"

namespace saliency::frozen_api_test {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::DescriptorProto;
using google::protobuf::EnumDescriptorProto;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::vector<std::string> FrozenLines() {
  std::ifstream file(SALIENCY_FROZEN_API);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

TEST(FrozenApiTest, NothingThatCallersDependOnHasChanged) {
  const std::vector<std::string> frozen = FrozenLines();
  EXPECT_THAT(frozen, Contains(StartsWith("rpc saliency.v1.SaliencyService."
                                          "ComputeSaliency(")));
  EXPECT_THAT(LinesGone(frozen, ApiListing(ApiFiles())), IsEmpty())
      << "a change of these breaks callers; add something new instead and keep "
         "what is there";
}

void AddFile(const FileDescriptor& file, std::vector<std::string>& added,
             std::vector<FileDescriptorProto>& protos) {
  for (const std::string& name : added) {
    if (name == file.name()) return;
  }
  added.push_back(file.name());
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddFile(*file.dependency(i), added, protos);
  }
  file.CopyTo(&protos.emplace_back());
}

// The files with all imports, each after those that it imports.
std::vector<FileDescriptorProto> FilesAndImports() {
  std::vector<std::string> added;
  std::vector<FileDescriptorProto> protos;
  for (const FileDescriptor* file : ApiFiles()) AddFile(*file, added, protos);
  return protos;
}

using Change = std::function<void(FileDescriptorProto& explanation,
                                  FileDescriptorProto& service)>;

// What a caller of today's API would miss after `change`.
std::vector<std::string> GoneAfter(const Change& change) {
  std::vector<FileDescriptorProto> protos = FilesAndImports();
  const auto file = [&](const std::string& name) -> FileDescriptorProto& {
    for (FileDescriptorProto& proto : protos) {
      if (proto.name() == "saliency/v1/" + name) return proto;
    }
    ADD_FAILURE() << name;
    return protos.front();
  };
  change(file("explanation.proto"), file("saliency_service.proto"));
  DescriptorPool pool;
  for (const FileDescriptorProto& proto : protos) {
    EXPECT_NE(pool.BuildFile(proto), nullptr) << proto.name();
  }
  std::vector<const FileDescriptor*> files;
  for (const FileDescriptor* today : ApiFiles()) {
    files.push_back(pool.FindFileByName(today->name()));
  }
  return LinesGone(ApiListing(ApiFiles()), ApiListing(files));
}

template <typename List>
auto& Named(List& list, const std::string& name) {
  for (auto& one : list) {
    if (one.name() == name) return one;
  }
  ADD_FAILURE() << name;
  return *list.begin();
}

template <typename List>
void Remove(List& list, const std::string& name) {
  for (int i = 0; i < list.size(); ++i) {
    if (list[i].name() == name) return list.DeleteSubrange(i, 1);
  }
  ADD_FAILURE() << name;
}

DescriptorProto& Message(FileDescriptorProto& file, const std::string& name) {
  return Named(*file.mutable_message_type(), name);
}
FieldDescriptorProto& Field(FileDescriptorProto& file,
                            const std::string& message,
                            const std::string& name) {
  return Named(*Message(file, message).mutable_field(), name);
}
EnumDescriptorProto& Enum(FileDescriptorProto& file, const std::string& name) {
  return Named(*file.mutable_enum_type(), name);
}
auto& Call(FileDescriptorProto& file, const std::string& name) {
  return Named(*file.mutable_service(0)->mutable_method(), name);
}

struct Break {
  const char* name;
  void (*change)(FileDescriptorProto& explanation,
                 FileDescriptorProto& service);
  const char* gone;  // in a line that is gone
};

class BreakTest : public testing::TestWithParam<Break> {};

TEST_P(BreakTest, IsCaught) {
  EXPECT_THAT(GoneAfter(GetParam().change),
              Contains(HasSubstr(GetParam().gone)));
}

using Proto = FileDescriptorProto;

INSTANTIATE_TEST_SUITE_P(
    All, BreakTest,
    testing::Values(
        Break{"FieldRemoved",
              [](Proto& file, Proto&) {
                Remove(*Message(file, "ClassScore").mutable_field(), "label");
              },
              "field saliency.v1.ClassScore.label = 2: string"},
        Break{"FieldRenamed",
              [](Proto& file, Proto&) {
                Field(file, "ClassScore", "label").set_name("text");
              },
              "field saliency.v1.ClassScore.label = 2"},
        Break{"FieldRenumbered",
              [](Proto& file, Proto&) {
                Field(file, "ClassScore", "label").set_number(9);
              },
              "field saliency.v1.ClassScore.label = 2"},
        Break{"FieldRetyped",
              [](Proto& file, Proto&) {
                Field(file, "ClassScore", "label")
                    .set_type(FieldDescriptorProto::TYPE_BYTES);
              },
              "field saliency.v1.ClassScore.label = 2: string"},
        Break{"FieldOfAnotherMessage",
              [](Proto& file, Proto&) {
                Field(file, "SaliencyMap", "region")
                    .set_type_name(".saliency.v1.Point");
              },
              "SaliencyMap.region = 19: saliency.v1.Rect"},
        Break{"FieldMadeRepeated",
              [](Proto& file, Proto&) {
                Field(file, "ClassScore", "label")
                    .set_label(FieldDescriptorProto::LABEL_REPEATED);
              },
              "field saliency.v1.ClassScore.label = 2: string"},
        Break{
            "PresenceTakenAway",
            [](Proto& file, Proto&) {
              Field(file, "ClassScore", "probability").clear_proto3_optional();
              Field(file, "ClassScore", "probability").clear_oneof_index();
              Message(file, "ClassScore").clear_oneof_decl();
            },
            "ClassScore.probability = 4: optional float"},
        Break{"FieldTakenOutOfItsOneof",
              [](Proto& file, Proto&) {
                Field(file, "Attribution", "method").clear_oneof_index();
              },
              "Attribution.method = 1: string, of oneof kind"},
        Break{"MessageRenamed",
              [](Proto& file, Proto&) {
                DescriptorProto copy = Message(file, "Rect");
                copy.set_name("Rectangle");
                *file.add_message_type() = copy;
                Field(file, "SaliencyMap", "region")
                    .set_type_name(".saliency.v1.Rectangle");
                Remove(*file.mutable_message_type(), "Rect");
              },
              "message saliency.v1.Rect in"},
        Break{"ValueRemoved",
              [](Proto& file, Proto&) {
                Remove(*Enum(file, "Extract").mutable_value(), "EXTRACT_BIAS");
              },
              "value saliency.v1.Extract.EXTRACT_BIAS = 1"},
        Break{"ValueRenumbered",
              [](Proto& file, Proto&) {
                Named(*Enum(file, "Extract").mutable_value(), "EXTRACT_BIAS")
                    .set_number(77);
              },
              "value saliency.v1.Extract.EXTRACT_BIAS = 1"},
        Break{"CallRemoved",
              [](Proto&, Proto& file) {
                Remove(*file.mutable_service(0)->mutable_method(),
                       "MetaSaliency");
              },
              "rpc saliency.v1.SaliencyService.MetaSaliency("},
        Break{"CallOfAnotherType",
              [](Proto&, Proto& file) {
                Call(file, "MetaSaliency")
                    .set_output_type(".saliency.v1.CombineLayersResponse");
              },
              "MetaSaliency(saliency.v1.MetaSaliencyRequest) returns"},
        Break{"StreamMadeUnary",
              [](Proto&, Proto& file) {
                Call(file, "StreamSaliency").clear_client_streaming();
              },
              "StreamSaliency(stream "},
        Break{"ServiceRenamed",
              [](Proto&, Proto& file) {
                file.mutable_service(0)->set_name("Saliency");
              },
              "service saliency.v1.SaliencyService in"},
        Break{"PackageOfGeneratedCodeChanged",
              [](Proto&, Proto& file) {
                file.mutable_options()->set_java_package("com.saliency");
              },
              "file saliency/v1/saliency_service.proto: package"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(FrozenApiTest, AdditionsBreakNobody) {
  EXPECT_THAT(
      GoneAfter([](FileDescriptorProto& file, FileDescriptorProto& service) {
        DescriptorProto& later = *file.add_message_type();
        later.set_name("LaterMethod");
        DescriptorProto& attribution = Message(file, "Attribution");
        FieldDescriptorProto& field = *attribution.add_field();
        field.set_name("later_method");
        field.set_number(99);
        field.set_label(FieldDescriptorProto::LABEL_OPTIONAL);
        field.set_type_name(".saliency.v1.LaterMethod");
        field.set_oneof_index(0);
        // The fields of a oneof stand together.
        const int last = attribution.field_size() - 1;
        attribution.mutable_field()->SwapElements(last - 1, last);
        auto& value = *Enum(file, "Extract").add_value();
        value.set_name("EXTRACT_CONV5X5");
        value.set_number(6);
        auto& call = *service.mutable_service(0)->add_method();
        call = Call(service, "MetaSaliency");
        call.set_name("MetaSaliencyAgain");
      }),
      IsEmpty());
}

}  // namespace
}  // namespace saliency::frozen_api_test
