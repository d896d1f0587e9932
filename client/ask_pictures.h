// Asks about pictures, several at once, and reports in the order given: what
// `explain` and `combine` have in common.

#ifndef SALIENCY_CLIENT_ASK_PICTURES_H_
#define SALIENCY_CLIENT_ASK_PICTURES_H_

#include <functional>
#include <memory>

#include "client/console.h"
#include "client/explain_flags.h"
#include "client/picture_answer.h"
#include "client/picture_files.h"
#include "core/base/cancel_token.h"

namespace saliency {

// Asks about one picture; called from several threads.
using AskAboutPicture = std::function<PictureAnswer(
    const PictureFile& file, const std::shared_ptr<CancelToken>& cancel)>;

ExitCode AskAboutPictures(const ExplainPlan& plan, const ExplainFlags& flags,
                          const AskAboutPicture& ask, Console& console);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_ASK_PICTURES_H_
