// Events that were parked and jobs that were given up, of every plugin of this host: list, show, replay, discard.
//
// An event has a number as id, a job a UUID. Replaying an event handles everything that is parked of its key and topic,
// in the order it was parked, in one transaction of the plugin: all of it or nothing. Replaying a job makes it due at
// once, with all its attempts. Thread: any that may wait; changes work in the plugin's lane.
#pragma once

#include "admin/apart.hpp"
#include "admin/question.hpp"
#include "http/endpoint.hpp"
#include "lifecycle/plugin_set.hpp"

namespace gantry::admin {

// {"items":[{"plugin","id","what":"event"|"job","key","error","attempts",...}],"truncated":bool}. Asked: plugin, limit
// (of each plugin's events and jobs; 1000). `others`: see apart.hpp; null: there are none.
http::reply dead_letters(const lifecycle::plugin_set& set, const question& what, apart* others = nullptr);

// One of them, with the stored event or the payload. Names: plugin, id.
http::reply dead_letter(const lifecycle::plugin_set& set, const question& what);

// {"plugin","id","replayed":n}. A failure of the handler answers 409 with its text, and everything stays parked.
void replay_dead_letter(const lifecycle::plugin_set& set, const question& what, http::responder&& out);

// {"plugin","id","discarded":1}.
void discard_dead_letter(const lifecycle::plugin_set& set, const question& what, http::responder&& out);

}  // namespace gantry::admin
