// Requests over the wire and what tests say about the answers.
// Thread-safe.

#ifndef SALIENCY_TESTS_END_TO_END_WIRE_H_
#define SALIENCY_TESTS_END_TO_END_WIRE_H_

#include <memory>
#include <string>
#include <vector>

#include "client/saliency_client.h"
#include "saliency/v1/saliency_service.pb.h"
#include "tests/end_to_end/model_folder.h"
#include "tests/end_to_end/server_process.h"

namespace saliency {

// The bytes of a file; fails the test when there is none.
std::string ReadBytes(const std::string& path);

// A client that tries nothing again.
std::unique_ptr<SaliencyClient> ClientOf(const ServerProcess& server);

v1::Input ImageInput(const std::string& path);
// [3,height,width] of normally distributed values.
v1::Input RandomTensor(int seed, const ImageSize& size);

v1::Attribution At(const std::string& method,
                   const std::vector<std::string>& layers);
v1::Target ClassIndexTarget(int index);
v1::Target LabelTarget(const std::string& label);

// Little-endian float32.
std::vector<float> Floats(const std::string& data);

// Expects both to be OK, to tell the same of themselves, and values that differ
// by at most `tolerance` times the largest of `expected`.
void ExpectSameMap(const v1::SaliencyMap& actual,
                   const v1::SaliencyMap& expected, float tolerance);

// Expects that a message for callers holds no path, no library's words and no
// line break.
void ExpectFitForCallers(const std::string& message);

}  // namespace saliency

#endif  // SALIENCY_TESTS_END_TO_END_WIRE_H_
