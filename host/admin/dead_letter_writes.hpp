// What replay and discard do in a plugin's store.
// Thread: made on any; they work in the plugin's lane.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "admin/answering_write.hpp"
#include "runtime/instance.hpp"

namespace gantry::admin {

// Handles what is parked of this event's key and topic, in order, and deletes it.
std::unique_ptr<answering_write> replay_parked(runtime::instance& owner, std::int64_t id, http::responder&& out);
// Deletes one parked event; those behind it stay.
std::unique_ptr<answering_write> discard_parked(runtime::instance& owner, std::int64_t id, http::responder&& out);
// Makes a parked job due now, under its own id, with all its attempts before it.
std::unique_ptr<answering_write> replay_job(runtime::instance& owner, const std::string& id, http::responder&& out);
// Deletes a parked job.
std::unique_ptr<answering_write> discard_job(runtime::instance& owner, const std::string& id, http::responder&& out);

}  // namespace gantry::admin
