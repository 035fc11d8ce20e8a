#include "admin/answering_write.hpp"

#include "admin/event_json.hpp"
#include "http/problem.hpp"
#include "runtime/text.hpp"

namespace gantry::admin {

gantry_status answering_write::run(gantry_tx& tx) {
  refusal_.status = 0;
  return change(tx);
}

gantry_status answering_write::refuse(int status, std::string_view slug, std::string_view title,
                                      std::string_view detail) {
  refusal_ = http::problem(status, slug, title, detail);
  return runtime::fail(GANTRY_REFUSED, detail);
}

void answering_write::finished(bool committed_now, gantry_status status, std::string_view text) {
  if (!committed_now) {
    out_.send(http::problem(503, "nothing was changed: " + std::string(text)));
  } else if (refusal_.status != 0) {
    out_.send(std::move(refusal_));
  } else if (status != GANTRY_OK) {
    out_.send(http::problem(500, "nothing was changed: " + std::string(text)));
  } else {
    committed();
    out_.send(json_reply(report()));
  }
}

void answering_write::enqueue(std::shared_ptr<runtime::instance> owner, std::unique_ptr<answering_write> what) {
  auto& lane = *owner->writer;
  what->owner_ = std::move(owner);
  std::unique_ptr<runtime::write> w = std::move(what);
  // Beyond the bounds as well: a full outbox must not keep an operator from repairing what fills it.
  if (!lane.enqueue_always(w)) w->finished(false, GANTRY_UNAVAILABLE, "the store takes no writes");
}

}  // namespace gantry::admin
