#include "server/calibration/calibrations.h"

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/engine/run/tensor_threads.h"
#include "server/convert/convert_parts.h"
#include "server/convert/refusal_reason.h"

namespace saliency {
namespace {

absl::Status CalibrationsClosed() {
  return UnavailableBecause("draining", "the server is shutting down");
}

}  // namespace

absl::Status Calibrations::Begin(CalibrationCall& call,
                                 const v1::CalibrationSettings& settings) {
  const absl::StatusOr<int64_t> version = VersionFromProto(settings.model());
  if (!version.ok()) return Annotate(version.status(), "settings");
  ASSIGN_OR_RETURN(const ModelVersionPtr model,
                   models_.FindReady(settings.model().name(), *version));
  call.SetModel(model->model, model->version);
  const Key key(model->model, model->version);
  ASSIGN_OR_RETURN(CalibrationPlan plan,
                   PlanCalibration(settings, *model, tools_.limits));
  RETURN_IF_ERROR(Enter(key, call.events()));
  threads_.Start([this, &call, plan = std::move(plan)] { Run(call, plan); });
  return absl::OkStatus();
}

void Calibrations::Close() {
  MutexLock lock(&mu_);
  closed_ = true;
  for (const auto& [key, events] : running_) events->End(CalibrationsClosed());
}

absl::Status Calibrations::Enter(const Key& key,
                                 const std::shared_ptr<EventQueue>& events) {
  MutexLock lock(&mu_);
  if (closed_) return CalibrationsClosed();
  if (running_.emplace(key, events).second) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("model \"", key.first, "\" version ",
                                         key.second,
                                         " is being calibrated already"));
}

void Calibrations::Leave(const Key& key) {
  MutexLock lock(&mu_);
  running_.erase(key);
}

void Calibrations::Run(CalibrationCall& call, CalibrationPlan plan) {
  // Replicas go first; and the number of threads decides over last digits.
  UseTensorThreads(1);
  const Key key(plan.model.model, plan.model.version);
  CalibrationRun run(tools_, call, std::move(plan));
  const absl::Status status = run.Run();
  // First: whoever has the answer may calibrate again.
  Leave(key);
  call.FinishWith(status, run.images_run());
}

}  // namespace saliency
