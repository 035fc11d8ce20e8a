// What the process of a plugin that runs apart answers to its host's own: what runs in it, and how a step of it goes.
// Thread: any.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "plan/steps.hpp"

namespace gantry::plan {

// {"running":[{"id","version","generation","digest","libraryDigest","error","settings","manifest":{...} or null}]}
std::string to_json(const std::map<std::string, running_plugin>& running);
// corrupt: not such an answer.
result<std::map<std::string, running_plugin>> read_running(std::string_view json);

// {"id","running":bool,"stuck":bool,"unknown":bool,"kind","subject","error":"...","receipt":{...} or null}
struct step_progress {
  std::string id;
  bool running = false;
  bool stuck = false;    // half done, and it can't go back
  bool unknown = false;  // whether it was done: who was to do it has not been heard of again
  std::string kind;
  std::string subject;
  std::string error;    // empty: none so far
  std::string receipt;  // of a swap, as JSON; empty: there is none
};
std::string to_json(const step_progress& progress);
// corrupt: not such an answer. Only the id and `running` have to be there.
result<step_progress> read_progress(std::string_view json);

}  // namespace gantry::plan
