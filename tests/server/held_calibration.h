// Calibrations that a test holds still within the engine.
// Thread-compatible.

#ifndef SALIENCY_TESTS_SERVER_HELD_CALIBRATION_H_
#define SALIENCY_TESTS_SERVER_HELD_CALIBRATION_H_

#include <vector>

#include "absl/status/status.h"
#include "tests/server/calibration_caller.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"
#include "tests/support/fakes.h"

namespace saliency {

// Of a server that calibrates, whose batches wait at the gate and whose
// images are decoded one after the other; gate and folder outlive it.
inline TestServer::Options HeldAtGate(Gate& gate,
                                      const TemporaryFolder& folder) {
  return {.cpu_threads = 1,
          .hook =
              [&gate](const std::vector<int>&) {
                gate.Pass();
                return absl::OkStatus();
              },
          .allow_calibration = true,
          .folder = folder.path()};
}

// A calibration whose first image's batch waits at a gate.
struct HeldCalibration {
  explicit HeldCalibration(int first_image = 0) {
    server.AddFakeModel();
    caller.Send(FakeSettings());
    caller.Send(FakeImage(first_image, 1, {0}));
    gate.AwaitArrivals(1);
  }

  const TemporaryFolder folder;
  Gate gate;
  TestServer server{HeldAtGate(gate, folder)};
  CalibrationCaller caller{server.models()};
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_SERVER_HELD_CALIBRATION_H_
