// Rows of records that were made by several passes, put together again.
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_RECORD_ROWS_H_
#define SALIENCY_CORE_MODEL_RECORD_ROWS_H_

#include <cstdint>
#include <vector>

#include "core/model/probe.h"

namespace saliency {

// One after another.  REQUIRES: records of the same probe, at least one.
ProbeResult::Record JoinRows(const std::vector<ProbeResult::Record>& parts);

// Row i of the result is row order[i].
ProbeResult::Record PickRows(const ProbeResult::Record& record,
                             const std::vector<int64_t>& order);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RECORD_ROWS_H_
