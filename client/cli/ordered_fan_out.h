// Several calls at once, their outcomes in order: worker threads do the work,
// the calling thread finishes the items one after another.

#ifndef SALIENCY_CLIENT_CLI_ORDERED_FAN_OUT_H_
#define SALIENCY_CLIENT_CLI_ORDERED_FAN_OUT_H_

#include <functional>
#include <memory>

#include "client/cli/interrupt.h"
#include "core/base/cancel_token.h"

namespace saliency {

// What remains to be done with an item; false: take no further items.
using FinishItem = std::function<bool()>;
// Does item `index`; runs on a worker thread.  `cancel` is that thread's.
using DoItem = std::function<FinishItem(
    int index, const std::shared_ptr<CancelToken>& cancel)>;

// Does items [0, count) on up to `concurrency` threads and finishes each on
// this thread, in order.  An interrupt or a finish that returns false stops the
// taking of items; those already taken are still finished.  Returns how many
// were finished.
// REQUIRES: concurrency >= 1.
// At most 2 x concurrency items are taken and not yet finished, so a slow item
// does not let outcomes pile up behind it.
int OrderedFanOut(int count, int concurrency, Interrupt& interrupt,
                  const DoItem& work);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_ORDERED_FAN_OUT_H_
