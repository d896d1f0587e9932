// Asks about pictures, several at once or on a stream, and reports in the order
// given: what `explain`, `combine` and `meta` have in common.

#ifndef SALIENCY_CLIENT_ASK_PICTURES_H_
#define SALIENCY_CLIENT_ASK_PICTURES_H_

#include <functional>
#include <memory>

#include "client/console.h"
#include "client/explain_flags.h"
#include "client/picture_answer.h"
#include "client/picture_files.h"
#include "client/saliency_client.h"
#include "core/base/cancel_token.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

// Asks about one picture; called from several threads.
using AskAboutPicture = std::function<PictureAnswer(
    const PictureFile& file, const std::shared_ptr<CancelToken>& cancel)>;

ExitCode AskAboutPictures(const ExplainPlan& plan, const ExplainFlags& flags,
                          const AskAboutPicture& ask, Console& console);

// The same on one stream: of each picture the `question`, which is of
// ComputeSaliency, CombineLayers or MetaSaliency and lacks the picture.
ExitCode StreamPictures(const ExplainPlan& plan, const ExplainFlags& flags,
                        const SaliencyClient& client,
                        const v1::StreamSaliencyRequest& question,
                        Console& console);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_ASK_PICTURES_H_
