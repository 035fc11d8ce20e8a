// Routes by which people write templates. Thread: pool; what they write runs in the write lane.
#pragma once

#include <gantry/context.hpp>
#include <gantry/event.hpp>
#include <gantry/http.hpp>

#include "store/templates.hpp"

namespace notification {

// GET /notifications/templates: name, locale and current version of each.
gantry::reply list_templates(const gantry::request& q, gantry::context& ctx);

// GET /notifications/templates/{name}?locale=&version=, with the version as ETag.
gantry::reply get_template(const gantry::request& q, gantry::context& ctx);

// PUT /notifications/templates/{name} {locale?, subject, text, html?, short}: a new version. With If-Match, only if
// that version is the current one. A variable that the notice's event does not have is an error now, not when mail is
// sent.
gantry::reply put_template(const gantry::request& q, gantry::context& ctx);

// POST /notifications/templates/{name}/preview {locale?, subject?, text?, html?, short?, data?}: renders the current
// template, with what is given in place of its parts, for sample data or that given. Stores nothing.
gantry::reply preview_template(const gantry::request& q, gantry::context& ctx);

// TemplateSaved, or null after a gap: brings the cache up to date.
void take_saved(const gantry::event* e, template_cache& cache);

}  // namespace notification
